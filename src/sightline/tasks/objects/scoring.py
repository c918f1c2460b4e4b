"""What ``sightline evaluate objects`` can be told, and what it does; imports without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import InputError
from sightline.learning.runs import is_run
from sightline.records.files import digest

if TYPE_CHECKING:
    from sightline.records.objects import ObjectSet


@dataclass(frozen=True)
class ObjectsScoring:
    """What is judged, and where the results go."""

    split: str = "test"
    """test, validation, train, or all; a set without splits is judged whole."""
    max_objects: int | None = None
    """So many objects of each set, drawn by a seed."""
    out: Path | None = None
    """Where predictions, metrics and reports go; what is there is not computed again."""


def score(
    subjects: Sequence[Path], scoring: ObjectsScoring, progress: Callable[[str, float], None]
) -> dict[str, Any]:
    """Return the metrics of runs on object sets, see :func:`.evaluate.evaluate_runs`.

    Every run is judged on every set; runs alone on what the first was trained on; sets alone by
    the network that comes with the package.

    Args:
        subjects: Run folders, and whatever ``open_objects`` reads.
        scoring: What is judged.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: No subject, or a set that cannot be read.
        WeightsError: No run among the subjects, and none comes with the package.
    """
    from sightline.datasets.objects import open_objects
    from sightline.tasks.objects.evaluate import evaluate_runs, run_objects
    from sightline.tasks.objects.predict import BUNDLED, need_default_model

    if not subjects:
        raise InputError("a run folder or objects are wanted, nothing came")
    if scoring.max_objects is not None and scoring.max_objects < 1:
        raise InputError(f"max_objects of 1 or more is wanted, {scoring.max_objects} came")
    runs = [path for path in subjects if is_run(path)]
    out = scoring.out or _default_out(subjects, runs)
    sets = [open_objects(path) for path in subjects if path not in runs]
    if runs and not sets:
        sets = [run_objects(runs[0])]
    if not runs:
        need_default_model()
        runs = [BUNDLED]
    sets = [_drawn(data, scoring) for data in sets]
    return evaluate_runs(runs, sets, out, progress, split=scoring.split)


def _drawn(data: ObjectSet, scoring: ObjectsScoring) -> ObjectSet:
    """Return the set with so many of the objects that are judged; its other parts stay whole."""
    from sightline.tasks.objects.evaluate import chosen_part

    judged = chosen_part(data, scoring.split).views
    if scoring.max_objects is None or len(judged) <= scoring.max_objects:
        return data
    taken = np.random.default_rng(0).choice(len(judged), scoring.max_objects, replace=False)
    kept = {id(judged[i]) for i in taken.tolist()}
    dropped = {id(view) for view in judged} - kept
    return dataclasses.replace(data, views=tuple(v for v in data.views if id(v) not in dropped))


def _default_out(subjects: Sequence[Path], runs: Sequence[Path]) -> Path:
    if len(runs) == 1:
        return runs[0] / "evaluation"
    return Path("runs") / f"objects-{digest([str(path.resolve()) for path in subjects])[:8]}"
