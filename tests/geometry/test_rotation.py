"""Quaternions and angles against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sightline.errors import GeometryError
from sightline.geometry.rotation import (
    canonical_wxyz,
    mean_rotation,
    rotation_angle,
    rotation_angle_deg,
)

quaternions = arrays(np.float64, 4, elements=st.floats(-1, 1)).filter(
    lambda q: np.linalg.norm(q) > 1e-3
)
axes = arrays(np.float64, 3, elements=st.floats(-1, 1)).filter(lambda v: np.linalg.norm(v) > 1e-3)


def about(axis, angle):
    """The quaternion of a turn by ``angle`` about ``axis``, from the definition."""
    return np.r_[np.cos(angle / 2), np.sin(angle / 2) * np.asarray(axis) / np.linalg.norm(axis)]


@given(quaternions, st.floats(1e-150, 1e150))
@settings(deadline=None)
def test_canonical_is_unit_has_w_not_negative_and_forgets_sign_and_scale(q, scale):
    canonical = canonical_wxyz(q)
    assert canonical.dtype == np.float64
    assert np.linalg.norm(canonical) == pytest.approx(1, abs=4e-16)
    assert canonical[0] >= 0
    np.testing.assert_array_equal(canonical, canonical_wxyz(-q))
    assert rotation_angle(canonical, canonical_wxyz(scale * q)) < 2e-15
    np.testing.assert_allclose(np.abs(canonical @ q), np.linalg.norm(q), rtol=1e-14)


def test_canonical_half_turns_give_one_sign_and_no_negative_zero():
    half_turn = canonical_wxyz([[0, -1, 0, 0], [-0.0, 1, -0.0, 0], [0, 0, -3, 4]])
    np.testing.assert_array_equal(half_turn, [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0.6, -0.8]])
    assert not np.signbit(half_turn[:2]).any()


def test_canonical_keeps_empty_and_denormal_input():
    assert canonical_wxyz(np.zeros((0, 4))).shape == (0, 4)
    np.testing.assert_array_equal(canonical_wxyz([0, 0, 5e-324, 0]), [0, 0, 1, 0])


@pytest.mark.parametrize("bad", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [np.inf, 0, 0, 0], [1, 0, 0]])
def test_canonical_refuses_what_is_no_rotation(bad):
    with pytest.raises(GeometryError, match="wanted"):
        canonical_wxyz(bad)


@pytest.mark.parametrize("angle", [1e-150, 1e-16, 1e-12, 1e-8, 1e-4, 0.1, 1.0, 2.0, 3.0])
@given(axis=axes)
@settings(deadline=None, max_examples=25)
def test_angle_keeps_all_digits_from_the_identity(angle, axis):
    angle_found = rotation_angle([1, 0, 0, 0], about(axis, angle))
    assert angle_found == pytest.approx(angle, rel=2e-14, abs=0)


@pytest.mark.parametrize("short_of_pi", [0.0, 1e-15, 1e-12, 1e-8, 1e-4, 0.1])
@given(axis=axes)
@settings(deadline=None, max_examples=25)
def test_angle_keeps_all_digits_near_pi(short_of_pi, axis):
    angle_found = rotation_angle([1, 0, 0, 0], about(axis, np.pi - short_of_pi))
    assert 0 <= angle_found <= np.pi
    assert angle_found == pytest.approx(np.pi - short_of_pi, abs=2e-15)


def test_angle_is_exact_where_acos_loses_half_the_digits():
    tiny = about([1, 2, 3], 1e-9)
    assert 2 * np.arccos(min(1.0, tiny[0])) != pytest.approx(1e-9, rel=0.5)
    assert rotation_angle([1, 0, 0, 0], tiny) == pytest.approx(1e-9, rel=1e-14)


@given(quaternions, quaternions)
@settings(deadline=None)
def test_angle_is_symmetric_blind_to_sign_and_zero_on_itself(a, b):
    angle = rotation_angle(a, b)
    assert 0 <= angle <= np.pi
    assert rotation_angle(b, a) == angle
    assert rotation_angle(-a, b) == angle
    assert rotation_angle(a, -a) == 0


def test_angles_broadcast_and_come_in_degrees():
    turns = np.stack([about([0, 0, 1], np.deg2rad(d)) for d in (0, 90, 190, 350)])
    np.testing.assert_allclose(rotation_angle_deg(turns, [1, 0, 0, 0]), [0, 90, 170, 10])
    assert rotation_angle(turns[:, None], turns[None]).shape == (4, 4)


def test_mean_near_a_half_turn_where_axis_angle_vectors_cancel():
    """PITFALLS 6: 175 and 185 degrees are 10 apart; their axis-angle vectors cancel to 0."""
    pair = np.stack([about([0, 1, 0], np.deg2rad(d)) for d in (175, 185)])
    vectors = np.array([[0, np.deg2rad(175), 0], [0, -np.deg2rad(175), 0]])
    assert np.linalg.norm(vectors.mean(axis=0)) == 0
    assert rotation_angle(mean_rotation(pair), about([0, 1, 0], np.pi)) < 1e-9


def test_mean_follows_its_weights():
    pair = np.stack([about([1, 0, 0], 0.0), about([1, 0, 0], 0.2)])
    angle = rotation_angle(mean_rotation(pair, [1, 3]), [1, 0, 0, 0])
    # The chordal mean of two turns about one axis is the angle of the weighted sum of phasors.
    assert angle == pytest.approx(np.angle(1 + 3 * np.exp(0.2j)), abs=1e-12)
