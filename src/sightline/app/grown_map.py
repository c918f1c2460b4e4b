"""What of a place follows from a map that frames were added to: poses, parts, tables, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.reconstruction import doctor
from sightline.reconstruction.anchors import TOO_FEW
from sightline.reconstruction.pipeline import read_report
from sightline.records import Place, PosedFrame
from sightline.records.cameras import (
    CAMERAS_CSV,
    common_camera,
    read_cameras_csv,
    write_cameras_csv,
)
from sightline.records.colmap import MapModel
from sightline.records.files import write_json
from sightline.records.frames import write_poses_csv
from sightline.records.paper_csv import SPLIT_TABLES, write_split_tables
from sightline.records.points import write_points_csv
from sightline.records.splits import assign_split, put_into


@dataclass(frozen=True)
class Newcomers:
    """Frames of a recording that is added; none where only frames of the place were found.

    Attributes:
        frames: In order, on the place's clock, without poses.
        part: Where they go; ``auto`` divides them as the place is divided.
    """

    frames: tuple[PosedFrame, ...] = ()
    part: str = "auto"


def grown_frames(
    place: Place, model: MapModel, registered: Sequence[str], newcomers: Newcomers
) -> list[PosedFrame]:
    """Return all frames of the place after some were registered; what had a pose keeps it.

    Args:
        place: As it was.
        model: The grown map, in the same frame as the old.
        registered: Frames that are new in it.
        newcomers: The added recording.
    """
    found = {
        name: place.world_from_map.apply_pose(model.frames[name].world_from_cam)
        for name in registered
    }
    frames = [f for walk in place.walks() for f in _found_in_walk(walk, found, place)]
    return [*frames, *_parts_of(newcomers, found, place)]


def stage_tables(
    place: Place,
    staging: Path,
    model: MapModel,
    frames: Sequence[PosedFrame],
    answer: dict[str, Any],
) -> dict[Path, Path]:
    """Write what follows from a grown map into a folder; return where each file goes.

    Args:
        place: As it was.
        staging: A new folder.
        model: The grown map.
        frames: See :func:`grown_frames`.
        answer: What ``registration.register_frames`` said.
    """
    staging.mkdir(exist_ok=True)
    root = place.root
    write_poses_csv(staging / "poses.csv", frames)
    write_points_csv(staging / "points.csv", model, place.world_from_map)
    names = ["poses.csv", "points.csv"]
    if any(f.split for f in frames):
        write_split_tables(staging, frames)
        names += [f"{split}.csv" for split in SPLIT_TABLES]
    lenses = {n: model.cameras[model.frames[n].camera_id] for n in answer["registered"]}
    common = common_camera(place)
    other = {name: lens for name, lens in lenses.items() if not _same(lens, common)}
    if other:
        path = root / CAMERAS_CSV
        known = read_cameras_csv(path) if path.is_file() else {}
        write_cameras_csv(staging / CAMERAS_CSV, {**known, **other})
        names.append(CAMERAS_CSV)
    write_json(staging / "doctor.json", asdict(_report(place, model, frames, answer)))
    moves = {staging / name: root / name for name in names}
    return {**moves, staging / "doctor.json": place.reconstruction_dir / "doctor.json"}


def _same(lens: Camera, common: Camera | None) -> bool:
    """Return whether two cameras are one but for rounding."""
    return common is not None and (
        (lens.model, lens.width, lens.height) == (common.model, common.width, common.height)
        and bool(np.allclose(lens.params, common.params, rtol=1e-9, atol=1e-9))
    )


def _report(
    place: Place, model: MapModel, frames: Sequence[PosedFrame], answer: dict[str, Any]
) -> doctor.ReconstructionReport:
    before = read_report(place)
    known = {frame.image for walk in place.walks() for frame in walk}
    causes = {n: c for n, c in before.unregistered.items() if n not in answer["registered"]}
    for name, reason in answer["left"].items():
        if name not in known:
            causes[name] = doctor.OVERLAP if TOO_FEW in reason else doctor.REJECTED
    models = [len(model.frames), *before.models[1:]]
    agreement = answer["agreement"]
    return replace(
        before,
        frames=len(frames),
        registered=len(model.frames),
        models=models,
        points=len(model.points),
        mean_reprojection_error_px=round(float(model.point_errors_px.mean()), 4),
        mean_track_length=round(float(model.track_lengths.mean()), 3),
        unregistered=causes,
        hints=doctor.hints(len(frames), len(model.frames), models, causes, agreement),
        agreement=agreement,
    )


def _found_in_walk(
    walk: Sequence[PosedFrame], found: dict[str, Pose], place: Place
) -> list[PosedFrame]:
    posed = [f.with_pose(found[f.image]) if f.image in found else f for f in walk]
    if place.content.get("split") == "mod3":
        # The part follows from the frame's number, registered or not.
        parts = [f.split for f in assign_split(posed, "mod3")]
    else:
        parts = [_part_around(walk, i) for i in range(len(walk))]
    return [
        f.with_split(part) if f.image in found else f for f, part in zip(posed, parts, strict=True)
    ]


def _part_around(walk: Sequence[PosedFrame], i: int) -> str:
    """Return the part of the nearest registered frames on both sides; none where they differ."""
    before = next((f.split for f in reversed(walk[:i]) if f.world_from_cam is not None), None)
    after = next((f.split for f in walk[i + 1 :] if f.world_from_cam is not None), None)
    sides = {part for part in (before, after) if part is not None}
    return sides.pop() if len(sides) == 1 else ""


def _parts_of(newcomers: Newcomers, found: dict[str, Pose], place: Place) -> list[PosedFrame]:
    frames = [f.with_pose(found.get(f.image)) for f in newcomers.frames]
    part, method = newcomers.part, place.content.get("split")
    if part == "auto" and method == "second-walk":
        part = "test"
    if part != "auto":
        return put_into(frames, "" if part == "none" else part)
    if method is None or not frames:
        return frames
    try:
        return assign_split(frames, method)
    except InputError:
        return put_into(frames, "train")  # a recording too short to be divided
