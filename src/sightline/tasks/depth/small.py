"""A convolutional encoder and decoder of a few million parameters, for a processor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import CatalogError
from sightline.learning.backbones import InputContract
from sightline.learning.resnet import STAGES, create_resnet, load_resnet, resnet_weights
from sightline.learning.torchvision_compat import import_torchvision
from sightline.tasks.depth.network import DepthNet

#: Channels of the decoder at 1/16, 1/8, 1/4 and 1/2 of the image, at the width 1.
_DECODER = (256, 192, 128, 64)

#: The decoder's last stride times its half: what a side must be for its maps to halve evenly.
_MULTIPLE = 16


class SmallNet(DepthNet):
    """A ResNet of basic blocks, and a decoder that adds each of its maps to the coarser ones.

    The decoder is DPT's in small: a map from below is projected, doubled in size and added to the
    projected map of the encoder, and a convolution follows. It works at half the image's size: the
    full size would cost as much again as all the rest, and the answer is smooth but at edges. What
    the whole picture says (its mean features) is added at the coarsest map, because the depth of a
    wall tells how large the room is.

    Args:
        encoder: ``resnet18`` or ``resnet34``.
        width: Channels over the encoder's own.
        contract: What the images must be.
        max_depth_m: None for disparity.
        weights: ``none``, ``imagenet`` or a FILE.

    Raises:
        CatalogError: No such encoder, or not one of basic blocks.
        WeightsError: The weights cannot be had, or do not fit.
    """

    def __init__(
        self,
        encoder: str,
        width: float,
        contract: InputContract,
        max_depth_m: float | None,
        weights: str,
    ) -> None:
        net = _basic_resnet(encoder, width)
        state, origin = resnet_weights(encoder, weights)
        load_resnet(net, encoder, state, origin)
        stem = int(net.get_submodule("conv1").out_channels)  # type: ignore[arg-type]
        channels = [_channels(net.get_submodule(stage)) for stage in STAGES]
        super().__init__(
            contract, multiple=_MULTIPLE, feature_channels=channels[-1], max_depth_m=max_depth_m
        )
        self.weights_from = origin
        self.encoder = net
        decoder = [max(8, round(c * width / 8) * 8) for c in _DECODER]
        self.context = GlobalContext(channels[-1])
        skips = [*reversed(channels[:-1]), stem]
        before = [channels[-1], *decoder[:-1]]
        self.fusions = nn.ModuleList(
            Fusion(b, s, d) for b, s, d in zip(before, skips, decoder, strict=True)
        )
        self.head = nn.Conv2d(decoder[-1], 1, 3, padding=1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def decode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the decoder's map at half the image's size, and the encoder's last."""
        net: Any = self.encoder
        maps = [net.relu(net.bn1(net.conv1(images)))]
        x = net.maxpool(maps[0])
        for stage in STAGES:
            x = net.get_submodule(stage)(x)
            maps.append(x)
        decoded = self.context(x)
        for fusion, skip in zip(self.fusions, reversed(maps[:-1]), strict=True):
            decoded = fusion(decoded, skip)
        return decoded, x

    def nearness(self, decoded: Tensor, size: tuple[int, int]) -> Tensor:
        """Return (N, H, W) numbers that grow towards the camera."""
        half: Tensor = self.head(decoded)
        return _resized(half, size)[:, 0]


class GlobalContext(nn.Module):
    """Adds what the whole picture says to every place of a map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the shape of (N, C, h, w)."""
        mean: Tensor = self.mean(x.mean(dim=(2, 3)))
        return x + mean[:, :, None, None]


class Fusion(nn.Module):
    """A coarse map joined with the encoder's finer one.

    Args:
        before: Channels of the coarse map.
        skip: Channels of the encoder's.
        after: Channels that come back.
    """

    def __init__(self, before: int, skip: int, after: int) -> None:
        super().__init__()
        self.coarse = nn.Conv2d(before, after, 1, bias=False)
        self.fine = nn.Conv2d(skip, after, 1, bias=False)
        self.joined = nn.Sequential(nn.BatchNorm2d(after), nn.ReLU(inplace=True))
        self.convolution = nn.Sequential(
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return (N, after, h, w) of (N, before, h / 2, w / 2) and (N, skip, h, w)."""
        # projected before it is enlarged: a quarter of the work
        coarse = _resized(self.coarse(x), (skip.shape[-2], skip.shape[-1]))
        joined: Tensor = self.joined(coarse + self.fine(skip))
        out: Tensor = self.convolution(joined)
        return out


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _basic_resnet(name: str, width: float) -> nn.Module:
    net = create_resnet(name, width)
    basic: Any = import_torchvision().models.resnet.BasicBlock
    if not isinstance(net.get_submodule("layer1.0"), basic):
        raise CatalogError(
            f"an encoder of basic blocks is wanted, {name} is made of bottlenecks; take "
            "`--encoder resnet18` or resnet34"
        )
    return net


def _channels(stage: nn.Module) -> int:
    return [m for m in stage.modules() if isinstance(m, nn.BatchNorm2d)][-1].num_features
