"""SUN RGB-D (Song et al. 2015): one folder a picture, from four depth cameras.

``SENSOR/COLLECTION/.../NAME/{image/*.jpg, depth_bfx/*.png, depth/*.png, intrinsics.txt}``;
``depth_bfx`` is the depth with its holes filled from neighbouring frames, and is taken where it is
there. The 16 bits are turned by three to the left, as the toolbox undoes it:
``(d >> 3) | (d << 13)``, then millimetres. The split is that of the toolbox's ``allsplit.mat``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath

from sightline.datasets.depth_splits import without_cut_sources
from sightline.datasets.intrinsics_txt import read_intrinsics_txt
from sightline.datasets.layouts import walk
from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.records.depth import DepthImage, DepthSet
from sightline.records.matlab import read_matlab

SPLIT_MAT = Path("SUNRGBDtoolbox") / "traintestSUNRGBD" / "allsplit.mat"

_TOP = "SUNRGBD"
_VARIABLES = {"alltrain": "train", "alltest": "test"}


def is_sun_rgbd(path: Path) -> bool:
    """Return whether a folder is a picture's, or holds such folders."""
    return path.is_dir() and next(_folders(path), None) is not None


def read_sun_rgbd(path: Path, left_out: LeftOut) -> DepthSet:
    """Return the pictures; without the toolbox beside them they have no split.

    Raises:
        InputError: The split or a camera does not read.
    """
    splits = _splits(path)
    items = []
    for folder in _folders(path):
        photo, depth = _only(folder / "image"), _depth(folder)
        if photo is None or depth is None:
            left_out.add("missing image" if photo is None else "missing depth", folder)
            continue
        item = DepthImage(
            photo.relative_to(path),
            depth.relative_to(path),
            split=splits.get(_name(folder.resolve()), ""),
            source=_source(folder.relative_to(path)),
            intrinsics=read_intrinsics_txt(folder / "intrinsics.txt"),
            encoding="sunrgbd",
        )
        items.append(item)
    kept, notes = without_cut_sources(items)
    if not splits:
        notes = (*notes, f"no split: {SPLIT_MAT.as_posix()} is not beside the pictures")
    return DepthSet(path.resolve().name, path, kept, (), notes)


def _folders(path: Path) -> Iterator[Path]:
    """Yield the folders of pictures, in order; nothing below them is looked at."""
    for folder, names, files in walk(path):
        if "image" in names and "intrinsics.txt" in files and {"depth", "depth_bfx"} & set(names):
            yield folder
            names.clear()


def _depth(folder: Path) -> Path | None:
    return _only(folder / "depth_bfx") or _only(folder / "depth")


def _only(folder: Path) -> Path | None:
    """Return the one picture in a folder."""
    there = sorted(p for p in folder.glob("*") if p.suffix.lower() in (".jpg", ".png"))
    return there[0] if len(there) == 1 else None


def _source(folder: Path) -> str:
    """Return what a picture was taken in: SUN3D's are frames of videos of one room."""
    return (folder.parent if "sun3ddata" in folder.parts else folder).as_posix()


def _name(folder: PurePath) -> str:
    """Return a picture's path below the data set's own folder."""
    parts = folder.parts
    at = len(parts) - 1 - parts[::-1].index(_TOP) if _TOP in parts else -1
    return "/".join(parts[at + 1 :])


def _splits(path: Path) -> dict[str, str]:
    """Return the official split by a picture's name; empty where it is not there."""
    folders = (path, *path.resolve().parents)
    table = next((f / SPLIT_MAT for f in folders if (f / SPLIT_MAT).is_file()), None)
    if table is None:
        return {}
    splits: dict[str, str] = {}
    for variable, split in _VARIABLES.items():
        names = read_matlab(table, variable, ())
        if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{table}: cells of paths are wanted in {variable}")
        splits |= {_name(PurePosixPath(name)): split for name in names}
    return splits
