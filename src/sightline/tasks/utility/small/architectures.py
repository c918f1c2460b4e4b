"""Small networks of families that err differently, by name: torchvision's own, narrowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from sightline.errors import CatalogError
from sightline.learning.torchvision_compat import import_torchvision
from sightline.tasks.utility.small.detectors import fcos, retinanet, ssd, ssdlite
from sightline.tasks.utility.small.trunks import TrunkClassifier, plain_trunk, resnet_trunk

Kind = Literal["classification", "detection"]


@dataclass(frozen=True)
class Architecture:
    """A small network that can be trained.

    Attributes:
        name: Of :data:`SMALL_CLASSIFIERS` or :data:`SMALL_DETECTORS`.
        kind: What it does.
        summary: What it is made of, for cards and tables.
        make: Makes it with random weights for a number of categories and a frame's side in pixels;
            a classifier gives logits of normalised frames, a detector is one of torchvision's.
        first_label: Index that its outputs give to the first category: detectors of the SSD kind
            keep 0 for the background.
    """

    name: str
    kind: Kind
    summary: str
    make: Callable[[int, int], nn.Module]
    first_label: int = 0


def small_architecture(name: str) -> Architecture:
    """Return a small network's architecture by name.

    Raises:
        CatalogError: There is none.
    """
    known = SMALL_CLASSIFIERS | SMALL_DETECTORS
    if name not in known:
        raise CatalogError(f"no small machine {name!r}; there are {', '.join(known)}")
    return known[name]


def _resnet(categories: int, _frame_px: int) -> nn.Module:
    return TrunkClassifier(resnet_trunk(), categories, cells=1)


def _vgg(categories: int, _frame_px: int) -> nn.Module:
    # torchvision's VGG ends in three layers of 100 million weights: its convolutions alone
    return TrunkClassifier(plain_trunk(), categories, cells=2)


def _alexnet(categories: int, _frame_px: int) -> nn.Module:
    return nn.Sequential(
        _plain(3, 32, 7, 2),
        nn.MaxPool2d(3, 2),
        _plain(32, 96, 5, 1),
        nn.MaxPool2d(3, 2),
        _plain(96, 128, 3, 1),
        _plain(128, 96, 3, 1),
        nn.AdaptiveMaxPool2d(3),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(9 * 96, 192),
        nn.ReLU(inplace=True),
        nn.Dropout(0.3),
        nn.Linear(192, categories),
    )


def _plain(channels_in: int, channels_out: int, kernel: int, stride: int) -> nn.Sequential:
    # AlexNet came before batch norm; without it no small budget trains it
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


def _resnext(categories: int, _frame_px: int) -> nn.Module:
    models = import_torchvision().models
    net: nn.Module = models.ResNet(
        models.resnet.Bottleneck,
        [1, 1, 2, 1],
        num_classes=categories,
        groups=8,
        width_per_group=1,
    )
    return net


def _efficientnet(categories: int, _frame_px: int) -> nn.Module:
    models = import_torchvision().models
    block: Any = models.efficientnet.MBConvConfig
    blocks = [
        block(1, 3, 1, 16, 16, 1),
        block(4, 3, 2, 16, 24, 2),
        block(4, 5, 2, 24, 40, 2),
        block(4, 3, 2, 40, 80, 2),
    ]
    net: nn.Module = models.EfficientNet(
        blocks, dropout=0.2, stochastic_depth_prob=0.1, num_classes=categories, last_channel=256
    )
    return net


def _densenet(categories: int, _frame_px: int) -> nn.Module:
    net: nn.Module = import_torchvision().models.DenseNet(
        growth_rate=12, block_config=(2, 3, 4, 4), num_init_features=24, num_classes=categories
    )
    return net


def _by_name(*known: Architecture) -> dict[str, Architecture]:
    return {architecture.name: architecture for architecture in known}


#: The first three are bundled and label; the others are the paper's "unseen" networks.
SMALL_CLASSIFIERS: dict[str, Architecture] = _by_name(
    Architecture(
        "resnet", "classification", "ResNet-18 of half its width, without its last stage", _resnet
    ),
    Architecture(
        "vgg", "classification", "seven plain convolutions as in VGG, with batch norm", _vgg
    ),
    Architecture("densenet", "classification", "DenseNet of 13 dense layers", _densenet),
    Architecture(
        "alexnet", "classification", "few wide kernels as in AlexNet, with batch norm", _alexnet
    ),
    Architecture("resnext", "classification", "ResNeXt of five blocks of eight groups", _resnext),
    Architecture(
        "efficientnet", "classification", "EfficientNet's inverted bottlenecks", _efficientnet
    ),
)

#: The first two are bundled and label; the others are the paper's "unseen" networks.
SMALL_DETECTORS: dict[str, Architecture] = _by_name(
    Architecture(
        "fcos", "detection", "FCOS, without anchors, on a ResNet-18 of half its width", fcos
    ),
    Architecture("ssd", "detection", "SSD on plain convolutions", ssd, first_label=1),
    Architecture("retinanet", "detection", "RetinaNet on plain convolutions", retinanet),
    Architecture("ssdlite", "detection", "SSDLite on MobileNetV3-small", ssdlite, first_label=1),
)
