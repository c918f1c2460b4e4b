"""Draw docs/images/viewpoint.png: what azimuth, elevation and tilt do to a picture.

Run from the repository's root: ``python tools/draw_viewpoint.py``.
"""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from sightline.geometry.rotation import rotation_from_wxyz
from sightline.geometry.viewpoint import cam_from_object

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "viewpoint.png"

#: Body and cabin of a car in the object's axes: x right, y backwards, z up; lower, upper corner.
BLOCKS = (((-0.9, -2.2, -0.6), (0.9, 2.2, 0.1)), ((-0.75, -0.7, 0.1), (0.75, 1.9, 0.7)))
#: Corners of a block's faces, by the bits x, y, z of their numbers; the second has the least y.
FACES = {
    "left": (0, 2, 3, 1), "front": (0, 1, 5, 4), "below": (0, 4, 6, 2),
    "right": (4, 5, 7, 6), "back": (2, 6, 7, 3), "above": (1, 3, 7, 5),
}  # fmt: skip
SHADES = {"front": "#e4572e", "above": "#dfe7ee", "left": "#a9bccb", "right": "#a9bccb"}
AXES = {"x": ((1, 0, 0), "#2e7d32"), "y": ((0, 1, 0), "#b8860b"), "z": ((0, 0, 1), "#1f4e9e")}
LENGTHS = {"x": 1.9, "y": 3.2, "z": 1.7}
DISTANCE = 14.0

ROWS = (
    ("azimuth", [(a, 15, 0) for a in (0, 45, 90, 180, 270)]),
    ("elevation", [(45, e, 0) for e in (-20, 0, 20, 50, 90)]),
    ("tilt", [(45, 15, t) for t in (-40, -20, 0, 20, 40)]),
)


def projected(points: np.ndarray, view: tuple[float, float, float]) -> np.ndarray:
    """Return (N, 3): where points are seen (x right, y down) and how far away."""
    turn = rotation_from_wxyz(cam_from_object(*np.radians(view)))
    cam = turn.apply(points) + np.array([0.0, 0.0, DISTANCE])
    return np.c_[cam[:, :2] / cam[:, 2:] * DISTANCE, cam[:, 2]]


def draw_view(axes: Axes, view: tuple[float, float, float]) -> None:
    """Draw the car and its axes as they are seen."""
    for (low, high), order in zip(BLOCKS, (1, 2), strict=True):
        corners = np.array([np.where([i & 4, i & 2, i & 1], high, low) for i in range(8)])
        seen = projected(corners, view)
        # Both blocks are convex: faces turned to the camera hide all others.
        for name, face in FACES.items():
            x, y = seen[list(face), 0], seen[list(face), 1]
            if np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) > 0:
                nearer = order if view[1] >= 0 else 3 - order
                axes.fill(
                    x, y, SHADES.get(name, "#7c8d9c"), edgecolor="#333333", lw=0.7, zorder=nearer
                )
    for name, (direction, colour) in AXES.items():
        start, end = projected(np.outer([0, LENGTHS[name]], direction), view)[:, :2]
        axes.annotate(
            "", end, start, arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.6}, zorder=5
        )
        if np.hypot(*(end - start)) > 0.3:
            axes.text(*(end * 1.15), name, color=colour, ha="center", va="center", fontsize=9)
    axes.set(xlim=(-3.6, 3.6), ylim=(2.6, -2.6), aspect="equal")
    axes.axis("off")


def main() -> None:
    """Draw all views."""
    figure, grid = plt.subplots(3, 5, figsize=(9.5, 4.6), layout="constrained")
    for row, (name, views) in zip(grid, ROWS, strict=True):
        for axes, view in zip(row, views, strict=True):
            draw_view(axes, view)
            value = view[("azimuth", "elevation", "tilt").index(name)]
            axes.set_title(f"{name} {value}\u00b0", fontsize=9, pad=2)
    figure.savefig(OUTPUT, dpi=110)


if __name__ == "__main__":
    main()
