"""``sightline import``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
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
    """The unpacked dataset: a scene, a sequence, a capture or a model; NYUv2's .mat file."""
    out: tyro.conf.Positional[Path]
    """Folder of what is made: new, empty, or imported from the same source before."""
    validation: float = 0.1
    """Share of an official training part that is held out where validation is missing; 0: none."""
    link: tyro.conf.FlagCreatePairsOff[bool] = False
    """Make symbolic links to the images instead of copies."""
    metres_per_unit: float | None = None
    """colmap, nerfstudio, poses_json: what a unit of length is in metres, where that is known."""
    images: Path | None = None
    """colmap: folder of the images; looked for as images/ where not given."""
    train_list: Path | None = None
    """colmap: names of the training images, one a line; train.txt and the like where not given."""
    validation_list: Path | None = None
    """colmap: the same for validation."""
    test_list: Path | None = None
    """colmap: the same for the test."""
    raw_depth: tyro.conf.FlagCreatePairsOff[bool] = False
    """nyuv2: take the depth as measured, with its holes, instead of the filled one."""


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline import DATASET SOURCE OUT``."""
    name, rest = take_name(arguments, "import", "dataset", DATASETS.names(), "SOURCE OUT")
    make = DATASETS.load(name)
    options = parse(ImportOptions, rest, command=f"import {name}")
    if not options.source.exists():
        raise InputError(f"the unpacked dataset {name} is wanted; {options.source} does not exist")
    if not 0 <= options.validation < 1:
        raise InputError(f"a share of 0 up to 1 is wanted, --validation {options.validation} came")
    flags = _flags(name, make, options)
    with progress_bar() as progress:
        made: Place | DepthSet = make(options.source, options.out, progress=progress, **flags)
    if isinstance(made, DepthSet):
        _tell_depth(made, options.out)
    else:
        _tell_place(made, options)
    return 0


def _flags(name: str, make: Callable[..., Any], options: ImportOptions) -> dict[str, Any]:
    """Return the flags that a dataset's function takes; one that it does not take is refused."""
    common = ("source", "out", "validation")
    given = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in common}
    taken = inspect.signature(make).parameters
    for flag, value in given.items():
        if value not in (None, False) and flag not in taken:
            raise InputError(f"{name} has no --{flag.replace('_', '-')}; leave it out")
    return {flag: value for flag, value in given.items() if flag in taken}


def _tell_place(place: Place, options: ImportOptions) -> None:
    from sightline.app.import_place import complete_splits

    note = complete_splits(place, options.validation)
    out = options.out
    frames = place.frames()
    posed = [frame for frame in frames if frame.world_from_cam is not None]
    print(f"{len(frames)} frames, {len(posed)} with poses in {place.unit}")
    parts = {s: sum(f.split == s for f in posed) for s in ("train", "validation", "test")}
    print(", ".join(f"{count} {split}" for split, count in parts.items()))
    for line in (*place.content.get("notes", ()), *([note] if note else ())):
        print(f"note: {line}")
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
