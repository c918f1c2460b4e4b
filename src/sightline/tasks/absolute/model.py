"""PoseNet and MapNet: a backbone, a head, and what the head's numbers mean."""

from __future__ import annotations

import itertools
from typing import Literal

import roma
import torch
from torch import Tensor, nn

from sightline.learning.backbones import Backbone, create_backbone
from sightline.tasks.absolute.config import AbsoluteConfig

RotationKind = Literal["quaternion", "logq", "6d"]

#: Numbers a head gives for the rotation.
ROTATION_SIZE: dict[RotationKind, int] = {"quaternion": 4, "logq": 3, "6d": 6}


class PoseRegressor(nn.Module):
    """Images to poses.

    Translations are learned standardised: minus the training frames' mean, over one scale for all
    axes, so that rotations still act on them. The statistics are buffers, stored with the weights,
    and :meth:`decode` is the one place that undoes them (PITFALLS 16).
    """

    translation_mean: Tensor
    translation_scale: Tensor

    def __init__(
        self,
        backbone: Backbone,
        head: Literal["linear", "mlp"] = "linear",
        rotation: RotationKind = "quaternion",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.rotation = rotation
        self.dropout = nn.Dropout(dropout)
        self.head = pose_head(head, backbone.features, 3 + ROTATION_SIZE[rotation])
        self.precision = torch.float32
        self.register_buffer("translation_mean", torch.zeros(3))
        self.register_buffer("translation_scale", torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 3 + rotation) raw outputs of (N, 3, H, W) normalised images."""
        mixed = self.precision is not torch.float32 and self.training
        with torch.autocast(images.device.type, self.precision, enabled=mixed):
            features = self.backbone(images)
        return self.from_features(features.float())

    def from_features(self, features: Tensor) -> Tensor:
        """Return (N, 3 + rotation) raw outputs of (N, F) backbone features."""
        out: Tensor = self.head(self.dropout(features))
        return out

    def standardise(self, translation: Tensor) -> Tensor:
        """Return translations as the head is taught them."""
        return (translation - self.translation_mean) / self.translation_scale

    def decode(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, 4) unit quaternions wxyz and (N, 3) translations in the world's unit."""
        translation = raw[:, :3] * self.translation_scale + self.translation_mean
        return decode_quaternion(raw[:, 3:], self.rotation), translation

    def trainable_parameters(self) -> int:
        """Return how many parameters training changes."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def total_parameters(self) -> int:
        """Return how many parameters there are."""
        return sum(p.numel() for p in self.parameters())


def pose_head(kind: Literal["linear", "mlp"], features: int, outputs: int) -> nn.Module:
    """Return PoseNet's single layer, or MapNet's three ReLU layers before it.

    The paper gives the parameter counts, not the widths; 2048, 1024, 512 are the ones that meet
    all of them (3,677,191 for 512 features, 6,822,919 for 2048, 7,871,495 for 2560; the remaining
    layer is PoseNet's own 3,591).
    """
    if kind == "linear":
        return nn.Linear(features, outputs)
    widths = (features, 2048, 1024, 512)
    layers: list[nn.Module] = []
    for wide, narrow in itertools.pairwise(widths):
        layer = nn.Linear(wide, narrow)
        # torch's own initialisation shrinks the signal at every layer; three of them hardly learn
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(512, outputs))


def create_model(config: AbsoluteConfig, *, weights: str | None = None) -> PoseRegressor:
    """Return the network of a configuration.

    Args:
        config: What to make.
        weights: Instead of the configuration's: ``none`` where a checkpoint is loaded next.
    """
    backbone = create_backbone(
        config.backbone,
        weights=config.weights if weights is None else weights,
        frozen=config.freeze,
        width=config.width,
        height=config.height,
    )
    return PoseRegressor(backbone, config.head_kind, config.rotation, config.dropout)


def decode_quaternion(raw: Tensor, kind: RotationKind) -> Tensor:
    """Return (N, 4) unit quaternions wxyz, w >= 0, of a head's rotation numbers."""
    if kind == "quaternion":
        q = unit(raw)
    elif kind == "logq":
        q = exp_quaternion(raw)
    else:
        xyzw: Tensor = roma.rotmat_to_unitquat(decode_matrix(raw))
        q = torch.cat([xyzw[..., 3:], xyzw[..., :3]], dim=-1)
    return positive(q)


def decode_matrix(raw: Tensor) -> Tensor:
    """Return (N, 3, 3) rotations of (N, 6) numbers: two columns made orthonormal.

    Source: Zhou et al. 2019, On the Continuity of Rotation Representations.
    """
    matrix: Tensor = roma.special_gramschmidt(raw.reshape(-1, 2, 3).transpose(-1, -2))
    return matrix


def exp_quaternion(half_rotvec: Tensor) -> Tensor:
    """Return unit quaternions wxyz of (N, 3) half axis-angle vectors (MapNet's log q)."""
    q: Tensor = roma.rotvec_to_unitquat(2.0 * half_rotvec)
    return torch.cat([q[..., 3:], q[..., :3]], dim=-1)


def log_quaternion(q_wxyz: Tensor) -> Tensor:
    """Return (N, 3) half axis-angle vectors of unit quaternions, of norm at most pi/2.

    Source: Brahmbhatt et al. 2018, MapNet, section 3.3.
    """
    q = positive(q_wxyz)
    rotvec: Tensor = roma.unitquat_to_rotvec(torch.cat([q[..., 1:], q[..., :1]], dim=-1))
    return rotvec / 2.0


def unit(q: Tensor) -> Tensor:
    """Return quaternions scaled to norm 1."""
    return nn.functional.normalize(q, dim=-1, eps=1e-8)


def positive(q_wxyz: Tensor) -> Tensor:
    """Return q or -q, the one with w >= 0; w = 0 keeps its sign (``sign`` would zero it)."""
    return torch.where(q_wxyz[..., :1] < 0, -q_wxyz, q_wxyz)
