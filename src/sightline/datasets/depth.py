"""Images with depth out of whatever is there: the one door for training and evaluation.

``open_depth`` looks at the files of a folder (or at a file) and reads the layout it finds;
docs/depth-data.md describes them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sightline.datasets import depth_json
from sightline.datasets.depth_checks import fit_items
from sightline.datasets.layouts import what_is_there
from sightline.datasets.leaks import refuse_leaks
from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.records.depth import DEPTH_CSV, DepthSet, read_depth_csv


@dataclass(frozen=True)
class _Layout:
    """A layout: what is read, how it is recognised, and what reads it."""

    name: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, LeftOut], DepthSet]


def open_depth(path: str | Path) -> DepthSet:
    """Return the images and depth of a folder or a file, in whichever layout it is.

    Recognised by its files; see ``LAYOUTS``. What is missing, damaged, unknown everywhere or of
    another shape is left out and counted in ``left_out``.

    Args:
        path: The folder or file.

    Raises:
        InputError: Nothing is known by that layout, what it holds does not read, nothing is left,
            more is damaged than left, or a picture or source is in two splits.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} is wanted: a folder or file of images with depth; there is none")
    layout = next((known for known in LAYOUTS if known.recognises(path)), None)
    if layout is None:
        raise InputError(
            f"{path}: a layout of images with depth is wanted: "
            f"{'; '.join(known.name for known in LAYOUTS)}. There is {what_is_there(path)}"
        )
    left_out = LeftOut()
    found = layout.read(path, left_out)
    items = fit_items(found.root, found.items, left_out)
    left_out.check(path, len(items), "images")
    refuse_leaks(path, ((i.split, i.image.as_posix(), i.source) for i in items), "images")
    return replace(found, items=tuple(items), left_out=left_out.counts())


def _csv(path: Path, left_out: LeftOut) -> DepthSet:
    table = path / DEPTH_CSV if path.is_dir() else path
    name = table.parent.resolve().name if table.name == DEPTH_CSV else table.stem
    return DepthSet(name, table.parent, tuple(read_depth_csv(table, left_out=left_out.add)))


#: In the order in which they are looked for.
LAYOUTS = (
    _Layout(f"a depth set ({DEPTH_CSV})", lambda p: (p / DEPTH_CSV).is_file(), _csv),
    _Layout(
        "a list of images and depth (.csv)", lambda p: p.is_file() and p.suffix == ".csv", _csv
    ),
    _Layout(
        "pictures listed with their cameras (depth.json)",
        depth_json.is_depth_json,
        depth_json.read_depth_json,
    ),
)
