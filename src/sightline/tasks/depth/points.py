"""Depth as coloured points in space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Camera
from sightline.records.files import atomic_path

_VERTEX = np.dtype(
    [(name, "<f4") for name in "xyz"] + [(name, "u1") for name in ("red", "green", "blue")]
)

#: Rows of the map taken in one go; bounds the memory.
_ROWS = 256


def point_cloud(
    depth: NDArray[Any],
    camera: Camera,
    image: NDArray[np.uint8],
    keep: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return (N, 3) points in the camera's frame (x right, y down, z forward), (N, 3) colours.

    Args:
        depth: (H, W) z-depth; what is not finite or not above 0 gives no point.
        camera: Intrinsics for this size.
        image: (H, W, 3) uint8 RGB.
        keep: (H, W) pixels that give points; all where None.
    """
    kept = np.isfinite(depth) & (depth > 0)
    if keep is not None:
        kept &= keep
    parts = []
    for top in range(0, len(depth), _ROWS):
        rows, columns = np.nonzero(kept[top : top + _ROWS])
        rows += top
        rays = camera.unproject(np.stack([columns, rows], axis=-1))
        xyz = rays * depth[rows, columns, None]
        seen = np.isfinite(xyz).all(axis=1)  # beyond the fold of a strong distortion
        parts.append((xyz[seen].astype(np.float32), image[rows[seen], columns[seen]]))
    return np.concatenate([p for p, _ in parts]), np.concatenate([c for _, c in parts])


def write_ply(
    path: Path,
    points: NDArray[np.float32],
    colours: NDArray[np.uint8],
    comments: Sequence[str] = (),
) -> None:
    """Write points as a binary PLY, atomically.

    Args:
        path: The file.
        points: (N, 3).
        colours: (N, 3) uint8 RGB.
        comments: For the head, one line each; ASCII.
    """
    vertices = np.empty(len(points), _VERTEX)
    for i, name in enumerate("xyz"):
        vertices[name] = points[:, i]
    for i, name in enumerate(("red", "green", "blue")):
        vertices[name] = colours[:, i]
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {' '.join(comment.split())}" for comment in comments]
    lines += [f"element vertex {len(vertices)}"]
    lines += [f"property float {name}" for name in "xyz"]
    lines += [f"property uchar {name}" for name in ("red", "green", "blue")]
    head = "\n".join([*lines, "end_header"]) + "\n"
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(head.encode("ascii", "replace"))
        stream.write(vertices.tobytes())
