"""What the rendered objects are made of; one seed gives one set of shapes and pictures."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.errors import InputError

#: Rendered images at most for each training shape of the twelve categories, 2,000 of each: their
#: names, of whole degrees, have to differ, and bottles, which have no azimuth, have fewest.
_MOST_RENDERED = 24_000


@dataclass(frozen=True)
class ObjectsWorldConfig:
    """Pictures of objects of twelve categories, in PASCAL3D+'s layout, split by shape."""

    instances: int = 140
    """How many shapes of each category."""
    views_per_instance: int = 12
    """Pictures of each shape."""
    image_px: int = 128
    """Width and height of the pictures, in pixels."""
    validation_share: float = 0.06
    """Share of the shapes whose pictures are for validation."""
    test_share: float = 0.14
    """Share of the shapes whose pictures are for the test."""
    rendered_images: int = 0
    """So many more, cleaner pictures of training shapes, as Su et al.'s rendered set."""
    noise: float = 3.0
    """Standard deviation of the sensor noise at most, in grey levels."""
    seed: int = 0
    """The one seed of shapes, colours, lights, backgrounds, views and splits."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"a seed of 0 or more is wanted, {self.seed} came")
        if self.instances < 1 or self.views_per_instance < 1 or self.rendered_images < 0:
            raise InputError(
                "one shape or more with one view or more, and 0 rendered images or more, are "
                f"wanted; {self.instances} instances, {self.views_per_instance} views, "
                f"{self.rendered_images} rendered images came"
            )
        if not 32 <= self.image_px <= 1024:
            raise InputError(f"pictures of 32 to 1024 pixels are wanted, {self.image_px} came")
        shares = (self.validation_share, self.test_share)
        if min(shares) < 0 or self.train_instances < 1 or self.noise < 0:
            raise InputError(
                "shares of 0 or more that leave some shapes to train on, and noise of 0 or more "
                f"are wanted; {shares} of {self.instances} and {self.noise:g} came"
            )
        most = _MOST_RENDERED * self.train_instances
        if self.rendered_images > most:
            raise InputError(
                f"{most} rendered images or fewer of {self.train_instances} training shapes of "
                f"each category are wanted, {self.rendered_images} came; take more instances"
            )

    @property
    def validation_instances(self) -> int:
        """Shapes of each category for validation."""
        return round(self.validation_share * self.instances)

    @property
    def test_instances(self) -> int:
        """Shapes of each category for the test."""
        return round(self.test_share * self.instances)

    @property
    def train_instances(self) -> int:
        """Shapes of each category to train on."""
        return self.instances - self.validation_instances - self.test_instances
