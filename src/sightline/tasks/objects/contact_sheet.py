"""Contact sheets: single objects with the pose that was found drawn on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array
from sightline.media import read_photo
from sightline.records.figures import new_figure, save_figure
from sightline.tasks.objects.drawing import draw_pose
from sightline.tasks.objects.metrics import errors_of, ranked

if TYPE_CHECKING:
    from sightline.tasks.objects.evaluate import JudgedObjects

#: Objects on a sheet, and of these in a row.
_TILES, _COLUMNS = 12, 6
#: What is seen round a box, as a share of its longer side, and the side of a tile in pixels.
_AROUND, _TILE_PX = 0.15, 256


def draw_sheets(folder: Path, judged: JudgedObjects) -> list[tuple[Path, str]]:
    """Draw a sheet of the best, the worst and some random objects; return paths and captions.

    By the pose error of the run's own rule, symmetry granted; objects without a true pose are on
    the random one alone.
    """
    errors = errors_of(judged.predictions, None, "rotation_symmetric")
    order = np.argsort(errors)[: int((~np.isnan(errors)).sum())]
    some = np.random.default_rng(0).permutation(len(errors))
    sheets = {
        "random": (some[:_TILES], "Drawn at random"),
        "worst": (order[::-1][:_TILES], "The largest errors, symmetry granted"),
        "best": (order[:_TILES], "The smallest errors"),
    }
    return [
        (_draw_sheet(folder / f"{name}.png", judged, chosen, errors), caption)
        for name, (chosen, caption) in sheets.items()
        if len(chosen)
    ]


def _draw_sheet(
    path: Path, judged: JudgedObjects, chosen: NDArray[np.int64], errors: Array
) -> Path:
    rows = -(-len(chosen) // _COLUMNS)
    columns = min(len(chosen), _COLUMNS)
    figure, _ = new_figure(2.2 * columns, 2.65 * rows, 0)
    for place, index in enumerate(chosen.tolist(), start=1):
        axis = figure.add_subplot(rows, columns, place)
        axis.imshow(_tile(judged, index))
        axis.set_axis_off()
        axis.set_title(_caption(judged, index, float(errors[index])), fontsize=7)
    return save_figure(figure, path)


def _tile(judged: JudgedObjects, index: int) -> NDArray[np.uint8]:
    """Return the box and what is round it, the pose drawn on it."""
    p, view = judged.predictions, judged.data.views[index]
    image = read_photo(judged.data.path(view))
    height, width = image.shape[:2]
    x0, y0, x1, y1 = view.box
    around = _AROUND * max(x1 - x0, y1 - y0)
    left, top = (int(max(0, v - around)) for v in (x0, y0))
    right, bottom = int(min(width, x1 + around + 1)), int(min(height, y1 + around + 1))
    inside = (x0 - left, y0 - top, x1 - left, y1 - top)
    category = p.categories[int(p.probabilities[index].argmax())]
    cut = np.ascontiguousarray(image[top:bottom, left:right])
    return draw_pose(cut, inside, p.of()[index], category=category, least_px=_TILE_PX)


def _caption(judged: JudgedObjects, index: int, error: float) -> str:
    p = judged.predictions
    best = int(ranked(p.probabilities[index : index + 1])[0, 0])
    true = p.names()[index]
    found = p.categories[best]
    taken = found if found == true else f"{found}, not {true}"
    off = "" if np.isnan(error) else f"\n{np.rad2deg(error):.1f} deg off"
    return f"{taken} {100 * p.probabilities[index, best]:.0f}%{off}"
