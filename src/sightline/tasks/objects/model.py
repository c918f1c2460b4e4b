"""The four networks of Fig. 2, all of the same pieces: ResNets cut at a stage, and pose networks.

====================  =====================  ================  =============  ==============
architecture          features               category network  its own input  pose networks
====================  =====================  ================  =============  ==============
integrated (2d)       ResNet up to a stage   the ResNet's rest the features   one a category
shared (2b, [8])      ResNet up to a stage   the ResNet's rest the features   one
sequential (2c)       ResNet up to a stage   a whole ResNet    the image      one a category
independent (2a)      ResNet up to a stage   a whole ResNet    the image      one
====================  =====================  ================  =============  ==============

Pose networks read the features pooled over the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sightline.learning.backbones import InputContract
from sightline.learning.resnet import create_resnet, load_resnet, resnet_weights
from sightline.tasks.objects.config import ObjectsConfig
from sightline.tasks.objects.heads import create_head
from sightline.tasks.objects.pose_networks import PoseNetworks
from sightline.tasks.objects.resnet import (
    classifier,
    copy_first_stages,
    cut,
    feature_channels,
)

Part = Literal["features", "category_features", "category", "pose"]

#: First layer of the category's ResNet that is trained (``tuned``; Table 9).
_TUNED_FROM = {"everything": "conv1", "fc_stage5": "layer4", "fc": "fc"}


@dataclass
class ObjectsOut:
    """What a network says of N boxes.

    Attributes:
        logits: (N, K) of the categories.
        vectors: (N, P, D) the pose networks' answers in the head's own space; P is K, or 1.
    """

    logits: Tensor
    vectors: Tensor


class ObjectsNet(nn.Module):
    """Category and pose of an object that fills the picture.

    Attributes:
        head: What the pose networks' numbers mean.
        contract: What the images must be.
        weights_from: Where the ResNets' first weights came from, in words.
        precision: What training computes the ResNets in; the rest is float32.
    """

    def __init__(self, config: ObjectsConfig, categories: Sequence[str], weights: str) -> None:
        super().__init__()
        state, self.weights_from = resnet_weights(config.backbone, weights)
        nets = [create_resnet(config.backbone, config.width) for _ in range(_resnets(config))]
        for net in nets:
            load_resnet(net, config.backbone, state, self.weights_from)
        self.categories = tuple(categories)
        self.contract = InputContract(config.crop_px, config.crop_px)
        self.precision = torch.float32
        self.head = create_head(config)
        self.features, rest = cut(nets[0], config.stage)
        self.own_category_resnet = len(nets) == 2
        if self.own_category_resnet:
            _, rest = cut(nets[1], 1)
        d = feature_channels(self.features)
        d_category = feature_channels(rest) if len(rest) else d
        self.category = classifier(rest, d_category, len(self.categories))
        count = 1 if config.architecture in ("shared", "independent") else len(self.categories)
        start, spread = self.head.start()
        self.pose = PoseNetworks(count, d, config.pose_sizes, start, spread)
        tuned = config.tuned if config.architecture == "sequential" else "everything"
        self._tuned_from = _TUNED_FROM[tuned] if self.own_category_resnet else ""
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> ObjectsOut:
        """Return the categories' logits and every pose network's answer.

        Args:
            images: (N, 3, S, S) normalised.
        """
        with self._autocast(images):
            maps = self._maps(images)
            pooled = maps.mean(dim=(2, 3))
            logits = self._logits(images, maps)
        return ObjectsOut(logits.float(), self.pose_from(pooled))

    def features_of(self, images: Tensor) -> Tensor:
        """Return (N, d) pooled features, what the pose networks read."""
        with self._autocast(images):
            pooled = self._maps(images).mean(dim=(2, 3))
        return pooled.float()

    def pose_from(self, pooled: Tensor) -> Tensor:
        """Return (N, P, D) answers of the pose networks to (N, d) pooled features."""
        with torch.autocast(pooled.device.type, enabled=False):
            return self.head.vector(self.pose(pooled.float()))

    def category_from(self, images: Tensor) -> Tensor:
        """Return (N, K) logits of the categories; the pose networks are left out."""
        with self._autocast(images):
            maps = images if self.own_category_resnet else self._maps(images)
            return self._logits(images, maps).float()

    def part(self, name: Part) -> list[nn.Module]:
        """Return the modules of a part; together the four are the whole network.

        Args:
            name: ``features``: what the pose networks read (and, of integrated and shared, the
                category network); ``pose``: the pose networks; ``category``: what training the
                category trains: the category network, or what ``tuned`` says of a ResNet of its
                own; ``category_features``: what is left of that ResNet, which stays as it is
                (mostly nothing).
        """
        layers = dict(self.category.named_children())
        first = list(layers).index(self._tuned_from) if self._tuned_from else 0
        modules = list(layers.values())
        parts: dict[Part, list[nn.Module]] = {
            "features": [self.features],
            "category_features": modules[:first],
            "category": modules[first:],
            "pose": [self.pose],
        }
        return parts[name]

    def features_from_category(self) -> None:
        """Start the features from the category's ResNet, where that is one of its own.

        A ResNet trained from scratch on the categories stands in for ImageNet's weights, which
        both ResNets start from.
        """
        if self.own_category_resnet:
            copy_first_stages(self.category, self.features)

    def parameter_count(self) -> int:
        """Return how many parameters there are."""
        return sum(p.numel() for p in self.parameters())

    def _maps(self, images: Tensor) -> Tensor:
        maps: Tensor = self.features(images.contiguous(memory_format=torch.channels_last))
        return maps

    def _logits(self, images: Tensor, maps: Tensor) -> Tensor:
        source = maps
        if self.own_category_resnet:
            source = images.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.category(source)
        return logits

    def _autocast(self, images: Tensor) -> torch.autocast:
        mixed = self.precision is not torch.float32 and self.training
        return torch.autocast(images.device.type, self.precision, enabled=mixed)


def create_model(
    config: ObjectsConfig, categories: Sequence[str], weights: str | None = None
) -> ObjectsNet:
    """Return the network of a configuration.

    Args:
        config: What to make.
        categories: Names, in the order of the outputs.
        weights: Instead of the configuration's: ``none`` where a checkpoint is loaded next.

    Raises:
        WeightsError: The weights cannot be had, or do not fit.
        CatalogError: No such ResNet, or not of this width.
    """
    return ObjectsNet(config, categories, config.weights if weights is None else weights)


def _resnets(config: ObjectsConfig) -> int:
    return 2 if config.architecture in ("sequential", "independent") else 1
