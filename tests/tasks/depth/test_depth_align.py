"""Scale and shift: exact truths, wrong points, and what cannot be aligned."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.tasks.depth.align import (
    align,
    align_map,
    as_depth,
    default_alignments,
    depth_of_disparity,
    fit_robust,
    fit_scale_shift,
)
from sightline.tasks.depth.maps import DepthMap


def relative(values) -> DepthMap:
    return DepthMap(np.asarray(values, np.float32), "disparity", "relative")


def truth(seed: int = 0, shape: tuple[int, int] = (12, 16)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.5, 8.0, shape)


def test_scale_and_shift_are_found_where_they_are_exact():
    x = np.random.default_rng(0).normal(size=(7, 9))

    scale, shift = fit_scale_shift(x, 2.5 * x - 0.75)

    assert scale == pytest.approx(2.5, abs=1e-12)
    assert shift == pytest.approx(-0.75, abs=1e-12)


def test_the_fit_is_that_of_numpy_s_solver_with_and_without_weights():
    rng = np.random.default_rng(1)
    x, y, w = rng.normal(size=(3, 200))
    w = np.abs(w)
    design = np.stack([x, np.ones_like(x)], axis=1)
    plain = np.linalg.lstsq(design, y, rcond=None)[0]
    root = np.sqrt(w)
    weighted = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]

    np.testing.assert_allclose(fit_scale_shift(x, y), plain, rtol=1e-10)
    np.testing.assert_allclose(fit_scale_shift(x, y, weights=w), weighted, rtol=1e-10)


def test_a_small_spread_on_a_large_offset_keeps_its_digits():
    x = 1000.0 + np.linspace(0, 0.01, 50)

    scale, shift = fit_scale_shift(x, 3.0 * x + 1.0)

    assert scale == pytest.approx(3.0, rel=1e-6)
    assert shift == pytest.approx(1.0, abs=1e-2)


def test_masked_and_non_finite_values_do_not_count():
    x = np.array([0.0, 1.0, 2.0, 3.0, np.nan, 5.0])
    y = np.array([1.0, 3.0, 5.0, 100.0, 4.0, np.inf])
    valid = np.array([True, True, True, False, True, True])

    assert fit_scale_shift(x, y, valid) == pytest.approx((2.0, 1.0))


def test_a_constant_prediction_becomes_the_mean_of_the_target():
    y = np.array([1.0, 2.0, 6.0])

    assert fit_scale_shift(np.full(3, 7.3), y) == (0.0, pytest.approx(3.0))


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_points_are_refused(count):
    valid = np.arange(4) < count

    with pytest.raises(InputError, match=f"2 or more known points are wanted .* {count} came"):
        fit_scale_shift(np.arange(4.0), np.arange(4.0), valid)


def test_the_robust_fit_ignores_forty_percent_of_wrong_points_and_the_plain_one_does_not():
    rng = np.random.default_rng(2)
    x = rng.uniform(0.1, 2.0, 500)
    y = 0.4 * x + 0.05 + rng.normal(0, 1e-3, 500)
    wrong = rng.permutation(500)[:200]
    y[wrong] = rng.uniform(0, 5, 200)

    fit = fit_robust(x, y)
    plain = fit_scale_shift(x, y)

    assert fit.scale == pytest.approx(0.4, abs=2e-3)
    assert fit.shift == pytest.approx(0.05, abs=2e-3)
    assert fit.spread < 5e-3
    right = np.setdiff1d(np.arange(500), wrong)
    assert fit.inliers[right].mean() > 0.9
    assert fit.inliers[wrong].mean() < 0.05
    assert abs(plain[0] - 0.4) > 0.05 or abs(plain[1] - 0.05) > 0.2


def test_the_robust_fit_without_shift_finds_one_factor():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    y = np.array([2.0, 4.0, 6.0, 8.0, 90.0])

    fit = fit_robust(x, y, with_shift=False)

    assert (fit.scale, fit.shift) == (pytest.approx(2.0), 0.0)
    assert fit.inliers.tolist() == [True, True, True, True, False]


def test_weights_decide_between_two_groups_of_points():
    x = np.linspace(1, 2, 40)
    y = np.where(np.arange(40) % 2 == 0, 3.0 * x, 5.0 * x)

    heavy = fit_robust(x, y, weights=np.where(np.arange(40) % 2 == 0, 1.0, 0.1))
    other = fit_robust(x, y, weights=np.where(np.arange(40) % 2 == 0, 0.1, 1.0))

    assert heavy.scale == pytest.approx(3.0)
    assert other.scale == pytest.approx(5.0)


def test_the_robust_fit_says_when_a_prediction_runs_against_the_points():
    x = np.linspace(0, 1, 20)

    with pytest.raises(InputError, match="positive scale"):
        fit_robust(x, -2 * x)


def test_disparity_is_undone_whatever_its_scale_and_shift():
    depth = truth()

    aligned = align_map(relative(3.0 / depth + 7.0), depth, "disparity")

    np.testing.assert_allclose(aligned.depth, depth, rtol=1e-4)
    assert aligned.scale == pytest.approx(1 / 3, rel=1e-4)
    assert aligned.clipped == 0


def test_the_fit_in_disparity_is_not_the_fit_in_depth():
    depth = truth()
    noisy = relative(1.0 / depth + np.random.default_rng(3).normal(0, 0.1, depth.shape) + 1.0)

    by_disparity = align(noisy, depth, "disparity", max_depth_m=10)
    by_depth = align(noisy, depth, "depth", max_depth_m=10)

    assert np.square(by_depth - depth).mean() < np.square(by_disparity - depth).mean()
    inverse = [
        np.square(1 / np.clip(d, 0.1, 10) - 1 / depth).mean() for d in (by_disparity, by_depth)
    ]
    assert inverse[0] < inverse[1]


def test_disparity_behind_the_camera_is_put_at_the_cap_and_counted():
    depth, clipped = depth_of_disparity(np.array([-1.0, 0.0, 0.05, 0.1, 0.5, np.nan]), 10.0)

    np.testing.assert_allclose(depth[:5], [10, 10, 10, 10, 2], rtol=1e-6)
    assert np.isnan(depth[5])
    assert clipped == 3


def test_only_the_valid_pixels_are_fitted():
    depth = truth()
    values = 1.0 / depth
    values[:, 8:] = 100.0
    valid = np.zeros(depth.shape, bool)
    valid[:, :8] = True

    fitted = align(relative(values), depth, "disparity", valid=valid)

    np.testing.assert_allclose(fitted[:, :8], depth[:, :8], rtol=1e-4)


def test_unknown_truth_is_not_fitted():
    depth = truth()
    known = depth.copy()
    known[::2] = np.nan
    known[1::4] = 0.0

    np.testing.assert_allclose(align(relative(2 / depth), known, "disparity"), depth, rtol=1e-4)


def test_the_median_is_one_factor():
    depth = truth()
    metric = DepthMap((0.5 * depth).astype(np.float32), "depth", "m")

    aligned = align_map(metric, depth, "median")

    assert aligned.scale == pytest.approx(2.0, rel=1e-5)
    np.testing.assert_allclose(aligned.depth, depth, rtol=1e-5)
    np.testing.assert_allclose(align(relative(4 / depth), depth, "median"), depth, rtol=1e-5)


def test_metres_stay_as_they_are_without_alignment():
    depth = truth().astype(np.float32)

    np.testing.assert_array_equal(align(DepthMap(depth, "depth", "m"), depth * 2, "none"), depth)
    inverse = DepthMap(1 / depth, "disparity", "m")
    np.testing.assert_allclose(align(inverse, depth * 2, "none"), depth, rtol=1e-5)
    with pytest.raises(InputError, match="align by median, depth or disparity"):
        align(relative(depth), depth, "none")


def test_a_map_of_another_size_is_refused():
    with pytest.raises(InputError, match=r"\(3, 4\) is wanted, \(4, 3\) came"):
        align(relative(np.ones((4, 3))), np.ones((3, 4)), "disparity")


def test_a_map_that_says_nothing_is_refused_or_the_mean():
    depth = truth()

    flat = align(relative(np.zeros(depth.shape)), depth, "disparity")
    np.testing.assert_allclose(flat, 1 / np.mean(1 / depth), rtol=1e-5)
    assert np.ptp(as_depth(relative(np.zeros(depth.shape)))) == 0
    with pytest.raises(InputError, match="known points"):
        align(relative(np.full(depth.shape, np.nan)), depth, "disparity")


def test_metric_maps_are_judged_as_they_are_and_relative_ones_aligned():
    assert default_alignments("m") == ("none", "disparity")
    assert default_alignments("relative") == ("disparity",)
