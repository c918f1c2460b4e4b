"""``sightline predict``."""

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
from sightline.errors import InputError
from sightline.learning.runs import CONFIG
from sightline.tasks import Task

_SOURCES_HELP = (
    "Photos, or folders of photos; before them the run folder of a network, where it is not to be "
    "the bundled one."
)
_OUT_HELP = "Folder for the photos with what was found drawn on them."


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline predict TASK [RUN] PHOTO ... [flags]``.

    Exits with 1 where a photo of several has no answer.
    """
    name, rest = take_task(arguments, "predict", "[RUN] PHOTO ... [--json] [--out FOLDER] [flags]")
    task: Task = TASKS.load(name)
    if not task.predictor:
        able = [other for other in TASKS.names() if TASKS.load(other).predictor]
        raise InputError(f"a task of {', '.join(able)} is wanted, {name} says nothing of one photo")
    options: Any = parse(_options(task), rest, command=f"predict {name}")
    from sightline.app.predict import photos_of, predict_photos

    network, sources = _split(options.sources)
    photos_of(sources)  # before the network is read
    predictor = task.load("predictor")(network, options.task)
    for note in predictor.notes:
        print(f"note: {note}", file=sys.stderr, flush=True)
    all_answered = True
    for result in predict_photos(predictor, sources, options.out):
        if result.answers is None:
            all_answered = False
            print(f"error: {' '.join(result.error.split())}", file=sys.stderr, flush=True)
            continue
        for note in result.answers.notes:
            print(f"note: {note}", file=sys.stderr, flush=True)
        rows = result.answers.rows() if options.json else []
        for line in map(json.dumps, rows) if options.json else result.answers.lines():
            print(line, flush=True)
    return 0 if all_answered else 1


def _split(sources: tuple[Path, ...]) -> tuple[Path | None, tuple[Path, ...]]:
    """Return the run folder that stands first, or None, and the photos."""
    if sources and (sources[0] / CONFIG).is_file():
        return sources[0], sources[1:]
    return None, sources


def _options(task: Task) -> Any:
    """Return the command's options with the task's own as flags."""
    own = task.load("options")
    sources = tyro.conf.Positional[tuple[Path, ...]]
    json_help = "Print one JSON object a line."
    fields: list[Any] = [
        ("sources", Annotated[sources, tyro.conf.arg(help=_SOURCES_HELP)]),
        (
            "json",
            Annotated[tyro.conf.FlagCreatePairsOff[bool], tyro.conf.arg(help=json_help)],
            dataclasses.field(default=False),
        ),
        (
            "out",
            Annotated[Path | None, tyro.conf.arg(help=_OUT_HELP)],
            dataclasses.field(default=None),
        ),
        (
            "task",
            Annotated[own, tyro.conf.arg(name="")],
            dataclasses.field(default_factory=own),
        ),
    ]
    made = dataclasses.make_dataclass("PredictOptions", fields, frozen=True)
    made.__doc__ = f"Predict: {task.summary}."
    return made
