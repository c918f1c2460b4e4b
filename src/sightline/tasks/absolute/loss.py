"""PoseNet's weighted loss (Eq. 9) and MapNet's (Eq. 10-11), right about rotations.

q and -q are one rotation; relative poses are compositions with an inverse, never differences;
no square root has an infinite gradient (PITFALLS 3, 4, 5, 8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sightline.errors import InputError
from sightline.tasks.absolute.model import (
    RotationKind,
    decode_matrix,
    exp_quaternion,
    log_quaternion,
    positive,
    unit,
)

LossKind = Literal["l1", "smooth_l1", "mse", "l2"]


def distance(difference: Tensor, kind: LossKind) -> Tensor:
    """Return the mean over samples of a norm over the last axis.

    Args:
        difference: (N, D).
        kind: ``l1`` sum of absolute values; ``smooth_l1`` sum of Huber's with delta 1; ``mse`` sum
            of squares (no root, so no infinite gradient at zero); ``l2`` Euclidean norm, whose
            gradient at zero is zero.
    """
    if kind == "l1":
        return difference.abs().sum(dim=-1).mean()
    if kind == "smooth_l1":
        zero = torch.zeros_like(difference)
        smooth = nn.functional.smooth_l1_loss(difference, zero, reduction="none")
        return smooth.sum(dim=-1).mean()
    if kind == "mse":
        return difference.square().sum(dim=-1).mean()
    if kind == "l2":
        norm: Tensor = torch.linalg.vector_norm(difference, dim=-1)
        return norm.mean()
    raise InputError(f"a loss of l1, smooth_l1, mse, l2 is wanted, {kind!r} came")


@dataclass
class RotationOps:
    """How one kind of rotation output is compared and composed.

    Attributes:
        predicted: Raw numbers to a rotation that :attr:`relative` and :attr:`rotate_back` take.
        true: Unit quaternions wxyz to the same.
        absolute: (raw, true quaternions) to (N, D) differences.
        difference: (predicted, true) rotations to (N, D) differences.
        relative: (a, b) to ``a^-1 b``.
        rotate_back: (a, v) to ``a^-1 v``.
    """

    predicted: Callable[[Tensor], Tensor]
    true: Callable[[Tensor], Tensor]
    absolute: Callable[[Tensor, Tensor], Tensor]
    difference: Callable[[Tensor, Tensor], Tensor]
    relative: Callable[[Tensor, Tensor], Tensor]
    rotate_back: Callable[[Tensor, Tensor], Tensor]


def quaternion_difference(q_wxyz: Tensor, true_wxyz: Tensor) -> Tensor:
    """Return ``q`` minus the one of ``true`` and ``-true`` on its side (PITFALLS 4)."""
    same_side = (q_wxyz * true_wxyz).sum(dim=-1, keepdim=True) >= 0
    return q_wxyz - torch.where(same_side, true_wxyz, -true_wxyz)


def log_difference(log_q: Tensor, true_wxyz: Tensor) -> Tensor:
    """Return ``log_q`` minus the nearer of log(true) and log(-true).

    The second is the same rotation taken the other way round: ``u a`` becomes ``u (a - pi)``.
    """
    near = log_quaternion(true_wxyz)
    angle: Tensor = torch.linalg.vector_norm(near, dim=-1, keepdim=True)
    safe = torch.where(angle > 1e-6, angle, torch.ones_like(angle))
    far = near * (1.0 - torch.pi / safe)
    nearer = (log_q - near).square().sum(-1, keepdim=True) <= (log_q - far).square().sum(
        -1, keepdim=True
    )
    return log_q - torch.where(nearer | (angle <= 1e-6), near, far)


def conjugate(q_wxyz: Tensor) -> Tensor:
    """Return inverses of unit quaternions."""
    return torch.cat([q_wxyz[..., :1], -q_wxyz[..., 1:]], dim=-1)


def product(a_wxyz: Tensor, b_wxyz: Tensor) -> Tensor:
    """Return Hamilton products of wxyz quaternions."""
    aw, av, bw, bv = a_wxyz[..., :1], a_wxyz[..., 1:], b_wxyz[..., :1], b_wxyz[..., 1:]
    w = aw * bw - (av * bv).sum(dim=-1, keepdim=True)
    return torch.cat([w, aw * bv + bw * av + torch.linalg.cross(av, bv)], dim=-1)


def rotate(q_wxyz: Tensor, vectors: Tensor) -> Tensor:
    """Return (N, 3) vectors turned by unit quaternions."""
    v = q_wxyz[..., 1:]
    twice: Tensor = 2.0 * torch.linalg.cross(v, vectors)
    turned: Tensor = vectors + q_wxyz[..., :1] * twice + torch.linalg.cross(v, twice)
    return turned


def quaternion_matrix(q_wxyz: Tensor) -> Tensor:
    """Return (N, 3, 3) rotation matrices of unit quaternions wxyz."""
    axes = torch.eye(3, dtype=q_wxyz.dtype, device=q_wxyz.device)
    columns = [rotate(q_wxyz, axes[i].expand(*q_wxyz.shape[:-1], 3)) for i in range(3)]
    return torch.stack(columns, dim=-1)


def rotation_ops(kind: RotationKind) -> RotationOps:
    """Return how a head's rotations are compared and composed."""
    if kind == "6d":
        return RotationOps(
            predicted=decode_matrix,
            true=quaternion_matrix,
            absolute=lambda raw, q: (decode_matrix(raw) - quaternion_matrix(q)).flatten(-2),
            difference=lambda a, b: (a - b).flatten(-2),
            relative=lambda a, b: a.transpose(-1, -2) @ b,
            rotate_back=lambda a, v: (a.transpose(-1, -2) @ v[..., None])[..., 0],
        )
    logq = kind == "logq"
    return RotationOps(
        predicted=exp_quaternion if logq else unit,
        true=lambda q: q,
        absolute=log_difference if logq else lambda raw, q: quaternion_difference(unit(raw), q),
        difference=(
            (lambda a, b: log_difference(log_quaternion(positive(a)), b))
            if logq
            else quaternion_difference
        ),
        relative=lambda a, b: product(conjugate(a), b),
        rotate_back=lambda a, v: rotate(conjugate(a), v),
    )


class PoseNetLoss(nn.Module):
    """``h(P) + alpha h(Q)`` (Eq. 9)."""

    def __init__(self, rotation: RotationKind, kind: LossKind, alpha: float) -> None:
        super().__init__()
        self._ops = rotation_ops(rotation)
        self._kind = kind
        self._alpha = alpha

    def forward(self, raw: Tensor, translation: Tensor, q_wxyz: Tensor) -> dict[str, Tensor]:
        """Return the terms ``position``, ``rotation`` and ``loss``.

        Args:
            raw: (N, 3 + R) head outputs.
            translation: (N, 3) true, standardised.
            q_wxyz: (N, 4) true, unit, of either sign.
        """
        position = distance(raw[:, :3] - translation, self._kind)
        rotation = distance(self._ops.absolute(raw[:, 3:], q_wxyz), self._kind)
        return {
            "position": position,
            "rotation": rotation,
            "loss": position + self._alpha * rotation,
        }


class MapNetLoss(nn.Module):
    """``h(absolute) + alpha h(relative)`` over tuples of frames (Eq. 10).

    ``h = |dP| e^-beta + beta + |dQ| e^-gamma + gamma`` (Eq. 11), beta and gamma learned on
    request.
    """

    def __init__(
        self,
        rotation: RotationKind,
        kind: LossKind,
        *,
        step: int,
        alpha: float = 1.0,
        beta: float = 0.0,
        gamma: float = 0.0,
        learn_weights: bool = True,
    ) -> None:
        super().__init__()
        self._ops = rotation_ops(rotation)
        self._kind = kind
        self._step = step
        self._alpha = alpha
        self.beta = nn.Parameter(torch.tensor(beta), requires_grad=learn_weights)
        self.gamma = nn.Parameter(torch.tensor(gamma), requires_grad=learn_weights)

    def forward(self, raw: Tensor, translation: Tensor, q_wxyz: Tensor) -> dict[str, Tensor]:
        """Return the terms and ``loss``.

        Args:
            raw: (tuples * step, 3 + R) head outputs, the frames of a tuple side by side.
            translation: (tuples * step, 3) true, standardised.
            q_wxyz: (tuples * step, 4) true, unit, of either sign.
        """
        ops, kind = self._ops, self._kind
        position = distance(raw[:, :3] - translation, kind)
        rotation = distance(ops.absolute(raw[:, 3:], q_wxyz), kind)
        pairs = pairs_in_tuples(len(raw), self._step, raw.device)
        estimated = relative_poses(ops, ops.predicted(raw[:, 3:]), raw[:, :3], pairs)
        true = relative_poses(ops, ops.true(q_wxyz), translation, pairs)
        relative_rotation = distance(ops.difference(estimated[0], true[0]), kind)
        relative_position = distance(estimated[1] - true[1], kind)
        loss = self._weigh(position, rotation)
        loss = loss + self._alpha * self._weigh(relative_position, relative_rotation)
        return {
            "position": position,
            "rotation": rotation,
            "relative_position": relative_position,
            "relative_rotation": relative_rotation,
            "beta": self.beta,
            "gamma": self.gamma,
            "loss": loss,
        }

    def weighed(self, position: Tensor, rotation: Tensor) -> Tensor:
        """Return two terms put together by the weights as they are, which learn nothing of it."""
        beta, gamma = self.beta.detach(), self.gamma.detach()
        return position * torch.exp(-beta) + rotation * torch.exp(-gamma)

    def _weigh(self, position: Tensor, rotation: Tensor) -> Tensor:
        return (
            position * torch.exp(-self.beta)
            + self.beta
            + rotation * torch.exp(-self.gamma)
            + self.gamma
        )


def relative_poses(
    ops: RotationOps, rotation: Tensor, translation: Tensor, pairs: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Return rotations and (P, 3) translations of ``i_from_j``: composed with i's inverse.

    Args:
        ops: How rotations are composed.
        rotation: (N, ...) world_from_cam rotations, as ``ops`` takes them.
        translation: (N, 3) centres.
        pairs: (P,) i and (P,) j.
    """
    i, j = pairs
    moved = translation[j] - translation[i]
    return ops.relative(rotation[i], rotation[j]), ops.rotate_back(rotation[i], moved)


def pairs_in_tuples(frames: int, step: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the indices of all pairs i != j within each tuple of frames that lie side by side."""
    within = torch.arange(step, device=device)
    a, b = torch.cartesian_prod(within, within).T
    a, b = a[a != b], b[a != b]
    first = torch.arange(0, frames, step, device=device)[:, None]
    return (first + a).flatten(), (first + b).flatten()
