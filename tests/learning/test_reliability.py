"""Calibration, risk and coverage, thresholds: closed forms, ties, nothing at all."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.learning.reliability import (
    Bin,
    area_under_risk,
    calibration_error,
    confidence_scores,
    reliability_bins,
    risk_after_rejecting,
    risk_coverage,
    threshold_for,
)

NONE = np.zeros(0)


def test_what_comes_true_is_calibrated() -> None:
    """Of 1000 answers of each tenth exactly so many are right."""
    said = np.repeat(np.arange(1, 10) / 10, 1000)
    right = np.tile(np.arange(1000), 9) < said * 1000 - 0.5
    bins = reliability_bins(said, right, bins=10)
    assert [b.answers for b in bins] == [1000] * 9
    assert calibration_error(bins) == pytest.approx(0.0, abs=1e-12)
    drawn = np.random.default_rng(0)
    likely = drawn.random(20_000)
    assert calibration_error(reliability_bins(likely, drawn.random(20_000) < likely)) < 0.02


def test_overconfidence_is_the_gap() -> None:
    bins = reliability_bins(np.full(10, 0.9), np.arange(10) < 6)
    assert bins == [Bin(10, pytest.approx(0.9), 0.6)]
    assert calibration_error(bins) == pytest.approx(0.3)


def test_a_bin_holds_its_upper_edge() -> None:
    bins = reliability_bins(np.array([0.0, 0.1, 0.100001, 1.0]), np.ones(4, bool), bins=10)
    assert [b.answers for b in bins] == [2, 1, 1]


def test_risk_and_coverage_by_hand() -> None:
    coverage, risk = risk_coverage(np.array([0.2, 0.9, 0.4, 0.7]), np.array([1.0, 0.0, 0.0, 2.0]))
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(risk, [0.0, 1.0, 2 / 3, 3 / 4])
    area = area_under_risk(np.array([0.2, 0.9, 0.4, 0.7]), np.array([1.0, 0.0, 0.0, 2.0]))
    assert area == pytest.approx((0 + 1 + 2 / 3 + 3 / 4) / 4)


def test_ties_are_the_mean_over_their_orders() -> None:
    rng = np.random.default_rng(1)
    confidence, wrong = rng.integers(0, 3, 12) / 2, rng.random(12) < 0.4
    _, risk = risk_coverage(confidence, wrong)
    shuffled = []
    for _ in range(4_000):
        order = np.lexsort((rng.random(12), -confidence))
        shuffled.append(np.cumsum(wrong[order]) / np.arange(1, 13))
    np.testing.assert_allclose(risk, np.mean(shuffled, axis=0), atol=0.03)
    _, same = risk_coverage(np.full(12, 0.5), wrong)
    np.testing.assert_allclose(same, wrong.mean())


def test_the_order_decides_what_rejecting_gains() -> None:
    wrong = np.arange(100) < 10
    sure = 1.0 - wrong
    assert risk_after_rejecting(sure, wrong, 0.1) == 0.0
    assert risk_after_rejecting(sure, wrong, 0.05) == pytest.approx(5 / 95)
    assert risk_after_rejecting(-sure, wrong, 0.1) == pytest.approx(10 / 90)
    assert risk_after_rejecting(np.ones(100), wrong, 0.1) == pytest.approx(0.1)
    assert risk_after_rejecting(sure, wrong, 0.0) == pytest.approx(0.1)
    # 10% of 9 answers are none
    assert risk_after_rejecting(sure[:9], wrong[:9], 0.1) == 1.0


def test_nothing_has_no_figures() -> None:
    assert reliability_bins(NONE, NONE.astype(bool)) == []
    assert math.isnan(calibration_error([]))
    assert math.isnan(area_under_risk(NONE, NONE))
    assert math.isnan(risk_after_rejecting(NONE, NONE, 0.1))
    assert math.isnan(risk_after_rejecting(np.ones(3), np.ones(3), 1.0))
    scores = confidence_scores(NONE, NONE, 0.5)
    assert scores.pop("answers") == 0
    assert set(scores.values()) == {None}


def test_scores_of_answers() -> None:
    error = np.array([0.1, 0.5, 0.6, 3.0])
    scores = confidence_scores(np.array([1.0, 1.0, 0.0, 0.0]), error, 0.5)
    assert scores == {
        "answers": 4, "wrong": 0.5, "wrong_without_10": 0.5, "calibration_error": 0.0,
        "brier": 0.0, "area_under_risk": pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4),
        "best_area": pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4),
    }  # fmt: skip


# --- thresholds -----------------------------------------------------------------------------------


def test_a_threshold_leaves_as_many_mistakes_as_were_granted() -> None:
    confidence = np.linspace(0.0, 1.0, 999)
    wrong = np.zeros(999, bool)
    wrong[[100, 400, 700, 950]] = True
    # (wrong + 1) / 1000 <= 0.003 grants two of the four
    least = threshold_for(confidence, wrong, 0.003)
    kept = confidence >= least
    assert wrong[kept].sum() == 2
    assert least == np.nextafter(confidence[400], 1.0)
    assert threshold_for(confidence, wrong, 0.001) > confidence[950]
    assert threshold_for(confidence, wrong, 0.005) == 0.0


def test_answers_as_sure_as_a_mistake_go_with_it() -> None:
    confidence, wrong = np.full(1000, 0.7), np.arange(1000) < 50
    assert threshold_for(confidence, wrong, 0.01) > 0.7


def test_the_promise_holds_on_average_over_new_photos() -> None:
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(200):
        confidence = rng.random(600)
        wrong = rng.random(600) < (1.0 - confidence) ** 2
        least = threshold_for(confidence[:300], wrong[:300], 0.05)
        shares.append((wrong[300:] & (confidence[300:] >= least)).mean())
    assert 0.041 < np.mean(shares) <= 0.0525


def test_few_photos_promise_little() -> None:
    right = np.zeros(199, bool)
    assert threshold_for(np.ones(199), right, 0.005) == 0.0
    with pytest.raises(InputError, match=r"at least 199 photos are wanted .* under 0.50%, 198"):
        threshold_for(np.ones(198), right[1:], 0.005)


def test_it_imports_without_torch() -> None:
    code = "import sightline.learning.reliability, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
