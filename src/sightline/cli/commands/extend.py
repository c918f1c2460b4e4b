"""``sightline extend``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

import tyro

from sightline.app.extend import extend, find_left_out
from sightline.app.extend_stages import ExtendConfig
from sightline.cli.options import parse
from sightline.cli.progress import progress_bar
from sightline.errors import InputError
from sightline.records import Place


@dataclass(frozen=True)
class ExtendOptions:
    """Add another recording to a place's map, or find frames that were left out of it after all.

    The map, the alignment and what was trained stay where they are; a recording of another place is
    refused, and nothing is changed then.
    """

    place: tyro.conf.Positional[Path]
    """A built place."""
    source: tyro.conf.Positional[Path | None] = None
    """A video or a folder of photos to add; without one, frames left out are looked for."""
    config: Annotated[ExtendConfig, tyro.conf.arg(name="")] = field(default_factory=ExtendConfig)
    """How."""


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    from sightline.app.summary import describe_extension

    options = parse(ExtendOptions, arguments, command="extend")
    place = Place.open(options.place)
    with progress_bar() as progress:
        if options.source is None:
            _refuse_of_recordings(options.config)
            found = find_left_out(place, options.config, progress)
        else:
            found = extend(place, options.source, options.config, progress)
    print(describe_extension(place, found))
    return 0


def _refuse_of_recordings(config: ExtendConfig) -> None:
    usual = ExtendConfig()
    given = [
        f"--{field.name.replace('_', '-')}"
        for field in fields(config)
        if field.name not in ("seed", "threads")
        and getattr(config, field.name) != getattr(usual, field.name)
    ]
    if given:
        raise InputError(
            f"a video or a folder of photos is wanted with {', '.join(given)}, none came; name "
            "one, or leave that out to look for frames of the place itself"
        )
