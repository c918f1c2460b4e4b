"""Similarity alignment of point sets: Umeyama with the reflection fix, and a robust variant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry.pose import Pose
from sightline.geometry.rotation import Array


@dataclass(frozen=True, eq=False)
class Similarity:
    """``x_a = scale * R x_b + translation``, named ``a_from_b`` like a pose.

    Attributes:
        scale: Positive.
        pose: The rotation and the translation.
    """

    scale: float
    pose: Pose

    def __post_init__(self) -> None:
        if not np.isfinite(self.scale) or self.scale <= 0:
            raise GeometryError(f"a positive, finite scale is wanted, {self.scale} came")
        if self.pose.shape:
            raise GeometryError(f"one pose is wanted in a similarity, {self.pose.shape} came")

    @classmethod
    def identity(cls) -> Similarity:
        """Return the similarity that moves nothing."""
        return cls(1.0, Pose.identity())

    def apply(self, points: ArrayLike) -> Array:
        """Return (..., 3) points of frame b in frame a."""
        return self.pose.apply(self.scale * np.asarray(points, dtype=np.float64))

    def apply_pose(self, b_from_cam: Pose) -> Pose:
        """Return ``a_from_cam``: the camera keeps its own (unscaled) axes."""
        rotation = Pose(self.pose.q_wxyz, np.zeros(3)) @ Pose(
            b_from_cam.q_wxyz, np.zeros_like(b_from_cam.translation)
        )
        return Pose(rotation.q_wxyz, self.apply(b_from_cam.translation))

    def inverse(self) -> Similarity:
        """Return ``b_from_a``."""
        inverse = self.pose.inverse()
        return Similarity(1.0 / self.scale, Pose(inverse.q_wxyz, inverse.translation / self.scale))

    def __matmul__(self, other: Similarity) -> Similarity:
        """Compose: ``a_from_c = a_from_b @ b_from_c``."""
        rotation = Pose(self.pose.q_wxyz, np.zeros(3)) @ Pose(other.pose.q_wxyz, np.zeros(3))
        return Similarity(
            self.scale * other.scale, Pose(rotation.q_wxyz, self.apply(other.pose.translation))
        )


def fit_similarity(source: ArrayLike, target: ArrayLike, *, with_scale: bool = True) -> Similarity:
    """Return the least-squares ``target_from_source`` (Umeyama 1991, Eqs. 34-43).

    The determinant correction keeps the answer a rotation where the plain ``V U^T`` of paper 000
    (Eq. 6) is a reflection for about half of all three-point inputs (PITFALLS 1).

    Args:
        source: (N, 3) points, N >= 3, not on one line.
        target: (N, 3) the same points in the other frame.
        with_scale: Estimate the scale; otherwise it is 1 (SE(3)).

    Raises:
        GeometryError: Fewer than three points, shapes that differ, non-finite values, points on
            one line (the rotation about it is not determined), or sets that do not correspond.
    """
    x, y = _checked_points(source, target)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    dx, dy = x - mean_x, y - mean_y
    for name, centred in (("source", dx), ("target", dy)):
        spread = np.linalg.svd(centred, compute_uv=False)
        if spread[0] <= 0 or spread[1] < 1e-6 * spread[0]:
            raise GeometryError(
                f"{len(x)} points that do not lie on one line are wanted; the {name} points do "
                "(or coincide). Add a point away from that line"
            )
    u, singular, vt = np.linalg.svd(dy.T @ dx / len(x))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    variance = float((dx**2).sum() / len(x))
    scale = float((singular * sign).sum() / variance) if with_scale else 1.0
    # Kabsch: the best rotation is unique only where the two smaller (signed) singular values
    # do not cancel; a mirror image of a symmetric set, or a shuffled one, leaves it open.
    if singular[1] + sign[2] * singular[2] <= 1e-13 * singular[0]:
        raise GeometryError(
            "the two point sets do not correspond (no single rotation fits them best); "
            "check the order of the points and that neither set is mirrored"
        )
    translation = mean_y - scale * rotation @ mean_x
    return Similarity(scale, Pose.from_rotation(Rotation.from_matrix(rotation), translation))


@dataclass(frozen=True, eq=False)
class RobustFit:
    """What :func:`fit_similarity_robust` found.

    Attributes:
        target_from_source: The alignment, fitted on the inliers.
        inliers: (N,) bool; those with a residual of at most the threshold.
        residuals: (N,) distance of every point, inlier or not, in the target's unit.
    """

    target_from_source: Similarity
    inliers: NDArray[np.bool_]
    residuals: Array


def fit_similarity_robust(
    source: ArrayLike,
    target: ArrayLike,
    *,
    threshold: float,
    with_scale: bool = True,
    trials: int = 500,
    seed: int = 0,
) -> RobustFit:
    """Return an alignment that ignores points farther than ``threshold`` (RANSAC, then refit).

    Args:
        source: (N, 3).
        target: (N, 3).
        threshold: Largest residual of an inlier, in the target's unit.
        with_scale: As in :func:`fit_similarity`.
        trials: Number of three-point samples drawn.
        seed: Seed of the draw.

    Raises:
        GeometryError: No three points agree, the threshold is not positive, or the input is
            degenerate.
    """
    x, y = _checked_points(source, target)
    if not (np.isfinite(threshold) and threshold > 0):
        raise GeometryError(f"a positive, finite threshold is wanted, {threshold} came")
    rng = np.random.default_rng(seed)
    best: RobustFit | None = None
    best_cost = np.inf
    for _ in range(trials):
        sample = rng.choice(len(x), size=3, replace=False)
        try:
            candidate = fit_similarity(x[sample], y[sample], with_scale=with_scale)
        except GeometryError:
            continue
        found = _judge(candidate, x, y, threshold)
        # Truncated squares: a refit on the inliers can only lower this cost (MSAC).
        cost = float((np.minimum(found.residuals, threshold) ** 2).sum())
        if cost < best_cost:
            best, best_cost = found, cost
    if best is None or best.inliers.sum() < 3:
        raise GeometryError(
            f"no three of the {len(x)} points agree within {threshold:g}; check the "
            "correspondences or raise the threshold"
        )
    for _ in range(10):
        inliers = best.inliers
        refit = fit_similarity(x[inliers], y[inliers], with_scale=with_scale)
        found = _judge(refit, x, y, threshold)
        if found.inliers.sum() < 3:
            break
        best = found
        if (found.inliers == inliers).all():
            break
    return best


def _judge(fit: Similarity, x: Array, y: Array, threshold: float) -> RobustFit:
    residuals = np.linalg.norm(fit.apply(x) - y, axis=-1)
    return RobustFit(fit, residuals <= threshold, residuals)


def _checked_points(source: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != 3 or x.shape != y.shape:
        raise GeometryError(
            f"two point sets of the same shape (N, 3) are wanted, {x.shape} and {y.shape} came"
        )
    if len(x) < 3:
        raise GeometryError(f"at least 3 point pairs are wanted, {len(x)} came")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise GeometryError("finite points are wanted; NaN or infinity came")
    return x, y
