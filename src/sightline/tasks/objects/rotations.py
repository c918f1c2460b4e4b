"""Angles between rotations and the exponential map, with finite gradients everywhere."""

from __future__ import annotations

import roma
import torch
from torch import Tensor


def geodesic(a: Tensor, b: Tensor) -> Tensor:
    """Return (...,) the angles between rotations in radians; the gradient is finite at 0 and pi.

    At 0 and pi, where the angle has a corner, the gradient is 0.

    Args:
        a: (..., 3, 3).
        b: (..., 3, 3).

    Source: Mahendran et al. 2018, Eq. 3 and 4, in atan2 form (PITFALLS 5).
    """
    c = a.mT @ b
    cosine = 0.5 * (c.diagonal(dim1=-2, dim2=-1).sum(dim=-1) - 1.0)
    axis = torch.stack(
        [c[..., 2, 1] - c[..., 1, 2], c[..., 0, 2] - c[..., 2, 0], c[..., 1, 0] - c[..., 0, 1]],
        dim=-1,
    )
    squared = 0.25 * axis.square().sum(dim=-1)
    corner = squared < torch.finfo(squared.dtype).tiny
    sine = torch.where(corner, 1.0, squared).sqrt()
    return torch.atan2(torch.where(corner, 0.0, sine), cosine)


def exponential_map(vector: Tensor) -> Tensor:
    """Return (..., 3, 3) rotations of (..., 3) axis-angle vectors."""
    matrix: Tensor = roma.rotvec_to_rotmat(vector)
    return matrix


def nearest_equivalent(turn: Tensor, predicted: Tensor, folds: Tensor) -> Tensor:
    """Return (..., 3, 3): of the turns that look the same, those nearest to the predicted.

    An object that looks the same when turned by phi about its upright axis has
    ``cam_from_object Rz(phi)`` for ``cam_from_object``. In turns, which are ``cam_from_object
    FRONT^-1``, that is ``turn FRONT Rz(phi) FRONT^-1``: a rotation by phi about the axis that
    points up in the view of the front, the camera's -y.

    Args:
        turn: (..., 3, 3) true turns.
        predicted: (..., 3, 3).
        folds: (...,) how often the object looks the same in one turn about its upright axis; 0:
            from everywhere; 1: it has no symmetry.
    """
    m = predicted.detach().mT @ turn
    # tr(m Rot(phi)) = m_yy + a cos(phi) + b sin(phi), Rot(phi) about -y
    a = m[..., 0, 0] + m[..., 2, 2]
    b = m[..., 0, 2] - m[..., 2, 0]
    phi = torch.atan2(b, a)
    step = 2.0 * torch.pi / folds.clamp(min=1).to(turn.dtype)
    phi = torch.where(folds == 0, phi, (phi / step).round() * step)
    return torch.where((folds == 1)[..., None, None], turn, turn @ _about_up(phi))


def _about_up(phi: Tensor) -> Tensor:
    zero = torch.zeros_like(phi)
    return exponential_map(torch.stack([zero, -phi, zero], dim=-1))
