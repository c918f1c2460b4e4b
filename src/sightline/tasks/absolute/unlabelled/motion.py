"""How the camera of an unlabelled walk moved: matched frame by frame, or as a trajectory says.

Imports without torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import GeometryError, InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.interpolation import interpolate_poses
from sightline.geometry.pose_graph import RelativePoses, ScaleRatios
from sightline.geometry.rotation import Array
from sightline.media import exif_focal_px, read_photo
from sightline.reconstruction.odometry import Odometry, OdometryConfig, VisualOdometry
from sightline.reconstruction.refine import camera_for_photo
from sightline.records import read_poses_csv
from sightline.records.files import digest, write_json
from sightline.records.tum import read_tum
from sightline.tasks.absolute.unlabelled.frames import WalkFrames
from sightline.tasks.absolute.unlabelled.pieces import Piece, pieces_of

Progress = Callable[[str, float], None]

#: Frames that are matched between two writes: so many a killed run may lose.
CHUNK = 40
#: Frames farther in time than this from the next pose of a trajectory are left out.
_MAX_GAP_S = 0.5


@dataclass(frozen=True, eq=False)
class Motion:
    """What is known of how a walk's camera moved.

    Attributes:
        pieces: Stretches of it, each in a world of its own.
        metric: Whether their lengths are in the unit of the place; each piece has a unit of its own
            where they are not.
        origin: Where it is from, for people.
    """

    pieces: list[Piece]
    metric: bool
    origin: str


def matched_motion(frames: WalkFrames, likely: Camera, progress: Progress) -> Motion:
    """Return the motion that matching the frames gives; its lengths have no unit.

    What was matched is kept in the walk's cache, and a killed call goes on there.

    Args:
        frames: The walk's.
        likely: The camera the place was seen with, see ``camera_for_photo``.
        progress: Called with a text and the fraction done.
    """
    return Motion(pieces_of(match_frames(frames, likely, progress)), False, "matched frames")


def match_frames(frames: WalkFrames, likely: Camera, progress: Progress) -> Odometry:
    """Return visual odometry of the frames, made where it is not in the walk's cache yet."""
    config = OdometryConfig()
    folder = frames.cache / f"odometry-{digest(config, likely, CHUNK)}"
    parts = []
    for start in range(0, len(frames.images), CHUNK):
        path = folder / f"{start:06d}.json"
        if not path.is_file():
            write_json(path, _matched_chunk(frames, likely, config, start, progress))
        parts.append(json.loads(path.read_text(encoding="utf-8")))
    return _joined(len(frames.images), parts)


def given_motion(frames: WalkFrames, trajectory: Path, *, metric: bool) -> Motion:
    """Return the motion that a trajectory tells.

    Args:
        frames: The walk's.
        trajectory: A TUM file on the video's clock, or a ``poses.csv``, which names photos.
        metric: Whether its lengths are in the unit of the place.

    Raises:
        InputError: It does not read, or knows fewer than two of the frames.
    """
    table = trajectory.suffix.lower() == ".csv"
    if table and frames.photos:
        poses, known = _by_name(frames, trajectory)
        hint = "does it name these photos?"
    else:
        poses, known = _by_time(frames, trajectory, table=table)
        first, last = frames.timestamps_s[0], frames.timestamps_s[-1]
        hint = f"the frames are from {first:.3f} to {last:.3f} s: shift its clock"
    rows = np.flatnonzero(known)
    if len(rows) < 2:
        raise InputError(
            f"{trajectory}: the poses of frames of {frames.source} are wanted, it has "
            f"{len(rows)} of {len(frames.images)}; {hint}"
        )
    return Motion([Piece(rows, poses[rows])], metric, trajectory.name)


def _by_name(frames: WalkFrames, trajectory: Path) -> tuple[Pose, NDArray[np.bool_]]:
    listed = {frame.image: frame.world_from_cam for frame in read_poses_csv(trajectory)}
    found = [listed.get(name) for name in frames.images]
    unknown = Pose.identity()
    poses = Pose.stack([unknown if pose is None else pose for pose in found])
    return poses, np.array([pose is not None for pose in found])


def _by_time(
    frames: WalkFrames, trajectory: Path, *, table: bool
) -> tuple[Pose, NDArray[np.bool_]]:
    if table:
        timed = [
            (frame.timestamp_s, frame.world_from_cam)
            for frame in read_poses_csv(trajectory)
            if frame.timestamp_s is not None and frame.world_from_cam is not None
        ]
        if not timed:
            raise InputError(f"{trajectory}: poses with a timestamp_s are wanted, it has none")
        stamps = np.array([stamp for stamp, _ in timed], dtype=np.float64)
        poses = Pose.stack([pose for _, pose in timed])
    else:
        stamps, poses = read_tum(trajectory)
    order = np.argsort(stamps, kind="stable")
    try:
        return interpolate_poses(stamps[order], poses[order], frames.timestamps_s, _MAX_GAP_S)
    except GeometryError as error:
        raise InputError(f"{trajectory}: {error}") from error


def _matched_chunk(
    frames: WalkFrames, likely: Camera, config: OdometryConfig, start: int, progress: Progress
) -> dict[str, Any]:
    """Return what matching a chunk's frames to each other and to those before gives, as JSON."""
    # With so many before it, a chunk finds all that the whole walk would.
    begin = max(0, start - 2 * config.reach)
    end = min(start + CHUNK, len(frames.images))
    visual = VisualOdometry(config)
    for i in range(begin, end):
        path = frames.folder / frames.images[i]
        image = read_photo(path)
        height, width = image.shape[:2]
        visual.add(image, camera_for_photo(likely, width, height, exif_focal_px(path)))
        progress("matching unlabelled frames", (i + 1) / len(frames.images))
    found = visual.result()
    relative, ratios = found.relative, found.ratios
    return {
        "start": start,
        "a": (relative.a + begin).tolist(),
        "b": (relative.b + begin).tolist(),
        "q_wxyz": relative.b_from_a.q_wxyz.tolist(),
        "translation": relative.b_from_a.translation.tolist(),
        "covariance": relative.covariance.tolist(),
        "metric": relative.metric.tolist(),
        "first": ratios.first.tolist(),
        "second": ratios.second.tolist(),
        "log_ratio": ratios.log_ratio.tolist(),
        "sigma": ratios.sigma.tolist(),
    }


def _joined(count: int, parts: list[dict[str, Any]]) -> Odometry:
    """Return the odometry of all chunks; what two of them found counts once."""
    row_of: dict[tuple[int, int], int] = {}
    kept: list[list[Any]] = []
    ratios: list[tuple[int, int, float, float]] = []
    names = ("a", "b", "q_wxyz", "translation", "covariance", "metric")
    for part in parts:
        pairs = list(zip(part["a"], part["b"], strict=True))
        for i, pair in enumerate(pairs):
            if pair[1] >= part["start"]:
                row_of[pair] = len(kept)
                kept.append([part[name][i] for name in names])
        for first, second, ratio, sigma in zip(
            part["first"], part["second"], part["log_ratio"], part["sigma"], strict=True
        ):
            if pairs[second][1] >= part["start"] and pairs[first] in row_of:
                ratios.append((row_of[pairs[first]], row_of[pairs[second]], ratio, sigma))
    column = {name: [row[i] for row in kept] for i, name in enumerate(names)}
    relative = RelativePoses(
        np.array(column["a"], np.int64),
        np.array(column["b"], np.int64),
        Pose(
            np.array(column["q_wxyz"], float).reshape(-1, 4),
            np.array(column["translation"], float).reshape(-1, 3),
        ),
        np.array(column["covariance"], float).reshape(-1, 6, 6),
        np.array(column["metric"], bool),
    )
    table: Array = np.array(ratios, float).reshape(-1, 4)
    rows = table[:, :2].astype(np.int64)
    return Odometry(count, relative, ScaleRatios(rows[:, 0], rows[:, 1], table[:, 2], table[:, 3]))
