"""The best rotation between two photos, and whether it alone explains them."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.transform import Rotation

from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.reconstruction.two_view.estimation import (
    Matches,
    homogeneous,
    in_front,
    sampson_px,
)

_HYPOTHESES = 256
_ROUNDS = 12
#: Matches that hypotheses are scored on; the refinement takes all.
_SCORED = 400

#: Residuals of a match that a rotation explains, in pixels of the image features were taken on.
EXPLAINED_PX = 1.5
_LEAST_NOISE_PX = 0.5


def rotation_residual_px(rotation: Rotation, matches: Matches) -> Array:
    """Return (N,) angles between the turned rays of a and those of b, in pixels at the centre."""
    a, b = rotation.apply(_unit(matches.a)), _unit(matches.b)
    angle = np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1))
    residual: Array = angle / matches.pixel
    return residual


def fit_rotation(matches: Matches, start: Rotation | None = None, seed: int = 0) -> Rotation:
    """Return the rotation that explains most matches, refined on those.

    RANSAC on two matches each, then weighted least squares with Cauchy's weights (Kabsch's closed
    form, so that no step can diverge).

    Args:
        matches: Two or more.
        start: A further hypothesis, such as the rotation of the essential matrix.
        seed: Of RANSAC.
    """
    a, b = _unit(matches.a), _unit(matches.b)
    rng = np.random.default_rng(seed)
    candidates = _from_two(a, b, rng)
    if start is not None:
        candidates = np.concatenate([candidates, start.as_matrix()[None]])
    some = rng.permutation(len(a))[:_SCORED]
    best, least = candidates[0], np.inf
    for candidate in candidates:
        # Chords of unit vectors: as good as angles where it matters.
        squared = ((a[some] @ candidate.T - b[some]) ** 2).sum(axis=1) / matches.pixel**2
        cost = float(np.minimum(squared, (2 * EXPLAINED_PX) ** 2).sum())
        if cost < least:
            best, least = candidate, cost
    rotation = Rotation.from_matrix(best)
    for _ in range(_ROUNDS):
        residual = rotation_residual_px(rotation, matches)
        weight = 1.0 / (1.0 + (residual / EXPLAINED_PX) ** 2) ** 2
        rotation = _kabsch(a, b, weight)
    return rotation


def _kabsch(a: Array, b: Array, weight: Array) -> Rotation:
    u, _, vt = np.linalg.svd((b * weight[:, None]).T @ a)
    u[:, 2] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))
    return Rotation.from_matrix(u @ vt)


def _from_two(a: Array, b: Array, rng: np.random.Generator) -> Array:
    """Return (H, 3, 3) rotations that turn the frames spanned by two rays into one another."""
    first = rng.integers(0, len(a), _HYPOTHESES)
    second = (first + rng.integers(1, max(2, len(a)), _HYPOTHESES)) % len(a)
    turned: Array = _frames(b[first], b[second]) @ np.swapaxes(_frames(a[first], a[second]), -1, -2)
    return turned


def _frames(x: Array, y: Array) -> Array:
    """Return (H, 3, 3) orthonormal frames in columns; identical rays give an arbitrary one."""
    middle = _normalised(x + y)
    normal = np.cross(x, y)
    short = np.linalg.norm(normal, axis=1) < 1e-9
    normal[short] = np.cross(middle[short], _aside(middle[short]))
    normal = _normalised(normal)
    return np.stack([middle, normal, np.cross(middle, normal)], axis=-1)


def _aside(vectors: Array) -> Array:
    """Return vectors that are not parallel to these."""
    moved: Array = np.roll(vectors, 1, axis=1) + np.array([0.1, 0.2, 0.3])
    return moved


def _normalised(vectors: Array) -> Array:
    units: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return units


def _unit(rays: Array) -> Array:
    return _normalised(homogeneous(rays))


def prefers_rotation(
    pose: Pose, rotation: Rotation, matches: Matches, threshold_px: float = 1.0
) -> bool:
    """Return whether turning alone explains the matches as well as turning and moving.

    Torr's geometric robust information criterion (GRIC, IJCV 2002) between the rotation (3
    parameters, matches on a surface of dimension 2) and the essential matrix (5, dimension 3),
    over the matches that either explains. The noise is measured on the matches (median Sampson
    distance), and taken as 0.5 px at least: calibrations are no better.

    A rotation is preferred below about 0.9 times the noise in parallax (root mean square, what is
    left after the best rotation): 0.45 px where matches are as good as 0.5 px. There the direction
    of the translation has a median error of about 10 degrees with a few hundred matches. A plane,
    which a homography explains, is not explained by a rotation, unless it is as far as that.

    Args:
        pose: b_from_a by the essential matrix.
        rotation: The best rotation.
        matches: All there are.
        threshold_px: Of the essential matrix's inliers.
    """
    epipolar, turned = sampson_px(pose, matches), rotation_residual_px(rotation, matches)
    moved = (epipolar < threshold_px) & in_front(pose, matches)
    either = moved | (turned < 2 * threshold_px)
    if not either.any():
        return False
    noise = max(_LEAST_NOISE_PX, 1.4826 * float(np.median(epipolar[moved]))) if moved.any() else 0.5
    count = int(either.sum())
    by_move = _gric(np.where(moved, epipolar, np.inf)[either] ** 2, noise, 3, 5, count)
    # Half the square: the least correction shares the residual between both images.
    by_turn = _gric(turned[either] ** 2 / 2, noise, 2, 3, count)
    return by_turn < by_move


def _gric(squared_px: Array, noise_px: float, dimension: int, parameters: int, count: int) -> float:
    """Return Torr's criterion for a model of matches, which live in four dimensions."""
    largest = 2.0 * (4 - dimension)
    fit = float(np.minimum(squared_px / noise_px**2, largest).sum())
    return fit + math.log(4) * dimension * count + math.log(4 * count) * parameters
