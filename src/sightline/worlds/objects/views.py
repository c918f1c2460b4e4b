"""From where an object is seen, and where in the picture it stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array, rotation_from_wxyz
from sightline.geometry.viewpoint import cam_from_object
from sightline.records.objects import SYMMETRY
from sightline.worlds.objects.catalogue import KINDS
from sightline.worlds.objects.model import ObjectModel

#: In diagonals of the object's box.
DISTANCES = (2.5, 8.0)
#: The longer side of the object's box, as a share of the picture's.
SHARES = (0.5, 0.9)
TILT_SIGMA_DEG, MOST_TILT_DEG = 4.0, 12.0
_MARGIN_PX = 2.0


@dataclass(frozen=True)
class ObjectPose:
    """How one picture sees the object.

    Attributes:
        azimuth_deg: In [0, 360) (sightline.geometry.viewpoint).
        elevation_deg: In degrees.
        tilt_deg: In degrees.
        distance: Of the camera from the box's centre, in diagonals.
        focal_px: Focal length in pixels.
        centre: Where the box's centre is seen, which is the principal point; pixels from the edge.
    """

    azimuth_deg: float
    elevation_deg: float
    tilt_deg: float
    distance: float
    focal_px: float
    centre: tuple[float, float]

    @property
    def cam_from_object(self) -> Array:
        """(4,) ``wxyz``."""
        angles = np.radians([self.azimuth_deg, self.elevation_deg, self.tilt_deg])
        return cam_from_object(*angles)

    @property
    def world_from_cam(self) -> Pose:
        """The camera's pose in the object's axes."""
        rotation = rotation_from_wxyz(self.cam_from_object)
        return Pose.from_rotation(rotation, np.array([0.0, 0.0, self.distance])).inverse()

    def camera(self, px: int, times: int = 1) -> Camera:
        """Return the camera of a square picture, ``times`` as fine."""
        cx, cy = (times * c - 0.5 for c in self.centre)
        focal, side = times * self.focal_px, times * px
        return Camera("PINHOLE", side, side, (focal, focal, cx, cy))

    def project(self, points: Array) -> Array:
        """Return (N, 2) pixels, from the edge, of (N, 3) points of the object."""
        rays = _rays(points, self.cam_from_object, self.distance)
        seen: Array = self.focal_px * rays + np.asarray(self.centre)
        return seen


def draw_pose(
    rng: np.random.Generator, category: str, model: ObjectModel, px: int, *, whole_degrees: bool
) -> ObjectPose:
    """Return a pose that sees the whole object in a picture of ``px`` pixels each way.

    Args:
        rng: All chance of it.
        category: Says from how low and how high, and whether the azimuth is told at all.
        model: The object.
        px: Width and height of the picture.
        whole_degrees: Round the angles, for file names that say them.
    """
    fold = SYMMETRY.get(category, 1)
    azimuth = 0.0
    if fold:
        # Of equal fronts the nearest to the camera is the front.
        azimuth = float(rng.uniform(-180 / fold, 180 / fold))
    elevation = float(rng.uniform(*KINDS[category].elevation_deg))
    tilt = float(np.clip(rng.normal(0, TILT_SIGMA_DEG), -MOST_TILT_DEG, MOST_TILT_DEG))
    if whole_degrees:
        azimuth, elevation, tilt = (float(round(angle)) for angle in (azimuth, elevation, tilt))
        azimuth = -90.0 if fold == 2 and azimuth == 90.0 else azimuth
    azimuth %= 360.0
    # Even in 1 / distance, which is what changes the picture.
    distance = 1 / float(rng.uniform(1 / DISTANCES[1], 1 / DISTANCES[0]))
    turn = cam_from_object(*np.radians([azimuth, elevation, tilt]))
    rays = _rays(model.vertices[:, :3].astype(np.float64), turn, distance)
    low, high = rays.min(axis=0), rays.max(axis=0)
    focal = float(rng.uniform(*SHARES)) * px / float((high - low).max())
    room = px - 2 * _MARGIN_PX - focal * (high - low)
    x, y = _MARGIN_PX + rng.uniform(0, 1, 2) * room - focal * low
    return ObjectPose(azimuth, elevation, tilt, distance, focal, (float(x), float(y)))


def _rays(points: Array, turn: Array, distance: float) -> Array:
    seen = points @ rotation_from_wxyz(turn).as_matrix().T
    rays: Array = seen[:, :2] / (seen[:, 2:] + distance)
    return rays
