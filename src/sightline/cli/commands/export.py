"""``sightline export``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from sightline.cli.options import parse
from sightline.records import Place


@dataclass(frozen=True)
class ExportOptions:
    """Write a place in another format, in its aligned world."""

    place: tyro.conf.Positional[Path]
    """A built place."""
    destination: tyro.conf.Positional[Path]
    """A new file (TUM) or folder (the others)."""
    format: Literal["colmap-text", "colmap-binary", "tum", "paper"] = "colmap-text"
    """COLMAP text or binary, TUM trajectory, or the paper's positions, points3D and split CSVs."""


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(ExportOptions, arguments, command="export")
    from sightline.reconstruction.export import export_place

    export_place(Place.open(options.place), options.destination, options.format)
    print(f"written: {options.destination}")
    return 0
