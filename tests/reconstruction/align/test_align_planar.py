import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry import Pose, fit_similarity
from sightline.reconstruction.align.planar import PlanarSimilarity, fit_planar, trusted_points


@settings(max_examples=100)
@given(
    scale=st.floats(1e-3, 1e3),
    yaw=st.floats(-3.1, 3.1),
    shift=st.tuples(st.floats(-100, 100), st.floats(-100, 100)),
    seed=st.integers(0, 1000),
)
def test_fit_recovers_any_similarity(scale, yaw, shift, seed):
    truth = PlanarSimilarity(scale, yaw, np.array(shift))
    points = np.random.default_rng(seed).normal(size=(5, 2))
    found = fit_planar(points, truth.apply(points))
    assert found.scale == pytest.approx(scale, rel=1e-7)
    np.testing.assert_allclose(found.apply(points), truth.apply(points), atol=1e-9 * (100 + scale))


def test_fit_agrees_with_umeyama_of_flat_points():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(8, 2))
    target = source @ [[0.3, 1.0], [-1.0, 0.3]] + rng.normal(0, 0.1, (8, 2))
    flat = np.zeros((8, 1))
    spatial = fit_similarity(np.hstack([source, flat]), np.hstack([target, flat]))
    found = fit_planar(source, target)
    np.testing.assert_allclose(
        found.apply(source), spatial.apply(np.hstack([source, flat]))[:, :2], atol=1e-12
    )


def test_a_mirror_image_is_never_fitted_by_a_mirror():
    source = np.array([[0.0, 0], [4, 0], [0, 3], [1, 1]])
    found = fit_planar(source, source * [1, -1])
    assert np.linalg.det(found.matrix) > 0
    assert np.abs(found.apply(source) - source * [1, -1]).max() > 0.5


def test_weights_of_zero_leave_points_out():
    source = np.array([[0.0, 0], [4, 0], [0, 3], [1, 1]])
    target = source * 2.0
    target[3] = [50, 50]
    found = fit_planar(source, target, [1, 1, 1, 0])
    np.testing.assert_allclose(found.apply(source[:3]), target[:3], atol=1e-12)


def test_a_line_of_points_is_enough_and_one_spot_is_not():
    line = np.array([[0.0, 0], [1, 0], [2, 0]])
    assert fit_planar(line, line * 3).scale == pytest.approx(3)
    with pytest.raises(GeometryError, match="map points coincide"):
        fit_planar(np.ones((3, 2)) * 7, line)
    with pytest.raises(GeometryError, match="target points coincide"):
        fit_planar(line, np.ones((3, 2)) * 7)
    with pytest.raises(GeometryError, match="do not correspond"):
        fit_planar([[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 0], [-1, 0], [0, -1], [0, 1]])


def test_lift_turns_about_up_and_puts_the_floor_at_zero():
    level_from_map = Pose.from_rotation(Rotation.random(rng=np.random.default_rng(1)), np.zeros(3))
    planar = PlanarSimilarity(2.5, 0.7, np.array([3.0, -4.0]))
    world_from_map = planar.lift(level_from_map, -0.8)
    points = np.random.default_rng(2).normal(size=(6, 3))
    level = level_from_map.apply(points)
    world = world_from_map.apply(points)
    np.testing.assert_allclose(world[:, :2], planar.apply(level[:, :2]), atol=1e-12)
    np.testing.assert_allclose(world[:, 2], 2.5 * (level[:, 2] + 0.8), atol=1e-12)


@pytest.mark.parametrize("count", [5, 6, 9, 40])
@pytest.mark.parametrize("seed", range(5))
def test_wrong_points_are_named_and_good_ones_kept(count, seed):
    rng = np.random.default_rng(seed)
    truth = PlanarSimilarity(1.3, 2.0, np.array([1.0, 2.0]))
    source = rng.uniform(-10, 10, (count, 2))
    target = truth.apply(source) + rng.normal(0, 0.02, (count, 2))
    wrong = rng.choice(count, size=max(1, (count - 2) // 3), replace=False)
    target[wrong] += rng.choice([-1, 1], (len(wrong), 2)) * rng.uniform(3, 6, (len(wrong), 2))
    inliers = trusted_points(
        count,
        2,
        lambda chosen: fit_planar(source[chosen], target[chosen]),
        lambda fit: np.linalg.norm(fit.apply(source) - target, axis=1),
        extent=float(np.linalg.norm(np.ptp(target, axis=0))),
    )
    assert not inliers[wrong].any()
    assert inliers.sum() == count - len(wrong)
