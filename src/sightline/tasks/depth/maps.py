"""What a depth model says of a picture; imports without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.records.depth import Quantity

Unit = Literal["m", "relative"]


@dataclass(frozen=True, eq=False)
class DepthMap:
    """Depth of every pixel of one picture.

    Attributes:
        values: (H, W) float32, of the picture's own size. Of the quantity ``depth``: z-depth in
            ``unit``; of ``disparity``: inverse depth, which grows towards the camera, up to scale
            and shift where the unit is ``relative`` and in 1/m where it is ``m``. NaN where
            nothing is known.
        quantity: ``depth`` or ``disparity``.
        unit: ``m`` where it is metric, else ``relative``.
    """

    values: NDArray[np.float32]
    quantity: Quantity
    unit: Unit


class DepthModel(Protocol):
    """Anything that says how far the pixels of pictures are."""

    @property
    def name(self) -> str:
        """What tables and files call it."""

    @property
    def digest(self) -> str:
        """A short digest of its weights and settings: what it predicts depends on nothing else."""

    @property
    def quantity(self) -> Quantity:
        """What it predicts."""

    @property
    def unit(self) -> Unit:
        """In which unit."""

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[DepthMap]:
        """Return the maps of upright uint8 (H, W, 3) RGB pictures, of any sizes."""


def predict_each(model: DepthModel, images: Sequence[NDArray[np.uint8]]) -> list[DepthMap | str]:
    """Return the maps of pictures; of those that the model refuses, why: the others go on.

    Args:
        model: Sees all of them at once, or, where it refuses, one by one.
        images: uint8 (H, W, 3) RGB.
    """
    try:
        return list(model.predict(images)) if images else []
    except SightlineError as error:
        if len(images) == 1:
            return [str(error)]
        return [answer for image in images for answer in predict_each(model, [image])]
