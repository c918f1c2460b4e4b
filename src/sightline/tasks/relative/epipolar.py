"""Soft matches to a pose: weighted, robust Gauss-Newton on the epipolar constraint, batched.

The second stage that paper 002 leaves to future work: a coarse pose from the network, made to
agree with the network's own matches. The answer is differentiable in the matches and their weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.tasks.relative.loss import rotation_matrix

#: Errors above this, in focal lengths, hardly count (Cauchy's weight).
_SOFT = 0.005

_DAMPING = 1e-4


@dataclass
class RayMatches:
    """Matches as rays.

    Attributes:
        a: (N, M, 3) rays of camera a, z = 1.
        b: (N, M, 3) where they are matched in camera b.
        weight: (N, M) how sure each is, from 0.
    """

    a: Tensor
    b: Tensor
    weight: Tensor


def polish(matches: RayMatches, q_wxyz: Tensor, direction: Tensor, steps: int) -> Tensor:
    """Return (N, 7) poses that agree with the matches, starting from several.

    Starts from the given pose, and from its rotation with translations along each axis, so that a
    wrong direction is left. The pose with the smallest robust error wins; the sign of the
    translation is the one that puts the matched points before both cameras.

    Args:
        matches: What to agree with.
        q_wxyz: (N, 4) unit quaternions to start from.
        direction: (N, 3) unit translations to start from.
        steps: Gauss-Newton steps.

    Source: Hartley and Zisserman 2004, sections 11.4 (Sampson's error) and A6.8 (robust weights).
    """
    count = len(q_wxyz)
    axes = torch.eye(3, device=q_wxyz.device, dtype=q_wxyz.dtype)
    starts = torch.cat([direction[:, None], axes.expand(count, 3, 3)], dim=1)
    kinds = starts.shape[1]
    many = RayMatches(*(v.repeat_interleave(kinds, 0) for v in vars(matches).values()))
    rotation = rotation_matrix(q_wxyz).repeat_interleave(kinds, 0)
    translation = starts.flatten(0, 1)
    with torch.no_grad():
        for _ in range(steps):
            rotation, translation = _step(many, rotation, translation)
        error, _ = _sampson(many, rotation, translation)
        cost = (many.weight * torch.log1p((error / _SOFT).square())).sum(dim=1)
        best = cost.reshape(count, kinds).argmin(dim=1)
        best = best + torch.arange(count, device=cost.device) * kinds
    # at the minimum one more step has the gradient of them all
    rotation, translation = _step(matches, rotation[best], translation[best])
    translation = _before_both_cameras(matches, rotation, translation)
    return torch.cat([_quaternion(rotation), translation], dim=1)


@torch.no_grad()
def evidence(matches: RayMatches, fine: Tensor, coarse: Tensor) -> Tensor:
    """Return (N, 3) numbers that tell a good answer from a bad one.

    How sure the matches are (logarithm of the mean weight), which share of that weight the answer
    agrees with, and how far the matches turned the network's first answer (radians).

    Args:
        matches: What the answer should agree with.
        fine: (N, 7) answers, as :func:`polish` returns them.
        coarse: (N, 7) the first answers, of any length.
    """
    q = torch.nn.functional.normalize(fine[:, :4], dim=1)
    error, _ = _sampson(matches, rotation_matrix(q), fine[:, 4:])
    total = matches.weight.sum(dim=1).clamp(min=1e-9)
    agrees = (matches.weight / (1.0 + (error / _SOFT).square())).sum(dim=1) / total
    sure = (matches.weight.mean(dim=1) + 1e-6).log()
    first = torch.nn.functional.normalize(coarse[:, :4], dim=1)
    near = torch.linalg.vector_norm(q - first, dim=1)
    far = torch.linalg.vector_norm(q + first, dim=1)
    turned = 4.0 * torch.atan2(torch.minimum(near, far), torch.maximum(near, far))
    return torch.stack([sure, agrees, turned], dim=1)


def _step(matches: RayMatches, rotation: Tensor, translation: Tensor) -> tuple[Tensor, Tensor]:
    import roma

    error, scale = _sampson(matches, rotation, translation)
    weight = matches.weight / (1.0 + (error / _SOFT).square())
    turned = matches.a @ rotation.transpose(1, 2)
    basis = _tangent(translation)
    by_rotation = torch.linalg.cross(
        turned, torch.linalg.cross(matches.b, translation[:, None].expand_as(turned))
    )
    by_translation = torch.linalg.cross(turned, matches.b) @ basis
    jacobian = torch.cat([by_rotation, by_translation], dim=2) / scale[:, :, None]
    weighted = jacobian * weight[:, :, None]
    normal = weighted.transpose(1, 2) @ jacobian
    size = normal.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None].clamp(min=1e-9)
    normal = normal + _DAMPING * size * torch.eye(5, device=normal.device, dtype=normal.dtype)
    move = -torch.linalg.solve(normal, weighted.transpose(1, 2) @ error[:, :, None])[..., 0]
    length: Tensor = torch.linalg.vector_norm(move, dim=1, keepdim=True)
    move = move * (0.5 / length.clamp(min=0.5))  # half a radian a step at most
    turn: Tensor = roma.rotvec_to_rotmat(move[:, :3])
    moved = translation + (basis @ move[:, 3:, None])[..., 0]
    return turn @ rotation, torch.nn.functional.normalize(moved, dim=1)


def _sampson(matches: RayMatches, rotation: Tensor, translation: Tensor) -> tuple[Tensor, Tensor]:
    """Return (N, M) Sampson errors, and what the algebraic errors were divided by."""
    columns = torch.linalg.cross(
        translation[:, None].expand(-1, 3, 3), rotation.transpose(1, 2), dim=-1
    )
    line_b = matches.a @ columns  # E a, where columns holds E transposed
    line_a = matches.b @ columns.transpose(1, 2)
    algebraic = (line_b * matches.b).sum(dim=2)
    squares = line_b[..., :2].square().sum(2) + line_a[..., :2].square().sum(2)
    scale = squares.clamp(min=1e-8).sqrt()
    return algebraic / scale, scale.detach()


def _tangent(translation: Tensor) -> Tensor:
    """Return (N, 3, 2) directions across unit vectors."""
    smallest = translation.abs().argmin(dim=1)
    other = torch.nn.functional.one_hot(smallest, 3).to(translation)
    first = torch.nn.functional.normalize(torch.linalg.cross(translation, other), dim=1)
    return torch.stack([first, torch.linalg.cross(translation, first)], dim=2)


def _before_both_cameras(matches: RayMatches, rotation: Tensor, translation: Tensor) -> Tensor:
    """Return translations with the sign that more of the matched points agree with."""
    turned = matches.a @ rotation.transpose(1, 2)
    t = translation[:, None].expand_as(turned)
    across = torch.linalg.cross(turned, matches.b)
    # z_b b = z_a turned + t, solved across b and across turned
    depth_a = (torch.linalg.cross(matches.b, t) * across).sum(dim=2)
    depth_b = (torch.linalg.cross(turned, t) * across).sum(dim=2)
    in_front = torch.sign(depth_a) + torch.sign(depth_b)
    # parallax near zero has no sign worth a vote
    sure = matches.weight * across.norm(dim=2)
    return torch.where((sure * in_front).sum(dim=1, keepdim=True) < 0, -translation, translation)


def _quaternion(rotation: Tensor) -> Tensor:
    import roma

    xyzw: Tensor = roma.rotmat_to_unitquat(rotation)
    return torch.cat([xyzw[:, 3:], xyzw[:, :3]], dim=1)
