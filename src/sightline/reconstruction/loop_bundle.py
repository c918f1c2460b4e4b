"""Build believed loops into a map: spread the correction, merge tracks, adjust, compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Pose
from sightline.geometry.pose import relative_pose
from sightline.reconstruction.drift import RelativePoses, move_points, relax
from sightline.records.colmap import MapModel, pose_to_colmap

if TYPE_CHECKING:
    import pycolmap

#: The mean reprojection error may grow by this factor: what drift hid is now asked for.
ERROR_GROWTH = 1.1
POINTS_KEPT = 0.9
#: Share of the loops' merged matches that must survive the adjustment.
MERGES_HELD = 0.5
MIN_ANGLE_DEG = 1.5
_ROUNDS = 2
_ITERATIONS = 25
#: Relative fall of the cost below which an adjustment stops; less moves no camera visibly.
_TOLERANCE = 1e-4


#: Image and keypoint on one side of a loop, image and keypoint on the other.
Link = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class LoopMatch:
    """A verified pair.

    Attributes:
        a: Row of the earlier frame.
        b: Row of the later frame.
        matches: (K, 2) keypoint rows of frame a (which see map points) and of frame b.
        world_from_b: Pose of frame b in the map around frame a.
    """

    a: int
    b: int
    matches: NDArray[np.int64]
    world_from_b: Pose


def apply_loops(
    reconstruction: pycolmap.Reconstruction,
    model: MapModel,
    names: list[str],
    loops: list[LoopMatch],
    *,
    matched: dict[tuple[int, int], int],
    refine_intrinsics: bool,
    max_error_px: float,
) -> dict[str, Any]:
    """Close loops in ``reconstruction``; tell whether the outcome is better than before.

    Args:
        reconstruction: Changed, whatever the answer.
        model: The same map in plain arrays.
        names: Registered frames in order of time.
        loops: Believed pairs.
        matched: Pairs of rows the map already uses, with their matches.
        refine_intrinsics: Adjust the cameras too.
        max_error_px: Observations farther off are dropped.

    Returns:
        ``closed`` (whether to keep it), ``reason`` and the numbers behind it.
    """
    import pycolmap

    reconstruction.update_point_3d_errors()
    before = _state(reconstruction)
    _straighten(reconstruction, model, names, loops, matched)
    joined = _merge_tracks(reconstruction, names, loops)
    observations = pycolmap.ObservationManager(reconstruction)
    for _ in range(_ROUNDS):
        pycolmap.bundle_adjustment(reconstruction, _bundle_options(refine_intrinsics))
        observations.filter_all_points3D(max_error_px, MIN_ANGLE_DEG)
    reconstruction.update_point_3d_errors()
    after = _state(reconstruction)
    held = sum(_is_joined(reconstruction, link) for link in joined)
    numbers = {"before": before, "after": after, "merged": len(joined), "held": held}
    if held < MERGES_HELD * len(joined):
        reason = "the adjusted map tore the loops' matches apart again"
        return {"closed": False, "reason": reason, **numbers}
    if after["registered"] < before["registered"]:
        return {"closed": False, "reason": "frames fell out of the map with the loops", **numbers}
    if after["points"] + len(joined) < POINTS_KEPT * before["points"]:
        return {"closed": False, "reason": "points fell out of the map with the loops", **numbers}
    if after["error_px"] > ERROR_GROWTH * before["error_px"]:
        return {"closed": False, "reason": "the reprojection error grew with the loops", **numbers}
    return {"closed": True, "reason": f"{len(loops)} pairs believed", **numbers}


def loop_measurements(
    model: MapModel,
    names: list[str],
    loops: list[LoopMatch],
    matched: dict[tuple[int, int], int],
) -> RelativePoses:
    """Return the map's own relative poses beside those the loops ask for."""
    poses = Pose.stack([model.frames[name].world_from_cam for name in names])
    chain = {(i, i + 1) for i in range(len(names) - 1)}
    pairs = np.array(sorted({*matched, *chain}), dtype=np.int64)
    a = np.r_[pairs[:, 0], [loop.a for loop in loops]].astype(np.int64)
    b = np.r_[pairs[:, 1], [loop.b for loop in loops]].astype(np.int64)
    asked = Pose.stack([loop.world_from_b for loop in loops])
    own = poses[pairs[:, 1]]
    target = Pose(
        np.concatenate([own.q_wxyz, asked.q_wxyz]),
        np.concatenate([own.translation, asked.translation]),
    )
    ratios = [_unit_ratio(model, names, loop) for loop in loops]
    # The uncertainty of a stretch of path grows with its length; a loop's does not.
    weights = np.r_[1.0 / (pairs[:, 1] - pairs[:, 0]), np.ones(len(loops))]
    return RelativePoses(
        a, b, relative_pose(poses[a], target), np.r_[np.ones(len(pairs)), ratios], weights
    )


def _unit_ratio(model: MapModel, names: list[str], loop: LoopMatch) -> float:
    """Return what a unit of length around frame b is around frame a, from depths of points."""
    frame_a, frame_b = model.frames[names[loop.a]], model.frames[names[loop.b]]
    ids_a = frame_a.point_ids[loop.matches[:, 0]]
    ids_b = frame_b.point_ids[loop.matches[:, 1]]
    both = ids_b >= 0
    if both.sum() < 5:
        return 1.0
    around_a = model.points[np.searchsorted(model.point_ids, ids_a[both])]
    around_b = model.points[np.searchsorted(model.point_ids, ids_b[both])]
    depth_a = loop.world_from_b.inverse().apply(around_a)[:, 2]
    depth_b = frame_b.world_from_cam.inverse().apply(around_b)[:, 2]
    return float(np.median(depth_a / depth_b))


def _straighten(
    reconstruction: pycolmap.Reconstruction,
    model: MapModel,
    names: list[str],
    loops: list[LoopMatch],
    matched: dict[tuple[int, int], int],
) -> None:
    before = Pose.stack([model.frames[name].world_from_cam for name in names])
    after, units = relax(before, loop_measurements(model, names, loops, matched))
    seen_by, seen = [], []
    for row, name in enumerate(names):
        ids = model.frames[name].point_ids
        rows = np.searchsorted(model.point_ids, ids[ids >= 0])
        seen.append(rows)
        seen_by.append(np.full(len(rows), row))
    points = move_points(
        model.points,
        np.concatenate(seen_by),
        np.concatenate(seen),
        before=before,
        after=after,
        units=units,
    )
    for point_id, xyz in zip(model.point_ids.tolist(), points, strict=True):
        reconstruction.points3D[point_id].xyz = xyz
    for row, name in enumerate(names):
        image = reconstruction.find_image_with_name(name)
        frame = reconstruction.frames[image.frame_id]
        frame.set_cam_from_world(image.camera_id, pose_to_colmap(after[row]))


def _merge_tracks(
    reconstruction: pycolmap.Reconstruction, names: list[str], loops: list[LoopMatch]
) -> list[Link]:
    """Merge the points that the loops' matches say are one; return the matches that took."""
    ids = {str(image.name): int(image.image_id) for image in reconstruction.images.values()}
    joined = []
    for loop in loops:
        image_a, image_b = ids[names[loop.a]], ids[names[loop.b]]
        for key_a, key_b in loop.matches.tolist():
            link = (image_a, key_a, image_b, key_b)
            if _join(reconstruction, link):
                joined.append(link)
    return joined


def _join(reconstruction: pycolmap.Reconstruction, link: Link) -> bool:
    import pycolmap

    image_a, key_a, image_b, key_b = link
    point_a = reconstruction.images[image_a].points2D[key_a]
    point_b = reconstruction.images[image_b].points2D[key_b]
    if not point_a.has_point3D():
        return False
    id_a, id_b = point_a.point3D_id, point_b.point3D_id
    # Two keypoints of one image cannot be one point: such a merge is wrong somewhere.
    if not point_b.has_point3D():
        if image_b in _images(reconstruction, id_a):
            return False
        reconstruction.add_observation(id_a, pycolmap.TrackElement(image_b, key_b))
        return True
    if id_a == id_b or _images(reconstruction, id_a) & _images(reconstruction, id_b):
        return False
    reconstruction.merge_points3D(id_a, id_b)
    return True


def _is_joined(reconstruction: pycolmap.Reconstruction, link: Link) -> bool:
    image_a, key_a, image_b, key_b = link
    point_a = reconstruction.images[image_a].points2D[key_a]
    point_b = reconstruction.images[image_b].points2D[key_b]
    return bool(point_a.has_point3D() and point_a.point3D_id == point_b.point3D_id)


def _images(reconstruction: pycolmap.Reconstruction, point_id: int) -> set[int]:
    return {e.image_id for e in reconstruction.points3D[point_id].track.elements}


def _bundle_options(refine_intrinsics: bool) -> pycolmap.BundleAdjustmentOptions:
    import pycolmap

    options = pycolmap.BundleAdjustmentOptions()
    options.refine_focal_length = refine_intrinsics
    options.refine_extra_params = refine_intrinsics
    options.print_summary = False
    options.ceres.loss_function_type = pycolmap.LossFunctionType.SOFT_L1
    options.ceres.loss_function_scale = 1.0
    options.ceres.solver_options.max_num_iterations = _ITERATIONS
    options.ceres.solver_options.function_tolerance = _TOLERANCE
    return options


def _state(reconstruction: pycolmap.Reconstruction) -> dict[str, float]:
    return {
        "registered": reconstruction.num_reg_images(),
        "points": reconstruction.num_points3D(),
        "error_px": round(float(reconstruction.compute_mean_reprojection_error()), 4),
    }
