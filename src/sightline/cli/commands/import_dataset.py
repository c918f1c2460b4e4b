"""``sightline import``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from sightline.catalog import DATASETS
from sightline.cli.options import parse, take_name
from sightline.cli.progress import progress_bar
from sightline.errors import InputError
from sightline.records import Place


@dataclass(frozen=True)
class ImportOptions:
    """Make a place of a public dataset that lies unpacked on this machine, with its poses."""

    source: tyro.conf.Positional[Path]
    """The dataset's folder: one 7-Scenes scene, one TUM RGB-D sequence."""
    place: tyro.conf.Positional[Path]
    """Folder of the place: new, empty, or imported from the same source before."""
    link: tyro.conf.FlagCreatePairsOff[bool] = False
    """Make symbolic links to the images instead of copies."""


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline import DATASET SOURCE PLACE``."""
    name, rest = take_name(arguments, "import", "dataset", DATASETS.names(), "SOURCE PLACE")
    make_place = DATASETS.load(name)
    options = parse(ImportOptions, rest, command=f"import {name}")
    if not options.source.exists():
        raise InputError(f"the unpacked dataset {name} is wanted; {options.source} does not exist")
    with progress_bar() as progress:
        place: Place = make_place(
            options.source, options.place, link=options.link, progress=progress
        )
    frames = place.frames()
    posed = [frame for frame in frames if frame.world_from_cam is not None]
    print(f"{len(frames)} frames, {len(posed)} with poses in {place.unit}")
    parts = {s: sum(f.split == s for f in posed) for s in ("train", "validation", "test")}
    print(", ".join(f"{count} {split}" for split, count in parts.items()))
    root = options.place
    if parts["train"]:
        print(f"next: sightline train absolute {root}")
    else:
        print(f"next: sightline split {root} block, then sightline train absolute {root}")
    return 0
