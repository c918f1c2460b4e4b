"""``sightline export``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from sightline.catalog import TASKS
from sightline.cli.options import parse
from sightline.errors import InputError
from sightline.records import Place
from sightline.tasks import Task


@dataclass(frozen=True)
class ExportOptions:
    """Write a place in another format, in its aligned world.

    A network: `sightline export depth FILE.onnx`.
    """

    place: tyro.conf.Positional[Path]
    """A built place."""
    destination: tyro.conf.Positional[Path]
    """A new file (TUM) or folder (the others)."""
    format: Literal["colmap-text", "colmap-binary", "tum", "paper"] = "colmap-text"
    """COLMAP text or binary, TUM trajectory, or the paper's positions, points3D and split CSVs."""


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline export PLACE DESTINATION``, or ``export TASK FILE``.

    A place in a folder with the name of a task is told apart by its path: ``./depth``.
    """
    if arguments and arguments[0] in TASKS.names():
        return _export_network(arguments[0], arguments[1:])
    options = parse(ExportOptions, arguments, command="export")
    from sightline.reconstruction.export import export_place

    export_place(Place.open(options.place), options.destination, options.format)
    print(f"written: {options.destination}")
    return 0


def _export_network(name: str, arguments: Sequence[str]) -> int:
    task: Task = TASKS.load(name)
    if not task.exporter:
        able = [other for other in TASKS.names() if TASKS.load(other).exporter]
        raise InputError(
            f"a task of {', '.join(able)} is wanted, networks of {name} are not exported; for a "
            f"place in a folder of that name pass ./{name}"
        )
    options: Any = parse(_network_options(task), arguments, command=f"export {name}")
    print(task.load("exporter")(options.destination, options.task).line())
    return 0


def _network_options(task: Task) -> Any:
    """Return the command's options with the task's own as flags."""
    own = task.load("export_options")
    destination_help = "A new file, NAME.onnx."
    fields: list[Any] = [
        (
            "destination",
            Annotated[tyro.conf.Positional[Path], tyro.conf.arg(help=destination_help)],
        ),
        (
            "task",
            Annotated[own, tyro.conf.arg(name="")],
            dataclasses.field(default_factory=own),
        ),
    ]
    made = dataclasses.make_dataclass("NetworkExportOptions", fields, frozen=True)
    made.__doc__ = f"Export a network: {task.summary}."
    return made
