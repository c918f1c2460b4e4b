"""The utility network: a classifier's features, and one linear layer for useless and useful."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from sightline.errors import CatalogError
from sightline.learning.backbones import InputContract, create_backbone
from sightline.learning.resnet import create_resnet, load_resnet, resnet_names, resnet_weights
from sightline.tasks.utility.config import UtilityConfig

#: Outputs of the network: useless, useful.
CLASSES = 2


class UtilityNet(nn.Module):
    """Says of frames how far they are of use; paper 004, Sec. IV-C: a ResNet-18 with two outputs.

    Attributes:
        contract: What the frames must be.
        weights_from: Where its first weights came from, in words.
        precision: What training computes the features in.
    """

    def __init__(self, features: nn.Module, length: int, frame_px: int, weights_from: str) -> None:
        """Take a feature extractor.

        Args:
            features: (N, 3, H, W) normalised frames to (N, ``length``).
            length: Of a feature vector.
            frame_px: Width and height of the frames.
            weights_from: Where its weights came from, in words.
        """
        super().__init__()
        self.features = features.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.classifier = nn.Linear(length, CLASSES)
        self.contract = InputContract(frame_px, frame_px)
        self.weights_from = weights_from
        self.precision = torch.float32

    def forward(self, frames: Tensor) -> Tensor:
        """Return (N, 2) float32 logits of useless and useful.

        Args:
            frames: (N, 3, frame_px, frame_px) uint8, or float of 0 to 255.
        """
        images = self.contract.normalise(frames).contiguous(memory_format=torch.channels_last)
        with self._autocast(images):
            vectors: Tensor = self.features(images)
        logits: Tensor = self.classifier(vectors.float())
        return logits

    def parameter_count(self) -> int:
        """Return how many parameters there are."""
        return sum(p.numel() for p in self.parameters())

    def _autocast(self, images: Tensor) -> AbstractContextManager[object]:
        if self.precision is torch.float32 or not self.training:
            return nullcontext()
        return torch.autocast(images.device.type, self.precision)


def create_model(config: UtilityConfig, weights: str | None = None) -> UtilityNet:
    """Return the network of a configuration.

    Args:
        config: What to make.
        weights: Instead of the configuration's: ``none`` where a checkpoint is loaded next.

    Raises:
        CatalogError: No such backbone, or not of this width.
        WeightsError: The weights cannot be had, or do not fit.
    """
    start = config.weights if weights is None else weights
    if config.backbone in resnet_names():
        net = create_resnet(config.backbone, config.width)
        state, origin = resnet_weights(config.backbone, start)
        load_resnet(net, config.backbone, state, origin)
        return UtilityNet(net, _length(net, config.frame_px), config.frame_px, origin)
    if config.width != 1.0:
        raise CatalogError(
            f"{config.backbone} has the width 1 alone, {config.width:g} came; pass `--width 1`, or "
            "take resnet18 or resnet34, which have any"
        )
    side = config.frame_px
    backbone = create_backbone(config.backbone, weights=start, width=side, height=side)
    return UtilityNet(backbone, backbone.features, side, backbone.weights_from)


def _length(net: nn.Module, frame_px: int) -> int:
    """Return the length of a network's feature vectors."""
    net.eval()
    with torch.no_grad():
        return int(net(torch.zeros(1, 3, frame_px, frame_px)).shape[1])
