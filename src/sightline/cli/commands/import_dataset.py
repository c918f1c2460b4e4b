"""``sightline import``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from sightline.catalog import DATASETS
from sightline.cli.options import parse, take_name
from sightline.cli.progress import progress_bar
from sightline.errors import InputError
from sightline.records import Place
from sightline.records.depth import DepthSet


@dataclass(frozen=True)
class ImportOptions:
    """Make a place, or images with depth, of a public dataset that lies on this machine."""

    source: tyro.conf.Positional[Path]
    """One 7-Scenes scene or TUM RGB-D sequence; NYUv2's .mat file, splits.mat beside it."""
    out: tyro.conf.Positional[Path]
    """Folder of what is made: new, empty, or imported from the same source before."""
    link: tyro.conf.FlagCreatePairsOff[bool] = False
    """7-Scenes, TUM: make symbolic links to the images instead of copies."""
    raw_depth: tyro.conf.FlagCreatePairsOff[bool] = False
    """nyuv2: take the depth as measured, with its holes, instead of the filled one."""


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline import DATASET SOURCE OUT``."""
    name, rest = take_name(arguments, "import", "dataset", DATASETS.names(), "SOURCE OUT")
    make = DATASETS.load(name)
    options = parse(ImportOptions, rest, command=f"import {name}")
    if not options.source.exists():
        raise InputError(f"the unpacked dataset {name} is wanted; {options.source} does not exist")
    flags = _flags(name, make, options)
    with progress_bar() as progress:
        made: Place | DepthSet = make(options.source, options.out, progress=progress, **flags)
    if isinstance(made, DepthSet):
        _tell_depth(made, options.out)
    else:
        _tell_place(made, options.out)
    return 0


def _flags(name: str, make: Callable[..., Any], options: ImportOptions) -> dict[str, bool]:
    """Return the flags that a dataset's function takes; one that it does not take is refused."""
    given = {"link": options.link, "raw_depth": options.raw_depth}
    taken = inspect.signature(make).parameters
    for flag, value in given.items():
        if value and flag not in taken:
            raise InputError(f"{name} has no --{flag.replace('_', '-')}; leave it out")
    return {flag: value for flag, value in given.items() if flag in taken}


def _tell_place(place: Place, out: Path) -> None:
    frames = place.frames()
    posed = [frame for frame in frames if frame.world_from_cam is not None]
    print(f"{len(frames)} frames, {len(posed)} with poses in {place.unit}")
    parts = {s: sum(f.split == s for f in posed) for s in ("train", "validation", "test")}
    print(", ".join(f"{count} {split}" for split, count in parts.items()))
    if parts["train"]:
        print(f"next: sightline train absolute {out}")
    else:
        print(f"next: sightline split {out} block, then sightline train absolute {out}")


def _tell_depth(data: DepthSet, out: Path) -> None:
    print(f"{len(data)} images with depth")
    parts = data.splits()
    print(", ".join(f"{parts.get(s, 0)} {s}" for s in ("train", "validation", "test")))
    for reason, count in data.left_out:
        print(f"left out: {count} {reason}")
    for note in data.notes:
        print(f"note: {note}")
    print(f"next: sightline train depth {out}")
