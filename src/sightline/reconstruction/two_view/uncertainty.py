"""How far a two-view pose may be off, from how its matches hold it, and how far its points are."""

from __future__ import annotations

import numpy as np

from sightline.geometry import Pose
from sightline.geometry.pose_graph.terms import cross_matrix
from sightline.geometry.rotation import Array
from sightline.reconstruction.two_view.estimation import (
    Matches,
    essential_matrix,
    homogeneous,
    sampson_px,
)

#: Matches are no better than this, whatever their residuals say: the pose was fitted to them.
_LEAST_NOISE_PX = 0.5
#: Directions and rotations that matches leave open may be anything up to a radian off.
_OPEN = 1.0


def pose_covariance(b_from_a: Pose, matches: Matches, inflation: float = 2.0) -> Array:
    """Return (6, 6): the translation's direction in b's axes, then the rotation in a's axes.

    The Gauss-Newton covariance of the Sampson residuals (Hartley and Zisserman 2004, 5.2), the
    noise being that of the matches. Along the translation itself, whose length is 1 by agreement,
    the doubt is as small as across it.

    Args:
        b_from_a: With a translation of length 1.
        matches: The inliers.
        inflation: Times the standard deviations: neighbouring matches err alike, intrinsics too.
    """
    ahead = b_from_a.translation
    across = np.linalg.svd(ahead[None])[2][1:]
    slopes = [essential_matrix(Pose(b_from_a.q_wxyz, side)) for side in across]
    essential = essential_matrix(b_from_a)
    slopes += list(essential @ cross_matrix(np.eye(3)))
    a, b = homogeneous(matches.a), homogeneous(matches.b)
    length = np.sqrt(
        ((a @ essential.T)[:, :2] ** 2).sum(axis=1) + ((b @ essential)[:, :2] ** 2).sum(axis=1)
    )
    jacobian = np.stack([(b * (a @ s.T)).sum(axis=1) for s in slopes], axis=1)
    jacobian /= np.maximum(length, 1e-12)[:, None]
    spread = 1.4826 * float(np.median(sampson_px(b_from_a, matches)))
    noise = inflation * matches.pixel * max(spread, _LEAST_NOISE_PX)
    five = np.linalg.inv(jacobian.T @ jacobian / noise**2 + np.eye(5) / _OPEN**2)
    basis = np.zeros((6, 5))
    basis[:3, :2], basis[3:, 2:] = across.T, np.eye(3)
    covariance: Array = basis @ five @ basis.T
    covariance[:3, :3] += 0.5 * np.trace(five[:2, :2]) * np.outer(ahead, ahead)
    return covariance


def ranges_to_points(b_from_a: Pose, matches: Matches) -> tuple[Array, Array, Array]:
    """Return how far matched points are, in lengths of the translation.

    Args:
        b_from_a: With its translation.
        matches: Inliers, which lie in front of both cameras.

    Returns:
        (N,) distances from a, (N,) from b (of the nearest points of the two rays), and (N,) how
        far their logarithms may be off for a pixel; infinite where the rays are parallel.
    """
    a, b = homogeneous(matches.a), homogeneous(matches.b)
    a = b_from_a.rotation.apply(a / np.linalg.norm(a, axis=1, keepdims=True))
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    cos, at, bt = (a * b).sum(axis=1), a @ b_from_a.translation, b @ b_from_a.translation
    sin = np.linalg.norm(np.cross(a, b), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        range_a, range_b = (cos * bt - at) / sin**2, (bt - cos * at) / sin**2
        doubt = np.where((range_a > 0) & (range_b > 0), np.sqrt(2.0) * matches.pixel / sin, np.inf)
    return range_a, range_b, doubt
