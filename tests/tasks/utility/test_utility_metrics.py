"""Scores against values worked out by hand, against torchmetrics, and at their edges."""

import itertools

import numpy as np
import pytest
import torch

from sightline.learning.torchvision_compat import import_torchvision
from sightline.tasks.utility.metrics import (
    BINS,
    SourceDraws,
    area_under_roc,
    best_threshold,
    calibration_error,
    decision_scores,
    interval,
    reliability,
    roc_curve,
)


def flags(*values: int) -> np.ndarray:
    return np.array(values, dtype=bool)


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities, some of them equal, and labels that mostly follow them."""
    rng = np.random.default_rng(seed)
    probability = np.round(rng.random(count), 2)
    return probability, rng.random(count) < probability


def test_area_is_the_share_of_pairs_in_order() -> None:
    score = np.array([0.1, 0.4, 0.4, 0.8])
    useful = flags(0, 1, 0, 1)
    # pairs (useful, useless): 0.4 > 0.1, 0.4 = 0.4, 0.8 > 0.1, 0.8 > 0.4
    assert area_under_roc(score, useful) == pytest.approx(3.5 / 4)
    assert area_under_roc(-score, useful) == pytest.approx(0.5 / 4)
    assert area_under_roc(np.zeros(4), useful) == 0.5
    assert np.isnan(area_under_roc(score, flags(1, 1, 1, 1)))


def test_weights_are_repeated_images() -> None:
    score, useful = drawn(30)
    weight = np.random.default_rng(1).integers(0, 4, 30)
    again = area_under_roc(np.repeat(score, weight), np.repeat(useful, weight))
    assert area_under_roc(score, useful, weight) == pytest.approx(again, abs=1e-12)


def test_area_curve_and_calibration_agree_with_torchmetrics() -> None:
    import_torchvision()
    from torchmetrics.functional.classification import binary_auroc, binary_calibration_error

    probability, useful = drawn(500)
    # off the bins' edges, which libraries give to either side
    probability = 1e-4 + 0.9997 * probability
    truth, said = torch.from_numpy(useful.astype(int)), torch.from_numpy(probability)
    assert area_under_roc(probability, useful) == pytest.approx(float(binary_auroc(said, truth)))
    false, true = roc_curve(probability, useful)
    assert np.trapezoid(true, false) == pytest.approx(area_under_roc(probability, useful))
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    expected = float(binary_calibration_error(said, truth, n_bins=BINS, norm="l1"))
    found = calibration_error(reliability(probability, useful))
    assert found == pytest.approx(expected, abs=1e-6)


def test_calibration_by_hand() -> None:
    probability = np.array([0.05, 0.05, 0.95, 0.95])
    curve = reliability(probability, flags(0, 1, 1, 1), bins=10)
    assert [row["images"] for row in curve] == [2, 2]
    assert [row["useful"] for row in curve] == [0.5, 1.0]
    # half the images are 0.45 off, half 0.05
    assert calibration_error(curve) == pytest.approx(0.25)
    # 0 and 1 have a bin, and a bin holds its upper edge
    ends = reliability(np.array([0.0, 0.1, 1.0]), flags(0, 0, 1), bins=10)
    assert [row["images"] for row in ends] == [2, 1]


def test_threshold_lies_midway_and_is_the_best_of_all() -> None:
    assert best_threshold(np.array([1.0, 2.0, 4.0, 5.0]), flags(0, 0, 1, 1)) == 3.0
    score, useful = drawn(60, seed=3)
    found = best_threshold(score, useful)
    assert found is not None

    def balanced(threshold: float) -> float:
        said = score >= threshold
        return float((said[useful].mean() + (~said)[~useful].mean()) / 2)

    candidates = [*np.unique(score), score.max() + 1]
    assert balanced(found) == pytest.approx(max(balanced(c) for c in candidates))
    assert best_threshold(score, np.ones(60, dtype=bool)) is None


def test_the_threshold_of_most_right_is_found_by_trying_all() -> None:
    rng = np.random.default_rng(3)
    useful = rng.random(80) < 0.8  # not as many of both
    score = np.round(rng.normal(useful, 1.0), 1)
    found = best_threshold(score, useful, aim="accuracy")
    assert found is not None
    tries = [np.mean((score >= t) == useful) for t in (*np.unique(score), 9.0)]
    assert np.mean((score >= found) == useful) == pytest.approx(max(tries))
    balanced = best_threshold(score, useful)
    assert balanced is not None
    assert balanced > found  # the rarer useless ones weigh less than there


def test_threshold_that_is_asked_for_wins_among_equals_only() -> None:
    score, useful = np.array([1.0, 2.0, 4.0, 5.0]), flags(0, 0, 1, 1)
    assert best_threshold(score, useful, 2.5) == 2.5
    assert best_threshold(score, useful, 4.5) == 3.0
    assert best_threshold(score, useful, 4.0) == 4.0  # scores of it or more are useful
    assert best_threshold(score, useful, 2.0) == 3.0


def test_decisions_by_hand() -> None:
    said, useful = flags(1, 1, 0, 0, 1), flags(1, 0, 0, 1, 1)
    scores = decision_scores(said, useful)
    assert scores["confusion"] == [[1, 1], [1, 2]]
    assert scores["accuracy"] == pytest.approx(3 / 5)
    assert scores["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert (scores["precision_useless"], scores["recall_useless"]) == (1 / 2, 1 / 2)
    alone = decision_scores(flags(1, 1), flags(1, 1))
    assert (alone["accuracy"], alone["balanced_accuracy"]) == (1.0, None)
    assert (alone["precision_useless"], alone["recall_useless"]) == (None, None)


def test_draws_of_three_sources_are_all_that_can_be_drawn() -> None:
    right = flags(1, 1, 0, 1, 0)
    draws = SourceDraws(["a", "a", "b", "b", "c"], resamples=4000)
    sums, sizes = {"a": 2, "b": 1, "c": 0}, {"a": 2, "b": 2, "c": 1}
    every = [
        sum(sums[s] for s in chosen) / sum(sizes[s] for s in chosen)
        for chosen in itertools.product("abc", repeat=3)
    ]
    found = draws.means(right)
    assert set(np.round(found, 9)) == set(np.round(every, 9))
    assert found.mean() == pytest.approx(np.mean(every), abs=0.02)
    useful = flags(1, 0, 1, 0, 0)
    once = SourceDraws(["a", "b", "c", "d", "e"], resamples=50)
    for row, share in zip(once.counts, once.balanced(right, useful), strict=True):
        if row[useful].sum() and row[~useful].sum():
            high = (row * right)[useful].sum() / row[useful].sum()
            low = (row * right)[~useful].sum() / row[~useful].sum()
            assert share == pytest.approx((high + low) / 2)
        else:
            assert np.isnan(share)


def test_copies_of_a_source_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(40) < 0.7
    alone = interval(SourceDraws([str(k) for k in range(40)]).means(right))
    copied = interval(SourceDraws([str(k) for k in range(40) for _ in range(9)]).means(
        np.repeat(right, 9)))  # fmt: skip
    assert alone is not None
    assert copied == pytest.approx(alone)
    assert alone[1] - alone[0] == pytest.approx(2 * 1.96 * np.sqrt(0.7 * 0.3 / 40), rel=0.2)
    assert interval(np.array([np.nan, np.nan, 1.0])) is None
    # the copies of a single photo say nothing of others
    assert interval(SourceDraws(["a"] * 40).means(right)) is None
    assert interval(SourceDraws(["a"] * 40).area(rng.random(40), right)) is None
