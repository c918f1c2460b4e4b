"""How well a map agrees with what its frames see, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array
from sightline.records.colmap import MapFrame, MapModel


@dataclass(frozen=True, eq=False)
class MapFit:
    """What each of the F frames of a map sees of its P points.

    Attributes:
        names: F frames, in the order of their names.
        errors_px: (F,) median reprojection error; NaN for a frame that sees no point.
        observations: (F,) map points that a frame sees.
        depths: (F,) median depth of those points, in the map's unit; NaN where there is none.
        angles_deg: (P,) largest angle between the first ray to a point and its others: at least
            half of the widest angle it was triangulated from.
    """

    names: list[str]
    errors_px: Array
    observations: NDArray[np.int64]
    depths: Array
    angles_deg: Array


def measure_fit(model: MapModel) -> MapFit:
    """Return how well each frame agrees with the points it sees."""
    count = len(model.frames)
    errors, depths = np.full(count, np.nan), np.full(count, np.nan)
    observations = np.zeros(count, np.int64)
    first = np.full((len(model.points), 3), np.nan)
    angles = np.zeros(len(model.points))
    for i, frame in enumerate(model.frames.values()):
        rows, seen_px = seen_points(model, frame)
        observations[i] = len(rows)
        if not len(rows):
            continue
        in_camera = frame.world_from_cam.inverse().apply(model.points[rows])
        off = np.linalg.norm(model.cameras[frame.camera_id].project(in_camera) - seen_px, axis=1)
        # A point behind the camera projects nowhere: as far off as the picture is large.
        camera = model.cameras[frame.camera_id]
        errors[i] = np.median(np.where(np.isnan(off), np.hypot(camera.width, camera.height), off))
        depths[i] = np.median(in_camera[:, 2])
        rays = frame.world_from_cam.translation - model.points[rows]
        rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
        new = np.isnan(first[rows, 0])
        first[rows[new]] = rays[new]
        turned = np.arctan2(
            np.linalg.norm(np.cross(first[rows], rays), axis=1), (first[rows] * rays).sum(axis=1)
        )
        np.maximum.at(angles, rows, turned)
    return MapFit(list(model.frames), errors, observations, depths, np.rad2deg(angles))


def seen_points(model: MapModel, frame: MapFrame) -> tuple[NDArray[np.int64], Array]:
    """Return the (n,) rows of the points that a frame sees, and their (n, 2) pixels in it."""
    seen = np.flatnonzero(frame.point_ids >= 0)
    rows = np.searchsorted(model.point_ids, frame.point_ids[seen])
    return rows.astype(np.int64), frame.keypoints_px[seen]
