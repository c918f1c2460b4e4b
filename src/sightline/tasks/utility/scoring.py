"""What ``sightline evaluate utility`` can be told, and what it does; imports without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import InputError
from sightline.learning.runs import is_run
from sightline.records.files import digest

if TYPE_CHECKING:
    from sightline.records.utility import UtilitySet


@dataclass(frozen=True)
class UtilityScoring:
    """What is judged, and where the results go."""

    split: str = "test"
    """test, validation, train, or all."""
    max_images: int | None = None
    """So many images of each set, drawn by a seed."""
    out: Path | None = None
    """Where predictions, metrics and reports go; what is there is not computed again."""


def score(
    subjects: Sequence[Path], scoring: UtilityScoring, progress: Callable[[str, float], None]
) -> dict[str, Any]:
    """Return the metrics of runs on labels, see :func:`.evaluate.evaluate_runs`.

    Every run is judged on every folder of labels; runs alone on what the first was trained on;
    labels alone by the network that comes with the package.

    Args:
        subjects: Run folders, and folders of labels.
        scoring: What is judged.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: No subject, or a folder that is neither.
        WeightsError: No run among the subjects, and none comes with the package.
    """
    from sightline.records.utility import read_labels
    from sightline.tasks.utility.evaluate import evaluate_runs, run_labels
    from sightline.tasks.utility.predict import BUNDLED, need_default_model

    if not subjects:
        raise InputError("a run folder or a folder of labels is wanted, nothing came")
    if scoring.max_images is not None and scoring.max_images < 1:
        raise InputError(f"max_images of 1 or more is wanted, {scoring.max_images} came")
    runs = [path for path in subjects if is_run(path)]
    out = scoring.out or _default_out(subjects, runs)
    sets = [read_labels(path) for path in subjects if path not in runs]
    if runs and not sets:
        sets = [run_labels(runs[0])]
    if not runs:
        need_default_model()
        runs = [BUNDLED]
    sets = [_drawn(data, scoring) for data in sets]
    return evaluate_runs(runs, sets, out, progress, split=scoring.split)


def _drawn(data: UtilitySet, scoring: UtilityScoring) -> UtilitySet:
    """Return the set with so many of the images that are judged; its other parts stay whole."""
    judged = [k for k, item in enumerate(data.items) if scoring.split in (item.split, "all")]
    if scoring.max_images is None or len(judged) <= scoring.max_images:
        return data
    taken = np.random.default_rng(0).choice(len(judged), scoring.max_images, replace=False)
    dropped = set(judged) - {judged[i] for i in taken.tolist()}
    return replace(data, items=tuple(i for k, i in enumerate(data.items) if k not in dropped))


def _default_out(subjects: Sequence[Path], runs: Sequence[Path]) -> Path:
    if len(runs) == 1:
        return runs[0] / "evaluation"
    return Path("runs") / f"utility-{digest([str(path.resolve()) for path in subjects])[:8]}"
