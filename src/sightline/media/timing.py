"""Which frames to take from true timestamps: exact arithmetic, no drift, never one frame twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import TypeVar

from sightline.errors import InputError

Item = TypeVar("Item")

_HALF = Fraction(1, 2)


def exact_rate(fps: Fraction | float) -> Fraction:
    """Return a rate in frames a second as the exact number its decimal text says.

    29.97 becomes 2997/100; write ``Fraction(30000, 1001)`` for NTSC's exact rate.

    Raises:
        InputError: The rate is not positive and finite.
    """
    if isinstance(fps, Fraction):
        rate = fps
    else:
        value = float(fps)
        rate = Fraction(repr(value)) if math.isfinite(value) else Fraction(0)
    if rate <= 0:
        raise InputError(f"a rate over 0 frames a second is wanted; {fps} came; try fps=10")
    return rate


def select_nearest(
    timed: Iterable[tuple[Fraction, Item]], fps: Fraction
) -> Iterator[tuple[Fraction, Item]]:
    """Yield the items nearest to the ticks 0, 1/fps, 2/fps ...; each at most once.

    A frame owns the time that is nearer to it than to its neighbours (halfway goes to the
    earlier one) and is taken when a tick falls into it. So an item is never more than half a
    frame from its tick, a rate above the stream's own takes every item once, a pause is not
    filled with copies, and rounded timestamps (Matroska stores milliseconds) change nothing.
    The last item owns half of the last gap after it.

    Args:
        timed: (time in seconds, item), times strictly increasing from 0.
        fps: Ticks a second.
    """
    ticks_done = 0
    gap = Fraction(0)
    previous: tuple[Fraction, Item] | None = None
    for current in timed:
        if previous is not None:
            gap = current[0] - previous[0]
            ticks = math.floor((previous[0] + gap / 2) * fps) + 1
            if ticks > ticks_done:
                yield previous
            ticks_done = ticks
        previous = current
    if previous is not None and math.floor((previous[0] + gap / 2) * fps) + 1 > ticks_done:
        yield previous


def select_best(
    timed: Iterable[tuple[Fraction, Item]], fps: Fraction, score: Callable[[Item], float]
) -> Iterator[tuple[Fraction, Item]]:
    """Yield the item with the highest score of every interval around a tick k/fps.

    Interval k reaches half a tick to each side (its later border included); the first of equal
    scores wins; an interval without items yields nothing.

    Args:
        timed: (time in seconds, item), times strictly increasing from 0.
        fps: Intervals a second.
        score: Called once for each item.
    """
    best: tuple[Fraction, Item] | None = None
    best_score = -math.inf
    best_interval = -1
    for time_s, item in timed:
        interval = math.ceil(time_s * fps - _HALF)
        item_score = score(item)
        if best is not None and interval != best_interval:
            yield best
            best = None
        if best is None or item_score > best_score:
            best, best_score, best_interval = (time_s, item), item_score, interval
    if best is not None:
        yield best
