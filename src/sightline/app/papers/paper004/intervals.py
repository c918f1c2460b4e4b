"""Shares and their 95% intervals over sources: copies of one photo are no new evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.tasks.utility.metrics import SourceDraws, interval


@dataclass(frozen=True)
class Share:
    """A share of 1 with its 95% interval over sources; NaN where nothing counts.

    Attributes:
        value: The share.
        low: Of the interval; NaN where there are too few sources.
        high: Of the interval.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")

    def percent(self) -> str:
        """Return the share in percent, its interval beside."""
        if not np.isfinite(self.value):
            return "-"
        if not np.isfinite(self.low):
            return f"{100 * self.value:.1f}"
        return f"{100 * self.value:.1f} ({100 * self.low:.1f} .. {100 * self.high:.1f})"

    def to_values(self) -> list[float | None]:
        """Return value, low and high for JSON, None for NaN."""
        return [float(v) if np.isfinite(v) else None for v in (self.value, self.low, self.high)]


def share(
    values: NDArray[np.float64] | NDArray[np.bool_],
    sources: Sequence[str],
    among: NDArray[np.bool_] | None = None,
) -> Share:
    """Return the mean of values, with the interval that other sources of the kind would give.

    Args:
        values: (N,) whether each answer is right, or differences of such.
        sources: N names of what each image was made of.
        among: (N,) which images count; all where None.
    """
    chosen = np.ones(len(values), dtype=bool) if among is None else among
    if not chosen.any():
        return Share(float("nan"))
    value = float(np.asarray(values, dtype=np.float64)[chosen].mean())
    if len({name for name, counts in zip(sources, chosen, strict=True) if counts}) < 2:
        return Share(value)
    limits = interval(SourceDraws(sources).means(values, chosen))
    return Share(value) if limits is None else Share(value, *limits)
