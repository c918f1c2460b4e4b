"""``sightline split``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from sightline.app.build import assign_splits
from sightline.cli.options import parse
from sightline.records import Place
from sightline.records.splits import SplitMethod


@dataclass(frozen=True)
class SplitOptions:
    """Divide a place's frames into train, validation and test."""

    place: tyro.conf.Positional[Path]
    """A built place."""
    method: tyro.conf.Positional[SplitMethod] = "mod3"
    """mod3: the paper's, leaks; block: stretches of the walk; second-walk: test on another walk."""


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(SplitOptions, arguments, command="split")
    place = Place.open(options.place)
    warning = assign_splits(place, options.method)
    frames = place.frames()
    counts = {s: sum(f.split == s for f in frames) for s in ("train", "validation", "test")}
    print(", ".join(f"{count} {split}" for split, count in counts.items()))
    if warning:
        print(f"note: {warning}")
    return 0
