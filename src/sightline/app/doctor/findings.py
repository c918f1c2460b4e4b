"""One finding of the doctor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Severity = Literal["good", "note", "warning", "problem"]
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
