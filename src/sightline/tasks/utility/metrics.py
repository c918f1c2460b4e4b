"""Scores of saved answers: functions of arrays, which know no model.

Useful is the positive class everywhere, but for precision and recall, which are those of
``useless``: what a filter takes away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.learning.reliability import BINS, Bin, reliability_bins
from sightline.learning.reliability import calibration_error as error_of_bins
from sightline.tasks.utility.config import Aim

Array = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]

#: Sources are drawn so many times for an interval.
RESAMPLES = 1000

#: An interval's limits, as shares of the resamples.
_LIMITS = (0.025, 0.975)


def area_under_roc(score: Array, useful: Flags, weight: Array | None = None) -> float:
    """Return the probability that a useful image scores above a useless one; ties count half.

    Args:
        score: (N,) grows with utility.
        useful: (N,).
        weight: (N,) how often each image counts; once where None.

    Returns:
        NaN where a class is empty.
    """
    weight = np.ones(len(score)) if weight is None else weight
    _, place = np.unique(score, return_inverse=True)
    high = np.bincount(place, weights=weight * useful)
    low = np.bincount(place, weights=weight * ~useful)
    total = high.sum() * low.sum()
    if total == 0:
        return float("nan")
    below = np.cumsum(low) - low
    return float((high * (below + 0.5 * low)).sum() / total)


def roc_curve(score: Array, useful: Flags) -> tuple[Array, Array]:
    """Return the shares of useless and of useful images that are called useful, from 0 to 1.

    One point a threshold, the highest first; both classes must be there.
    """
    values, place = np.unique(-score, return_inverse=True)
    high = np.bincount(place, weights=useful, minlength=len(values))
    low = np.bincount(place, weights=~useful, minlength=len(values))
    false = np.concatenate([[0.0], np.cumsum(low) / low.sum()])
    true = np.concatenate([[0.0], np.cumsum(high) / high.sum()])
    return false, true


def best_threshold(
    score: Array, useful: Flags, prefer: float | None = None, aim: Aim = "balanced"
) -> float | None:
    """Return the threshold that meets an aim best: useful are scores of it or more.

    It lies midway between two scores; of several that are as good the middle one is taken.

    Args:
        score: (N,) grows with utility.
        useful: (N,).
        prefer: Taken where no threshold is better.
        aim: What is to be best.

    Returns:
        None where a class is empty.
    """
    values, place = np.unique(score.astype(np.float64), return_inverse=True)
    high = np.bincount(place, weights=useful, minlength=len(values))
    low = np.bincount(place, weights=~useful, minlength=len(values))
    if not high.sum() or not low.sum():
        return None
    # with the k-th threshold, scores from the k-th value on are useful
    recall = 1.0 - np.concatenate([[0.0], np.cumsum(high)]) / high.sum()
    rejected = np.concatenate([[0.0], np.cumsum(low)]) / low.sum()
    gain = recall + rejected
    if aim == "accuracy":
        gain = recall * high.sum() + rejected * low.sum()
    best = np.flatnonzero(gain >= gain.max() - 1e-9)
    if prefer is not None and int(np.searchsorted(values, prefer)) in best:
        return prefer
    k = int(best[len(best) // 2])
    edges = np.concatenate([values, [np.nextafter(values[-1], np.inf)]])
    return float(edges[k] if k in (0, len(values)) else (edges[k - 1] + edges[k]) / 2)


def decision_scores(said: Flags, useful: Flags) -> dict[str, Any]:
    """Return how good decisions are: shares, None where nothing stands below the line.

    Args:
        said: (N,) whether each image was called useful.
        useful: (N,) whether it is.

    Returns:
        ``accuracy``; ``balanced_accuracy``, the mean of the shares of useful and of useless images
        that are right; ``precision_useless``, ``recall_useless``; ``confusion`` with the rows
        useless and useful, and what was said in the columns.
    """
    confusion = [[int((~said & ~useful).sum()), int((said & ~useful).sum())],
                 [int((~said & useful).sum()), int((said & useful).sum())]]  # fmt: skip
    (true_low, false_high), (false_low, true_high) = confusion
    low, high = _share(true_low, true_low + false_high), _share(true_high, true_high + false_low)
    both = low is not None and high is not None
    return {
        "accuracy": _share(true_low + true_high, len(said)),
        "balanced_accuracy": (low + high) / 2 if both else None,  # type: ignore[operator]
        "precision_useless": _share(true_low, true_low + false_low),
        "recall_useless": low,
        "confusion": confusion,
    }


def reliability(probability: Array, useful: Flags, bins: int = BINS) -> list[dict[str, float]]:
    """Return how often each probability came true, in bins of the same width that are not empty.

    Returns:
        ``images``, ``mean_probability`` and ``useful``: the share of them that are.
    """
    return [
        {"images": there, "mean_probability": said, "useful": right}
        for there, said, right in reliability_bins(probability, useful, bins)
    ]


def calibration_error(curve: Sequence[dict[str, float]]) -> float:
    """Return the expected calibration error of a reliability curve (Guo et al. 2017, Eq. 3)."""
    rows = [Bin(int(r["images"]), r["mean_probability"], r["useful"]) for r in curve]
    return error_of_bins(rows)


class SourceDraws:
    """Sources drawn with replacement: copies of one photo are no independent images.

    Source: the cluster bootstrap (Efron and Tibshirani 1993); limits are percentiles.
    """

    def __init__(self, sources: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> None:
        """Draw.

        Args:
            sources: Of each image.
            resamples: How often sources are drawn.
            seed: Of the draws.
        """
        names, self._place = np.unique(np.asarray(sources, dtype=str), return_inverse=True)
        # one source says nothing of others: no draws, and so no interval
        resamples = resamples if len(names) > 1 else 0
        rng = np.random.default_rng(seed)
        share = np.full(len(names), 1.0 / max(len(names), 1))
        self.counts: Array = rng.multinomial(len(names), share, size=resamples).astype(np.float64)

    def means(self, values: Array | Flags, among: Flags | None = None) -> Array:
        """Return (B,) means of (N,) values over the drawn images; NaN where none was drawn."""
        chosen = np.ones(len(self._place)) if among is None else among.astype(np.float64)
        size = self.counts.shape[1]
        sums = self.counts @ np.bincount(self._place, weights=values * chosen, minlength=size)
        drawn = self.counts @ np.bincount(self._place, weights=chosen, minlength=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            means: Array = sums / drawn
        return means

    def balanced(self, right: Flags, useful: Flags) -> Array:
        """Return (B,) balanced accuracies of (N,) answers that are right or not."""
        return (self.means(right, useful) + self.means(right, ~useful)) / 2

    def area(self, score: Array, useful: Flags, most: int = 200) -> Array:
        """Return areas under the curve of the first ``most`` draws."""
        found = [area_under_roc(score, useful, row[self._place]) for row in self.counts[:most]]
        return np.array(found)


def interval(values: Array) -> list[float] | None:
    """Return the 95% interval of resampled figures; None of too few, or half of them undefined."""
    known = values[np.isfinite(values)]
    if len(known) < max(len(values) / 2, 2):
        return None
    return [float(v) for v in np.quantile(known, _LIMITS)]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
