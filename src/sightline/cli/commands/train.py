"""``sightline train``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from sightline.catalog import TASKS
from sightline.cli.options import parse, take_config_file, take_task
from sightline.cli.progress import progress_bar
from sightline.records.config_file import config_from_toml
from sightline.tasks import Task


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline train TASK DATA [flags]``."""
    name, rest = take_task(arguments, "train", "DATA [--name RUN] [flags]")
    task: Task = TASKS.load(name)
    file, rest = take_config_file(rest)
    config_type = task.load("config")
    config = config_from_toml(config_type, file) if file else config_type()
    options: Any = parse(_options(config_type, config, task), rest, command=f"train {name}")
    data = task.load("data")(options.data)
    run_dir = options.out or data.runs_dir / (options.name or _default_name(options.config))
    train = task.load("train")
    with progress_bar() as progress:
        made = train(data, options.config, run_dir, progress)
        if made.model is None:  # a stage that leaves data, not a model that could be judged
            print(f"made: {run_dir}")
            return 0
        metrics = task.load("evaluate")([run_dir], task.load("scoring")(), progress)
    from sightline.app.tables import text_table

    print(text_table(task.load("table")(metrics)))
    for note in metrics.get("notes", ()):
        print(f"note: {note}", file=sys.stderr)
    print(f"run: {run_dir}")
    return 0


def _options(config_type: Any, config: object, task: Task) -> Any:
    """Return the command's options with the task's own settings as flags."""
    name_help = "Name of the run in DATA/runs; made of the settings where none is given."
    out_help = "Folder of the run; DATA/runs/NAME where not given."
    fields: list[Any] = [
        ("data", Annotated[tyro.conf.Positional[Path], tyro.conf.arg(help=task.data_help)]),
        (
            "name",
            Annotated[str | None, tyro.conf.arg(help=name_help)],
            dataclasses.field(default=None),
        ),
        (
            "out",
            Annotated[Path | None, tyro.conf.arg(help=out_help)],
            dataclasses.field(default=None),
        ),
        (
            "config",
            Annotated[config_type, tyro.conf.arg(name="")],
            dataclasses.field(default_factory=lambda: config),
        ),
    ]
    made = dataclasses.make_dataclass("TrainOptions", fields, frozen=True)
    made.__doc__ = f"Train: {task.summary}."
    return made


def _default_name(config: Any) -> str:
    if hasattr(config, "run_name"):
        return str(config.run_name)
    return "-".join(str(getattr(config, k)) for k in ("model", "backbone") if hasattr(config, k))
