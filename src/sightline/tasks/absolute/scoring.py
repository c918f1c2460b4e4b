"""What ``sightline evaluate absolute`` can be told; imports without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import InputError


@dataclass(frozen=True)
class AbsoluteScoring:
    """How a run is scored."""

    walk: Path | None = None
    """Another walk in the same world (a folder with poses.csv and images), never trained on."""


def score(
    subjects: Sequence[Path], scoring: AbsoluteScoring, progress: Callable[[str, float], None]
) -> dict[str, Any]:
    """Return the metrics of one run.

    Raises:
        InputError: None came, or several.
    """
    from sightline.tasks.absolute.task import evaluate

    if len(subjects) != 1:
        raise InputError(f"one run folder is wanted, {len(subjects)} came")
    return evaluate(subjects[0], scoring.walk, progress)
