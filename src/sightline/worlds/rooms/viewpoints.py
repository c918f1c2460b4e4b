"""Camera poses from where they stand and where they look."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from sightline.geometry import Pose
from sightline.geometry.rotation import Array


def up(height: float) -> Array:
    """Return the (3,) step up by a height."""
    return np.array([0.0, 0.0, height])


def look_along(centres: Array, forward: Array, roll: Array) -> Pose:
    """Return (N,) world_from_cam (OpenCV axes, world z up).

    Args:
        centres: (N, 3) where the cameras stand.
        forward: (N, 3) directions of view, of any length, not vertical.
        roll: (N,) radians about the direction of view.
    """
    z = forward / np.linalg.norm(forward, axis=1, keepdims=True)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    axes = np.stack([x, np.cross(z, x), z], axis=-1)
    tilt = Rotation.from_rotvec(np.stack([0 * roll, 0 * roll, roll], axis=1))
    return Pose.from_rotation(Rotation.from_matrix(axes) * tilt, centres)
