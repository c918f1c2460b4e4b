"""Walks and predictions drawn on the floor plan, or seen from above where there is no plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from sightline.errors import InputError
from sightline.geometry.rotation import Array
from sightline.records.files import atomic_path
from sightline.records.plan import FloorPlan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours that stay apart for colour-blind readers (Okabe and Ito 2008).
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_FORBIDDEN_RGBA = (0.80, 0.10, 0.10, 0.28)


@dataclass(frozen=True, eq=False)
class Track:
    """Positions to draw under one name.

    Attributes:
        name: For the legend.
        positions: (N, 2 or 3) in the world; rows with NaN are gaps.
        style: ``line`` for a path, ``points`` for single positions.
        truth: (N, 2 or 3); an error line joins each position to it.
        color: Any colour matplotlib knows; None takes the next of the palette.
    """

    name: str
    positions: Array
    style: Literal["line", "points"] = "line"
    truth: Array | None = None
    color: str | None = None

    def __post_init__(self) -> None:
        positions = np.asarray(self.positions, dtype=np.float64)
        if positions.ndim != 2 or positions.shape[1] not in (2, 3):
            raise InputError(
                f"positions of shape (N, 2 or 3) are wanted for {self.name}, {positions.shape} came"
            )
        object.__setattr__(self, "positions", positions)
        if self.truth is not None:
            truth = np.asarray(self.truth, dtype=np.float64)
            if len(truth) != len(positions):
                raise InputError(
                    f"a true position for each of {len(positions)} of {self.name} is wanted, "
                    f"{len(truth)} came"
                )
            object.__setattr__(self, "truth", truth)


def draw_on_plan(
    plan: FloorPlan | None,
    tracks: Sequence[Track],
    out: Path,
    *,
    title: str = "",
    unit: str = "m",
) -> None:
    """Write a picture of tracks on the floor plan, with forbidden zones shaded and a scale bar.

    Args:
        plan: The plan; without one the world is drawn from above, x to the right and y up.
        tracks: Drawn in order, later ones on top.
        out: A ``.png``, ``.svg`` or ``.pdf``; written atomically.
        title: Above the picture.
        unit: ``m`` or ``arbitrary``: what the scale bar counts.

    Raises:
        InputError: The plan's picture or mask does not fit.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_figure_size(plan, tracks), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)  # no pyplot: safe in a server's threads and without a display
    axes = figure.add_subplot()
    if plan is None:
        _prepare_top_view(axes, unit)
    else:
        _draw_background(axes, plan)
    for i, track in enumerate(tracks):
        _draw_track(axes, plan, track, track.color or PALETTE[i % len(PALETTE)])
    axes.set_aspect("equal")
    per_unit = 1.0 if plan is None else plan.px_per_unit
    _draw_scale_bar(axes, per_unit, unit, framed=plan is not None)
    if title:
        axes.set_title(title)
    if axes.get_legend_handles_labels()[0]:
        below = (1.0, -0.01) if plan is not None else (1.0, -0.12)
        axes.legend(
            loc="upper right", bbox_to_anchor=below, frameon=False, ncols=4, borderaxespad=0.0
        )
    with atomic_path(out) as temporary:
        figure.savefig(temporary, format=out.suffix.removeprefix(".") or "png", bbox_inches="tight")


def _figure_size(plan: FloorPlan | None, tracks: Sequence[Track]) -> tuple[float, float]:
    if plan is not None:
        ratio = plan.height / plan.width
    else:
        everything = [t.positions[:, :2] for t in tracks if len(t.positions)]
        reach = np.nanmax(np.concatenate(everything), axis=0) if everything else np.ones(2)
        low = np.nanmin(np.concatenate(everything), axis=0) if everything else np.zeros(2)
        width, height = np.maximum(reach - low, 1e-9)
        ratio = float(height / width)
    return 9.0, float(np.clip(7.0 * ratio, 3.0, 12.0)) + 0.5


def _draw_background(axes: Axes, plan: FloorPlan) -> None:
    with Image.open(plan.image) as picture:
        # imshow puts pixel centres on whole numbers, as our pixels are counted.
        axes.imshow(np.asarray(picture.convert("RGB")), interpolation="nearest")
    if plan.walkable is not None:
        shade = np.zeros((plan.height, plan.width, 4), dtype=np.float32)
        shade[~plan.walkable_mask()] = _FORBIDDEN_RGBA
        axes.imshow(shade, interpolation="nearest")
        axes.fill([], [], color=_FORBIDDEN_RGBA, label="not walkable")
    axes.set_axis_off()
    axes.set_autoscale_on(False)


def _prepare_top_view(axes: Axes, unit: str) -> None:
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    length = "m" if unit == "m" else "map units"
    axes.set_xlabel(f"x [{length}]")
    axes.set_ylabel(f"y [{length}]")


def _draw_track(axes: Axes, plan: FloorPlan | None, track: Track, color: str) -> None:
    from matplotlib.collections import LineCollection

    def shown(positions: Array) -> Array:
        return positions[:, :2] if plan is None else plan.to_px(positions)

    xy = shown(track.positions)
    if track.truth is not None:
        joined = np.stack([xy, shown(track.truth)], axis=1)
        joined = joined[np.isfinite(joined).all(axis=(1, 2))]
        axes.add_collection(LineCollection(list(joined), colors=color, linewidths=0.7, alpha=0.6))
    if track.style == "line":
        axes.plot(xy[:, 0], xy[:, 1], color=color, linewidth=1.6, label=track.name)
    else:
        axes.plot(xy[:, 0], xy[:, 1], ".", color=color, markersize=5, label=track.name)


def _draw_scale_bar(axes: Axes, per_unit: float, unit: str, *, framed: bool) -> None:
    low, high = axes.get_xlim()
    bottom, top = axes.get_ylim()
    length = _round_length(0.2 * abs(high - low) / per_unit)
    start, end = low, low + length * per_unit
    # Under the picture: plans have words of their own in their corners.
    y = bottom - (0.03 if framed else 0.12) * (top - bottom)
    axes.plot([start, end], [y, y], color="black", lw=3, solid_capstyle="butt", clip_on=False)
    text = f"{length:g} m" if unit == "m" else f"{length:g} map units"
    axes.text(end + 0.01 * (high - low), y, text, ha="left", va="center")


def _round_length(wanted: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is not above ``wanted``."""
    power = 10.0 ** np.floor(np.log10(max(wanted, 1e-9)))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= wanted * 1.0001))
