"""How an object is turned: azimuth, elevation and tilt as PASCAL3D+ means them, and rotations.

The object's axes are PASCAL3D+'s: x to the right of somebody who looks at its front, y backwards
(the front faces -y), z up. The camera's are OpenCV's. Azimuth 0 sees the front; as it grows the
camera walks counter-clockwise round the object, seen from above, so that the object seems to turn
clockwise, and at 90 degrees its front points to the picture's left. Elevation lifts the camera;
tilt turns the camera about its axis, so that the object's upper end leans to the left.

Source: ``project_3d.m`` of PASCAL3D+ (Xiang et al. 2014); Mahendran et al. 2018, Sec. 3.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from sightline.geometry.rotation import Array, canonical_wxyz, rotation_angle, rotation_from_wxyz

#: Turns PASCAL3D+'s camera (x right, y up, z backwards) into OpenCV's.
_OPENCV_FROM_OPENGL = Rotation.from_euler("x", np.pi)
#: Nearer to straight up or down than this, azimuth and tilt cannot be told apart.
_POLE_RAD = 1e-7


def cam_from_object(azimuth: ArrayLike, elevation: ArrayLike, tilt: ArrayLike) -> Array:
    """Return (..., 4) ``wxyz`` rotations from the object's axes to the camera's.

    Args:
        azimuth: (...,) radians.
        elevation: (...,) radians.
        tilt: (...,) radians; PASCAL3D+'s ``theta``.
    """
    a, e, t = np.broadcast_arrays(
        *(np.asarray(v, dtype=np.float64) for v in (azimuth, elevation, tilt))
    )
    lifted = Rotation.from_euler("x", e.reshape(-1, 1) - np.pi / 2)
    turned = Rotation.from_euler("z", -a.reshape(-1, 1))
    tilted = Rotation.from_euler("z", t.reshape(-1, 1))
    q = (_OPENCV_FROM_OPENGL * tilted * lifted * turned).as_quat(scalar_first=True)
    return canonical_wxyz(q).reshape(*a.shape, 4)


def viewpoint(q_wxyz: ArrayLike) -> tuple[Array, Array, Array]:
    """Return azimuth in [0, 2 pi), elevation in [-pi/2, pi/2] and tilt in (-pi, pi], radians.

    The inverse of :func:`cam_from_object`. Seen from straight above or below, azimuth and tilt are
    one turn; the tilt is then 0.

    Args:
        q_wxyz: (..., 4) rotations from the object's axes to the camera's.
    """
    q = np.asarray(q_wxyz, dtype=np.float64)
    m = (_OPENCV_FROM_OPENGL.inv() * rotation_from_wxyz(q.reshape(-1, 4))).as_matrix()
    level = np.hypot(m[:, 2, 0], m[:, 2, 1])
    elevation = np.arctan2(m[:, 2, 2], level)
    pole = level < _POLE_RAD
    azimuth = np.arctan2(m[:, 2, 0], -m[:, 2, 1])
    tilt = np.arctan2(-m[:, 0, 2], m[:, 1, 2])
    azimuth = np.where(pole, np.arctan2(m[:, 0, 1], m[:, 0, 0]), azimuth) % (2 * np.pi)
    azimuth %= 2 * np.pi  # the first remainder of a tiny negative angle is 2 pi itself
    tilt = np.where(pole, 0.0, tilt)
    shape = q.shape[:-1]
    return azimuth.reshape(shape), elevation.reshape(shape), tilt.reshape(shape)


#: The level view of the front, what :func:`turn_from_front` starts from.
FRONT_WXYZ = cam_from_object(0.0, 0.0, 0.0)


def turn_from_front(q_wxyz: ArrayLike) -> Array:
    """Return (..., 4): how the object is turned, in the camera's axes, from the view of its front.

    This is what networks learn: the identity is the level view of the front, so that the usual
    views of an upright object are far from the rotations by pi, where axis-angle vectors jump.

    Args:
        q_wxyz: (..., 4) ``cam_from_object``.
    """
    return _times(q_wxyz, rotation_from_wxyz(FRONT_WXYZ).inv())


def object_from_turn(turn_wxyz: ArrayLike) -> Array:
    """Return (..., 4) ``cam_from_object`` of a turn; the inverse of :func:`turn_from_front`."""
    return _times(turn_wxyz, rotation_from_wxyz(FRONT_WXYZ))


def mirrored(q_wxyz: ArrayLike) -> Array:
    """Return (..., 4) rotations of the mirrored object in the picture flipped left to right.

    Exact for objects whose left and right halves are alike: azimuth and tilt change their signs.
    """
    q = np.array(q_wxyz, dtype=np.float64)
    q[..., 2:] *= -1.0  # a reflection in x keeps the turn about x and reverses the other two
    return canonical_wxyz(q)


def symmetric_angle(a_wxyz: ArrayLike, b_wxyz: ArrayLike, fold: int) -> Array:
    """Return the angle between two turned objects in radians, their symmetry granted.

    Args:
        a_wxyz: (..., 4) ``cam_from_object``.
        b_wxyz: (..., 4), the same.
        fold: How often the object looks the same in one turn about its z axis: 1 for no symmetry,
            2 for a table, 0 for a bottle, which looks the same from everywhere.
    """
    a, b = np.asarray(a_wxyz, dtype=np.float64), np.asarray(b_wxyz, dtype=np.float64)
    if fold == 0:
        up_a, up_b = (_up(q) for q in (a, b))
        across = np.linalg.norm(up_a - up_b, axis=-1)
        angle: Array = 2.0 * np.arctan2(across, np.linalg.norm(up_a + up_b, axis=-1))
        return angle
    turns = [Rotation.from_euler("z", 2 * np.pi * k / fold) for k in range(fold)]
    nearest: Array = np.min([rotation_angle(_times(a, turn), b) for turn in turns], axis=0)
    return nearest


def _up(q: Array) -> Array:
    return rotation_from_wxyz(q.reshape(-1, 4)).as_matrix()[:, :, 2].reshape(*q.shape[:-1], 3)


def _times(q_wxyz: ArrayLike, right: Rotation) -> Array:
    q = np.asarray(q_wxyz, dtype=np.float64)
    product = rotation_from_wxyz(q.reshape(-1, 4)) * right
    return canonical_wxyz(product.as_quat(scalar_first=True)).reshape(q.shape)
