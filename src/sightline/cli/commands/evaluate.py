"""``sightline evaluate``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from sightline.catalog import TASKS
from sightline.cli.options import parse, take_task
from sightline.cli.progress import progress_bar
from sightline.tasks import Task


@dataclass(frozen=True)
class EvaluateOptions:
    """Score a run: predictions are saved first, every figure is computed from what was saved."""

    run: tyro.conf.Positional[Path]
    """A run folder, such as myplace/runs/NAME."""
    walk: Path | None = None
    """Another walk in the same world (a folder with poses.csv and images), never trained on."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print the scores as JSON."""


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline evaluate TASK RUN``."""
    name, rest = take_task(arguments, "evaluate", "RUN [--walk FOLDER] [--json]")
    options = parse(EvaluateOptions, rest, command=f"evaluate {name}")
    task: Task = TASKS.load(name)
    with progress_bar() as progress:
        metrics = task.load("evaluate")(options.run, options.walk, progress)
    if options.json:
        print(json.dumps(metrics))
        return 0
    from sightline.app.tables import text_table

    print(text_table(task.load("table")(metrics)))
    print(f"plots and card: {options.run}")
    return 0
