"""One finding of the doctor, and the commands that mend a place."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from sightline.app.doctor.examination import Examination
from sightline.reconstruction.config import QUALITY_PRESETS

Severity = Literal["good", "note", "warning", "problem"]
#: Videos hold 30 frames a second.
_MOST_FPS = 30.0
#: From best to worst.
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        check: What was looked at; the same in every report.
        severity: ``good``; ``note`` (worth knowing, or not measured); ``warning`` (answers suffer);
            ``problem`` (answers cannot be trusted there).
        measured: What was measured, in words.
        bound: What it was held against, in words; empty where there is no bound.
        advice: What it means and what helps, in a sentence; empty where all is well.
        fix: A command to paste; empty where no command helps.
        value: The figure behind ``measured``, None where there is none.
        limit: The bound that ``value`` is held against.
        frames: The frames concerned, worst first.
    """

    check: str
    severity: Severity
    measured: str
    bound: str = ""
    advice: str = ""
    fix: str = ""
    value: float | None = None
    limit: float | None = None
    frames: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {
            "check": self.check,
            "severity": self.severity,
            "measured": self.measured,
            "bound": self.bound,
            "advice": self.advice,
            "fix": self.fix,
            "value": None if self.value is None else round(self.value, 6),
            "limit": self.limit,
            "frames": list(self.frames),
        }


def graded(value: float, *, note: float, warning: float, problem: float) -> Severity:
    """Return how bad a value is, where more is worse; each bound belongs to the better side."""
    if value > problem:
        return "problem"
    if value > warning:
        return "warning"
    return "note" if value > note else "good"


def share_of(part: int, whole: int) -> str:
    """Return ``3 of 40 (8%)``."""
    return f"{part} of {whole} ({100 * part / max(whole, 1):.0f}%)"


def listed(names: tuple[str, ...] | list[str], most: int = 4) -> str:
    """Return the first of some names in words."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def command(*words: object) -> str:
    """Return a command line that a shell takes as it stands."""
    return shlex.join(["sightline", *(str(word) for word in words)])


def build_anew(exam: Examination, *flags: object) -> str:
    """Return the command that builds the place again beside the old one, which stays whole."""
    source = exam.place.content.get("source") if exam.built_here else exam.place.images_dir
    return command("build", source or "VIDEO", _free_name(exam.place.root), *flags)


def more_frames(exam: Examination) -> tuple[object, ...]:
    """Return the flags that take frames twice as often, or match photos harder."""
    fps = exam.place.content.get("frames", {}).get("fps")
    if not isinstance(fps, (int, float)):
        return "--reconstruction.pairs", "exhaustive"
    return ("--frames.fps", f"{2 * fps:g}") if fps <= _MOST_FPS / 2 else next_quality(exam)


def next_quality(exam: Examination) -> tuple[object, ...]:
    """Return the flags of the next higher quality of reconstruction."""
    size = exam.place.content.get("features", {}).get("max_image_size", 0)
    higher = [name for name, p in QUALITY_PRESETS.items() if p.max_image_size_px > size]
    return "--reconstruction.quality", higher[0] if higher else "extreme"


def _free_name(root: Path) -> Path:
    for number in range(2, 100):
        path = root.with_name(f"{root.resolve().name}-{number}")
        if not path.exists():
            return path
    return root.with_name(f"{root.resolve().name}-new")
