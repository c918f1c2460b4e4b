"""KITTI's depth prediction set (Uhrig et al. 2017): LiDAR depth of a car's cameras, sparse.

Either drives, as ``data_depth_annotated.zip`` and KITTI's raw data unpack into one folder::

    train|val/DRIVE_sync/proj_depth/groundtruth/image_02/0000000005.png
    DRIVE_sync/image_02/data/0000000005.png     below train, val, a date, raw ...

or the devkit's selection: ``image``, ``groundtruth_depth`` and ``intrinsics`` side by side. Depth
is the stored value / 256 in metres, 0 where unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sightline.datasets.intrinsics_txt import read_intrinsics_txt
from sightline.datasets.layouts import walk
from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.records.depth import DepthImage, DepthSet, Intrinsics

SCALE = 1.0 / 256.0

_SPLITS = {"train": "train", "val": "validation"}
_CAMERAS = ("image_02", "image_03")
_CALIBRATION = "calib_cam_to_cam.txt"
#: Folders of nothing but pictures or points: there is no drive below.
_LEAVES = frozenset({"data", "image_00", "image_01", "oxts", "proj_depth", "velodyne_points"})


def is_kitti_drives(path: Path) -> bool:
    """Return whether there are drives with depth below a folder."""
    return path.is_dir() and any(_has_truth(drive) for drive in _drives(path))


def is_kitti_selection(path: Path) -> bool:
    """Return whether a folder is the devkit's selection for validation or test."""
    if not (path / "image").is_dir() or not (path / "intrinsics").is_dir():
        return False
    return (path / "groundtruth_depth").is_dir() or "test_depth" in path.resolve().name


def read_kitti_drives(path: Path, left_out: LeftOut) -> DepthSet:
    """Return the frames that have depth; train and val are KITTI's."""
    drives = list(_drives(path))
    photos: dict[tuple[str, str], Path] = {}
    for drive in drives:
        photos |= {(drive.name, c): drive / c / "data" for c in _CAMERAS if (drive / c).is_dir()}
    items = []
    for drive in filter(_has_truth, drives):
        below = (path.resolve().name, *drive.relative_to(path).parts)
        split = next((_SPLITS[part] for part in below if part in _SPLITS), "")
        for camera in _CAMERAS:
            folder = photos.get((drive.name, camera))
            pinhole = None if folder is None else _pinhole(path, drive, folder, camera)
            truth = drive / "proj_depth" / "groundtruth" / camera
            for depth in sorted(truth.glob("*.png")):
                photo = _photo(folder, depth.stem)
                if photo is None:  # no damage: the raw data come drive by drive
                    left_out.add("depth of frames that are not there")
                    continue
                item = DepthImage(
                    photo.relative_to(path),
                    depth.relative_to(path),
                    scale=SCALE,
                    split=split,
                    source=drive.name,
                    intrinsics=pinhole,
                )
                items.append(item)
    return DepthSet(path.resolve().name, path, tuple(items), benchmark="kitti")


def read_kitti_selection(path: Path, left_out: LeftOut) -> DepthSet:
    """Return the selected frames; those of the anonymous test have no depth."""
    truths = path / "groundtruth_depth"
    items, used = [], set()
    for photo in sorted((path / "image").glob("*.png")):
        drive = photo.stem.partition("_sync_")[0]
        depth = truths / photo.name.replace("_sync_image_", "_sync_groundtruth_depth_")
        if truths.is_dir() and not depth.is_file():
            left_out.add("missing depth", depth)
            continue
        used.add(depth.name)
        item = DepthImage(
            photo.relative_to(path),
            depth.relative_to(path) if truths.is_dir() else None,
            scale=SCALE,
            split="validation" if truths.is_dir() else "test",
            source=drive if truths.is_dir() else "",
            intrinsics=read_intrinsics_txt(path / "intrinsics" / f"{photo.stem}.txt"),
        )
        items.append(item)
    for depth in sorted(truths.glob("*.png")):
        if depth.name not in used and photo_of(path, depth) is None:
            left_out.add("depth without an image", depth)
    return DepthSet(path.resolve().name, path, tuple(items), benchmark="kitti")


def photo_of(path: Path, depth: Path) -> Path | None:
    """Return the photo of a depth map of the selection, if it is there."""
    photo = path / "image" / depth.name.replace("_sync_groundtruth_depth_", "_sync_image_")
    return photo if photo.is_file() else None


def _drives(path: Path) -> Iterator[Path]:
    """Yield the drives' folders below a folder, in order; pictures are not listed."""
    for folder, names, _ in walk(path):
        if folder.name.endswith("_sync"):
            yield folder
            names.clear()
        else:
            names[:] = [name for name in names if name not in _LEAVES]


def _has_truth(drive: Path) -> bool:
    return (drive / "proj_depth" / "groundtruth").is_dir()


def _photo(folder: Path | None, stem: str) -> Path | None:
    if folder is None:
        return None
    named = (folder / f"{stem}{suffix}" for suffix in (".png", ".jpg"))
    return next((photo for photo in named if photo.is_file()), None)


def _pinhole(root: Path, drive: Path, photos: Path, camera: str) -> Intrinsics | None:
    """Return a rectified camera's intrinsics out of its date's calibration, where that is there."""
    date = drive.name[:10]
    folders = [photos.parents[1], photos.parents[2], root / date, root / "raw" / date]
    table = next((f / _CALIBRATION for f in folders if (f / _CALIBRATION).is_file()), None)
    if table is None:
        return None
    wanted = f"P_rect_{camera[-2:]}:"
    for line in table.read_text(encoding="utf-8-sig").splitlines():
        if line.startswith(wanted):
            try:
                p = [float(cell) for cell in line.split()[1:]]
            except ValueError:
                p = []
            if len(p) == 12 and np.isfinite(p).all() and min(p[0], p[5]) > 0:
                return p[0], p[5], p[2], p[6]
    raise InputError(f"{table}: a line {wanted} with twelve numbers is wanted")
