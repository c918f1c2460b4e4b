"""What every depth network is: images in, depth or disparity of every pixel and features out."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sightline.errors import InputError
from sightline.learning.backbones import InputContract
from sightline.records.depth import Quantity


@dataclass
class DepthOut:
    """What a network says of N images.

    Attributes:
        prediction: (N, H, W) float32: disparity, at least 0 and of any scale and shift, or z-depth
            in metres.
        features: (N, C, h, w) float32 the encoder's last map, for the alignment loss.
    """

    prediction: Tensor
    features: Tensor


class DepthNet(nn.Module):
    """An encoder, a decoder and one number a pixel that grows towards the camera.

    That number becomes disparity by softplus. Depth Anything takes a ReLU there; where the number
    starts below zero everywhere, as half of all first weights have it, a ReLU has no gradient and
    the network never learns, and the affine-invariant loss does nothing to prevent it. Softplus is
    nowhere flat, and is the ReLU where the number is large.

    A metric network says ``max_depth_m * sigmoid(-number)``: Depth Anything's metric head, with
    the sign turned, so that the weights of a relative network already order near and far when
    metric fine-tuning starts from them.

    Attributes:
        contract: What the images must be.
        multiple: Width and height are multiples of it.
        feature_channels: C of the features.
        max_depth_m: The farthest that a metric network says; None where it predicts disparity.
        precision: What training computes encoder and decoder in; the rest is float32.
        weights_from: Where the encoder's first weights came from, in words.
    """

    def __init__(
        self,
        contract: InputContract,
        *,
        multiple: int,
        feature_channels: int,
        max_depth_m: float | None,
    ) -> None:
        super().__init__()
        self.contract = contract
        self.multiple = multiple
        self.feature_channels = feature_channels
        self.max_depth_m = max_depth_m
        self.precision = torch.float32
        self.weights_from = "none: trained from scratch"

    @property
    def quantity(self) -> Quantity:
        """What it predicts."""
        return "disparity" if self.max_depth_m is None else "depth"

    def forward(self, images: Tensor) -> DepthOut:
        """Return what the network says of images.

        Args:
            images: (N, 3, H, W) normalised.

        Raises:
            InputError: Width or height is no multiple of :attr:`multiple`.
        """
        height, width = images.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise InputError(
                f"images of a width and height in multiples of {self.multiple} are wanted, "
                f"{width} x {height} came"
            )
        with self._autocast(images):
            decoded, features = self.decode(images.contiguous(memory_format=torch.channels_last))
        nearness = self.nearness(decoded.float(), (height, width))
        return DepthOut(self._prediction(nearness), features.float())

    def decode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the decoder and what the encoder's last stage say of normalised images."""
        raise NotImplementedError

    def nearness(self, decoded: Tensor, size: tuple[int, int]) -> Tensor:
        """Return (N, H, W) numbers that grow towards the camera."""
        raise NotImplementedError

    def parameter_count(self) -> int:
        """Return how many parameters there are."""
        return sum(p.numel() for p in self.parameters())

    def _prediction(self, nearness: Tensor) -> Tensor:
        if self.max_depth_m is None:
            return nn.functional.softplus(nearness)
        # the smallest float32 that a sigmoid still tells from 0: a depth is never 0, "unknown"
        return self.max_depth_m * torch.sigmoid(-nearness).clamp(min=1e-6)

    def _autocast(self, images: Tensor) -> AbstractContextManager[object]:
        if self.precision is torch.float32 or not self.training:
            return nullcontext()
        return torch.autocast(images.device.type, self.precision)
