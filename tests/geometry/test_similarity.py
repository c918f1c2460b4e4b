"""Similarity: group axioms, Umeyama's alignment, and its robust variant."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sightline.errors import GeometryError
from sightline.geometry import Pose, Similarity, fit_similarity, fit_similarity_robust
from sightline.geometry.rotation import rotation_angle

vectors = arrays(np.float64, 3, elements=st.floats(-10, 10))
quaternions = arrays(np.float64, 4, elements=st.floats(-1, 1)).filter(
    lambda q: np.linalg.norm(q) > 1e-2
)
similarities = st.builds(
    lambda s, q, t: Similarity(s, Pose(q, t)), st.floats(0.05, 20), quaternions, vectors
)


def random_similarity(rng, scale=None):
    scale = float(np.exp(rng.normal())) if scale is None else scale
    return Similarity(scale, Pose(rng.normal(size=4), rng.normal(size=3)))


def assert_same(a, b, tol=1e-10):
    assert a.scale == pytest.approx(b.scale, rel=tol)
    assert rotation_angle(a.pose.q_wxyz, b.pose.q_wxyz) < tol
    np.testing.assert_allclose(a.pose.translation, b.pose.translation, rtol=tol, atol=tol)


@given(similarities, similarities, similarities, vectors)
@settings(deadline=None)
def test_group_axioms(a, b, c, point):
    size = 1 + np.abs(((a @ b) @ c).apply(point)).max() + a.scale * b.scale * 100
    np.testing.assert_allclose(
        ((a @ b) @ c).apply(point), (a @ (b @ c)).apply(point), atol=1e-13 * size * 100
    )
    np.testing.assert_allclose(
        (a @ b).apply(point), a.apply(b.apply(point)), atol=1e-13 * size * 100
    )
    for undone in (a @ a.inverse(), a.inverse() @ a):
        assert_same(undone, Similarity.identity(), 1e-11)
    assert_same(a @ Similarity.identity(), a, 1e-14)
    assert_same(Similarity.identity() @ a, a, 1e-14)


@given(similarities, quaternions, vectors)
@settings(deadline=None)
def test_apply_pose_moves_the_centre_and_turns_the_axes(a_from_b, q, centre):
    b_from_cam = Pose(q, centre)
    a_from_cam = a_from_b.apply_pose(b_from_cam)
    np.testing.assert_array_equal(a_from_cam.translation, a_from_b.apply(centre))
    np.testing.assert_allclose(
        a_from_cam.rotation_matrix,
        a_from_b.pose.rotation_matrix @ b_from_cam.rotation_matrix,
        atol=1e-14,
    )


def test_apply_pose_takes_a_batch():
    rng = np.random.default_rng(0)
    a_from_b = random_similarity(rng)
    batch = Pose(rng.normal(size=(5, 4)), rng.normal(size=(5, 3)))
    moved = a_from_b.apply_pose(batch)
    assert moved.shape == (5,)
    for i in range(5):
        np.testing.assert_allclose(
            moved[i].matrix, a_from_b.apply_pose(batch[i]).matrix, atol=1e-14
        )


@given(similarities, arrays(np.float64, (6, 3), elements=st.floats(-10, 10)))
@settings(deadline=None)
def test_exact_points_give_back_the_similarity(true, source):
    spread = np.linalg.svd(source - source.mean(axis=0), compute_uv=False)
    # nearer together than this, the points' differences vanish in the rounding of their places
    assume(spread[1] > 1e-2 * max(spread[0], 1.0))
    found = fit_similarity(source, true.apply(source))
    np.testing.assert_allclose(
        found.apply(source), true.apply(source), atol=1e-9 * true.scale + 1e-12
    )
    assert found.scale == pytest.approx(true.scale, rel=1e-9)
    assert np.linalg.det(found.pose.rotation_matrix) == pytest.approx(1, abs=1e-12)


def plain_v_ut(source, target):
    """The rotation of paper 000, Eq. 6: ``V U^T`` of the cross-covariance, no sign fix."""
    u, _, vt = np.linalg.svd((source - source.mean(0)).T @ (target - target.mean(0)))
    return vt.T @ u.T


def test_three_points_never_give_a_reflection_where_the_papers_formula_does_half_the_time():
    """PITFALLS 1."""
    rng = np.random.default_rng(1)
    reflections = 0
    for _ in range(400):
        true, source = random_similarity(rng), rng.normal(size=(3, 3))
        target = true.apply(source)
        reflections += np.linalg.det(plain_v_ut(source, target)) < 0
        assert_same(fit_similarity(source, target), true, 1e-7)
    assert 0.35 * 400 < reflections < 0.65 * 400


def test_mirrored_points_give_the_best_rotation_not_the_mirror():
    rng = np.random.default_rng(2)
    source = rng.normal(size=(20, 3)) * [3, 2, 1]
    target = source * [1, 1, -1]
    assert np.linalg.det(plain_v_ut(source, target)) < 0
    fit = fit_similarity(source, target)
    assert np.linalg.det(fit.pose.rotation_matrix) == pytest.approx(1)
    best = np.linalg.norm(fit.apply(source) - target)
    for _ in range(300):  # no nearby rotation, scale or translation does better
        step = Similarity(
            float(np.exp(0.02 * rng.normal())),
            Pose(np.r_[1, 0.02 * rng.normal(size=3)], 0.02 * rng.normal(size=3)),
        )
        assert np.linalg.norm((step @ fit).apply(source) - target) >= best


def test_noisy_fit_is_the_least_squares_one():
    rng = np.random.default_rng(3)
    source = rng.normal(size=(30, 3))
    target = random_similarity(rng).apply(source) + 0.05 * rng.normal(size=(30, 3))
    for with_scale in (True, False):
        fit = fit_similarity(source, target, with_scale=with_scale)
        best = np.linalg.norm(fit.apply(source) - target)
        for _ in range(200):
            step = Similarity(
                float(np.exp(0.01 * rng.normal())) if with_scale else 1.0,
                Pose(np.r_[1, 0.01 * rng.normal(size=3)], 0.01 * rng.normal(size=3)),
            )
            assert np.linalg.norm((step @ fit).apply(source) - target) > best


def test_without_scale_the_scale_is_exactly_one():
    rng = np.random.default_rng(4)
    source, true = rng.normal(size=(10, 3)), random_similarity(rng, scale=1.0)
    assert_same(fit_similarity(source, true.apply(source), with_scale=False), true)
    stretched = fit_similarity(source, 3 * true.apply(source), with_scale=False)
    assert stretched.scale == 1.0


def test_far_from_the_origin_the_fit_keeps_its_digits():
    rng = np.random.default_rng(5)
    offset = np.array([5e6, 4e5, 100.0])  # UTM coordinates
    source = rng.normal(size=(10, 3)) * 20
    true = random_similarity(rng)
    fit = fit_similarity(source, true.apply(source) + offset)
    assert np.abs(fit.apply(source) - true.apply(source) - offset).max() < 1e-7


LINE = np.outer(np.arange(5.0), [1, 2, 3]) + np.array([7, 0, 1])
CLOUD = np.random.default_rng(6).normal(size=(5, 3))


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (LINE, LINE, "source points do"),
        (CLOUD, LINE, "target points do"),
        (np.ones((4, 3)), np.ones((4, 3)), "coincide"),
        (LINE * 1e-9 + 1, LINE * 1e-9 + 1, "source points do"),
        (CLOUD[:2], CLOUD[:2], "at least 3 point pairs are wanted, 2 came"),
        (CLOUD, CLOUD[:4], "same shape"),
        (CLOUD[:, :2], CLOUD[:, :2], "same shape"),
        (CLOUD * np.nan, CLOUD, "NaN"),
        # The corners of a regular tetrahedron and their mirror image: three rotations tie.
        (
            [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]],
            [[-1, -1, -1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]],
            "do not correspond",
        ),
        # The second set answers to one axis of the first only: the turn about it stays open.
        (
            [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]],
            [[1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, 1]],
            "do not correspond",
        ),
    ],
)
def test_degenerate_input_raises(source, target, message):
    with pytest.raises(GeometryError, match=message):
        fit_similarity(source, target)


@pytest.mark.parametrize("bad_share", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("with_scale", [True, False])
def test_robust_fit_finds_the_outliers(bad_share, with_scale):
    rng = np.random.default_rng(7)
    source = rng.uniform(-5, 5, size=(40, 3))
    true = random_similarity(rng, None if with_scale else 1.0)
    target = true.apply(source) + 0.002 * rng.normal(size=(40, 3))
    bad = np.arange(40) < bad_share * 40
    target[bad] += rng.choice([-1, 1], size=(bad.sum(), 3)) * rng.uniform(1, 5, (bad.sum(), 3))
    fit = fit_similarity_robust(source, target, threshold=0.02, with_scale=with_scale)
    np.testing.assert_array_equal(fit.inliers, ~bad)
    clean = fit_similarity(source[~bad], target[~bad], with_scale=with_scale)
    assert_same(fit.target_from_source, clean, 1e-12)
    expected = np.linalg.norm(clean.apply(source) - target, axis=1)
    np.testing.assert_allclose(fit.residuals, expected, atol=1e-12)
    if not bad_share:
        return
    plain = fit_similarity(source, target, with_scale=with_scale)
    assert np.linalg.norm(plain.apply(source[~bad]) - target[~bad], axis=1).max() > 0.1


def test_robust_fit_is_the_same_for_the_same_seed():
    rng = np.random.default_rng(8)
    source = rng.normal(size=(12, 3))
    target = source + 0.1 * rng.normal(size=(12, 3))
    first = fit_similarity_robust(source, target, threshold=0.2, seed=5)
    again = fit_similarity_robust(source, target, threshold=0.2, seed=5)
    np.testing.assert_array_equal(first.residuals, again.residuals)
    assert first.inliers.sum() >= 3
    np.testing.assert_array_equal(first.inliers, first.residuals <= 0.2)


def test_robust_fit_says_when_nothing_agrees():
    rng = np.random.default_rng(9)
    with pytest.raises(GeometryError, match="no three of the 8 points agree"):
        fit_similarity_robust(rng.normal(size=(8, 3)), rng.normal(size=(8, 3)), threshold=1e-6)
    for threshold in (0.0, -1.0, np.nan):
        with pytest.raises(GeometryError, match="positive, finite threshold"):
            fit_similarity_robust(CLOUD, CLOUD, threshold=threshold)
    with pytest.raises(GeometryError, match="no three"):
        fit_similarity_robust(LINE, LINE, threshold=0.1)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_similarity_has_a_positive_scale(scale):
    with pytest.raises(GeometryError, match="positive, finite scale"):
        Similarity(scale, Pose.identity())
    with pytest.raises(GeometryError, match="one pose"):
        Similarity(1.0, Pose.identity((2,)))
