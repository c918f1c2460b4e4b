"""Any ResNet of torchvision without its classifier, narrowed where asked.

The parts keep torchvision's names (``conv1`` ... ``layer4``), so that its weights load.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sightline.errors import CatalogError, WeightsError
from sightline.learning.backbones import (
    imagenet_state,
    load_strictly,
    read_state,
    torchvision_classifier,
)
from sightline.learning.torchvision_compat import import_torchvision

#: Parts of a ResNet before its stages, in their order.
STEM = ("conv1", "bn1", "relu", "maxpool")
#: Its stages; He et al. count them from 2.
STAGES = ("layer1", "layer2", "layer3", "layer4")
#: A tensor of a ResNet, by itself or as a part of another network.
_INSIDE = re.compile(r"(.*?\.)??((?:conv1|bn1|layer[1-4])\..+)")
#: Channels of the four stages' blocks, and of the stem.
_CHANNELS = (64, 128, 256, 512)


def resnet_names() -> list[str]:
    """Return the names :func:`create_resnet` takes."""
    models = import_torchvision().models
    names: list[str] = models.list_models(module=models)
    return [n for n in names if n.startswith(("resnet", "resnext", "wide_resnet"))]


def create_resnet(name: str, width: float = 1.0) -> nn.Module:
    """Return a ResNet without weights and without its classifier (``fc``).

    Args:
        name: torchvision's name.
        width: Channels over its own; only networks of basic blocks can be made of other width.

    Raises:
        CatalogError: No such ResNet, or not of this width.
    """
    known = resnet_names()
    if name not in known:
        raise CatalogError(f"no ResNet {name!r}; there are {', '.join(known)}")
    net = torchvision_classifier(name)
    if width != 1.0:
        _scale_channels(net, name, width)
    net.fc = nn.Identity()
    return net


def resnet_weights(name: str, weights: str) -> tuple[dict[str, Tensor] | None, str]:
    """Return a ResNet's weights without those of its classifier, and where they came from.

    Args:
        name: torchvision's name.
        weights: ``imagenet``, a ``.pth`` or ``.safetensors`` file, or ``none``. The file may be
            another network's that has the ResNet in it, such as ``model.safetensors`` of a run of
            the objects task.

    Raises:
        WeightsError: They cannot be had, or the file has several ResNets in it.
    """
    if weights == "none":
        return None, "none: trained from scratch"
    if weights == "imagenet":
        state, origin = imagenet_state(name), "torchvision's ImageNet weights"
    else:
        state, origin = _resnet_inside(read_state(Path(weights)), weights), weights
    return {k: v for k, v in state.items() if not k.startswith("fc.")}, origin


def _resnet_inside(state: dict[str, Tensor], origin: str) -> dict[str, Tensor]:
    """Return the tensors of the one ResNet in a network, by the ResNet's own names.

    Raises:
        WeightsError: There are several.
    """
    if "conv1.weight" in state:
        return state
    matches = [match for key in state if (match := _INSIDE.fullmatch(key))]
    # a bn1 alone is another part's
    parts = {match[1] for match in matches if not match[2].startswith("bn1.")}
    found: dict[str, Tensor] = {}
    for match in matches:
        if match[1] in parts and match[2] in found:
            raise WeightsError(
                f"{origin}: weights of one ResNet are wanted, there are several ({match[0]} is "
                "the second of its name); take a file with one"
            )
        if match[1] in parts:
            found[match[2]] = state[match[0]]
    return found or state


def load_resnet(net: nn.Module, name: str, state: dict[str, Tensor] | None, origin: str) -> None:
    """Load what :func:`resnet_weights` gave, every tensor of it.

    Raises:
        WeightsError: Names or shapes differ.
    """
    if state is not None:
        load_strictly(net, name, state, origin)


def _scale_channels(net: nn.Module, name: str, width: float) -> None:
    """Replace every layer by one of ``width`` times as many channels."""
    basic: Any = import_torchvision().models.resnet.BasicBlock
    if not isinstance(net.get_submodule("layer1.0"), basic):
        raise CatalogError(
            f"{name} is made of bottlenecks and has the width 1 alone, {width:g} came; take "
            "resnet18 or resnet34, which have any"
        )
    channels = [max(8, round(c * width / 8) * 8) for c in _CHANNELS]
    net.conv1 = nn.Conv2d(3, channels[0], 7, stride=2, padding=3, bias=False)
    net.bn1 = nn.BatchNorm2d(channels[0])
    before = channels[0]
    for index, (stage, after) in enumerate(zip(STAGES, channels, strict=True)):
        blocks = len(list(net.get_submodule(stage).children()))
        stride = 1 if index == 0 else 2
        setattr(net, stage, _basic_stage(basic, before, after, blocks, stride))
        before = after
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _basic_stage(basic: Any, before: int, after: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or before != after:
        convolution = nn.Conv2d(before, after, 1, stride=stride, bias=False)
        shortcut = nn.Sequential(convolution, nn.BatchNorm2d(after))
    first = basic(before, after, stride, shortcut)
    return nn.Sequential(first, *(basic(after, after) for _ in range(blocks - 1)))
