"""Figures 6 to 9, drawn from saved histories and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.records import FloorPlan, Place
from sightline.records.figures import new_figure, save_figure
from sightline.tasks.absolute.metrics import Predictions

History = Sequence[dict[str, float]]

_TRUE, _PREDICTED, _FORBIDDEN = "#222222", "#d1495b", (0.82, 0.1, 0.1, 0.35)
_START, _POINT = "#00798c", "#3d405b"
_COLOURS = ("#00798c", "#d1495b", "#edae49", "#3d5a3d")


def draw_losses(path: Path, histories: Sequence[tuple[str, History]], title: str) -> None:
    """Draw the training loss and the validation score of several trainings over their epochs."""
    figure, axes = new_figure(11, 4.5, 2)
    for (name, history), colour in zip(histories, _COLOURS, strict=False):
        for axis, key in zip(axes, ("train_loss", "score"), strict=True):
            rows = [row for row in history if key in row]
            line = [row["epoch"] for row in rows], [row[key] for row in rows]
            axis.plot(*line, color=colour, label=name if rows else f"{name}: NaN")
    axes[0].set_ylabel("training loss")
    axes[1].set_ylabel("validation: median position (std) + rotation (rad)")
    for axis in axes:
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.suptitle(title)
    save_figure(figure, path)


def draw_trajectories(
    path: Path, predictions: Sequence[tuple[str, Predictions]], place: Place
) -> None:
    """Draw true and predicted positions seen from above, one panel a network."""
    figure, axes = new_figure(5.5 * len(predictions), 4.5, len(predictions))
    for axis, (name, part) in zip(axes, predictions, strict=True):
        to_px = _draw_ground(axis, place.plan, place.unit)
        _draw_positions(
            axis, to_px(part.true.translation), to_px(part.predicted.translation), "predicted"
        )
        axis.set_title(name)
    save_figure(figure, path)


def draw_map(path: Path, place: Place, centres: Array, points: Array, title: str) -> None:
    """Draw the camera's path from its start to its end, and sparse points from above.

    Args:
        path: The picture.
        place: For its plan and unit.
        centres: (N, 3) camera centres in video order.
        points: (P, 3) points of the map; none are drawn where P is 0.
        title: Above the picture.
    """
    figure, axes = new_figure(7.5, 5, 1)
    axis = axes[0]
    to_px = _draw_ground(axis, place.plan, place.unit)
    if len(points):
        axis.plot(*to_px(points).T, ".", color=_POINT, markersize=1, alpha=0.5)
        axis.plot([], [], ".", color=_POINT, label="points")  # larger, for the legend
    line = to_px(centres)
    axis.plot(*line.T, color=_PREDICTED, linewidth=1.5, label="camera path")
    axis.plot(*line[0], "o", color=_START, markersize=8, label="start")
    axis.plot(*line[-1], "X", color=_TRUE, markersize=8, label="end")
    axis.set_title(title)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, -0.12), ncols=4, fontsize=8)
    save_figure(figure, path)


def draw_walkable(
    path: Path, predictions: Predictions, corrected: Pose, plan: FloorPlan, unit: str
) -> None:
    """Draw predictions as they are and moved to walkable floor; forbidden zones are red."""
    figure, axes = new_figure(11, 4.5, 2)
    shade = np.zeros((plan.height, plan.width, 4), dtype=np.float32)
    shade[~plan.walkable_mask()] = _FORBIDDEN
    panels = (("as predicted", predictions.predicted), ("moved to walkable floor", corrected))
    for axis, (name, poses) in zip(axes, panels, strict=True):
        to_px = _draw_ground(axis, plan, unit)
        axis.imshow(shade)
        _draw_positions(axis, to_px(predictions.true.translation), to_px(poses.translation), name)
        axis.set_title(name)
    save_figure(figure, path)


def _draw_ground(axis: Any, plan: FloorPlan | None, unit: str) -> Any:
    """Draw the plan where there is one; return what maps positions to the axis."""
    axis.set_aspect("equal", adjustable="box")
    if plan is None:
        axis.set_xlabel(f"x ({unit})")
        axis.set_ylabel(f"y ({unit})")
        axis.grid(alpha=0.3)
        return lambda xyz: xyz[:, :2]
    with Image.open(plan.image) as picture:
        axis.imshow(np.asarray(picture.convert("RGB")), alpha=0.6)
    axis.set_xlim(-0.5, plan.width - 0.5)
    axis.set_ylim(plan.height - 0.5, -0.5)
    axis.set_axis_off()
    return plan.to_px


def _draw_positions(axis: Any, true: Array, predicted: Array, name: str) -> None:
    for a, b in zip(true, predicted, strict=True):
        axis.plot([a[0], b[0]], [a[1], b[1]], color=_PREDICTED, linewidth=0.6, alpha=0.5)
    axis.plot(*true.T, ".", color=_TRUE, markersize=4, label="true")
    axis.plot(*predicted.T, ".", color=_PREDICTED, markersize=4, label=name)
    axis.legend(loc="best", fontsize=8)
