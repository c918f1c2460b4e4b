"""Confidence from evidence: the true weights come back, and little data gives none."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sightline.learning.calibration import confidences, fit_confidence


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return evidence on odd scales, the true probabilities, and outcomes drawn from them."""
    rng = np.random.default_rng(seed)
    evidence = rng.normal([100.0, -3.0, 0.0], [10.0, 0.01, 1.0], (count, 3))
    score = 0.5 + 0.2 * (evidence[:, 0] - 100.0) + 100.0 * (evidence[:, 1] + 3.0)
    likely = 1.0 / (1.0 + np.exp(-score))
    return evidence, likely, rng.random(count) < likely


def test_it_finds_how_likely_each_answer_is() -> None:
    evidence, _, right = drawn(20_000)
    weights = fit_confidence(evidence, right)
    others, likely, _ = drawn(2_000, seed=1)
    said = confidences(weights, others)
    assert np.abs(said - likely).mean() < 0.03
    # shrunk, so a little nearer to the middle than the truth
    assert weights[1] == pytest.approx(0.2, rel=0.15)
    assert weights[2] == pytest.approx(100.0, rel=0.15)
    assert weights[3] == pytest.approx(0.0, abs=0.05)


def test_separable_outcomes_stay_finite() -> None:
    evidence = np.linspace(-1, 1, 200)[:, None]
    said = confidences(fit_confidence(evidence, evidence[:, 0] > 0), evidence)
    assert np.isfinite(said).all()
    assert said[0] < 0.1
    assert said[-1] > 0.9
    assert (np.diff(said) > 0).all()


def test_a_constant_says_nothing() -> None:
    evidence, _, right = drawn(900)
    evidence[:, 2] = np.log(1e-3)  # whose mean is not exactly itself
    weights = fit_confidence(evidence, right)
    assert weights[3] == 0
    without = fit_confidence(evidence[:, :2], right)
    np.testing.assert_allclose(weights[:3], without, rtol=1e-3)


def test_too_little_to_tell() -> None:
    evidence, _, right = drawn(40)
    assert fit_confidence(evidence, right) == ()
    evidence, _, _ = drawn(500)
    assert fit_confidence(evidence, np.zeros(500, bool)) == ()
    assert fit_confidence(evidence, np.ones(500, bool)) == ()
    evidence[3, 1] = np.nan
    assert fit_confidence(evidence, np.arange(500) % 2 == 0) == ()


def test_a_sign_keeps_chance_from_turning_evidence_round() -> None:
    rng = np.random.default_rng(0)
    doubt = rng.random(400) * 1e-6  # it hardly varies, and happens to be larger where right
    right = rng.random(400) < 0.8
    doubt[right] += 2e-7
    evidence = np.column_stack([rng.normal(size=400), doubt])
    free = fit_confidence(evidence, right)
    assert free[2] > 0
    assert confidences(free, np.array([[0.0, 1.0]]))[0] == pytest.approx(1.0)
    held = fit_confidence(evidence, right, signs=(0, -1))
    assert held[2] == 0.0
    assert confidences(held, evidence).mean() == pytest.approx(right.mean(), abs=1e-3)


def test_signs_leave_what_agrees_with_them_alone() -> None:
    evidence, _, right = drawn(2000)
    free = fit_confidence(evidence, right)
    np.testing.assert_allclose(fit_confidence(evidence, right, (1, 1, 0)), free, rtol=2e-3)


def test_it_imports_without_torch() -> None:
    code = "import sightline.learning.calibration, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
