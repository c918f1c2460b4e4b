"""``sightline render``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from sightline.catalog import WORLDS
from sightline.cli.options import parse, take_name
from sightline.cli.progress import progress_bar
from sightline.worlds import World


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline render WORLD FOLDER [flags]``."""
    name, rest = take_name(arguments, "render", "world", WORLDS.names(), "FOLDER [flags]")
    world: World = WORLDS.load(name)
    options: Any = parse(_options(world), rest, command=f"render {name}")
    with progress_bar() as progress:
        world.load("write")(options.folder, options.config, progress)
    print(f"{world.summary}: {options.folder}")
    return 0


def _options(world: World) -> Any:
    """Return the command's options with the world's own settings as flags."""
    config_type = world.load("config")
    folder_help = "Where it goes; a render that was stopped goes on."
    fields: list[Any] = [
        ("folder", Annotated[tyro.conf.Positional[Path], tyro.conf.arg(help=folder_help)]),
        (
            "config",
            Annotated[config_type, tyro.conf.arg(name="")],
            dataclasses.field(default_factory=config_type),
        ),
    ]
    made = dataclasses.make_dataclass("RenderOptions", fields, frozen=True)
    made.__doc__ = f"Render: {world.summary}."
    return made
