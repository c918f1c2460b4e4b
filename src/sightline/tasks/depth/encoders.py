"""Frozen encoders that a student's features are aligned with (report 003, Eq. 1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import InputError
from sightline.learning.backbones import InputContract
from sightline.learning.resnet import STAGES, STEM, create_resnet, load_resnet, resnet_weights
from sightline.tasks.depth.hub import load_from_hub, read_from_hub


class FrozenEncoder(nn.Module):
    """Features of a network that never learns: no gradient, batch norm by its own statistics.

    Attributes:
        channels: Of the features.
        contract: What its images must be: it has a normalisation of its own, whatever the
            student's is (PITFALLS 12).
        name: For logs and run folders.
    """

    def __init__(
        self, net: nn.Module, *, channels: int, contract: InputContract, name: str
    ) -> None:
        super().__init__()
        self.net = net
        self.channels = channels
        self.contract = contract
        self.name = name
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> FrozenEncoder:
        """Stay in eval mode, whatever is asked."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return (N, channels, h, w) features of (N, 3, H, W) images normalised by its contract.

        Sides that are no multiple of the patch of DINOv2 are resized to the nearest.
        """
        out: Tensor = self.net(images)
        return out.float()


class _PatchTokens(nn.Module):
    """DINOv2's patch tokens, after its last norm, as a map."""

    def __init__(self, net: Any, patch: int) -> None:
        super().__init__()
        self.net = net
        self.patch = patch

    def forward(self, images: Tensor) -> Tensor:
        rows, columns = (max(1, round(side / self.patch)) for side in images.shape[-2:])
        size = (rows * self.patch, columns * self.patch)
        if tuple(images.shape[-2:]) != size:
            images = nn.functional.interpolate(images, size=size, mode="bilinear", antialias=True)
        out = self.net(pixel_values=images).last_hidden_state
        # the class token (and registers, where it has any) come first
        tokens: Tensor = out[:, out.shape[1] - rows * columns :]
        return tokens.transpose(1, 2).reshape(len(tokens), -1, rows, columns)


def frozen_encoder(source: str) -> FrozenEncoder:
    """Return a frozen encoder.

    Args:
        source: A hub name or local folder of DINOv2 (``facebook/dinov2-small``), or
            ``NAME:FILE`` of a ResNet and its weights (``resnet50:FILE``, ``resnet18@0.5:FILE`` of
            half its channels).

    Raises:
        InputError: It is neither.
        CatalogError: No such ResNet, or not of this width.
        WeightsError: The weights cannot be had, or do not fit.
    """
    name, colon, file = source.partition(":")
    if colon and not Path(source).exists():
        return _resnet(name, file)
    if not source:
        raise InputError(
            "a frozen encoder is wanted, nothing came; pass a hub name or folder of DINOv2, or "
            "NAME:FILE of a ResNet"
        )
    return _dinov2(source)


def _dinov2(source: str) -> FrozenEncoder:
    what = "an encoder of DINOv2"
    config = read_from_hub("AutoConfig", source, what)
    kinds = {"dinov2": "Dinov2Model", "dinov2_with_registers": "Dinov2WithRegistersModel"}
    if config.model_type not in kinds:
        raise InputError(
            f"{what} is wanted, {source} holds a network of the kind {config.model_type}; take "
            "facebook/dinov2-small, -base, -large or -giant"
        )
    net = load_from_hub(kinds[config.model_type], source, what)
    return FrozenEncoder(
        _PatchTokens(net, int(config.patch_size)),
        channels=int(config.hidden_size),
        contract=InputContract(),
        name=Path(source).expanduser().name,
    )


def _resnet(spec: str, file: str) -> FrozenEncoder:
    name, at, width_text = spec.partition("@")
    try:
        width = float(width_text) if at else 1.0
    except ValueError:
        width = 0.0
    if not 0.01 <= width <= 16:
        raise InputError(
            f"NAME@WIDTH:FILE of a ResNet is wanted (resnet18@0.5:FILE), {spec}:{file} came"
        )
    if file in ("", "none"):
        raise InputError(
            f"weights of a frozen encoder are wanted ({spec}:FILE), {spec}:{file} came; random "
            "features teach nothing"
        )
    net = create_resnet(name, width)
    state, origin = resnet_weights(name, file)
    load_resnet(net, spec, state, origin)
    features = nn.Sequential(*(net.get_submodule(part) for part in (*STEM, *STAGES)))
    norms = [m for m in features.modules() if isinstance(m, nn.BatchNorm2d)]
    return FrozenEncoder(
        features,
        channels=norms[-1].num_features,
        contract=InputContract(),
        name=spec,
    )
