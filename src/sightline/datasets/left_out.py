"""What a reader of a data set could not take, counted by reason."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sightline.errors import InputError


class LeftOut:
    """Counts by reason; damage names its first file, so that it can be looked at."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, Path] = {}

    def add(self, reason: str, damaged: Path | None = None) -> None:
        """Count one that was left out; ``damaged`` is the file that is missing or broken."""
        self._counts[reason] += 1
        if damaged is not None:
            self._first.setdefault(reason, damaged)

    def counts(self) -> tuple[tuple[str, int], ...]:
        """Return counts by reason, in the order in which the reasons came up."""
        return tuple(
            (f"{reason} (first: {self._first[reason]})" if reason in self._first else reason, n)
            for reason, n in self._counts.items()
        )

    def check(self, root: Path, kept: int, what: str = "objects") -> None:
        """Let a set go on with what is left.

        Args:
            root: The set, for the message.
            kept: How many objects were taken.
            what: What they are, in the plural, for the message.

        Raises:
            InputError: Nothing is left, or more was damaged than taken.
        """
        damaged = sum(self._counts[reason] for reason in self._first)
        if kept and damaged <= kept:
            return
        words = ", ".join(f"{n} {reason}" for reason, n in self.counts()) or "nothing at all"
        wanted = what if not kept else f"more than the {kept} {what} left"
        raise InputError(f"{root}: {wanted} are wanted; left out were {words}")
