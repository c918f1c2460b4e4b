"""From evidence to a probability: bounded, in radii, written and read, fitted where it pays."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.reconstruction.evidence import PoseEvidence
from sightline.tasks.absolute.confidence import (
    NAMES,
    SHIPPED,
    SIGNS,
    ConfidenceModel,
    Weights,
    calibrate,
    refined_vector,
    regressed_vector,
)

GOOD = PoseEvidence(
    inliers=300, share=0.6, support=0.9, coverage=0.7, similarity=1.0, error=0.15,
    deviation=0.005, halves=0.01, rival=0.02, rival_apart=5.0,
)  # fmt: skip
POOR = PoseEvidence(
    inliers=21, share=0.16, support=0.26, coverage=0.1, similarity=0.5, error=0.6,
    deviation=0.3, halves=1.0, rival=0.8, rival_apart=9.0,
)  # fmt: skip


def test_lengths_count_in_radii() -> None:
    """A map in another unit, with the radius in that unit, gives the same numbers."""
    np.testing.assert_allclose(
        refined_vector(GOOD.scaled(40.0), 40 * 0.7, 40 * 0.5), refined_vector(GOOD, 0.7, 0.5)
    )
    assert regressed_vector(2.0, 0.8, 1.0)[0] == pytest.approx(np.log(2.0))


def test_every_number_is_bounded() -> None:
    worst = dataclasses.replace(
        POOR, inliers=4, deviation=np.inf, halves=np.inf, rival=50.0, rival_apart=1e9
    )
    best = dataclasses.replace(GOOD, inliers=10**6, deviation=0.0, halves=0.0, support=7.0)
    for evidence, apart in ((worst, 1e12), (best, 0.0), (GOOD, None)):
        vector = refined_vector(evidence, apart, 0.5)
        assert vector.shape == (len(NAMES["refined"]),)
        assert np.abs(vector).max() < 8
    assert np.isfinite(regressed_vector(np.inf, 1e9, 0.5)).all()
    assert regressed_vector(None, None, 0.5).tolist() == [0.0, 1.0]


def test_a_rival_within_the_radius_is_none() -> None:
    at = NAMES["refined"].index("rival")
    near = dataclasses.replace(POOR, rival_apart=0.4)
    assert refined_vector(near, None, 0.5)[at] == 0.0
    assert refined_vector(POOR, None, 0.5)[at] == 0.8


def test_no_network_is_no_agreement() -> None:
    """On this place, answers that the network agrees with are right, and others often wrong."""
    rng = np.random.default_rng(6)
    apart = [*rng.uniform(0, 0.3, 200), *rng.uniform(2, 9, 200), *[None] * 200]
    likely = np.repeat([0.98, 0.3, 0.5], 200)
    vectors = np.stack([refined_vector(GOOD, a, 0.5) for a in apart])
    found = calibrate("refined", vectors, rng.random(600) < likely, list(range(600))).weights
    assert found.origin == "fitted"
    model = ConfidenceModel(0.5, found)
    said = [model.of_refined(GOOD, a) for a in (0.15, 5.0, None)]
    assert said == pytest.approx([0.98, 0.3, 0.5], abs=0.1)


def test_shipped_weights_know_good_from_poor() -> None:
    model = ConfidenceModel()
    assert model.of_refined(GOOD, None) > 0.95
    assert model.of_refined(POOR, None) < 0.6
    for kind, weights in SHIPPED.items():
        assert len(weights.values) == 1 + len(NAMES[kind])
        for weight, sign in zip(weights.values[1:], SIGNS[kind], strict=True):
            assert weight * sign >= 0
    assert model.of_regressed(0.1, 1.0) >= model.of_regressed(4.0, 0.4)
    assert 0 < model.of_regressed(4.0, 0.4) < 0.5


def test_a_larger_radius_is_more_likely() -> None:
    half, two = ConfidenceModel(0.5), ConfidenceModel(2.0)
    assert two.of_refined(POOR, None) > half.of_refined(POOR, None)


def test_write_and_read(tmp_path: Path) -> None:
    values = tuple(np.random.default_rng(0).normal(size=12).tolist())
    model = ConfidenceModel(
        radius=0.25,
        refined=Weights(values, "fitted", {"answers": 240, "wrong": 31}),
        about={"map": "abc", "run": "", "photos": 60},
    )
    model.write(tmp_path / "confidence.toml")
    again = ConfidenceModel.read(tmp_path / "confidence.toml")
    assert again == model
    assert again.of_refined(POOR, 1.0) == model.of_refined(POOR, 1.0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("constant", "constants"),
        ("radius = ", "r = "),
        ("halves = ", "halves = inf #"),
        ("[refined.weights]", "[refined.other]"),
    ],
)
def test_a_damaged_calibration_is_said(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "confidence.toml"
    ConfidenceModel().write(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match="run `sightline calibrate` again"):
        ConfidenceModel.read(path)


# --- calibrating ----------------------------------------------------------------------------------


def drawn(count: int, seed: int, constant: float = -1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of a network's answers, and whether each is right, by a law of its own."""
    rng = np.random.default_rng(seed)
    vectors = np.column_stack([rng.normal(0, 1, count), rng.uniform(0, 1.5, count)])
    likely = 1 / (1 + np.exp(-(constant - 2.0 * vectors[:, 0] + 1.0 * vectors[:, 1])))
    return vectors, rng.random(count) < likely


def test_a_place_of_its_own_kind_is_fitted() -> None:
    vectors, right = drawn(800, 0)
    found = calibrate("regressed", vectors, right, list(range(800)))
    assert found.weights.origin == "fitted"
    assert found.weights.about == {"answers": 800, "wrong": int((~right).sum())}
    constant, spread, similarity = found.weights.values
    assert (constant, spread, similarity) == pytest.approx((-1.0, -2.0, 1.0), abs=0.4)
    # each answer is judged by weights that never saw its source
    assert np.isfinite(found.held_out).all()
    assert not np.allclose(found.held_out, found.weights.of(vectors))


def test_few_answers_keep_the_shipped_weights() -> None:
    vectors, right = drawn(30, 0)
    found = calibrate("regressed", vectors, right, list(range(30)))
    assert found.weights is SHIPPED["regressed"]
    np.testing.assert_array_equal(found.held_out, SHIPPED["regressed"].of(vectors))
    alone = calibrate("regressed", *drawn(300, 0), [0] * 300)
    assert alone.weights is SHIPPED["regressed"]
    nothing = calibrate("regressed", np.zeros((0, 2)), np.zeros(0, bool), [])
    assert nothing.weights is SHIPPED["regressed"]
    assert nothing.held_out.shape == (0,)


def test_the_same_evidence_at_other_odds_is_scaled() -> None:
    """Outcomes drawn from the shipped logit, stretched and shifted: two numbers are enough."""
    rng = np.random.default_rng(4)
    count, kind = 220, "refined"
    vectors = np.stack([refined_vector(GOOD, None, 0.5)] * count)
    vectors += rng.normal(0, 0.5, vectors.shape)
    weights = np.array(SHIPPED[kind].values)
    score = weights[0] + vectors @ weights[1:]
    right = rng.random(count) < 1 / (1 + np.exp(-0.6 * (score - np.median(score))))
    found = calibrate(kind, vectors, right, list(range(count)))
    assert found.weights.origin == "scaled"
    ratio = np.array(found.weights.values[1:]) / np.where(weights[1:] == 0, np.inf, weights[1:])
    slopes = ratio[weights[1:] != 0]
    np.testing.assert_allclose(slopes, slopes[0])


def test_it_imports_without_torch() -> None:
    code = "import sightline.tasks.absolute.confidence, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
