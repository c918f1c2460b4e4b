"""``sightline label``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from sightline.catalog import TASKS
from sightline.cli.options import parse, take_task
from sightline.cli.progress import progress_bar
from sightline.errors import InputError
from sightline.tasks import LabelReport, Task

#: So many images without labels are named; all are in the labels' folder.
_NAMED = 5


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline label TASK IMAGES [--out LABELS] [flags]``."""
    name, rest = take_task(arguments, "label", "IMAGES [--out LABELS] [flags]")
    task: Task = TASKS.load(name)
    if not task.labeller:
        able = [other for other in TASKS.names() if TASKS.load(other).labeller]
        raise InputError(f"a task of {', '.join(able)} is wanted, {name} has no labels of its own")
    options: Any = parse(_options(task), rest, command=f"label {name}")
    with progress_bar() as progress:
        report: LabelReport = task.load("labeller")(
            options.images, options.out, options.task, progress
        )
    from sightline.app.tables import text_table

    for table in report.tables():
        print(text_table(table), end="\n\n")
    for note in (*report.notes, *_skipped(report)):
        print(f"note: {note}", file=sys.stderr)
    print(f"labels: {report.folder}")
    return 0


def _skipped(report: LabelReport) -> list[str]:
    """Return a line for each of the first images without labels, and one for the others."""
    lines = [
        " ".join((reason if str(image) in reason else f"{image}: {reason}").split())
        for image, reason in report.skipped[:_NAMED]
    ]
    more = len(report.skipped) - len(lines)
    if more:
        lines.append(f"{more} more images have no labels; labels.toml names them")
    return [f"skipped: {line}" for line in lines]


def _options(task: Task) -> Any:
    """Return the command's options with the task's own as flags."""
    own = task.load("label_options")
    out_help = "Folder of the labels; IMAGES/runs/labels-TASK where not given."
    fields: list[Any] = [
        ("images", Annotated[tyro.conf.Positional[Path], tyro.conf.arg(help=task.label_help)]),
        (
            "out",
            Annotated[Path | None, tyro.conf.arg(help=out_help)],
            dataclasses.field(default=None),
        ),
        (
            "task",
            Annotated[own, tyro.conf.arg(name="")],
            dataclasses.field(default_factory=own),
        ),
    ]
    made = dataclasses.make_dataclass("LabelCommandOptions", fields, frozen=True)
    made.__doc__ = f"Label: {task.summary}. A call that was stopped goes on where it was."
    return made
