"""What the map knows of its frames' depth: its points, and flat surfaces between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import Delaunay, QhullError

from sightline.errors import PlaceError
from sightline.geometry import Camera
from sightline.geometry.rotation import Array
from sightline.records import Place, PosedFrame
from sightline.records.colmap import read_model

#: Points seen from fewer frames are left out: their depth is the least sure.
_MIN_TRACK = 3

#: Corners of a triangle whose depths differ more than this lie on different surfaces.
_DEPTH_JUMP = 2.5


@dataclass(frozen=True, eq=False)
class ObservedPoints:
    """The map's points, frame by frame.

    Attributes:
        camera: The pictures' camera.
        by_frame: Frame name to the (M, 3) points it observes, in the place's world.
    """

    camera: Camera
    by_frame: dict[str, Array]

    @classmethod
    def read(
        cls, place: Place, names: Sequence[str], wanted_by: str = "--model scene_coordinates"
    ) -> ObservedPoints:
        """Return what some frames of a place observe; nothing for a frame that the map has not.

        Args:
            place: With a map.
            names: Of the frames.
            wanted_by: What learns of it, for messages.

        Raises:
            PlaceError: The place has no map, the map has none of the frames, or several cameras
                took them.
        """
        if not place.model_dir.is_dir():
            raise PlaceError(
                f"{place.root} has no map, which {wanted_by} wants; run `sightline build`, or do "
                "without"
            )
        model = read_model(place.model_dir)
        points = place.world_from_map.apply(model.points)
        sure = model.track_lengths >= _MIN_TRACK
        by_frame = {}
        for name in names:
            ids = model.frames[name].point_ids if name in model.frames else np.zeros(0, np.int64)
            rows = np.searchsorted(model.point_ids, np.unique(ids[ids >= 0]))
            by_frame[name] = points[rows[sure[rows]]]
        known = [name for name in names if name in model.frames]
        if not known:
            raise PlaceError(
                f"the map in {place.model_dir} has none of the frames to train on; finish "
                "`sightline build` (it resumes)"
            )
        cameras = {model.frames[name].camera_id for name in known}
        if len(cameras) > 1:
            raise PlaceError(
                f"{place.root}: frames of one camera are wanted for {wanted_by}, the map has "
                f"{len(cameras)} cameras; do without"
            )
        return cls(model.cameras[cameras.pop()], by_frame)

    def inverse_depths(self, frames: Sequence[PosedFrame], rays: Array) -> NDArray[np.float32]:
        """Return (N, 2, h, w) inverse depths of posed frames, see :func:`inverse_depth`.

        Args:
            frames: With poses, among those read.
            rays: (h, w, 3) of the camera, z = 1.
        """
        maps = np.zeros((len(frames), 2, *rays.shape[:2]), np.float32)
        for row, frame in zip(maps, frames, strict=True):
            if frame.world_from_cam is not None:
                seen = frame.world_from_cam.inverse().apply(self.by_frame[frame.image])
                row[:] = inverse_depth(seen, rays)
        return maps


def filled(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (N, h, w) inverse depths of (N, 2, h, w) maps; where unknown, of the nearest known.

    A frame in which nothing is known is taken to be infinitely far: zero.
    """
    whole = maps[:, 0].copy()
    for inverse, known in zip(whole, maps[:, 1], strict=True):
        if known.any():
            nearest = distance_transform_edt(
                known == 0, return_distances=False, return_indices=True
            )
            inverse[:] = inverse[tuple(nearest)]
    return whole


def inverse_depth(points_cam: Array, rays: Array) -> NDArray[np.float32]:
    """Return (2, h, w): inverse z-depths along the rays, and 1 where known; 0, 0 elsewhere.

    Between three neighbouring points (Delaunay, in the image) the surface is taken to be flat.
    There, inverse depth is linear in the image, so walls and floors come out exact. Triangles that
    span an edge in depth are left out.

    Args:
        points_cam: (M, 3) points in the camera's frame.
        rays: (h, w, 3), z = 1; NaN where a pixel has none.
    """
    known = np.zeros((2, *rays.shape[:2]), np.float32)
    front = points_cam[points_cam[:, 2] > 1e-6]
    try:
        triangles = Delaunay(front[:, :2] / front[:, 2:])
    except (QhullError, ValueError):  # fewer than three points, or all on one line
        return known
    xy = np.nan_to_num(rays[..., :2].reshape(-1, 2), nan=1e6)  # outside of everything
    hit = triangles.find_simplex(xy)
    depth = front[:, 2][triangles.simplices]
    flat = depth.max(axis=1) <= _DEPTH_JUMP * depth.min(axis=1)
    inside = np.flatnonzero((hit >= 0) & flat[hit])
    of = hit[inside]
    affine = triangles.transform[of]
    first = np.einsum("nij,nj->ni", affine[:, :2], xy[inside] - affine[:, 2])
    weights = np.column_stack([first, 1.0 - first.sum(axis=1)])
    value = (weights / depth[of]).sum(axis=1)
    good = np.isfinite(value) & (value > 0)  # a sliver of a triangle has no weights
    known.reshape(2, -1)[0, inside[good]] = value[good]
    known.reshape(2, -1)[1, inside[good]] = 1.0
    return known
