"""NYU Depth V2 (Silberman et al. 2012): the labelled set as pairs of image and depth.

``nyu_depth_v2_labeled.mat`` is HDF5, written by MATLAB: its axes come in the other order, columns
first. ``images`` is (N, 3, W, H), ``depths`` (N, W, H) in metres with the holes filled,
``rawDepths`` as the Kinect projected it into the colour camera, 0 where unknown; ``sceneTypes`` and
``scenes`` are references to text. ``splits.mat`` beside it has the official split by numbers that
start at 1.

All its scenes are indoors: the pairs go to ``indoor/SCENE_TYPE/``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.depth_checks import fit_items
from sightline.datasets.depth_splits import without_cut_sources
from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.media import write_photo
from sightline.records.depth import DepthImage, DepthSet, write_depth_png_mm, write_depth_set
from sightline.records.files import atomic_path, read_toml, write_toml
from sightline.records.matlab import read_matlab

LABELLED_MAT = "nyu_depth_v2_labeled.mat"
SPLITS_MAT = "splits.mat"
NYUV2_TOML = "nyuv2.toml"

#: Of the colour camera, by the data set's toolbox.
INTRINSICS = (518.857901, 519.469611, 325.582449, 253.736166)

_PLACE = "indoor"
_VARIABLES = {"trainNdxs": "train", "testNdxs": "test"}


class _DamagedError(Exception):
    """HDF5 cannot read a part of the file."""


def is_nyuv2_mat(path: Path) -> bool:
    """Return whether a file is MATLAB's, or a folder holds the labelled set as downloaded."""
    return (path.is_file() and path.suffix.lower() == ".mat") or (path / LABELLED_MAT).is_file()


def make_depth_set(
    source: str | Path,
    root: str | Path,
    *,
    raw_depth: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> DepthSet:
    """Return the labelled set as a depth set: PNGs, depth in millimetres, the official split.

    Pairs that are there from an interrupted run are kept; damaged ones are left out and counted.

    Args:
        source: ``nyu_depth_v2_labeled.mat``, or its folder.
        root: Folder of the depth set: new, empty, or made from the same file before.
        raw_depth: Take ``rawDepths``, with the sensor's holes, instead of ``depths``.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: The file is not the labelled set, more of it is damaged than whole, the split
            does not fit it, or ``root`` holds other things.
    """
    source, root = Path(source), Path(root)
    table = source / LABELLED_MAT if source.is_dir() else source
    variable = "rawDepths" if raw_depth else "depths"
    splits = _splits(table.parent / SPLITS_MAT)
    with _open(table) as content:
        images, depths = _arrays(table, content, variable)
        types = _texts(table, content, "sceneTypes", len(images))
        scenes = _texts(table, content, "scenes", len(images))
        if splits and max(splits) >= len(images):
            raise InputError(
                f"{table.parent / SPLITS_MAT}: numbers up to {len(images)} are wanted, "
                f"{max(splits) + 1} came: of another file?"
            )
        _claim(root, {"source": table.name, "bytes": table.stat().st_size, "depth": variable})
        items, left_out = [], LeftOut()
        for i, (kind, scene) in enumerate(zip(types, scenes, strict=True)):
            item = _item(i, kind, scene, splits.get(i, ""))
            try:
                _write_pair(root, item, images, depths, i)
                items.append(item)
            except _DamagedError:
                left_out.add("damaged pair", table / f"{i + 1:04d}")
            if progress:
                progress("pairs", (i + 1) / len(images))
    left_out.check(table, len(items), "pairs")
    kept, notes = without_cut_sources(items)
    if not splits:
        notes = (*notes, f"no split: {SPLITS_MAT} is not beside {table.name}")
    data = DepthSet(root.resolve().name, root, kept, (), notes, "nyuv2")
    write_depth_set(data)
    fit = fit_items(root, kept, left_out)
    return replace(data, items=tuple(fit), left_out=left_out.counts())


def refuse_mat(path: Path, _left_out: LeftOut) -> DepthSet:
    """Say what makes a depth set of MATLAB's file.

    Raises:
        InputError: Always.
    """
    table = path / LABELLED_MAT if path.is_dir() else path
    raise InputError(
        f"{table}: a depth set is wanted; make one of it: sightline import nyuv2 {table} OUT"
    )


def _item(index: int, scene_type: str, scene: str, split: str) -> DepthImage:
    kind = re.sub(r"[^a-z0-9]+", "_", scene_type.lower()).strip("_") or "unknown"
    stem = Path(_PLACE) / kind / f"{index + 1:04d}"
    return DepthImage(
        stem.with_suffix(".png"),
        stem.with_name(f"{stem.name}_depth.png"),
        split=split,
        source=scene,
        intrinsics=INTRINSICS,
    )


def _write_pair(root: Path, item: DepthImage, images: Any, depths: Any, index: int) -> None:
    photo, depth = root / item.image, root / str(item.depth)
    if not depth.is_file():
        write_depth_png_mm(depth, _from_matlab(depths, index))
    if not photo.is_file():
        pixels = _from_matlab(images, index)
        with atomic_path(photo) as temporary:
            write_photo(temporary, pixels)


def _from_matlab(arrays: Any, index: int) -> NDArray[Any]:
    """Return one array in MATLAB's order: (3, W, H) becomes (H, W, 3)."""
    try:
        return np.ascontiguousarray(np.asarray(arrays[index]).transpose())
    except OSError as error:
        raise _DamagedError from error


def _claim(root: Path, wanted: dict[str, Any]) -> None:
    """Keep what a folder is made of; refuse a folder of something else."""
    if (root / NYUV2_TOML).is_file():
        came = read_toml(root / NYUV2_TOML)
        if came != wanted:
            differing = [key for key in wanted if came.get(key) != wanted[key]]
            different = ", ".join(f"{key} {came.get(key)!r}" for key in differing)
            raise InputError(
                f"{root}: a folder made of the same file is wanted, it was made with {different}; "
                "take another folder"
            )
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root}: a new or empty folder is wanted, it holds other things")
    write_toml(root / NYUV2_TOML, wanted)


def _open(table: Path) -> Any:
    import h5py

    if not table.is_file():
        raise InputError(f"{table} is wanted; there is no such file")
    try:
        return h5py.File(table, "r")
    except OSError as error:
        raise InputError(
            f"{table}: NYUv2's labelled set is wanted, a MATLAB file of version 7.3 (HDF5); this "
            f"one does not open ({' '.join(str(error).split())}); download it again"
        ) from error


def _arrays(table: Path, content: Any, variable: str) -> tuple[Any, Any]:
    """Return the datasets of images and depths, checked; nothing is read."""
    for name in ("images", variable, "sceneTypes", "scenes"):
        if name not in content:
            raise InputError(
                f"{table}: NYUv2's labelled set is wanted; it has no {name!r}, but "
                f"{', '.join(sorted(content)[:8]) or 'nothing'}"
            )
    images, depths = content["images"], content[variable]
    fits = images.ndim == 4 and images.shape[1] == 3 and images.dtype == np.uint8
    if not fits or depths.shape != (images.shape[0], *images.shape[2:]) or depths.dtype.kind != "f":
        raise InputError(
            f"{table}: images (N, 3, W, H) of uint8 and {variable} (N, W, H) are wanted, "
            f"{images.shape} of {images.dtype} and {depths.shape} of {depths.dtype} came"
        )
    return images, depths


def _texts(table: Path, content: Any, name: str, count: int) -> list[str]:
    """Return cells of text: references to arrays of character codes."""
    cells = np.ravel(content[name][()])
    if len(cells) != count or cells.dtype != object:
        raise InputError(f"{table}: {count} cells of text are wanted in {name}")
    return ["".join(chr(int(code)) for code in np.ravel(content[cell][()])) for cell in cells]


def _splits(table: Path) -> dict[int, str]:
    """Return the official split by index from 0; empty where the file is not there."""
    if not table.is_file():
        return {}
    splits: dict[int, str] = {}
    for variable, split in _VARIABLES.items():
        for number in _numbers(table, variable):
            if splits.setdefault(number - 1, split) != split:
                raise InputError(f"{table}: number {number} is in both parts")
    return splits


def _numbers(table: Path, variable: str) -> Sequence[int]:
    values = read_matlab(table, variable, ())
    if not isinstance(values, list) or not all(
        isinstance(v, (int, float)) and v == int(v) and v >= 1 for v in values
    ):
        raise InputError(f"{table}: whole numbers from 1 are wanted in {variable}")
    return [int(v) for v in values]
