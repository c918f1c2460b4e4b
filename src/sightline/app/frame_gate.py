"""Which frames of a video are of too little use for a map."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.records.files import write_text

if TYPE_CHECKING:
    from sightline.tasks.utility.gate import Gate

#: Names the frames of a place that were not taken.
LEFT_OUT = "frames_left_out.csv"

#: Fewer frames make no map.
_FEWEST = 3


def check_min_utility(value: float) -> None:
    """Refuse what is no probability.

    Raises:
        InputError: It is not from 0 to 1.
    """
    if not 0 <= value <= 1:
        raise InputError(
            f"a utility from 0 to 1 is wanted for --min-utility, {value:g} came; try 0.3"
        )


@dataclass(frozen=True)
class LeftOut:
    """A frame that was not taken."""

    source: str
    timestamp_s: float | None
    score: float
    reason: str

    @property
    def name(self) -> str:
        """The photo, or the time in the video."""
        return self.source if self.timestamp_s is None else f"{self.timestamp_s:.2f} s"


@dataclass(eq=False)
class FrameGate:
    """Takes frames of enough use and remembers the others.

    Attributes:
        gate: Scores them.
        least: The smallest score that is taken.
        left_out: The others, in order.
    """

    gate: Gate
    least: float
    left_out: list[LeftOut] = field(default_factory=list)

    @classmethod
    def open(cls, least: float) -> FrameGate:
        """Return the package's own gate with the smallest score that is taken."""
        from sightline.tasks.utility.gate import load_gate

        return cls(load_gate(), least)

    @property
    def key(self) -> list[Any]:
        """What decides which frames are taken."""
        return ["min-utility", float(self.least), self.gate.digest]

    def __call__(self, image: NDArray[np.uint8], timestamp_s: float | None, source: str) -> bool:
        """Return whether a frame is taken."""
        verdict = self.gate.judge(image)
        if verdict.score >= self.least:
            return True
        self.left_out.append(LeftOut(source, timestamp_s, verdict.score, verdict.reason))
        return False

    def refuse_too_few(self, taken: int) -> None:
        """Stop where too few frames were taken for a map.

        Raises:
            InputError: Fewer than 3 were taken, and some were left out.
        """
        if taken >= _FEWEST or not self.left_out:
            return
        best = max(self.left_out, key=lambda frame: frame.score)
        raise InputError(
            f"{_FEWEST} frames of utility {self.least:g} or more are wanted for a map, {taken} of "
            f"{taken + len(self.left_out)} have it (best of the others: {best.name}, "
            f"{best.score:.2f}, {best.reason}); record again, or lower --min-utility"
        )

    def summary(self) -> str:
        """Return in words how many were left out, and which."""
        return describe_left_out(self.left_out)

    def table(self) -> dict[str, Any]:
        """Return what ``place.toml`` says of it."""
        return {"min_utility": float(self.least), "left_out": len(self.left_out)}

    def write(self, path: Path) -> None:
        """Write ``source,timestamp_s,utility,reason``, one row a frame that was left out."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["source", "timestamp_s", "utility", "reason"])
        for frame in self.left_out:
            stamp = "" if frame.timestamp_s is None else f"{frame.timestamp_s:.6f}"
            writer.writerow([frame.source, stamp, f"{frame.score:.4f}", frame.reason])
        write_text(path, stream.getvalue())


def read_left_out(path: Path) -> list[LeftOut]:
    """Return the frames that a ``frames_left_out.csv`` names; none where there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            LeftOut(
                row["source"],
                float(row["timestamp_s"]) if row["timestamp_s"] else None,
                float(row["utility"]),
                row["reason"],
            )
            for row in csv.DictReader(stream)
        ]


def describe_left_out(frames: list[LeftOut]) -> str:
    """Return in words how many frames were left out, and the first of them."""
    shown = ", ".join(f"{f.name} {f.reason} ({f.score:.2f})" for f in frames[:5])
    more = " ..." if len(frames) > 5 else ""
    return f"{len(frames)} frames of too little use left out" + (
        f": {shown}{more}" if shown else ""
    )
