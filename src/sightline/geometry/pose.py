"""Rigid motions, one or a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry.rotation import Array, canonical_wxyz, rotation_from_wxyz


@dataclass(frozen=True, eq=False)
class Pose:
    """A rigid motion ``a_from_b`` (or a batch): ``x_a = R x_b + translation``.

    For a camera, ``world_from_cam.translation`` is the camera's centre in the world; for
    ``cam_from_world`` it is not (PITFALLS 2).

    Attributes:
        q_wxyz: (..., 4) unit quaternions, ``w >= 0``.
        translation: (..., 3), in the unit of frame a.
    """

    q_wxyz: Array
    translation: Array

    def __post_init__(self) -> None:
        q = canonical_wxyz(self.q_wxyz)
        t = np.asarray(self.translation, dtype=np.float64)
        if t.shape != (*q.shape[:-1], 3):
            raise GeometryError(
                f"a translation of shape {(*q.shape[:-1], 3)} is wanted beside quaternions of "
                f"shape {q.shape}, {t.shape} came"
            )
        if not np.isfinite(t).all():
            raise GeometryError("a finite translation is wanted; NaN or infinity came")
        object.__setattr__(self, "q_wxyz", q)
        object.__setattr__(self, "translation", t)

    @classmethod
    def identity(cls, shape: tuple[int, ...] = ()) -> Pose:
        """Return the motion that moves nothing, as a batch of ``shape``."""
        q = np.zeros((*shape, 4))
        q[..., 0] = 1.0
        return cls(q, np.zeros((*shape, 3)))

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> Pose:
        """Return the pose of (..., 3, 4) or (..., 4, 4) matrices ``[R t]``.

        Raises:
            GeometryError: The left block is not a rotation (not orthonormal, or a reflection), or
                the last row of a (4, 4) matrix is not 0 0 0 1 (a transposed matrix).
        """
        m = np.asarray(matrix, dtype=np.float64)
        if m.ndim < 2 or m.shape[-2:] not in ((3, 4), (4, 4)):
            raise GeometryError(f"matrices of shape (..., 3|4, 4) are wanted, {m.shape} came")
        if m.shape[-2] == 4 and not np.allclose(m[..., 3, :], (0, 0, 0, 1), atol=1e-6):
            raise GeometryError("a last row of 0 0 0 1 is wanted; is the matrix transposed?")
        rotation = m[..., :3, :3]
        gram = rotation @ np.swapaxes(rotation, -1, -2)
        if not np.allclose(gram, np.eye(3), atol=1e-4) or (np.linalg.det(rotation) < 0).any():
            raise GeometryError("a rotation matrix is wanted; one with scale or reflection came")
        return cls.from_rotation(Rotation.from_matrix(rotation), m[..., :3, 3])

    @classmethod
    def from_rotation(cls, rotation: Rotation, translation: ArrayLike) -> Pose:
        """Return the pose of a scipy rotation and a translation."""
        return cls(rotation.as_quat(scalar_first=True), np.asarray(translation, dtype=np.float64))

    @classmethod
    def stack(cls, poses: list[Pose]) -> Pose:
        """Return single poses as one batch (N)."""
        if not poses:
            return cls(np.zeros((0, 4)), np.zeros((0, 3)))
        return cls(np.stack([p.q_wxyz for p in poses]), np.stack([p.translation for p in poses]))

    @property
    def shape(self) -> tuple[int, ...]:
        """The batch shape; ``()`` for one pose."""
        return self.q_wxyz.shape[:-1]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("one pose has no length")
        return self.shape[0]

    def __getitem__(self, index: int | slice | NDArray[Any]) -> Pose:
        if not self.shape:
            raise TypeError("one pose cannot be indexed")
        return Pose(self.q_wxyz[index], self.translation[index])

    @property
    def rotation(self) -> Rotation:
        """The rotation as scipy's ``Rotation``."""
        return rotation_from_wxyz(self.q_wxyz)

    @property
    def rotation_matrix(self) -> Array:
        """(..., 3, 3) rotation matrices."""
        matrix: Array = self.rotation.as_matrix()
        return matrix

    @property
    def matrix(self) -> Array:
        """(..., 4, 4) homogeneous matrices."""
        out = np.zeros((*self.shape, 4, 4))
        out[..., :3, :3] = self.rotation_matrix
        out[..., :3, 3] = self.translation
        out[..., 3, 3] = 1.0
        return out

    def inverse(self) -> Pose:
        """Return ``b_from_a``."""
        q = self.q_wxyz * np.array([1.0, -1.0, -1.0, -1.0])
        r_t = np.swapaxes(self.rotation_matrix, -1, -2)
        return Pose(q, -np.einsum("...ij,...j->...i", r_t, self.translation))

    def __matmul__(self, other: Pose) -> Pose:
        """Compose: ``a_from_c = a_from_b @ b_from_c``; batches broadcast."""
        rotated = np.einsum("...ij,...j->...i", self.rotation_matrix, other.translation)
        translation = rotated + self.translation
        q = quaternion_product(self.q_wxyz, other.q_wxyz)
        return Pose(np.broadcast_to(q, (*translation.shape[:-1], 4)), translation)

    def apply(self, points: ArrayLike) -> Array:
        """Return points of frame b in frame a.

        Args:
            points: (..., 3); for a batch of poses, broadcast pose by pose.
        """
        moved: Array = (
            np.einsum("...ij,...j->...i", self.rotation_matrix, np.asarray(points, np.float64))
            + self.translation
        )
        return moved


def quaternion_product(a_wxyz: Array, b_wxyz: Array) -> Array:
    """Return the Hamilton product of (..., 4) quaternions, broadcasting."""
    aw, ax, ay, az = np.moveaxis(a_wxyz, -1, 0)
    bw, bx, by, bz = np.moveaxis(b_wxyz, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def relative_pose(world_from_a: Pose, world_from_b: Pose) -> Pose:
    """Return ``a_from_b``: maps a point in camera b's frame into camera a's (PITFALLS 3)."""
    return world_from_a.inverse() @ world_from_b
