"""The files of an alignment, changed together or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from sightline.app.plan_input import PlanInput
from sightline.errors import StorageError
from sightline.geometry import Pose
from sightline.media.photo import write_photo
from sightline.reconstruction.align.map_geometry import MapGeometry
from sightline.reconstruction.align.solution import Solution
from sightline.records import FloorPlan, Place
from sightline.records.colmap import MapModel
from sightline.records.files import atomic_path, digest_files
from sightline.records.frames import write_poses_csv
from sightline.records.paper_csv import write_split_tables
from sightline.records.place import OLD_PLAN
from sightline.records.points import write_points_csv


def map_digest(place: Place) -> str:
    """Return the digest of the map an alignment belongs to; empty without a COLMAP model.

    A map that frames were added to stays where it was, so it keeps its digest.
    """
    if not place.model_dir.is_dir():
        return ""
    files = digest_files(sorted(p for p in place.model_dir.iterdir() if p.is_file()))
    grown = place.content.get("grown_map", {})
    return str(grown["digest"]) if grown.get("files") == files else files


@contextmanager
def replaced_files(root: Path, retire: Sequence[str], then: Callable[[], None]) -> Iterator[Path]:
    """Yield a folder for new files, which replace their namesakes in ``root`` afterwards.

    Should the block, a move or ``then`` fail, ``root`` is as it was before.

    Args:
        root: The folder to change.
        retire: Names of files in it to take away.
        then: Called last; may replace ``place.toml``.

    Raises:
        StorageError: The disk is full.
    """
    staging = root / f".align.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        staging.mkdir()
        yield staging
        _swap_in(staging, root, retire, then)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StorageError(
            f"room on the disk of {root} is wanted, it is full; free some and align again "
            "(nothing was changed)"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _swap_in(staging: Path, root: Path, retire: Sequence[str], then: Callable[[], None]) -> None:
    old = staging / "old"
    new = sorted(p.name for p in staging.iterdir())
    old.mkdir()
    names = [*new, *retire, "place.toml"]
    for name in names:
        if (root / name).exists():
            _keep(root / name, old / name)
    try:
        for name in new:
            (staging / name).replace(root / name)
        for name in retire:
            (root / name).unlink(missing_ok=True)
        then()
    except BaseException:
        for name in names:
            if (old / name).exists():
                (old / name).replace(root / name)
            else:
                (root / name).unlink(missing_ok=True)
        raise


def _keep(path: Path, kept: Path) -> None:
    try:
        kept.hardlink_to(path)  # takes no room, so a full disk cannot stop the way back
    except OSError:
        shutil.copy2(path, kept)


def write_alignment(
    place: Place,
    geometry: MapGeometry,
    model: MapModel | None,
    solution: Solution,
    *,
    new_plan: PlanInput | None,
    details: Mapping[str, object],
    keep_poses: bool = False,
) -> tuple[str, ...]:
    """Write everything an alignment changes, all or nothing.

    Args:
        place: The place.
        geometry: The map's frames.
        model: The map, for ``points.csv``; None keeps the file.
        solution: The alignment.
        new_plan: A plan to attach, or None to go on with the place's own.
        details: Stored in ``place.toml`` beside the alignment.
        keep_poses: The alignment is the place's own: write the plan only.

    Returns:
        What became of the place's own plan, for the user.
    """
    world_from_cam = solution.world_from_map.apply_pose(geometry.map_from_cam)
    poses = {name: world_from_cam[i] for i, name in enumerate(geometry.images)}
    digest = map_digest(place)
    plan, notes = _plan_to_write(place, solution, new_plan, world_from_cam, digest)
    stale = ["plan.toml"] if plan is None and place.plan_path.is_file() else []

    def store() -> None:
        place.set_alignment(
            solution.world_from_map,
            solution.unit,
            method=solution.method,
            map_digest=digest,
            notes=[*solution.notes, *notes],
            **details,
        )

    with replaced_files(place.root, stale, store) as staging:
        if not keep_poses:
            frames = [f.with_pose(poses.get(f.image)) for f in place.frames()]
            write_poses_csv(staging / "poses.csv", frames)
            if any(f.split for f in frames):
                write_split_tables(staging, frames)
            if model is not None:
                write_points_csv(staging / "points.csv", model, solution.world_from_map)
        if new_plan is not None:
            _write_pictures(staging, new_plan)
        if plan is not None:
            plan.write(staging / "plan.toml")
        if stale:
            shutil.copy2(place.plan_path, staging / OLD_PLAN)
    return notes


def _plan_to_write(
    place: Place, solution: Solution, new_plan: PlanInput | None, world_from_cam: Pose, digest: str
) -> tuple[FloorPlan | None, tuple[str, ...]]:
    """Return the plan the place has after the alignment, and what to say about it."""
    if new_plan is not None and solution.px_from_world is not None:
        walkable = None if new_plan.walkable is None else place.root / "walkable.png"
        size = (new_plan.width, new_plan.height)
        return FloorPlan(place.root / "plan.png", walkable, *size, solution.px_from_world), ()
    own = place.plan
    if own is None:
        return None, ()
    if solution.px_from_world is not None:
        return replace(own, px_from_world=solution.px_from_world), ()
    before = place.content.get("alignment", {})
    if before.get("method") == "control" == solution.method and place.unit == solution.unit == "m":
        return own, ("the floor plan stays where it was in the world of the control points",)
    if before.get("map_digest", "") != digest:
        return None, (
            f"the map was made anew, so the floor plan no longer fits: kept as {OLD_PLAN}; align "
            "with `--plan` again",
        )
    old_from_new = place.world_from_map @ solution.world_from_map.inverse()
    eye = float(np.median(world_from_cam.translation[:, 2]))
    corners = np.array([[0.0, 0.0, eye], [1.0, 0.0, eye], [0.0, 1.0, eye]])
    px = own.to_px(old_from_new.apply(corners))
    carried = np.stack([px[1] - px[0], px[2] - px[0], px[0]], axis=1)
    return replace(own, px_from_world=carried), (
        "the floor plan was carried along: cameras stay where they were on it",
    )


def _write_pictures(staging: Path, plan: PlanInput) -> None:
    with atomic_path(staging / "plan.png") as temporary:
        write_photo(temporary, plan.picture)
    if plan.walkable is not None:
        with atomic_path(staging / "walkable.png") as temporary:
            write_photo(temporary, np.where(plan.walkable, 255, 0).astype(np.uint8))
