"""Depth of TUM RGB-D sequences: ``rgb.txt`` and ``depth.txt``, associated by time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.datasets.left_out import LeftOut
from sightline.datasets.tum_rgbd import read_image_list
from sightline.records.depth import DepthImage, DepthSet
from sightline.records.tum import associate

#: Metres of one unit, as the benchmark's site says.
SCALE = 1.0 / 5000.0
MAX_GAP_S = 0.02

#: Of the colour cameras, as the benchmark's site gives them.
_PINHOLES = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3),
    "freiburg2": (520.9, 521.0, 325.1, 249.7),
    "freiburg3": (535.4, 539.2, 320.1, 247.6),
}


def is_tum_depth(path: Path) -> bool:
    """Return whether a folder is a sequence with depth, or holds such sequences."""
    return path.is_dir() and bool(_sequences(path))


def read_tum_depth(path: Path, _left_out: LeftOut) -> DepthSet:
    """Return the images that have depth within 0.02 s; they have no split.

    Raises:
        InputError: A list does not read.
    """
    items: list[DepthImage] = []
    images = 0
    for folder in _sequences(path):
        photos, depths = (read_image_list(folder / f"{kind}.txt") for kind in ("rgb", "depth"))
        images += len(photos)
        name = folder.resolve().name
        pinhole = next((k for key, k in _PINHOLES.items() if key in name), None)
        below = folder.relative_to(path)
        photo_s, depth_s = (np.array([stamp for stamp, _ in some]) for some in (photos, depths))
        for i, j in associate(photo_s, depth_s, MAX_GAP_S):
            photo, depth = below / photos[int(i)][1], below / depths[int(j)][1]
            items.append(DepthImage(photo, depth, scale=SCALE, source=name, intrinsics=pinhole))
    alone = images - len(items)
    notes = (f"{alone} of {images} images have no depth within {MAX_GAP_S} s",) if alone else ()
    return DepthSet(path.resolve().name, path, tuple(items), (), notes)


def _sequences(path: Path) -> list[Path]:
    folders = (path, *sorted(p for p in path.iterdir() if p.is_dir()))
    return [f for f in folders if (f / "rgb.txt").is_file() and (f / "depth.txt").is_file()]
