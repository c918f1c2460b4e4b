"""What classifiers and detectors share: maps of a picture at strides of 8 and 16 pixels."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import WeightsError
from sightline.learning.backbones import load_strictly, read_state
from sightline.learning.resnet import STAGES, STEM, create_resnet, resnet_weights
from sightline.learning.torchvision_compat import import_torchvision

#: Width of the ResNet trunk: that of the package's objects network, from which it may start.
_RESNET_WIDTH = 0.5

#: Where a trunk's tensors stand in a network's.
_BODY = "body."


class Trunk(nn.Module):
    """The first layers of a classifier; it may run in fewer bits than what stands on it.

    Attributes:
        body: The layers, in order.
        channels: Of the two maps.
        precision: Arithmetic of the forward pass; maps come back in float32.
    """

    def __init__(self, name: str, body: nn.Sequential, near: int, channels: tuple[int, int]):
        """Take the layers.

        Args:
            name: Of the family.
            body: The layers up to stride 16.
            near: How many of them end at stride 8.
            channels: Of the maps at strides 8 and 16.
        """
        super().__init__()
        self.name = name
        self.body = body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.channels = channels
        self.precision = torch.float32
        self._near = near

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps at strides 8 and 16 of (N, 3, S, S) normalised frames."""
        bits = self.precision
        with torch.autocast(frames.device.type, bits, enabled=bits != torch.float32):
            frames = frames.contiguous(memory_format=torch.channels_last)
            near = self.body[: self._near](frames)
            far = self.body[self._near :](near)
        return near.float(), far.float()

    def start_from(self, path: Path) -> None:
        """Take the weights of the same layers in another network.

        Args:
            path: Weights of a small machine on the same trunk; for the ResNet also a run of the
                objects task, or any file with such a ResNet in it.

        Raises:
            WeightsError: There is no such file, or it holds no such layers.
        """
        state = read_state(path)
        own = {key.split(_BODY, 1)[1]: v for key, v in state.items() if _BODY in key}
        if not own and self.name == "resnet":
            whole = resnet_weights("resnet18", str(path))[0] or {}
            own = {key: value for key, value in whole.items() if not key.startswith(STAGES[3])}
        if not own:
            raise WeightsError(f"{path}: a network on a trunk {self.name} is wanted, it has none")
        load_strictly(self.body, f"a trunk {self.name}", own, str(path))


class Pyramid(nn.Module):
    """A trunk as torchvision's detectors want backbones: maps by name.

    Attributes:
        trunk: What makes the maps.
        out_channels: Of all maps, or a list of each one's where they differ.
    """

    def __init__(self, trunk: Trunk, merged: int = 0) -> None:
        """Take a trunk.

        Args:
            trunk: What makes the maps.
            merged: Bring the maps to so many channels and add the deeper one to the other, as a
                feature pyramid does (Lin et al. 2017); 0 leaves them as they are.
        """
        super().__init__()
        self.trunk = trunk
        self.merge: nn.Module | None = None
        self.out_channels: int | list[int] = list(trunk.channels)
        if merged:
            ops: Any = import_torchvision().ops
            self.merge = ops.FeaturePyramidNetwork(list(trunk.channels), merged)
            self.out_channels = merged

    def forward(self, frames: Tensor) -> dict[str, Tensor]:
        """Return the two maps of (N, 3, S, S) normalised frames."""
        near, far = self.trunk(frames)
        maps = OrderedDict([("0", near), ("1", far)])
        if self.merge is not None:
            maps = self.merge(maps)
        return maps


class TrunkClassifier(nn.Module):
    """A trunk and a linear classifier on its last map."""

    def __init__(self, trunk: Trunk, categories: int, cells: int) -> None:
        """Take a trunk.

        Args:
            trunk: What makes the map.
            categories: Outputs.
            cells: The map is averaged to so many cells on each side.
        """
        super().__init__()
        self.trunk = trunk
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(cells),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(cells * cells * trunk.channels[1], categories),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Return (N, C) logits of (N, 3, S, S) normalised frames."""
        logits: Tensor = self.head(self.trunk(frames)[1])
        return logits


def resnet_trunk() -> Trunk:
    """Return ResNet-18 of half its width up to its fourth stage."""
    net = create_resnet("resnet18", width=_RESNET_WIDTH)
    names = (*STEM, *STAGES[:3])
    body = nn.Sequential(OrderedDict((name, net.get_submodule(name)) for name in names))
    return Trunk("resnet", body, names.index("layer3"), (64, 128))


def plain_trunk() -> Trunk:
    """Return plain convolutions with batch norm, as VGG has them."""
    layers: Any = import_torchvision().models.vgg.make_layers
    near: list[int | str] = [16, "M", 32, 32, "M", 64, 64, "M"]
    body = layers([*near, 128, 128, "M"], batch_norm=True)
    # a convolution is three modules, a pool is one
    return Trunk("plain", body, sum(1 if size == "M" else 3 for size in near), (64, 128))


def mobilenet_trunk() -> Trunk:
    """Return MobileNetV3-small of three quarters of its width, up to stride 16."""
    net: Any = import_torchvision().models.mobilenet_v3_small(
        weights=None, width_mult=0.75, norm_layer=nn.BatchNorm2d
    )
    body = net.features[:9]
    channels = (int(body[3].out_channels), int(body[8].out_channels))
    return Trunk("mobilenet", body, 4, channels)
