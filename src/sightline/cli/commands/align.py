"""``sightline align``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from sightline.app.align import AlignConfig, align
from sightline.cli.options import parse
from sightline.cli.progress import progress_bar
from sightline.records import Place


@dataclass(frozen=True)
class AlignOptions:
    """Put a place into metres and onto its floor plan (by gravity alone where nothing is given)."""

    place: tyro.conf.Positional[Path]
    """A built place."""
    config: Annotated[AlignConfig, tyro.conf.arg(name="")] = field(default_factory=AlignConfig)
    """What is known."""


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(AlignOptions, arguments, command="align")
    place = Place.open(options.place)
    with progress_bar() as progress:
        report = align(place, options.config, progress)
    print("\n".join(report.lines()))
    return 0
