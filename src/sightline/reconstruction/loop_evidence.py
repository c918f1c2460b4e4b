"""What speaks against a loop although its matches agree with each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array
from sightline.records.colmap import AbsolutePose, MapModel

#: The picture is judged in so many columns and rows.
_GRID = 4
#: A part of the picture in which so many points of the other side should be seen counts.
_EXPECTED = 3
#: Share of those parts that must hold matches.
MIN_COVERED = 0.4


def covered_share(found: AbsolutePose, points: Array, matched_px: Array) -> float:
    """Return the share of the common view in which matches lie, 0 to 1.

    Two walls with one picture between them match on that picture alone, although by the pose that
    these matches give the whole view should be the same.

    Args:
        found: The second frame's pose on the first side's points.
        points: (P, 3) what the first frame sees.
        matched_px: (K, 2) where the second frame has matches that agree with the pose.
    """
    camera = found.camera
    in_camera = found.world_from_cam.inverse().apply(points)
    pixels = camera.project(in_camera[in_camera[:, 2] > 0])
    size = np.array([camera.width, camera.height])
    seen = pixels[((pixels > -0.5) & (pixels < size - 0.5)).all(axis=1)]
    expected = _counts(seen, size) >= _EXPECTED
    if not expected.any():
        return 0.0
    return float((_counts(matched_px, size) > 0)[expected].mean())


def _counts(pixels: Array, size: Array) -> NDArray[np.intp]:
    cells = np.clip(((pixels + 0.5) / size * _GRID).astype(int), 0, _GRID - 1)
    return np.bincount(cells[:, 1] * _GRID + cells[:, 0], minlength=_GRID**2)
