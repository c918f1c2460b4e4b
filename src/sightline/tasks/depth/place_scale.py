"""Metres for photos taken in a place: its sparse points, as far as a photo shows them.

A frame that the place was built of has its pose and its own points. Any other photo is located
first, by the map alone (:mod:`sightline.reconstruction.refine`), and sees the points that the
frames nearest to it see; those behind others are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sightline.errors import GeometryError, PlaceError
from sightline.geometry import Camera, Pose
from sightline.media import exif_focal_px
from sightline.reconstruction.refine import Refiner, camera_for_photo
from sightline.records import Place
from sightline.records.colmap import MapFrame, MapModel, read_model
from sightline.tasks import Picture
from sightline.tasks.depth.maps import Unit
from sightline.tasks.depth.scale import SparsePoints

Array = NDArray[np.float64]

#: Frames whose points a located photo may show too.
_NEAR_FRAMES = 10
#: Of these points, the share that a photo's own are believed.
_NEIGHBOURS_WEIGHT = 0.5
#: A point so much farther than the sure ones around it is taken as hidden behind them.
_HIDDEN = 1.15
#: How many sure points are looked at, and how far off they may be, over the longer side.
_SURE = 4
_REACH = 0.1
#: Largest reprojection error of a frame's own points, as a share of the longer side.
_LARGEST_ERROR = 0.006
#: Observations that make a point fully believed.
_FULL_TRACK = 6


@dataclass(frozen=True, eq=False)
class PlaceView:
    """What a place knows of one photo.

    Attributes:
        camera: Intrinsics of the photo, at its own size.
        points: Known points, in its pixels.
    """

    camera: Camera
    points: SparsePoints


class PlaceScale:
    """A place that gives photos its scale; made once, asked many times."""

    def __init__(self, place: Place, model: MapModel) -> None:
        """Use :meth:`open`."""
        self.place = place
        self._model = model
        self._scale = float(place.world_from_map.scale)

    @classmethod
    def open(cls, root: str | Path) -> PlaceScale:
        """Return the place at ``root``.

        Raises:
            PlaceError: It is no place, or has no map.
        """
        place = Place.open(root)
        if not place.model_dir.is_dir():
            raise PlaceError(f"{root} has no map to take the scale from; run `sightline build`")
        return cls(place, read_model(place.model_dir))

    @property
    def unit(self) -> Unit:
        """``m``, or ``relative`` where the place has no scale in metres."""
        return "m" if self.place.unit == "m" else "relative"

    def view(self, picture: Picture, camera: Camera | None = None) -> PlaceView:
        """Return what the place knows of a photo.

        Args:
            picture: A frame of the place (by its file), or any photo taken there.
            camera: Its intrinsics where they are known, at its own size.

        Raises:
            GeometryError: The photo is not found in the place.
        """
        frame = self._frame_of(picture)
        if frame is not None:
            camera, map_from_cam = self._model.cameras[frame.camera_id], frame.world_from_cam
            own = self._own_points(frame, camera)
        else:
            map_from_cam, camera, own = self._located(picture, camera)
        others = self._points_in_view(map_from_cam, camera, own)
        rows = np.concatenate([own, others])
        seen = map_from_cam.inverse().apply(self._model.points[rows])
        weight = np.minimum(self._model.track_lengths[rows] / _FULL_TRACK, 1.0)
        weight[len(own) :] *= _NEIGHBOURS_WEIGHT
        source = f"sparse points of the place {self.place.name}"
        points = SparsePoints(
            camera.project(seen), seen[:, 2] * self._scale, weight, self.unit, source
        )
        return PlaceView(_with_two_focals(camera), points)

    def _frame_of(self, picture: Picture) -> MapFrame | None:
        """Return the frame of the map whose file this is, or None."""
        if picture.path is None or picture.frame is not None:
            return None
        try:
            name = picture.path.resolve().relative_to(self.place.images_dir.resolve()).as_posix()
        except ValueError:
            return None
        frame = self._model.frames.get(name)
        if frame is None:
            return None
        camera, shape = self._model.cameras[frame.camera_id], picture.image.shape
        return frame if (camera.height, camera.width) == shape[:2] else None

    def _located(
        self, picture: Picture, camera: Camera | None
    ) -> tuple[Pose, Camera, NDArray[np.int64]]:
        """Return a photo's pose in the map, its intrinsics, and rows of points it surely shows."""
        height, width = picture.image.shape[:2]
        if camera is None:
            focal = None
            if picture.path is not None and picture.frame is None:
                focal = exif_focal_px(picture.path)
            camera = camera_for_photo(self._refiner.index.camera, width, height, focal)
        found = self._refiner.refine(picture.image, camera)
        if found.map_from_cam is None or found.camera is None or found.seen is None:
            raise GeometryError(
                f"{picture.name}: a photo taken in {self.place.root} is wanted for its scale, this "
                "one is not found there; leave --metric out for relative depth"
            )
        return found.map_from_cam, found.camera, found.seen

    def _own_points(self, frame: MapFrame, camera: Camera) -> NDArray[np.int64]:
        """Return the rows of the points that a frame has seen itself, where they fit."""
        has = frame.point_ids >= 0
        rows = np.searchsorted(self._model.point_ids, frame.point_ids[has])
        seen = frame.world_from_cam.inverse().apply(self._model.points[rows])
        error = np.linalg.norm(camera.project(seen) - frame.keypoints_px[has], axis=1)
        good = error <= _LARGEST_ERROR * max(camera.width, camera.height)  # NaN is not
        return np.unique(rows[good])

    def _points_in_view(
        self, map_from_cam: Pose, camera: Camera, own: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the rows of points of the frames nearby that lie in view and are not hidden.

        Args:
            map_from_cam: The photo's pose.
            camera: Its intrinsics.
            own: Rows of the points that it surely shows; they are not returned.
        """
        ids = [f.point_ids[f.point_ids >= 0] for f in self._frames_near(map_from_cam)]
        rows = np.searchsorted(self._model.point_ids, np.unique(np.concatenate(ids)))
        rows = np.setdiff1d(rows, own)
        cam_from_map = map_from_cam.inverse()
        seen, sure = (cam_from_map.apply(self._model.points[r]) for r in (rows, own))
        px = camera.project(seen)
        size = np.array([camera.width, camera.height])
        inside = ((px >= -0.5) & (px < size - 0.5)).all(axis=1)  # NaN, behind the camera, is not
        rows, seen, px = rows[inside], seen[inside], px[inside]
        reach = _REACH * float(size.max())
        return rows[_in_front(px, seen[:, 2], camera.project(sure), sure[:, 2], reach)]

    def _frames_near(self, map_from_cam: Pose) -> list[MapFrame]:
        """Return frames taken near a pose that look the same way."""
        frames, poses = self._frames
        away = np.linalg.norm(poses.translation - map_from_cam.translation, axis=1)
        away /= float(np.linalg.norm(poses.translation.std(axis=0))) or 1.0
        turned = 1.0 - poses.rotation_matrix[:, :, 2] @ map_from_cam.rotation_matrix[:, 2]
        return [frames[i] for i in np.argsort(away + turned)[:_NEAR_FRAMES]]

    @cached_property
    def _frames(self) -> tuple[list[MapFrame], Pose]:
        frames = list(self._model.frames.values())
        return frames, Pose.stack([frame.world_from_cam for frame in frames])

    @cached_property
    def _refiner(self) -> Refiner:
        return Refiner.open(self.place)


def _in_front(
    px: Array, depth: Array, sure_px: Array, sure_depth: Array, reach: float
) -> NDArray[np.bool_]:
    """Return which of (N,) points are not hidden, judged by points that are surely seen.

    A point is taken as hidden where it is clearly farther than all of the sure points next to it,
    or has none within ``reach`` pixels.
    """
    if len(sure_px) < _SURE:
        return np.zeros(len(px), bool)
    away, index = cKDTree(sure_px).query(px, _SURE)
    farthest = np.where(away <= reach, sure_depth[index], 0.0).max(axis=1)
    front: NDArray[np.bool_] = depth <= _HIDDEN * farthest
    return front


def _with_two_focals(camera: Camera) -> Camera:
    """Return the same camera in a model that can be scaled unevenly."""
    focals = (camera.fx, camera.fy, camera.cx, camera.cy)
    if not any(camera.distortion):
        return Camera("PINHOLE", camera.width, camera.height, focals)
    distortion = (*camera.distortion, 0.0, 0.0, 0.0)[:4]
    return Camera("OPENCV", camera.width, camera.height, (*focals, *distortion))
