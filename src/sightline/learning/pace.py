"""How far long work is, how fast, and how long it will take."""

from __future__ import annotations

import time
from datetime import timedelta

from sightline.learning.cache import Progress


class Pace:
    """Tells a progress function about work that is counted.

    Args:
        total: How much there is.
        waiting: How much of it is still to be done.
        progress: Told; None: nobody is.
        what: What is counted, in the plural.
        rate: What is counted, for the speed.
        doing: What is done; the text begins with it.
    """

    def __init__(
        self,
        total: int,
        waiting: int,
        progress: Progress | None,
        what: str,
        rate: str,
        doing: str = "labels",
    ) -> None:
        self._total, self._waiting, self._progress = total, waiting, progress
        self._what, self._rate, self._doing = what, rate, doing
        self._new = 0
        self._start = time.perf_counter()

    def __call__(self, count: int) -> None:
        """Count what is done."""
        self._new += count
        if self._progress is None or not count:
            return
        rate = self._new / max(time.perf_counter() - self._start, 1e-9)
        left = timedelta(seconds=round((self._waiting - self._new) / rate))
        done = self._total - self._waiting + self._new
        # what stands before the colon is a line of a log, a row of a terminal: ten in all
        tenth = 10 * -(-10 * done // self._total)
        self._progress(
            f"{self._doing} up to {tenth}%: {done} of {self._total} {self._what}, "
            f"{rate:.1f} {self._rate}/s, {left} left",
            done / self._total,
        )
