"""How good a confidence is: does it come true, and does it tell wrong answers from right ones?

Functions of saved arrays, which know no model; imports without torch. Answers of the same
confidence cannot be told apart, so every figure is the mean over all orders of such ties.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError

Array = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]

#: Bins of the reliability curve and of the calibration error (Guo et al. 2017).
BINS = 15


class Bin(NamedTuple):
    """Answers of about one confidence.

    Attributes:
        answers: How many.
        said: Their mean confidence.
        right: The share of them that is right.
    """

    answers: int
    said: float
    right: float


def reliability_bins(confidence: Array, right: Flags, bins: int = BINS) -> list[Bin]:
    """Return how often each confidence came true, in bins of one width; empty ones are left out.

    Args:
        confidence: (N,) from 0 to 1.
        right: (N,).
        bins: How many; each holds its upper edge.
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for k in np.unique(place):
        there = place == k
        said, came = float(confidence[there].mean()), float(right[there].mean())
        found.append(Bin(int(there.sum()), said, came))
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error (Guo et al. 2017, Eq. 3); NaN of no answers."""
    answers = sum(b.answers for b in bins)
    gaps = sum(b.answers * abs(b.right - b.said) for b in bins)
    return gaps / answers if answers else float("nan")


def risk_coverage(confidence: Array, loss: Array | Flags) -> tuple[Array, Array]:
    """Return the shares of answers kept, the most confident first, and the mean loss of each.

    Source: El-Yaniv and Wiener 2010, On the Foundations of Noise-free Selective Classification.

    Args:
        confidence: (N,).
        loss: (N,) error of each answer, or whether it is wrong.

    Returns:
        (N,) coverages 1/N, 2/N .. 1 and (N,) risks.
    """
    if len(confidence) == 0:
        return np.zeros(0), np.zeros(0)
    _, place = np.unique(-confidence, return_inverse=True)
    tied = np.bincount(place, weights=loss) / np.bincount(place)
    kept = np.arange(1, len(confidence) + 1)
    return kept / len(kept), np.cumsum(tied[np.sort(place)]) / kept


def area_under_risk(confidence: Array, loss: Array | Flags) -> float:
    """Return the mean risk over all coverages (Geifman et al. 2019); NaN of no answers."""
    _, risk = risk_coverage(confidence, loss)
    return float(risk.mean()) if len(risk) else float("nan")


def risk_after_rejecting(confidence: Array, loss: Array | Flags, rejected: float) -> float:
    """Return the mean loss without the least confident answers.

    Args:
        confidence: (N,).
        loss: (N,).
        rejected: Share that is rejected, rounded down to whole answers.

    Returns:
        NaN where none is left.
    """
    _, risk = risk_coverage(confidence, loss)
    kept = len(risk) - math.floor(rejected * len(risk) + 1e-9)
    return float(risk[kept - 1]) if kept > 0 else float("nan")


def threshold_for(confidence: Array, wrong: Flags, max_wrong: float) -> float:
    """Return the least confidence to answer from, so that few photos get a wrong answer.

    Of photos like these, at most the wanted share is then answered wrongly on average over such
    sets: conformal risk control, (wrong answers + 1) / (N + 1) <= wanted.
    Source: Angelopoulos et al. 2024, Conformal Risk Control, Eq. 4.

    Args:
        confidence: (N,) of every photo asked; 0 where it got no answer.
        wrong: (N,) whether it got a wrong answer.
        max_wrong: The wanted share of all photos, over 0.

    Raises:
        InputError: Too few photos to promise so small a share.
    """
    wanted = math.ceil(1.0 / max_wrong - 1e-9) - 1
    if len(confidence) < wanted:
        raise InputError(
            f"at least {wanted} photos are wanted to keep wrong answers under {max_wrong:.2%}, "
            f"{len(confidence)} came; calibrate on more, or allow more"
        )
    allowed = math.floor(max_wrong * (len(confidence) + 1) - 1.0 + 1e-9)
    mistakes = np.sort(confidence[wrong])[::-1]
    if len(mistakes) <= allowed:
        return 0.0
    return float(np.nextafter(mistakes[allowed], np.inf))


def confidence_scores(confidence: Array, error: Array, radius: float) -> dict[str, Any]:
    """Return how good confidences are that an error is within a radius.

    Args:
        confidence: (N,) probabilities.
        error: (N,) errors.
        radius: Farther is wrong; in the unit of the errors.

    Returns:
        ``answers``; ``wrong``, the share of them; ``wrong_without_10`` the same without the least
        confident 10%; ``calibration_error``; ``brier``; ``area_under_risk`` of wrong answers and
        ``best_area``, that of an oracle; None for what no answers leave undefined.
    """
    wrong = error > radius
    scores = {
        "wrong": float(wrong.mean()) if len(error) else math.nan,
        "wrong_without_10": risk_after_rejecting(confidence, wrong, 0.1),
        "calibration_error": calibration_error(reliability_bins(confidence, ~wrong)),
        "brier": float(np.mean((confidence - ~wrong) ** 2)) if len(error) else math.nan,
        "area_under_risk": area_under_risk(confidence, wrong),
        "best_area": area_under_risk(-error, wrong),
    }
    known = {name: None if math.isnan(value) else value for name, value in scores.items()}
    return {"answers": len(error), **known}
