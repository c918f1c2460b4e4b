"""Metres from a distance, a length, or sparse points: against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.errors import GeometryError, InputError
from sightline.geometry import Camera
from sightline.tasks.depth.maps import DepthMap
from sightline.tasks.depth.scale import (
    SparsePoints,
    by_factor,
    by_points,
    factor_of_distance,
    factor_of_length,
    own_scale,
    sample,
)

WIDTH, HEIGHT = 120, 90
CAMERA = Camera("PINHOLE", WIDTH, HEIGHT, (100.0, 110.0, 59.5, 44.5))


def true_depth() -> NDArray[np.float64]:
    """A slanted floor before a wall, and a box on it."""
    y = np.linspace(0, 1, HEIGHT)[:, None] * np.ones((1, WIDTH))
    depth = 1.0 / (0.2 + 0.5 * y)
    depth[30:60, 40:80] = 1.8
    return depth


def said(depth: NDArray[np.float64], scale: float = 4.0, shift: float = 3.0) -> DepthMap:
    """What a relative network says of it: ``scale / depth + shift``."""
    return DepthMap((scale / depth + shift).astype(np.float32), "disparity", "relative")


def points_of(depth: NDArray[np.float64], count: int, seed: int = 0) -> SparsePoints:
    rng = np.random.default_rng(seed)
    xy = np.stack([rng.integers(0, WIDTH, count), rng.integers(0, HEIGHT, count)], axis=1)
    z = depth[xy[:, 1], xy[:, 0]]
    return SparsePoints(xy.astype(float), z, np.ones(count), "m", "the points")


def abs_rel(depth: NDArray[np.floating], truth: NDArray[np.float64]) -> float:
    return float(np.mean(np.abs(depth - truth) / truth))


def test_points_undo_scale_and_shift() -> None:
    truth = true_depth()
    scaled = by_points(said(truth, 4.0, 3.0), points_of(truth, 30))
    assert scaled.depth_map.unit == "m"
    assert scaled.depth_map.quantity == "depth"
    assert scaled.depth_map.values.dtype == np.float32
    assert scaled.scale == pytest.approx(0.25, rel=1e-4)
    assert scaled.shift == pytest.approx(-0.75, rel=1e-4)
    np.testing.assert_allclose(scaled.depth_map.values, truth, rtol=1e-3)


def test_a_third_of_wrong_points_changes_nothing() -> None:
    truth = true_depth()
    points = points_of(truth, 200)
    points.depth[::3] = np.random.default_rng(1).uniform(0.3, 20, len(points.depth[::3]))
    scaled = by_points(said(truth), points)
    assert abs_rel(scaled.depth_map.values, truth) < 0.01
    assert scaled.details["points_agreeing"] <= 140


def test_a_metric_network_follows_the_points() -> None:
    truth = true_depth()
    scaled = by_points(
        DepthMap((1.7 * truth).astype(np.float32), "depth", "m"), points_of(truth, 50)
    )
    np.testing.assert_allclose(scaled.depth_map.values, truth, rtol=1e-3)


def test_points_of_a_place_without_metres_give_none() -> None:
    truth = true_depth()
    metric = points_of(truth, 50)
    points = SparsePoints(metric.xy, 7 * metric.depth, metric.weight, "relative", "the place")
    scaled = by_points(said(truth), points)
    assert (scaled.depth_map.unit, scaled.depth_map.quantity) == ("relative", "depth")
    np.testing.assert_allclose(scaled.depth_map.values, 7 * truth, rtol=1e-3)
    assert "no scale in metres" in scaled.notes[0]


def test_a_smooth_error_is_corrected_where_points_tell_of_it() -> None:
    truth = true_depth()
    x = np.linspace(-1, 1, WIDTH)[None] * np.ones((HEIGHT, 1))
    bent = said(truth * np.exp(0.25 * x))
    few, many = (by_points(bent, points_of(truth, n)) for n in (30, 400))
    assert few.details["corrected"] is False
    assert abs_rel(few.depth_map.values, truth) > 0.08
    assert many.details["corrected"] is True
    assert many.details["held_out_error"] < 0.5 * many.details["held_out_before"]
    assert abs_rel(many.depth_map.values, truth) < 0.04


def test_noise_of_the_points_is_not_learned() -> None:
    truth = true_depth()
    points = points_of(truth, 300)
    points.depth[:] *= np.exp(np.random.default_rng(2).normal(0, 0.03, 300))
    scaled = by_points(said(truth), points)
    assert scaled.details["corrected"] is False
    assert abs_rel(scaled.depth_map.values, truth) < 0.01


def test_what_lies_behind_the_farthest_point_stays_finite() -> None:
    truth = true_depth()
    values = said(truth).values.copy()
    values[0] = 0.0  # behind the camera, after the shift
    scaled = by_points(DepthMap(values, "disparity", "relative"), points_of(truth[1:], 60))
    depth = scaled.depth_map.values
    assert np.isfinite(depth).all()
    assert depth.max() <= 3.001 * truth.max()
    assert scaled.details["clipped_share"] == pytest.approx(1 / HEIGHT, abs=0.02)


def test_too_few_points_and_points_that_contradict() -> None:
    truth = true_depth()
    with pytest.raises(GeometryError, match="8 or more known points are wanted"):
        by_points(said(truth), points_of(truth, 7))
    with pytest.raises(GeometryError, match="does not follow the points"):
        by_points(
            DepthMap(np.ones((HEIGHT, WIDTH), np.float32), "disparity", "relative"),
            points_of(truth, 50),
        )


def test_a_known_distance_sets_the_scale_alone() -> None:
    truth = true_depth()
    depth_map = said(truth, 4.0, 0.0)
    scaled = by_factor(depth_map, factor_of_distance(depth_map, (60, 45), 1.8), "known distance")
    np.testing.assert_allclose(scaled.depth_map.values, truth, rtol=1e-5)
    assert (scaled.scale, scaled.shift) == (pytest.approx(0.25), 0.0)
    assert "shift of the disparity is not known" in scaled.notes[0]
    # with a shift the pixel itself is right, others are not: it is said, not guessed
    shifted = said(truth, 4.0, 3.0)
    wrong = by_factor(shifted, factor_of_distance(shifted, (60, 45), 1.8), "known distance")
    assert wrong.depth_map.values[45, 60] == pytest.approx(1.8, rel=1e-5)
    assert abs_rel(wrong.depth_map.values, truth) > 0.1


def test_a_known_length_is_that_of_space() -> None:
    truth = true_depth()
    a, b = (42.0, 40.0), (75.0, 80.0)
    ends = [CAMERA.unproject(np.array(p)) * truth[int(p[1]), int(p[0])] for p in (a, b)]
    length = float(np.linalg.norm(ends[0] - ends[1]))
    depth_map = said(truth, 4.0, 0.0)
    scaled = by_factor(depth_map, factor_of_length(depth_map, a, b, length, CAMERA), "known length")
    np.testing.assert_allclose(scaled.depth_map.values, truth, rtol=1e-5)
    with pytest.raises(InputError, match="two pixels are wanted"):
        factor_of_length(depth_map, a, a, 1.0, CAMERA)


@pytest.mark.parametrize(
    ("xy", "metres", "text"),
    [((200, 3), 1.0, "inside the picture"), ((3, 3), 0.0, "above 0 m"), ((3, 3), -1, "above 0 m")],
)
def test_bad_distances(xy: tuple[int, int], metres: float, text: str) -> None:
    with pytest.raises(InputError, match=text):
        factor_of_distance(said(true_depth()), xy, metres)


def test_without_anything_known_a_map_stays_relative() -> None:
    relative = said(true_depth())
    assert own_scale(relative).depth_map is relative
    assert own_scale(relative).source == "none"
    inverse = DepthMap(np.full((3, 4), 0.5, np.float32), "disparity", "m")
    metric = own_scale(inverse)
    assert (metric.depth_map.quantity, metric.source) == ("depth", "checkpoint")
    np.testing.assert_array_equal(metric.depth_map.values, 2.0)


def test_sampling_is_bilinear_and_knows_its_borders() -> None:
    x, y = np.meshgrid(np.arange(5.0), np.arange(4.0))
    values = 3 * x + 10 * y
    xy = np.array([[1.25, 2.5], [0, 0], [4, 3], [-0.4, 1.0], [4.6, 1.0]])
    np.testing.assert_allclose(sample(values, xy), [28.75, 0, 42, 10, np.nan])
