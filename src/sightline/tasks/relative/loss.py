"""The losses: Eq. 1 of paper 002, Eq. 9 of paper 000, and an epipolar term that teaches matching.

q and -q are one rotation (PITFALLS 4); norms have gradient zero at zero, not infinity (PITFALLS 8).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

#: Distance from the epipolar line, in focal lengths, beyond which a match is just wrong.
FAR = 0.1

#: A match that is surely wrong counts as if it had this probability of being right.
_FLOOR = 0.05


class RelativePoseLoss(nn.Module):
    """``|t - t*| + beta |q - q*|`` (Eq. 1), or the squares (Eq. 9).

    Targets have unit length; the estimates are taken as they are: only the answer at test time is
    normalised.

    Source: Melekhov et al. 2017, Eq. 1; paper 000, Eq. 9.
    """

    def __init__(self, kind: Literal["norm", "squared"] = "norm", beta: float = 10.0) -> None:
        super().__init__()
        self._kind = kind
        self._beta = beta

    def forward(self, raw: Tensor, q_wxyz: Tensor, direction: Tensor) -> dict[str, Tensor]:
        """Return the terms ``translation``, ``rotation`` and ``loss``, means over the batch.

        Args:
            raw: (N, 7) estimates: quaternion wxyz, translation.
            q_wxyz: (N, 4) true unit quaternions, of either sign.
            direction: (N, 3) true unit translations.
        """
        rotation = self._length(raw[:, :4] - same_side(q_wxyz, raw[:, :4]))
        translation = self._length(raw[:, 4:] - direction)
        return {
            "translation": translation,
            "rotation": rotation,
            "loss": translation + self._beta * rotation,
        }

    def _length(self, difference: Tensor) -> Tensor:
        if self._kind == "squared":
            return difference.square().sum(dim=-1).mean()
        norms: Tensor = torch.linalg.vector_norm(difference, dim=-1)
        return norms.mean()


def same_side(q_wxyz: Tensor, reference: Tensor) -> Tensor:
    """Return q or -q, whichever is nearer to the reference; neither is ever zeroed."""
    away = (q_wxyz * reference.detach()).sum(dim=-1, keepdim=True) < 0
    return torch.where(away, -q_wxyz, q_wxyz)


def epipolar_distance(
    rays_a: Tensor, rays_b: Tensor, q_wxyz: Tensor, direction: Tensor
) -> tuple[Tensor, Tensor]:
    """Return how far each cell of one image is from the epipolar line of each cell of the other.

    Args:
        rays_a: (N, A, 2) cells of image a on the plane z = 1.
        rays_b: (N, B, 2) cells of image b.
        q_wxyz: (N, 4) unit quaternions of b_from_a.
        direction: (N, 3) unit translations of b_from_a.

    Returns:
        (N, A, B) distances in image b, and (N, A, B) in image a, in focal lengths.

    Source: Hartley and Zisserman 2004, section 9.2: ``x_b' [t]x R x_a = 0``.
    """
    a = torch.cat([rays_a, torch.ones_like(rays_a[..., :1])], dim=-1)
    b = torch.cat([rays_b, torch.ones_like(rays_b[..., :1])], dim=-1)
    essential = torch.linalg.cross(
        direction[:, None, :].expand(-1, 3, 3), rotation_matrix(q_wxyz).transpose(1, 2), dim=-1
    ).transpose(1, 2)
    lines_b = a @ essential.transpose(1, 2)  # of each cell of a, in image b
    lines_a = b @ essential
    error = (lines_b @ b.transpose(1, 2)).abs()
    norm_b: Tensor = torch.linalg.vector_norm(lines_b[..., :2], dim=-1)
    norm_a: Tensor = torch.linalg.vector_norm(lines_a[..., :2], dim=-1)
    return error / norm_b.clamp(min=1e-6)[:, :, None], error / norm_a.clamp(min=1e-6)[:, None, :]


def rotation_matrix(q_wxyz: Tensor) -> Tensor:
    """Return (N, 3, 3) rotation matrices of (N, 4) unit quaternions wxyz."""
    import roma

    matrix: Tensor = roma.unitquat_to_rotmat(torch.cat([q_wxyz[:, 1:], q_wxyz[:, :1]], dim=-1))
    return matrix


def matching_loss(b_of_a: Tensor, a_of_b: Tensor, distances: tuple[Tensor, Tensor]) -> Tensor:
    """Return how unlikely the matches are to be where the true pose says they must lie, in [0, 1].

    The negative logarithm of the probability near each cell's epipolar line, with a floor
    (:data:`_FLOOR`), so that parts that the other image does not show cost the same wherever they
    are put. The logarithm, because where matches are still spread over the whole image, the
    probability itself has next to no gradient.

    Args:
        b_of_a: (N, A, B) probability that a cell of a is seen in a cell of b.
        a_of_b: (N, A, B) the same the other way round: sums to one over A.
        distances: Of :func:`epipolar_distance`.
    """
    near_b, near_a = (1.0 - (d / FAR).clamp(max=1.0) for d in distances)
    forward = _unlikely((b_of_a * near_b).sum(dim=2))
    backward = _unlikely((a_of_b * near_a).sum(dim=1))
    return 0.5 * (forward + backward)


def _unlikely(probability: Tensor) -> Tensor:
    floored = _FLOOR + (1.0 - _FLOOR) * probability
    return -floored.log().mean() / -math.log(_FLOOR)
