"""How far a number tells useful images from others: the overlap of two histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_BINS = 30


def edges(first: Values, second: Values, bins: int = _BINS) -> Values:
    """Return the edges of bins of equal width that hold both, one in a thousand at each end cut."""
    both = np.concatenate([first, second])
    low, high = np.percentile(both, [0.1, 99.9])
    if high <= low:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)


def overlap(first: Values, second: Values, bins: int = _BINS) -> float:
    """Return the overlap coefficient of two histograms: 0 apart, 1 the same; NaN of nothing.

    The sum over the bins of the smaller share (Inman and Bradley 1989).
    """
    if not len(first) or not len(second):
        return float("nan")
    borders = edges(first, second, bins)
    shares = [
        np.histogram(np.clip(values, borders[0], borders[-1]), borders)[0] / len(values)
        for values in (first, second)
    ]
    return float(np.minimum(*shares).sum())
