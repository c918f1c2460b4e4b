"""Where a frame stands in a map, by its matches to the map's frames, and whether to believe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.records.colmap import AbsolutePose, MapModel, estimate_absolute_pose

#: COLMAP registers a frame on as many.
MIN_INLIERS = 30
#: An anchor's pose may fit its matches this much worse than the map fits its own.
POSE_ERROR_FACTOR = 2.0
#: Points that two frames must share for one to speak for the other, and the share of them that
#: must lie where the other's pose puts them.
MIN_SHARED, MIN_AGREEING = 8, 0.5
#: Without any frame beside it to ask, an anchor needs so many inliers.
ALONE_INLIERS = 100
#: So many of the best anchors say what the lens is.
_LENS_FRAMES = 15

TOO_FEW = "matches to map points"
NO_POSE = "its matches to the map give no pose"
OTHER_MOTION = "frames beside it see another motion than its place in the map asks for"
NOBODY_BESIDE = "no frame beside it confirms its place in the map"


@dataclass(frozen=True, eq=False)
class MapMatches:
    """A frame's matches to points of a map, by way of the map's frames.

    Attributes:
        keypoints: (K,) keypoint rows of the frame.
        points: (K,) rows of the map's points.
        frames: (K,) which frame of ``names`` gave the match.
        names: The map's frames behind the matches.
    """

    keypoints: NDArray[np.int64]
    points: NDArray[np.int64]
    frames: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Anchor:
    """A frame's pose on the map's own points.

    Attributes:
        world_from_cam: In the map's frame.
        keypoints: (K,) keypoint rows whose matches agree with it.
        points: (K,) rows of the map points they show.
        agreeing: Map frame -> share of the matches by way of it that agree.
    """

    world_from_cam: Pose
    keypoints: NDArray[np.int64]
    points: NDArray[np.int64]
    agreeing: dict[str, float]


def matches_to_map(model: MapModel, matches: Mapping[str, NDArray[np.int64]]) -> MapMatches:
    """Return what a frame's matches to frames of a map say of the map's points.

    Args:
        model: The map.
        matches: Map frame -> (K, 2) keypoint rows of the new frame and of the map's.
    """
    keypoints, points, frames = [], [], []
    for number, (name, pairs) in enumerate(matches.items()):
        ids = model.frames[name].point_ids[pairs[:, 1]]
        seen = ids >= 0
        keypoints.append(pairs[seen, 0])
        points.append(np.searchsorted(model.point_ids, ids[seen]))
        frames.append(np.full(int(seen.sum()), number))
    empty = [np.zeros(0, np.int64)]
    return MapMatches(
        np.concatenate(keypoints or empty),
        np.concatenate(points or empty),
        np.concatenate(frames or empty),
        tuple(matches),
    )


def find_anchor(
    keypoints_px: Array,
    matched: MapMatches,
    model: MapModel,
    camera: Camera,
    *,
    max_error_px: float,
    free_focal: bool = False,
) -> tuple[Anchor, Camera] | str:
    """Return a frame's anchor and its camera, or why there is none.

    Args:
        keypoints_px: (M, 2) all keypoints of the frame.
        matched: Its matches to the map.
        model: The map.
        camera: Intrinsics; with ``free_focal`` all but the focal length.
        max_error_px: Largest reprojection error in the map.
        free_focal: Find the focal length too.
    """
    pairs = np.unique(np.stack([matched.keypoints, matched.points], axis=1), axis=0)
    if len(pairs) < MIN_INLIERS:
        return f"{len(pairs)} {TOO_FEW}, {MIN_INLIERS} wanted"
    error_px = POSE_ERROR_FACTOR * max_error_px
    found: AbsolutePose | None = estimate_absolute_pose(
        keypoints_px[pairs[:, 0]],
        model.points[pairs[:, 1]],
        camera,
        max_error_px=error_px,
        min_inliers=MIN_INLIERS,
        free_focal=free_focal,
    )
    if found is None or len(np.unique(pairs[found.inliers, 0])) < MIN_INLIERS:
        return NO_POSE
    off = reprojection_px(found, model.points[matched.points], keypoints_px[matched.keypoints])
    agreeing = {
        name: float((off[matched.frames == number] <= error_px).mean())
        for number, name in enumerate(matched.names)
        if (matched.frames == number).any()
    }
    chosen = pairs[found.inliers]
    return Anchor(found.world_from_cam, chosen[:, 0], chosen[:, 1], agreeing), found.camera


def reprojection_px(pose: AbsolutePose, points: Array, keypoints_px: Array) -> Array:
    """Return (K,) distances of points from where they are seen; infinite behind the camera."""
    return _off_px(pose.world_from_cam, pose.camera, points, keypoints_px)


def speaks_for(
    known: NDArray[np.int64],
    matches: NDArray[np.int64],
    points: Array,
    keypoints_px: Array,
    world_from_cam: Pose,
    camera: Camera,
    *,
    max_error_px: float,
) -> bool | None:
    """Return whether one frame's view confirms another's pose; None where it cannot tell.

    What the first frame sees of the map, and the second too, must lie where the second's pose
    puts it. The matches between the two are of their own recording, so a second frame that was
    put into a place which merely looks alike is not confirmed.

    Args:
        known: (M,) row of the map point that each keypoint of the first frame shows, -1 = none.
        matches: (K, 2) keypoint rows of the first frame and of the second.
        points: (P, 3) the map's.
        keypoints_px: (N, 2) of the second frame.
        world_from_cam: Of the second frame.
        camera: Of the second frame.
        max_error_px: Largest reprojection error in the map.
    """
    shared = matches[known[matches[:, 0]] >= 0]
    if len(shared) < MIN_SHARED:
        return None
    off = _off_px(world_from_cam, camera, points[known[shared[:, 0]]], keypoints_px[shared[:, 1]])
    return bool((off <= POSE_ERROR_FACTOR * max_error_px).mean() >= MIN_AGREEING)


def believed(inliers: int, votes: Sequence[bool | None]) -> str:
    """Return why an anchor is not believed; nothing where it is.

    Args:
        inliers: Matches that agree with it.
        votes: What :func:`speaks_for` says of it for each frame beside it.
    """
    told = [vote for vote in votes if vote is not None]
    if not told:
        return "" if inliers >= ALONE_INLIERS else NOBODY_BESIDE
    return "" if 2 * sum(told) >= len(told) else OTHER_MOTION


def typical_focal(cameras: Sequence[tuple[int, Camera]]) -> float:
    """Return the focal length in the middle of what the best anchors ask for.

    Args:
        cameras: (inliers, camera) of anchors that were found with a free focal length.
    """
    best = sorted(cameras, key=lambda found: -found[0])[:_LENS_FRAMES]
    return float(np.median([camera.fx for _, camera in best]))


def _off_px(world_from_cam: Pose, camera: Camera, points: Array, keypoints_px: Array) -> Array:
    in_camera = world_from_cam.inverse().apply(points)
    off = np.full(len(points), np.inf)
    front = in_camera[:, 2] > 0
    off[front] = np.linalg.norm(camera.project(in_camera[front]) - keypoints_px[front], axis=-1)
    return off
