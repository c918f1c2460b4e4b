"""What alignment needs to know of a reconstruction, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array

#: Prefix that tells a map point from a frame wherever both may be named: ``p:123``.
POINT_PREFIX = "p:"


@dataclass(frozen=True, eq=False)
class MapGeometry:
    """A reconstruction in its own frame (the map).

    Attributes:
        images: N frame names in the order they were taken.
        map_from_cam: (N,) camera poses.
        point_ids: (P,) COLMAP's point3D ids.
        points: (P, 3) the sparse points, in the map's unit.
    """

    images: tuple[str, ...]
    map_from_cam: Pose
    point_ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    points: Array = field(default_factory=lambda: np.zeros((0, 3)))

    def __post_init__(self) -> None:
        if self.map_from_cam.shape != (len(self.images),):
            raise InputError(
                f"one pose for each of {len(self.images)} frames is wanted, a batch of shape "
                f"{self.map_from_cam.shape} came"
            )
        if self.points.shape != (len(self.point_ids), 3):
            raise InputError(
                f"one point for each of {len(self.point_ids)} ids is wanted, {self.points.shape} "
                "came"
            )

    @property
    def centres(self) -> Array:
        """(N, 3) camera centres in the map."""
        return self.map_from_cam.translation

    def frame_centre(self, image: str) -> Array:
        """Return the (3,) camera centre of a frame.

        Raises:
            InputError: The frame is not in the map.
        """
        try:
            index = self.images.index(image)
        except ValueError as error:
            raise InputError(
                f"a registered frame is wanted, {image!r} came; frames are named like "
                f"{self.images[0] if self.images else '0000.jpg'} (see poses.csv)"
            ) from error
        centre: Array = self.centres[index]
        return centre

    def point(self, point_id: int) -> Array:
        """Return the (3,) position of a map point.

        Raises:
            InputError: There is no point of that id.
        """
        found = np.flatnonzero(self.point_ids == point_id)
        if not len(found):
            raise InputError(
                f"a point3D id of the map is wanted, {point_id} came; the map has "
                f"{len(self.point_ids)} points (see points.csv)"
            )
        position: Array = self.points[found[0]]
        return position

    def locate(self, name: str) -> Array:
        """Return the (3,) map position of a frame's centre or of a point named ``p:ID``.

        Raises:
            InputError: The name is neither.
        """
        if not name.startswith(POINT_PREFIX):
            return self.frame_centre(name)
        number = name.removeprefix(POINT_PREFIX)
        if not number.isdecimal():
            raise InputError(
                f"a map point named {POINT_PREFIX}ID, like p:123, is wanted, {name!r} came"
            )
        return self.point(int(number))
