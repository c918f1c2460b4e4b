"""The doctor's pictures: the walk with its jumps, curves of every frame, the worst frames."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from sightline.app.doctor.checks_map import scaled_errors_px
from sightline.app.doctor.checks_walk import jumps_of, spot_turns_of
from sightline.app.doctor.examination import Examination
from sightline.reconstruction.diagnosis.trajectory import drawn_from_above
from sightline.records import stack_poses
from sightline.records.figures import new_figure, save_figure
from sightline.records.plan_picture import PALETTE, Track, draw_on_plan

_THUMBNAIL_PX = 320
_GOOD, _JUMP, _TURN, _LEFT_OUT = PALETTE[0], PALETTE[1], PALETTE[4], "#bbbbbb"


def draw_walk(exam: Examination, path: Path) -> Path | None:
    """Write the walk on the plan, or from above, with jumps marked; None without poses."""
    posed = exam.timed or exam.posed
    if not posed:
        return None
    centres = stack_poses(posed).translation
    if exam.plan is None:
        up = np.array([0.0, 0.0, 1.0]) if exam.alignment else None
        centres = drawn_from_above(centres, up)
    row = {frame.image: i for i, frame in enumerate(posed)}
    tracks = [Track("walk", centres, style="line" if exam.timed else "points", color=_GOOD)]
    turned = [i for _, a, b in spot_turns_of(exam) for i in range(row[a], row[b] + 1)]
    if turned:
        tracks.append(Track("turned on the spot", centres[turned], style="points", color=_TURN))
    jumped = [(row[a], row[b]) for _, a, b in jumps_of(exam)]
    for number, (a, b) in enumerate(jumped):
        # A legend names each colour once; names that begin with _ are left out of it.
        name = "jump" if number == 0 else "_jump"
        tracks.append(Track(name, centres[[a, b]], style="line", color=_JUMP))
        tracks.append(Track("_jump", centres[[a, b]], style="points", color=_JUMP))
    draw_on_plan(exam.plan, tracks, path, unit=exam.place.unit)
    return path


def draw_strip(exam: Examination, path: Path) -> Path:
    """Write a strip with one cell a frame: in the map, or why not."""
    from matplotlib.patches import Patch

    causes = dict(exam.report.get("unregistered") or {})
    states = [
        "in the map" if f.world_from_cam is not None else str(causes.get(f.image, "not in the map"))
        for f in exam.frames
    ]
    kinds = ["in the map", *(k for k, _ in Counter(states).most_common() if k != "in the map")]
    colours = {kind: PALETTE[i % len(PALETTE)] for i, kind in enumerate(kinds)}
    figure, (axis,) = new_figure(11, 1.5, 1)
    for i, state in enumerate(states):
        axis.axvspan(i - 0.5, i + 0.5, color=colours[state], linewidth=0)
    axis.set(xlim=(-0.5, len(states) - 0.5), yticks=[], xlabel="frame")
    handles = [Patch(color=colours[kind], label=f"{kind}: {states.count(kind)}") for kind in kinds]
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False)
    return save_figure(figure, path)


def draw_curves(exam: Examination, path: Path) -> Path | None:
    """Write reprojection error, sharpness, light and features by frame; None without figures."""
    errors = exam.per_frame(scaled_errors_px(exam))
    pictures = exam.pictures
    curves: list[tuple[str, Any, bool]] = [
        ("reprojection error [px]", errors, False),
        ("sharpness", exam.per_frame({n: p.sharpness for n, p in pictures.items()}), True),
        ("grey level", exam.per_frame({n: p.brightness for n, p in pictures.items()}), False),
        ("features", exam.per_frame(exam.features), False),
    ]
    curves = [curve for curve in curves if np.isfinite(curve[1]).any()]
    if not curves:
        return None
    figure, axes = new_figure(11, 3, len(curves))
    for axis, (title, values, logarithmic) in zip(axes, curves, strict=True):
        axis.plot(np.arange(len(values)), values, ".-", color=_GOOD, markersize=3, linewidth=0.8)
        axis.set(title=title, xlabel="frame")
        if logarithmic and np.nanmin(values) > 0:
            axis.set_yscale("log")
        else:
            axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    return save_figure(figure, path)


def write_thumbnail(exam: Examination, name: str, folder: Path) -> Path | None:
    """Write a small copy of a frame; None where it does not read."""
    from PIL import Image

    if name not in exam.pictures:
        return None
    path = folder / f"{len(list(folder.iterdir()))}.jpg"
    with Image.open(exam.place.images_dir / name) as image:
        image.draft("RGB", (_THUMBNAIL_PX, _THUMBNAIL_PX))
        small = image.convert("RGB")
        small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
        small.save(path, quality=80)
    return path
