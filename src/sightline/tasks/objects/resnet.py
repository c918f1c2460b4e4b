"""A ResNet cut in two at a stage, and the parts made of it.

The paper counts stages as He et al. do: stage 2 is torchvision's ``layer1``, stage 5 ``layer4``.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from sightline.learning.resnet import STAGES, STEM


def cut(net: nn.Module, stage: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Return a ResNet up to a stage, and the rest of it up to pooling.

    Args:
        net: Of :func:`create_resnet`.
        stage: 3, 4 or 5, the last of the first part; 1 puts everything in the second.
    """
    names = (*STEM, *STAGES)
    first = 0 if stage == 1 else len(STEM) + stage - 1
    before, after = names[:first], names[first:]
    return _sequence(net, before), _sequence(net, after)


def feature_channels(features: nn.Sequential) -> int:
    """Return how many channels a part of a ResNet gives."""
    convolutions = [m for m in features.modules() if isinstance(m, nn.BatchNorm2d)]
    return convolutions[-1].num_features


def classifier(rest: nn.Sequential, channels: int, categories: int) -> nn.Sequential:
    """Return the category network: the rest of a ResNet, pooling, and a linear classifier."""
    layers = OrderedDict(rest.named_children())
    layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(channels, categories)
    return nn.Sequential(layers)


@torch.no_grad()
def copy_first_stages(source: nn.Sequential, target: nn.Sequential) -> None:
    """Give the first stages of one ResNet the weights of the same stages of another."""
    state = source.state_dict()
    target.load_state_dict({key: state[key] for key in target.state_dict()}, strict=True)


def _sequence(net: nn.Module, names: tuple[str, ...]) -> nn.Sequential:
    return nn.Sequential(OrderedDict((name, net.get_submodule(name)) for name in names))
