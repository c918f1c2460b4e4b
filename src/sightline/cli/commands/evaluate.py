"""``sightline evaluate``."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from sightline.catalog import TASKS
from sightline.cli.options import parse, take_task
from sightline.cli.progress import progress_bar
from sightline.tasks import Task


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline evaluate TASK RUN [flags]``."""
    name, rest = take_task(arguments, "evaluate", "RUN [--json] [flags]")
    task: Task = TASKS.load(name)
    options: Any = parse(_options(task), rest, command=f"evaluate {name}")
    with progress_bar() as progress:
        metrics = task.load("evaluate")(options.subjects, options.scoring, progress)
    if options.json:
        print(json.dumps(metrics))
        return 0
    from sightline.app.tables import text_table

    print(text_table(task.load("table")(metrics)))
    for note in metrics.get("notes", ()):
        print(f"note: {note}", file=sys.stderr)
    print(f"plots and predictions: {metrics.get('folder') or options.subjects[0]}")
    return 0


def _options(task: Task) -> Any:
    """Return the command's options with the task's own as flags."""
    scoring = task.load("scoring")
    subjects = tyro.conf.Positional[tuple[Path, ...]]
    fields: list[Any] = [
        ("subjects", Annotated[subjects, tyro.conf.arg(help=task.subject_help)]),
        (
            "json",
            Annotated[
                tyro.conf.FlagCreatePairsOff[bool],
                tyro.conf.arg(help="Print the scores as JSON."),
            ],
            dataclasses.field(default=False),
        ),
        (
            "scoring",
            Annotated[scoring, tyro.conf.arg(name="")],
            dataclasses.field(default_factory=scoring),
        ),
    ]
    made = dataclasses.make_dataclass("EvaluateOptions", fields, frozen=True)
    made.__doc__ = (
        f"Score: {task.summary}. Predictions are saved first; every figure is computed from them."
    )
    return made
