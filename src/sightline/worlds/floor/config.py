"""What a rendered floor is made of; one seed gives one building."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sightline.errors import InputError
from sightline.geometry import Camera


@dataclass(frozen=True)
class FloorConfig:
    """A ring corridor around an island of rooms, walked twice."""

    seed: int = 0
    """The one seed of geometry, textures, lights, walks and sensor noise."""
    width_m: float = 14.0
    """Outer length of the ring along x, in metres."""
    depth_m: float = 9.0
    """Outer length of the ring along y, in metres."""
    corridor_m: float = 2.2
    """Width of the corridor, in metres."""
    height_m: float = 2.8
    """Height of the ceiling, in metres."""
    wall_m: float = 0.14
    """Thickness of the walls, in metres."""
    body_radius_m: float = 0.25
    """How near to walls and furniture a person's middle can come, in metres."""
    image_width: int = 480
    """Width of the upright (portrait) frames, in pixels."""
    image_height: int = 640
    """Height of the upright frames, in pixels."""
    horizontal_fov_deg: float = 58.0
    """Horizontal field of view of the upright frames, in degrees."""
    loops: float = 1.08
    """How many times the mapping walk goes round; above 1 its end sees its start again."""
    speed_m_s: float = 1.15
    """Walking speed on the straights, in metres a second; turns are walked slower."""
    video_fps: float = 15.0
    """Frames a second of the mapping walk's video."""
    shutter_s: float = 1.0 / 90.0
    """Exposure time, which makes the motion blur, in seconds."""
    blur_samples: int = 3
    """Renderings averaged into one video frame."""
    noise: float = 2.0
    """Standard deviation of the sensor noise, in grey levels."""
    second_frames: int = 60
    """Photos of the second walk, spread over one loop."""
    plan_px_per_m: float = 50.0
    """Scale of the floor plan, in pixels a metre."""
    people: int = 0
    """People in the mapping walk's video, in turns ahead of the camera and coming towards it; exact
    masks of them are written beside it."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"a seed of 0 or more is wanted, {self.seed} came")
        island = min(self.width_m - 8.5, self.depth_m - 4.2) - 2 * self.corridor_m
        if self.corridor_m < 2.0 or island < 0 or self.height_m < 2.5:
            raise InputError(
                "a corridor of 2.0 m or more, a ceiling of 2.5 m or more and an island of at least "
                f"8.5 x 4.2 m inside the ring are wanted; {self.width_m:g} x {self.depth_m:g} m, "
                f"corridor {self.corridor_m:g} m, ceiling {self.height_m:g} m came"
            )
        if not 0.0 < self.body_radius_m <= 0.3:
            raise InputError(
                f"a body radius in (0, 0.3] m is wanted, {self.body_radius_m:g} m came"
            )
        positive = (self.speed_m_s, self.video_fps, self.plan_px_per_m, self.loops, self.wall_m)
        if min(positive) <= 0 or min(self.blur_samples, self.second_frames) < 1:
            raise InputError(
                "speed, frame rate, plan scale, loops, wall thickness, blur samples and second "
                f"frames above 0 are wanted, {self} came"
            )
        if self.people < 0:
            raise InputError(f"0 or more people are wanted, {self.people} came")
        if self.shutter_s < 0 or self.noise < 0 or not 10 <= self.horizontal_fov_deg <= 120:
            raise InputError(
                "a shutter time and noise of 0 or more and a field of view of 10 to 120 degrees "
                f"are wanted, {self.shutter_s:g} s, {self.noise:g}, "
                f"{self.horizontal_fov_deg:g} degrees came"
            )

    @property
    def camera(self) -> Camera:
        """The pinhole camera of the upright frames."""
        width, height = self.image_width, self.image_height
        focal = width / 2 / math.tan(math.radians(self.horizontal_fov_deg) / 2)
        return Camera("SIMPLE_PINHOLE", width, height, (focal, (width - 1) / 2, (height - 1) / 2))
