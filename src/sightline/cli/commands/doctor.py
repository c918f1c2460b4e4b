"""``sightline doctor``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from sightline.cli.options import parse
from sightline.records import Place


@dataclass(frozen=True)
class DoctorOptions:
    """Say what went well and ill in a place's reconstruction."""

    place: tyro.conf.Positional[Path]
    """A built place."""


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(DoctorOptions, arguments, command="doctor")
    from sightline.app.summary import describe_reconstruction

    print(describe_reconstruction(Place.open(options.place)))
    return 0
