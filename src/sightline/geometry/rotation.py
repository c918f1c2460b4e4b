"""Rotation distances and means in NumPy; the conversions themselves are scipy's ``Rotation``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError

Array = NDArray[np.float64]


def canonical_wxyz(q_wxyz: ArrayLike) -> Array:
    """Return unit quaternions with ``w >= 0``.

    Args:
        q_wxyz: (..., 4), any norm but zero.

    Returns:
        (..., 4) unit quaternions. Where ``w`` is exactly zero the first non-zero component is
        made positive, so that q and -q always give the same answer (PITFALLS 4).

    Raises:
        GeometryError: A quaternion is zero or not finite.
    """
    q = np.asarray(q_wxyz, dtype=np.float64)
    if q.shape[-1:] != (4,):
        raise GeometryError(f"quaternions of shape (..., 4) are wanted, {q.shape} came")
    largest = np.abs(q).max(axis=-1, keepdims=True, initial=0.0)
    if not np.isfinite(q).all() or (largest <= 0).any():
        raise GeometryError("finite, non-zero quaternions are wanted; a zero or NaN one came")
    q = q / largest  # so that the norm of denormal input neither under- nor overflows
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    first = np.argmax(q != 0, axis=-1)[..., None]
    leading = np.take_along_axis(q, first, axis=-1)
    result: Array = np.where(leading < 0, -q, q) + 0.0
    return result


def rotation_from_wxyz(q_wxyz: ArrayLike) -> Rotation:
    """Return scipy rotations for (..., 4) quaternions in ``wxyz`` order."""
    return Rotation.from_quat(canonical_wxyz(q_wxyz), scalar_first=True)


def rotation_angle(a_wxyz: ArrayLike, b_wxyz: ArrayLike) -> Array:
    """Return the angle between rotations, in radians, in [0, pi].

    Uses the atan2 form, exact to the last digits near 0 and pi where acos is not (PITFALLS 5).

    Args:
        a_wxyz: (..., 4) quaternions.
        b_wxyz: (..., 4) quaternions, broadcast against ``a_wxyz``.
    """
    a, b = canonical_wxyz(a_wxyz), canonical_wxyz(b_wxyz)
    minus = np.linalg.norm(a - b, axis=-1)
    plus = np.linalg.norm(a + b, axis=-1)
    angle: Array = 4.0 * np.arctan2(np.minimum(minus, plus), np.maximum(minus, plus))
    return angle


def rotation_angle_deg(a_wxyz: ArrayLike, b_wxyz: ArrayLike) -> Array:
    """Return the angle between rotations in degrees; see :func:`rotation_angle`."""
    angle: Array = np.rad2deg(rotation_angle(a_wxyz, b_wxyz))
    return angle


def mean_rotation(q_wxyz: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """Return the chordal L2 mean of (N, 4) rotations as one (4,) quaternion.

    Unlike a mean of axis-angle vectors it is right near pi (PITFALLS 6).
    """
    mean = rotation_from_wxyz(q_wxyz).mean(weights=None if weights is None else np.asarray(weights))
    return canonical_wxyz(mean.as_quat(scalar_first=True))
