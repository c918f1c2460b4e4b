"""Accuracy of a classifier on the images that are left, and what dropping others would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper004.intervals import Share, share

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Filtered:
    """One classifier before and after images were left out.

    Attributes:
        accuracy: On the images that are kept.
        kept: Share of the images that is.
        random: Accuracy that dropping as many at random gives on average: that of all images.
        random_spread: Half of the 95% range of such draws.
        by_quality: Accuracy that keeping as many of the highest quality gives.
    """

    accuracy: Share
    kept: float
    random: float
    random_spread: float
    by_quality: float


def filtered(
    correct: Flags, keep: Flags, quality: NDArray[np.float64], sources: Sequence[str]
) -> Filtered:
    """Return what leaving images out does to a classifier's accuracy, with its controls.

    Args:
        correct: (N,) whether its answer is right.
        keep: (N,) which images are kept.
        quality: (N,) JPEG quality of each.
        sources: What each was made of.
    """
    count, total = int(keep.sum()), len(keep)
    mean = float(correct.mean())
    # of draws without repetition
    deviation = np.sqrt(mean * (1 - mean) / max(count, 1) * (total - count) / max(total - 1, 1))
    return Filtered(
        accuracy=share(correct, sources, keep),
        kept=count / total,
        random=mean,
        random_spread=float(1.96 * deviation),
        by_quality=highest_kept(correct, quality, count),
    )


def highest_kept(correct: Flags, quality: NDArray[np.float64], count: int) -> float:
    """Return the accuracy on the ``count`` images of highest quality; NaN for none.

    Where a quality is kept in part, its images count by that part: the mean over all choices.
    """
    if count < 1:
        return float("nan")
    right, left = 0.0, count
    for level in np.unique(quality)[::-1]:
        of = correct[quality == level]
        taken = min(left, len(of))
        right += taken * float(of.mean())
        left -= taken
    return right / count


def most_useful(utility: NDArray[np.floating], count: int) -> Flags:
    """Return which images are the ``count`` of highest utility; of equals the first."""
    keep = np.zeros(len(utility), dtype=bool)
    keep[np.argsort(-utility, kind="stable")[:count]] = True
    return keep
