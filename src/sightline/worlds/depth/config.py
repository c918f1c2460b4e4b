"""What the rendered depth set is made of; one seed gives one set of places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sightline.errors import InputError

Kind = Literal["room", "desk", "corridor", "street"]

#: Scenes take these kinds in turn: most are rooms, as most pictures with measured depth are.
KINDS: tuple[Kind, ...] = (
    "room", "desk", "street", "room", "corridor", "room", "desk", "street", "room", "room",
)  # fmt: skip


@dataclass(frozen=True)
class DepthWorldConfig:
    """Photos of many rooms, desks, corridors and streets with exact depth."""

    scenes: int = 2000
    """How many scenes."""
    kinds: tuple[Kind, ...] = KINDS
    """What the scenes are, in turn; not given, of ten: five rooms, two desks, a corridor, two
    streets."""
    views_per_scene: int = 6
    """Photos of each scene, each from another place, with another lens and exposure."""
    image_width: int = 256
    """Width of the photos, in pixels."""
    image_height: int = 192
    """Height of the photos, in pixels."""
    min_fov_deg: float = 38.0
    """Narrowest horizontal field of view, in degrees."""
    max_fov_deg: float = 85.0
    """Widest horizontal field of view, in degrees."""
    validation_share: float = 0.1
    """Share of the scenes of each kind whose photos are for validation."""
    test_share: float = 0.1
    """Share of the scenes of each kind whose photos are for the test."""
    noise: float = 8.0
    """Standard deviation of the sensor noise at most, in grey levels; most photos have less."""
    seed: int = 0
    """The one seed of geometry, textures, lights, views, splits and sensor noise."""

    def __post_init__(self) -> None:
        if self.seed < 0 or min(self.scenes, self.views_per_scene) < 1:
            raise InputError(
                "a seed of 0 or more and one scene or more of one view or more are wanted, seed "
                f"{self.seed}, {self.scenes} scenes, {self.views_per_scene} views came"
            )
        if not self.kinds:
            raise InputError("a kind of scene or more is wanted, none came; try `--kinds room`")
        if min(self.image_width, self.image_height) < 32:
            raise InputError(
                "photos of 32 pixels or more each way are wanted, "
                f"{self.image_width}x{self.image_height} came"
            )
        if not 20 <= self.min_fov_deg <= self.max_fov_deg <= 110:
            raise InputError(
                "fields of view of 20 to 110 degrees, the narrowest first, are wanted, "
                f"{self.min_fov_deg:g} and {self.max_fov_deg:g} came"
            )
        shares = (self.validation_share, self.test_share)
        if min(shares) < 0 or sum(shares) >= 1 or self.noise < 0:
            raise InputError(
                "shares of 0 or more that leave some scenes to train on, and noise of 0 or more "
                f"are wanted, {shares} and {self.noise:g} came"
            )
