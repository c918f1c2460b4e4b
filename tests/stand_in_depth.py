"""Depth models whose answers are known in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.records.depth import Quantity
from sightline.tasks.depth.maps import DepthMap, Unit

Image = NDArray[np.uint8]


def red_is_near(image: Image) -> NDArray[np.float64]:
    """1 for black, 2 for full red."""
    return 1.0 + image[..., 0] / 255.0


@dataclass(frozen=True, eq=False)
class StandIn:
    """Says what a function of the picture says.

    Attributes:
        say: ``image -> (H, W)``.
        quantity: Of what it says.
        unit: Of what it says.
    """

    say: Callable[[Image], NDArray[np.float64]] = red_is_near
    quantity: Quantity = "disparity"
    unit: Unit = "relative"
    name: str = "stand-in"
    digest: str = "0123456789abcdef"

    def predict(self, images: Sequence[Image]) -> list[DepthMap]:
        """Return the function's maps."""
        return [
            DepthMap(np.asarray(self.say(image), np.float32), self.quantity, self.unit)
            for image in images
        ]


def ramp_picture(width: int = 80, height: int = 60) -> Image:
    """Red grows to the right, green downwards."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, np.full_like(x, 40)], axis=-1).round().astype(np.uint8)
