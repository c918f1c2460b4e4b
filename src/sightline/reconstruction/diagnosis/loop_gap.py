"""Where a walk comes back to a spot: how far apart the map puts what is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Pose
from sightline.geometry.rotation import Array, rotation_angle_deg
from sightline.reconstruction.config import LOOP_GAP
from sightline.reconstruction.diagnosis.map_fit import seen_points
from sightline.reconstruction.two_view.matching import mutual_ratio_matches
from sightline.records.colmap import MapModel, estimate_absolute_pose

#: As in ``loops``: drift of a sequential map is below this share of the path between two frames.
_DRIFT_SHARE = 0.03
_MAX_TURN_DEG = 45.0
_MIN_INLIERS = 20
_RATIO = 0.8
_MAX_ERROR_PX = 4.0
#: Pairs that are matched; each costs a few hundredths of a second.
_TRIED = 12

Descriptors = Callable[[Sequence[str]], Mapping[str, NDArray[np.uint8]]]


@dataclass(frozen=True)
class LoopGap:
    """One return of the walk, measured.

    Attributes:
        a: Frame of the first visit.
        b: Frame of the second visit.
        gap: Between where the map has frame b and where the first visit's points put it, in the
            map's unit.
        turn_deg: The same for its rotation.
        path: Length of the walk between the two visits, in the map's unit.
        inliers: Matches behind it.
    """

    a: str
    b: str
    gap: float
    turn_deg: float
    path: float
    inliers: int


@dataclass(frozen=True)
class Revisits:
    """What was looked for and found.

    Attributes:
        candidates: Pairs of frames, far apart in time, that the map puts at one spot.
        gaps: Those of the tried ones that the pictures confirm.
    """

    candidates: int
    gaps: tuple[LoopGap, ...]

    @property
    def middle(self) -> LoopGap | None:
        """The gap in the middle of all, by size."""
        ranked = sorted(self.gaps, key=lambda g: g.gap)
        return ranked[len(ranked) // 2] if ranked else None


def measure_revisits(model: MapModel, names: Sequence[str], descriptors: Descriptors) -> Revisits:
    """Return the gaps where the walk returns to a spot.

    Frames that lie near each other and look the same way, but were taken far apart in time, are
    matched. The second frame is placed anew on the points that frames about the first one see; how
    far that is from its place in the map is the gap.

    Args:
        model: The map.
        names: Its frames, in order of time.
        descriptors: Returns (M, 128) descriptors of named frames, in keypoint order.
    """
    pairs = _candidates(model, names)
    if not len(pairs):
        return Revisits(0, ())
    path = _path(model, names)
    chosen = pairs[np.unique(np.linspace(0, len(pairs) - 1, _TRIED).round().astype(int))]
    known = descriptors(sorted({names[i] for i in chosen.ravel()}))
    gaps = []
    for a, b in chosen.tolist():
        if names[a] in known and names[b] in known:
            found = _gap(model, names, a, b, known)
            if found is not None:
                pose, inliers = found
                own = model.frames[names[b]].world_from_cam
                gaps.append(
                    LoopGap(
                        names[a],
                        names[b],
                        float(np.linalg.norm(pose.translation - own.translation)),
                        float(rotation_angle_deg(pose.q_wxyz, own.q_wxyz)),
                        float(path[b] - path[a]),
                        inliers,
                    )
                )
    return Revisits(len(pairs), tuple(gaps))


def _path(model: MapModel, names: Sequence[str]) -> Array:
    centres = np.stack([model.frames[name].world_from_cam.translation for name in names])
    path: Array = np.r_[0.0, np.linalg.norm(np.diff(centres, axis=0), axis=-1).cumsum()]
    return path


def _candidates(model: MapModel, names: Sequence[str]) -> NDArray[np.int64]:
    """Return (K, 2) rows a < b, one a for each b: the nearest that looks the same way."""
    poses = Pose.stack([model.frames[name].world_from_cam for name in names])
    path, forward = _path(model, names), poses.rotation_matrix[..., 2]
    found = []
    for b in range(LOOP_GAP, len(names)):
        earlier = np.arange(b - LOOP_GAP + 1)
        apart = np.linalg.norm(poses.translation[earlier] - poses.translation[b], axis=-1)
        walked = path[b] - path[earlier]
        facing = forward[earlier] @ forward[b] > np.cos(np.deg2rad(_MAX_TURN_DEG))
        # A camera that stayed near all the time made no loop: it must have gone away in between.
        near = facing & (apart <= _DRIFT_SHARE * walked)
        if near.any():
            a = int(earlier[near][np.argmin(apart[near])])
            found.append((a, b))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _gap(
    model: MapModel,
    names: Sequence[str],
    a: int,
    b: int,
    known: Mapping[str, NDArray[np.uint8]],
) -> tuple[Pose, int] | None:
    """Return where the first visit's points put frame b, and the matches behind it."""
    frame_a, frame_b = model.frames[names[a]], model.frames[names[b]]
    seen = np.flatnonzero(frame_a.point_ids >= 0)
    rows, _ = seen_points(model, frame_a)
    if len(seen) < _MIN_INLIERS:
        return None
    one, two = _unit(known[names[b]]), _unit(known[names[a]][seen])
    if len(one) != len(frame_b.keypoints_px):  # features of another build
        return None
    keypoints, matched = mutual_ratio_matches(one, two, _RATIO)
    camera = model.cameras[frame_b.camera_id]
    found = estimate_absolute_pose(
        frame_b.keypoints_px[keypoints],
        model.points[rows[matched]],
        camera,
        max_error_px=_MAX_ERROR_PX * max(1.0, max(camera.width, camera.height) / 1000),
        min_inliers=_MIN_INLIERS,
    )
    return None if found is None else (found.world_from_cam, int(found.inliers.sum()))


def _unit(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = descriptors.astype(np.float32)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    return values
