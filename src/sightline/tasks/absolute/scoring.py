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
    pose_graph: bool = False
    """Also score the walk's answers after smoothing them over it by a pose graph (MapNet+PGO)."""


def score(
    subjects: Sequence[Path], scoring: AbsoluteScoring, progress: Callable[[str, float], None]
) -> dict[str, Any]:
    """Return the metrics of one run.

    Raises:
        InputError: None came, or several; or a pose graph is wanted without a walk.
    """
    from sightline.tasks.absolute.task import evaluate

    if len(subjects) != 1:
        raise InputError(f"one run folder is wanted, {len(subjects)} came")
    if scoring.pose_graph and scoring.walk is None:
        raise InputError(
            "--walk FOLDER is wanted with --pose-graph; a place's own frames were seen"
        )
    return evaluate(subjects[0], scoring.walk, progress, pose_graph=scoring.pose_graph)
