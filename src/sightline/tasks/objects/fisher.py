"""The matrix Fisher distribution over rotations: p(R) = exp(tr(F' R)) / c(F).

Densities are over the rotations with total measure 1 (Haar), so c(0) = 1. Everything depends on
F's proper singular values s1 >= s2 >= |s3|, of ``F = U diag(s) V'`` with U and V rotations:
``U V'`` is the mode, ``s_i + s_j`` the concentration about the k-th axis.

Source: Lee 2018, Bayesian Attitude Estimation with the Matrix Fisher Distribution on SO(3);
Mohlin et al. 2020.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

#: The quadrature's step and reach in x of u = tanh(x / 2). The integrand has features at
#: 1 - u ~ 1 / concentration; on this scale they are all about 1 wide, so that the trapezium rule
#: converges exponentially: 1e-10 for concentrations up to 1e5.
_STEP, _REACH = 0.5, 40.0
#: Points of the importance sampling in :func:`expected_angle`.
_SAMPLES = 2048


def proper_svd(f: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return rotations U, proper singular values (..., 3) and rotations V of (..., 3, 3) F."""
    u, s, vt = torch.linalg.svd(f)
    flip_u, flip_v = torch.linalg.det(u), torch.linalg.det(vt)  # 1 or -1
    u = torch.cat([u[..., :2], u[..., 2:] * flip_u[..., None, None]], dim=-1)
    v = vt.mT
    v = torch.cat([v[..., :2], v[..., 2:] * flip_v[..., None, None]], dim=-1)
    s = torch.cat([s[..., :2], s[..., 2:] * (flip_u * flip_v).round()[..., None]], dim=-1)
    return u, s, v


def log_constant(s: Tensor) -> Tensor:
    """Return (...,) log c of proper singular values, as float64.

    With ``m = |s1 - s2|``, ``p = |s1 + s2|`` and ``I0e(x) = exp(-|x|) I0(x)``::

        c = exp(p + s3) / 2 * integral over u in [-1, 1] of
            I0e(m (1 - u) / 2) I0e(p (1 + u) / 2) exp(-(1 - u) ((p - m) / 2 + s3)) du

    Nothing in it can overflow; even in m and p, it is smooth where singular values are equal.

    Args:
        s: (..., 3) ``s1 >= s2 >= |s3|``.

    Source: Lee 2018, the one-dimensional integral of the normalising constant, rescaled.
    """
    s = s.double()[..., None]
    below, above, weight = _nodes(s.device)  # 1 - u, 1 + u
    m, p = (s[..., 0, :] - s[..., 1, :]).abs(), (s[..., 0, :] + s[..., 1, :]).abs()
    third = s[..., 2, :]
    integrand: Tensor = (
        torch.special.i0e(0.5 * m * below)
        * torch.special.i0e(0.5 * p * above)
        * torch.exp(-(0.5 * (p - m) + third) * below)
    )
    total: Tensor = (p + third)[..., 0] + (integrand * weight).sum(dim=-1).log()
    return total


def fisher_loss(f: Tensor, true: Tensor) -> Tensor:
    """Return (...,) -log p(true), as float64.

    Args:
        f: (..., 3, 3) F.
        true: (..., 3, 3) rotations.
    """
    f = f.double()
    with torch.no_grad():
        u, _, v = proper_svd(f)
    # with U and V held, d s = diag(U' dF V): exact, and nothing divides by s_i - s_j
    s = (u * (f @ v)).sum(dim=-2)
    loss: Tensor = log_constant(s) - (f * true).sum(dim=(-2, -1))
    return loss


def expected_angle(s: Tensor) -> Tensor:
    """Return (...,) the expected angle to the mode in radians, to about half a percent.

    In quaternions about the mode the distribution is Bingham's: ``exp(-q' A q)`` with A = 2 diag(0,
    s2 + s3, s1 + s3, s1 + s2). It is sampled with fixed points of an angular central Gaussian
    envelope, weighted.

    Args:
        s: (..., 3) proper singular values.

    Source: Kent, Ganeiber, Mardia 2013 (the envelope).
    """
    a = 2.0 * torch.stack(
        [torch.zeros_like(s[..., 0]), s[..., 1] + s[..., 2], s[..., 0] + s[..., 2],
         s[..., 0] + s[..., 1]], dim=-1,
    )  # fmt: skip
    omega = 1.0 + 2.0 * a
    points = _gaussian_points(s.device) * omega[..., None, :].rsqrt()
    q = points / torch.linalg.vector_norm(points, dim=-1, keepdim=True)
    energy = (q.square() * a[..., None, :]).sum(dim=-1)
    envelope = (q.square() * omega[..., None, :]).sum(dim=-1)
    weight = torch.exp(-energy) * envelope.square()
    angle = 2.0 * torch.atan2(torch.linalg.vector_norm(q[..., 1:], dim=-1), q[..., 0].abs())
    mean: Tensor = (weight * angle).sum(dim=-1) / weight.sum(dim=-1)
    return mean


@functools.cache
def _nodes(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return 1 - u, 1 + u and half the weights of the quadrature's nodes."""
    count = round(2 * _REACH / _STEP) + 1
    x = torch.linspace(-_REACH, _REACH, count, dtype=torch.float64, device=device)
    below, above = 2.0 * torch.sigmoid(-x), 2.0 * torch.sigmoid(x)
    # du = (1 - u)(1 + u) / 2 dx
    return below, above, 0.25 * _STEP * below * above


@functools.cache
def _gaussian_points(device: torch.device) -> Tensor:
    """Return (samples, 4) quasi-random points of a normal distribution (Roberts' R4 sequence)."""
    ratio = 1.1673039782614187  # x^5 = x + 1
    steps = ratio ** -torch.arange(1.0, 5.0, dtype=torch.float64)
    index = torch.arange(1, _SAMPLES + 1, dtype=torch.float64)[:, None]
    points: Tensor = torch.special.ndtri((0.5 + index * steps) % 1.0)
    return points.to(device)
