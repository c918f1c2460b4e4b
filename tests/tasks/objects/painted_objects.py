"""A tiny set of painted solids whose turns are exact: seconds to write, no renderer.

Each category is a wedge of its own colour: no turn of it looks like another. Its faces are drawn by
projecting the corners with ``cam_from_object`` through a pinhole camera that looks at its middle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import rotation_from_wxyz
from sightline.geometry.viewpoint import cam_from_object
from sightline.media import write_photo
from sightline.records.objects import ObjectSet, ObjectView

COLOURS = {"bus": (200, 40, 40), "car": (40, 190, 60), "chair": (50, 70, 220)}

#: Corners of a wedge (x right, y backwards, z up): low in front, high behind, wider on one side.
CORNERS = np.array(
    [
        [-0.5, -0.9, -0.4],
        [0.7, -0.9, -0.4],
        [0.5, 0.9, -0.4],
        [-0.5, 0.9, -0.4],
        [-0.5, -0.9, -0.1],
        [0.7, -0.9, -0.1],
        [0.5, 0.9, 0.6],
        [-0.5, 0.9, 0.6],
    ]
)
FACES = [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 5, 4], [2, 3, 7, 6], [1, 2, 6, 5], [0, 3, 7, 4]]
SHADES = [0.2, 1.0, 0.75, 0.35, 0.55, 0.9]
DISTANCE = 4.0


def project(q_wxyz: NDArray[np.float64], focal: float, centre: float) -> NDArray[np.float64]:
    """Return (8, 3): pixels of the corners, pixel (0, 0) in the first one's centre, and depths."""
    seen = rotation_from_wxyz(q_wxyz).apply(CORNERS) + np.array([0.0, 0.0, DISTANCE])
    pixels = focal * seen[:, :2] / seen[:, 2:] + centre
    return np.column_stack([pixels, seen[:, 2]])


def paint(
    q_wxyz: NDArray[np.float64], colour: Sequence[int], size: int = 64, focal: float = 90.0
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]]:
    """Return (size, size, 3) of a wedge, far faces first, and its box from edge to edge."""
    image = np.full((size, size, 3), 128, np.uint8)
    points = project(q_wxyz, focal, (size - 1) / 2)
    for face in sorted(range(6), key=lambda f: -points[FACES[f], 2].mean()):
        corners = np.round(points[FACES[face], :2] * 16).astype(np.int32)
        shade = tuple(float(round(c * SHADES[face])) for c in colour)
        cv2.fillConvexPoly(image, corners, shade, cv2.LINE_AA, 4)
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    x0, y0 = (float(v) for v in np.maximum(low, 0))
    x1, y1 = (float(v) for v in np.minimum(high + 1, size))
    return image, (x0, y0, x1, y1)


def make_painted_objects(
    root: Path,
    counts: Mapping[str, int],
    categories: Sequence[str] = ("bus", "car", "chair"),
    *,
    size: int = 64,
    focal: float = 90.0,
    seed: int = 0,
) -> ObjectSet:
    """Write JPEGs of painted wedges and return the set.

    Args:
        root: Folder; images go to its ``images/``.
        counts: How many of each category in each split.
        categories: Of ``COLOURS``.
        size: Side of the pictures.
        focal: In pixels.
        seed: Of the views.
    """
    generator = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True, exist_ok=True)
    views = []
    for split, count in counts.items():
        for category in categories:
            for number in range(count):
                angles = generator.uniform([0.0, 0.0, -0.1], [2 * np.pi, 0.5, 0.1])
                turn = cam_from_object(*angles)
                image, box = paint(turn, COLOURS[category], size, focal)
                name = Path("images") / f"{split}-{category}-{number:04d}.jpg"
                write_photo(root / name, image)
                q = tuple(float(v) for v in turn)
                views.append(ObjectView(name, box, category, q, split, name.stem, focal_px=focal))
    return ObjectSet("painted", root, tuple(views), tuple(categories))
