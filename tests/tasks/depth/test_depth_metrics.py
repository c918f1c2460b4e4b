"""The nine scores against the published code's arithmetic written anew, and in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.tasks.depth.metrics import (
    METRICS,
    ScoreTotals,
    clamp_depth,
    crop_slices,
    depth_scores,
    depth_sums,
    judged_pixels,
)


def image(seed: int, shape: tuple[int, int] = (24, 32)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.3, 9.0, shape)
    return (true * rng.lognormal(0.02, 0.2, shape)).clip(1e-3, 10), true


def one_by_one(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """The definitions, pixel by pixel with exact sums: nothing shared with the module."""
    pairs = list(zip(predicted.ravel().tolist(), true.ravel().tolist(), strict=True))
    count = len(pairs)
    logs = [math.log(p / t) for p, t in pairs]
    mean_log = math.fsum(logs) / count

    def share(limit: float) -> float:
        return sum(1 for p, t in pairs if p / t < limit and t / p < limit) / count

    return {
        "a1": share(1.25),
        "a2": share(1.5625),
        "a3": share(1.953125),
        "abs_rel": math.fsum(abs(p - t) / t for p, t in pairs) / count,
        "rmse": math.sqrt(math.fsum((p - t) ** 2 for p, t in pairs) / count),
        "log_10": math.fsum(abs(math.log10(p) - math.log10(t)) for p, t in pairs) / count,
        "rmse_log": math.sqrt(math.fsum(g * g for g in logs) / count),
        "silog": 100 * math.sqrt(math.fsum((g - mean_log) ** 2 for g in logs) / count),
        "sq_rel": math.fsum((p - t) ** 2 / t for p, t in pairs) / count,
    }


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_an_independent_computation(seed):
    predicted, true = image(seed)

    scores = depth_scores(predicted, true)

    assert list(scores) == list(METRICS)
    for name, value in one_by_one(predicted, true).items():
        assert scores[name] == pytest.approx(value, rel=1e-9), name


def test_float32_maps_are_summed_in_float64():
    predicted, true = (a.astype(np.float32) for a in image(0, (480, 640)))

    scores = depth_scores(predicted, true)

    for name, value in one_by_one(predicted, true).items():
        assert scores[name] == pytest.approx(value, rel=1e-7), name


def test_a_perfect_map_has_no_error_and_a_map_twice_as_far_is_known_in_closed_form():
    true = image(0)[1]

    assert depth_scores(true, true) == pytest.approx(
        dict.fromkeys(METRICS, 0.0) | {"a1": 1.0, "a2": 1.0, "a3": 1.0}
    )
    twice = depth_scores(2 * true, true)
    assert twice["a3"] == 0.0  # 2 > 1.25^3
    assert twice["abs_rel"] == pytest.approx(1.0)
    assert twice["log_10"] == pytest.approx(math.log10(2))
    assert twice["rmse_log"] == pytest.approx(math.log(2))
    assert twice["silog"] == pytest.approx(0.0, abs=1e-5)  # it forgives any factor
    assert twice["rmse"] == pytest.approx(math.sqrt(np.mean(true**2)))
    assert twice["sq_rel"] == pytest.approx(true.mean())


def test_silog_of_logarithms_plus_and_minus_a_tenth_is_ten():
    true = np.full((2, 2), 2.0)
    predicted = true * np.exp([[0.1, -0.1], [0.1, -0.1]])

    assert depth_scores(predicted, true)["silog"] == pytest.approx(10.0)


def test_a_ratio_of_exactly_the_threshold_is_outside():
    true = np.ones((1, 4))
    predicted = np.array([[1.25, 0.8, 1.2499, 1.5625]])

    scores = depth_scores(predicted, true)

    assert scores["a1"] == 0.25
    assert scores["a2"] == 0.75


def test_the_table_is_the_mean_over_images_and_pooled_is_over_pixels():
    near = (np.full((10, 10), 1.1), np.ones((10, 10)))
    far = (np.full((2, 2), 6.0), np.full((2, 2), 4.0))
    totals = ScoreTotals()
    for predicted, true in (near, far):
        totals.add(depth_sums(predicted, true))

    mean, pooled = totals.mean(), totals.pooled()

    assert totals.images == 2
    assert totals.pixels == 104
    assert mean["abs_rel"] == pytest.approx((0.1 + 0.5) / 2)
    assert pooled["abs_rel"] == pytest.approx((100 * 0.1 + 4 * 0.5) / 104)
    assert mean["rmse"] == pytest.approx((0.1 + 2.0) / 2)
    assert pooled["rmse"] == pytest.approx(math.sqrt((100 * 0.01 + 4 * 4.0) / 104))
    assert mean["a1"] == 0.5


def test_pooled_scores_are_those_of_all_pixels_laid_together():
    parts = [image(seed, (8, 8 + seed)) for seed in range(4)]
    totals = ScoreTotals()
    for predicted, true in parts:
        totals.add(depth_sums(predicted, true))
    laid = [np.concatenate([part[i].ravel() for part in parts]) for i in (0, 1)]

    assert totals.pooled() == pytest.approx(one_by_one(*laid), rel=1e-9)


def test_no_image_has_no_scores_and_no_pixel_is_refused():
    assert set(ScoreTotals().mean().values()) == {None}
    assert set(ScoreTotals().pooled().values()) == {None}
    with pytest.raises(InputError, match="pixels with known depth are wanted"):
        depth_scores(np.ones((2, 2)), np.full((2, 2), np.nan))
    with pytest.raises(InputError, match="above zero"):
        depth_scores(np.zeros((2, 2)), np.ones((2, 2)))


def test_unknown_truth_is_not_judged():
    predicted, true = image(1)
    holed = true.copy()
    holed[0], holed[1], holed[2], holed[3] = 0, np.nan, np.inf, -1

    assert depth_scores(predicted, holed) == pytest.approx(one_by_one(predicted[4:], true[4:]))


def test_the_eigen_crop_is_the_published_one_and_scales():
    assert crop_slices((480, 640), "eigen") == (slice(45, 471), slice(41, 601))
    assert crop_slices((240, 320), "eigen") == (slice(22, 235), slice(20, 300))
    assert crop_slices((480, 640), "none") == (slice(0, 480), slice(0, 640))
    # KITTI's 375x1242, from int(share * size) of the published code
    assert crop_slices((375, 1242), "garg") == (slice(153, 371), slice(44, 1197))
    assert crop_slices((375, 1242), "eigen_kitti") == (slice(124, 342), slice(44, 1197))
    with pytest.raises(InputError, match="a crop of none, eigen"):
        crop_slices((4, 4), "nyu")  # type: ignore[arg-type]


def test_the_caps_are_strict_and_the_border_is_not_judged():
    true = np.full((480, 640), 2.0)
    true[100, 100:104] = [1e-3, 10.0, 9.99, np.nan]

    judged = judged_pixels(true, "eigen", 1e-3, 10.0)

    assert judged[100, 100:104].tolist() == [False, False, True, False]
    assert judged.sum() == (471 - 45) * (601 - 41) - 3
    assert not judged[44].any()
    assert not judged[:, 601].any()


def test_predictions_are_put_within_the_caps_and_missing_ones_are_wrong():
    values = np.array([[-1.0, 0.0, 5.0, 20.0], [np.nan, np.inf, -np.inf, 10.0]])

    clamped = clamp_depth(values, 1e-3, 10.0)

    expected = [[1e-3, 1e-3, 5, 10], [1e-3, 10, 1e-3, 10]]
    np.testing.assert_allclose(clamped, expected, rtol=1e-6)
