"""What the rendered pair set is made of; one seed gives one set of rooms."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sightline.errors import InputError
from sightline.geometry import Camera


@dataclass(frozen=True)
class RoomsConfig:
    """Image pairs of many small rooms and of objects on tables, half each."""

    rooms: int = 240
    """How many scenes: even ones are furnished rooms, odd ones objects on a table."""
    views_per_room: int = 24
    """Photos of each scene."""
    pairs_per_room: int = 72
    """Pairs of each scene at most; fewer where fewer overlap as wanted."""
    image_width: int = 431
    """Width of the photos, in pixels."""
    image_height: int = 323
    """Height of the photos, in pixels."""
    fov_deg: float = 60.0
    """Horizontal field of view, in degrees."""
    min_overlap: float = 0.15
    """Pairs see at least this share of each other's view."""
    max_overlap: float = 0.95
    """Pairs see at most this share of each other's view."""
    validation_share: float = 0.1
    """Share of the scenes whose pairs are for validation."""
    test_share: float = 0.15
    """Share of the scenes whose pairs are for the test."""
    plain_share: float = 0.15
    """Share of the scenes with little texture, where matching fails."""
    noise: float = 2.0
    """Standard deviation of the sensor noise, in grey levels."""
    seed: int = 0
    """The one seed of geometry, textures, lights, views, pairs, splits and sensor noise."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"a seed of 0 or more is wanted, {self.seed} came")
        if min(self.rooms, self.pairs_per_room) < 1 or self.views_per_room < 2:
            raise InputError(
                "one room or more with two views or more and one pair or more are wanted, "
                f"{self.rooms} rooms, {self.views_per_room} views, {self.pairs_per_room} pairs came"
            )
        if min(self.image_width, self.image_height) < 32 or not 20 <= self.fov_deg <= 110:
            raise InputError(
                "photos of 32 pixels or more each way and a field of view of 20 to 110 degrees are "
                f"wanted, {self.image_width}x{self.image_height} and {self.fov_deg:g} degrees came"
            )
        if not 0 <= self.min_overlap < self.max_overlap <= 1:
            raise InputError(
                "0 <= minimum overlap < maximum overlap <= 1 is wanted, "
                f"{self.min_overlap:g} and {self.max_overlap:g} came"
            )
        shares = (self.validation_share, self.test_share, self.plain_share)
        if min(shares) < 0 or max(shares) > 1 or sum(shares[:2]) >= 1 or self.noise < 0:
            raise InputError(
                "shares in [0, 1] that leave some rooms to train on, and noise of 0 or more are "
                f"wanted, {shares} and {self.noise:g} came"
            )

    @property
    def camera(self) -> Camera:
        """The pinhole camera of all photos."""
        width, height = self.image_width, self.image_height
        focal = width / 2 / math.tan(math.radians(self.fov_deg) / 2)
        return Camera("PINHOLE", width, height, (focal, focal, (width - 1) / 2, (height - 1) / 2))
