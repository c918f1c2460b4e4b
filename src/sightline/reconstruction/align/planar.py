"""Similarities of the floor plane: two dimensions, one turn, never a reflection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry import Pose, Similarity
from sightline.geometry.rotation import Array

Fit = TypeVar("Fit")

_MAX_SAMPLES = 3000
#: Points this near (as a share of the targets' extent) are never called outliers.
_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class PlanarSimilarity:
    """``xy_a = scale * R(yaw) xy_b + translation``, named ``a_from_b``.

    Attributes:
        scale: Positive.
        yaw: Counter-clockwise, radians.
        translation: (2,).
    """

    scale: float
    yaw: float
    translation: Array

    @property
    def matrix(self) -> Array:
        """(2, 2) scaled rotation."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return self.scale * np.array([[c, -s], [s, c]])

    def apply(self, points: ArrayLike) -> Array:
        """Return (..., 2) points of frame b in frame a."""
        moved: Array = np.asarray(points, np.float64) @ self.matrix.T + self.translation
        return moved

    def divided(self, factor: float) -> PlanarSimilarity:
        """Return the similarity onto the same plane measured in units ``factor`` times as long."""
        return PlanarSimilarity(self.scale / factor, self.yaw, self.translation / factor)

    def lift(self, level_from_map: Pose, floor: float) -> Similarity:
        """Return ``world_from_map``: upright as the level frame, its floor at z = 0.

        Args:
            level_from_map: The upright frame's rotation.
            floor: Height of the floor in the level frame, in the map's unit.
        """
        turn = Pose.from_rotation(Rotation.from_euler("z", self.yaw), np.zeros(3))
        rotation = turn @ Pose(level_from_map.q_wxyz, np.zeros(3))
        return Similarity(
            self.scale, Pose(rotation.q_wxyz, np.array([*self.translation, -self.scale * floor]))
        )


def fit_planar(
    source: ArrayLike, target: ArrayLike, weights: ArrayLike | None = None
) -> PlanarSimilarity:
    """Return the least-squares ``target_from_source`` of the plane.

    Two distinct points settle it; a line of points does too, since the plane cannot flip over.

    Args:
        source: (N, 2), N >= 2.
        target: (N, 2).
        weights: (N,) non-negative.

    Raises:
        GeometryError: The points coincide, or the two sets do not correspond.
    """
    # One complex number is a turn and a scale: target = a * source + b.
    x, y = (np.asarray(p, np.float64) @ np.array([1, 1j]) for p in (source, target))
    w = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    w = w / w.sum()
    mean_x, mean_y = (w * x).sum(), (w * y).sum()
    dx, dy = x - mean_x, y - mean_y
    variance = float((w * np.abs(dx) ** 2).sum())
    spread = float((w * np.abs(dy) ** 2).sum())
    for name, size, middle in (("map", variance, mean_x), ("target", spread, mean_y)):
        if size <= (1e-9 * (1e-3 + abs(middle))) ** 2:
            raise GeometryError(
                f"points that lie apart are wanted, the {len(x)} {name} points coincide; "
                "add one farther away"
            )
    a = (w * dx.conj() * dy).sum() / variance
    if abs(a) <= 1e-9 * np.sqrt(spread / variance):
        raise GeometryError(
            "the two point sets do not correspond (no turn fits); check which point is which"
        )
    b = mean_y - a * mean_x
    return PlanarSimilarity(float(abs(a)), float(np.angle(a)), np.array([b.real, b.imag]))


def trusted_points(
    count: int,
    sample_size: int,
    fit: Callable[[NDArray[np.intp]], Fit],
    residuals: Callable[[Fit], Array],
    *,
    extent: float,
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Return which of N point pairs agree: least quantile of squares over small samples.

    Needs no threshold in metres: the spread of the better half sets it (Rousseeuw 1984).

    Args:
        count: N.
        sample_size: Points that settle a fit.
        fit: Fit of the points of these indices; may raise GeometryError.
        residuals: (N,) distances under a fit.
        extent: Size of the target set; distances under 1% of it are never outliers.
        seed: Seed of the draw where all samples are too many.

    Raises:
        GeometryError: No sample gives a fit.
    """
    quantile = (count + sample_size + 1) // 2
    best: Array | None = None
    for sample in _samples(count, sample_size, seed):
        try:
            distances = residuals(fit(sample))
        except GeometryError:
            continue
        if best is None or np.sort(distances)[quantile - 1] < np.sort(best)[quantile - 1]:
            best = distances
    if best is None:
        raise GeometryError(
            f"no {sample_size} of the {count} points settle the alignment; add points that lie "
            "apart and not on one line"
        )
    sigma = 1.4826 * (1 + 5 / (count - sample_size)) * float(np.sort(best)[quantile - 1])
    inliers: NDArray[np.bool_] = best <= max(2.5 * sigma, _TOLERANCE * extent)
    return inliers


def _samples(count: int, size: int, seed: int) -> Iterator[NDArray[np.intp]]:
    if comb(count, size) <= _MAX_SAMPLES:
        for chosen in combinations(range(count), size):
            yield np.array(chosen, dtype=np.intp)
        return
    rng = np.random.default_rng(seed)
    draws = (rng.choice(count, size=size, replace=False) for _ in iter(int, 1))
    yield from islice(draws, _MAX_SAMPLES)
