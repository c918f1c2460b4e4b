"""Feature alignment: the student's encoder keeps what a frozen encoder sees (Eq. 1).

The method compares the student's features with DINOv2's of equal dimension. Where the dimensions
differ, as of a small encoder and DINOv2's, a linear map of the student's features is learned with
it and thrown away afterwards: the student's features must then hold the frozen ones up to a linear
map. Where the maps differ in size, both are averaged to the coarser grid.

Each network has its own normalisation; the frozen one stays in eval mode (PITFALLS 12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.tasks.depth.loss import feature_alignment

if TYPE_CHECKING:
    from sightline.tasks.depth.encoders import FrozenEncoder


class FeatureAlignment:
    """The loss term of a frozen encoder.

    It is no module: what it holds of the frozen encoder is neither trained, nor averaged, nor
    written into checkpoints.
    """

    def __init__(self, encoder: FrozenEncoder, channels: int, margin: float) -> None:
        """Make the projection where it takes one.

        Args:
            encoder: Frozen, in eval mode.
            channels: Of the student's features.
            margin: Places whose cosine is above this are left alone; 0 = none.
        """
        self._encoder = encoder
        self._margin = margin
        self.projection: nn.Module = nn.Identity()
        if encoder.channels != channels:
            self.projection = nn.Conv2d(channels, encoder.channels, 1, bias=False)

    @property
    def name(self) -> str:
        """The frozen encoder's name, and whether a projection lies between."""
        linear = isinstance(self.projection, nn.Conv2d)
        return f"{self._encoder.name}{', through a learned linear map' if linear else ''}"

    def loss(self, features: Tensor, images: Tensor) -> Tensor:
        """Return the alignment loss of images.

        Args:
            features: (N, C, h, w) of the student.
            images: (N, 3, H, W) of 0 to 255: the very pixels that the student saw.
        """
        self._encoder.to(images.device)
        with torch.no_grad():
            frozen = self._encoder(self._encoder.contract.normalise(images)).float()
        height = min(features.shape[-2], frozen.shape[-2])
        grid = height, min(features.shape[-1], frozen.shape[-1])
        seen = functional.adaptive_avg_pool2d(features.float(), grid)
        return feature_alignment(
            self.projection(seen), functional.adaptive_avg_pool2d(frozen, grid), self._margin
        )
