"""What speaks against a loop although its matches agree with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.reconstruction.config import LOOP_GAP
from sightline.records.colmap import AbsolutePose, MapModel

#: The picture is judged in so many columns and rows.
_GRID = 4
#: A part of the picture in which so many points of the other side should be seen counts.
_EXPECTED = 3
#: Share of those parts that must hold matches.
MIN_COVERED = 0.4
#: Frames so near a loop in time are asked whether they see it too.
WINDOW = 8
#: So many of them one after the other that do not speak against it.
DENYING_FRAMES = 3
#: A frame is asked where so many earlier ones must show the same: this share of their points in its
#: picture, from a spot no farther than this share of their depth, in nearly the same direction.
_PROBES, _SAME_VIEW, _SAME_SPOT, _SAME_HEADING_DEG, _FEWEST_POINTS = 2, 0.6, 0.3, 20.0, 60


def covered_share(found: AbsolutePose, points: Array, matched_px: Array) -> float:
    """Return the share of the common view in which matches lie, 0 to 1.

    Two walls with one picture between them match on that picture alone, although by the pose that
    these matches give the whole view should be the same.

    Args:
        found: The second frame's pose on the first side's points.
        points: (P, 3) what the first frame sees.
        matched_px: (K, 2) where the second frame has matches that agree with the pose.
    """
    size = np.array([found.camera.width, found.camera.height])
    seen = _inside(points, found.world_from_cam, found.camera)
    expected = _counts(seen, size) >= _EXPECTED
    if not expected.any():
        return 0.0
    return float((_counts(matched_px, size) > 0)[expected].mean())


def probes(
    model: MapModel, names: Sequence[str], asked: Mapping[int, Pose]
) -> dict[int, tuple[int, ...]]:
    """Return frames about a loop and the earlier ones that must show the same, were it true.

    Args:
        model: The sequential map.
        names: N registered frames in order of time.
        asked: Row of a later frame of believed pairs -> the correction that they ask for.

    Returns:
        Row of a later frame, within :data:`WINDOW` of one of a believed pair and in none itself ->
        rows of the earlier frames that it should share most with. Frames that see little themselves
        (somebody stands before the camera, a bare wall) say nothing either way and are not asked.
    """
    rows = np.array(sorted(asked))
    found: dict[int, tuple[int, ...]] = {}
    for b in range(max(LOOP_GAP, rows[0] - WINDOW), min(len(names), rows[-1] + WINDOW + 1)):
        nearest = int(rows[np.argmin(np.abs(rows - b))])
        if b in asked or abs(nearest - b) > WINDOW:
            continue
        frame = model.frames[names[b]]
        if (frame.point_ids >= 0).sum() < _FEWEST_POINTS:
            continue
        predicted = asked[nearest] @ frame.world_from_cam
        camera = model.cameras[frame.camera_id]
        shares = np.array(
            [
                _shared_view(model, name, predicted, camera)
                for name in names[: max(0, b - LOOP_GAP + 1)]
            ]
        )
        best = np.argsort(-shares, kind="stable")[:_PROBES]
        chosen = tuple(int(a) for a in best if shares[a] >= _SAME_VIEW)
        if len(chosen) == _PROBES:
            found[b] = chosen
    return found


def denied(asked: Sequence[int], confirmed: Mapping[int, bool]) -> set[int]:
    """Return the rows of believed pairs that frames about them speak against.

    Frames one after the other, none of which sees what it must see were the loop true, say that two
    places merely look alike, and where they begin to differ: before or after a run of believed
    pairs they speak against all of it. In its midst, where it goes on beyond them, they speak
    against the pairs near them only: something stood in the way, or those pairs are wrong.

    Args:
        asked: Rows of the later frames of believed pairs.
        confirmed: Row of a probed frame -> whether any of its probes asks for the loop too.
    """
    runs: list[list[int]] = []
    for b in sorted(b for b, sees in confirmed.items() if not sees):
        if runs and b == runs[-1][-1] + 1:
            runs[-1].append(b)
        else:
            runs.append([b])
    against = [run for run in runs if len(run) >= DENYING_FRAMES]
    rows, doubted = sorted(asked), set[int]()
    groups: list[list[int]] = []
    for row in rows:
        if groups and row - groups[-1][-1] <= WINDOW:
            groups[-1].append(row)
        else:
            groups.append([row])
    for group in groups:
        for run in against:
            if group[0] < run[0] and run[-1] < group[-1]:
                doubted.update(r for r in group if run[0] - WINDOW <= r <= run[-1] + WINDOW)
            elif group[0] - WINDOW <= run[-1] and run[0] <= group[-1] + WINDOW:
                doubted.update(group)
    return doubted


def _shared_view(model: MapModel, name: str, world_from_cam: Pose, camera: Camera) -> float:
    """Return the share of what a frame sees that a camera elsewhere has in its picture."""
    frame = model.frames[name]
    ahead = frame.world_from_cam.rotation_matrix[:, 2] @ world_from_cam.rotation_matrix[:, 2]
    ids = frame.point_ids[frame.point_ids >= 0]
    if ahead < np.cos(np.deg2rad(_SAME_HEADING_DEG)) or len(ids) < _FEWEST_POINTS:
        return 0.0
    points = model.points[np.searchsorted(model.point_ids, ids)]
    depth = float(np.median(frame.world_from_cam.inverse().apply(points)[:, 2]))
    apart = np.linalg.norm(frame.world_from_cam.translation - world_from_cam.translation)
    if apart > _SAME_SPOT * depth:
        return 0.0
    return len(_inside(points, world_from_cam, camera)) / len(points)


def _inside(points: Array, world_from_cam: Pose, camera: Camera) -> Array:
    """Return the (K, 2) pixels of the points that a camera has in its picture."""
    in_camera = world_from_cam.inverse().apply(points)
    pixels = camera.project(in_camera[in_camera[:, 2] > 0])
    size = np.array([camera.width, camera.height])
    kept: Array = pixels[((pixels > -0.5) & (pixels < size - 0.5)).all(axis=1)]
    return kept


def _counts(pixels: Array, size: Array) -> NDArray[np.intp]:
    cells = np.clip(((pixels + 0.5) / size * _GRID).astype(int), 0, _GRID - 1)
    return np.bincount(cells[:, 1] * _GRID + cells[:, 0], minlength=_GRID**2)
