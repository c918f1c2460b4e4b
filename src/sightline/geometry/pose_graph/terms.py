"""Residuals of a pose graph and their derivatives, all terms of a kind at once.

A frame moves by ``R <- R exp(w)`` and ``c <- c + v``: six numbers, first v in world axes, then w in
the camera's own. Sola, Deray and Atchuthan 2018, "A micro Lie theory", Eqs. 133-146.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from sightline.geometry.pose import Pose
from sightline.geometry.pose_graph.graph import PosePriors, RelativePoses, ScaleRatios
from sightline.geometry.rotation import Array


@dataclass(frozen=True, eq=False)
class State:
    """Where all frames are, and how long the free translations.

    Attributes:
        rotation: (N, 3, 3) world_from_cam.
        centre: (N, 3).
        log_scale: (K,) one a relative pose; 0 for those that are metric.
    """

    rotation: Array
    centre: Array
    log_scale: Array

    def moved(self, frames: Array, log_scale: Array) -> State:
        """Return the state after a step.

        Args:
            frames: (N, 6) v and w of each frame.
            log_scale: (K,) added to the logarithms.
        """
        turn = Rotation.from_rotvec(frames[:, 3:]).as_matrix()
        return State(self.rotation @ turn, self.centre + frames[:, :3], self.log_scale + log_scale)

    @property
    def poses(self) -> Pose:
        """(N,) world_from_cam."""
        return Pose.from_rotation(Rotation.from_matrix(self.rotation), self.centre)


def cross_matrix(vectors: Array) -> Array:
    """Return (..., 3, 3) matrices M with ``M x = v x x``."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return np.stack(rows, axis=-1).reshape(*vectors.shape[:-1], 3, 3)


def inverse_right_jacobian(rotvec: Array) -> Array:
    """Return (N, 3, 3) J with ``log(exp(r) exp(w)) = r + J w`` for small w (Sola 2018, Eq. 144)."""
    angle = np.linalg.norm(rotvec, axis=-1)
    small = angle < 1e-3
    safe = np.where(small, 1.0, angle)
    exact = 1.0 / safe**2 - 0.5 / (safe * np.tan(0.5 * safe))
    factor = np.where(small, 1.0 / 12.0 + angle**2 / 720.0, exact)
    cross = cross_matrix(rotvec)
    jacobian: Array = np.eye(3) + 0.5 * cross + factor[..., None, None] * (cross @ cross)
    return jacobian


def log_rotation(rotation: Array) -> Array:
    """Return (N, 3) rotation vectors of (N, 3, 3) matrices."""
    rotvec: Array = Rotation.from_matrix(rotation).as_rotvec()
    return rotvec


def prior_terms(state: State, priors: PosePriors, whitener: Array) -> tuple[Array, Array]:
    """Return (M, 6) whitened residuals and their (M, 6, 6) derivatives by the frame's step."""
    at = priors.frames
    turn = _transposed(priors.world_from_cam.rotation_matrix) @ state.rotation[at]
    rotvec = log_rotation(turn)
    residual = np.concatenate([state.centre[at] - priors.world_from_cam.translation, rotvec], 1)
    jacobian = np.zeros((len(at), 6, 6))
    jacobian[:, :3, :3] = np.eye(3)
    jacobian[:, 3:, 3:] = inverse_right_jacobian(rotvec)
    return _times(whitener, residual), whitener @ jacobian


def relative_terms(state: State, relative: RelativePoses, whitener: Array) -> tuple[Array, Array]:
    """Return (K, 6) whitened residuals and their (K, 6, 13) derivatives.

    The derivatives are by a's step, b's step and the logarithm of the scale. A free translation is
    compared in its own unit, so that its doubt is one of direction however long it turns out.
    """
    r_a, r_b = state.rotation[relative.a], _transposed(state.rotation[relative.b])
    between = _times(r_b, state.centre[relative.a] - state.centre[relative.b])
    shrink = np.exp(-state.log_scale)[:, None]
    measured = _transposed(relative.b_from_a.rotation_matrix)
    rotvec = log_rotation(measured @ r_b @ r_a)
    residual = np.concatenate([shrink * between - relative.b_from_a.translation, rotvec], axis=1)
    jacobian = np.zeros((len(relative), 6, 13))
    jacobian[:, :3, 0:3] = shrink[..., None] * r_b
    jacobian[:, :3, 6:9] = -shrink[..., None] * r_b
    jacobian[:, :3, 9:12] = shrink[..., None] * cross_matrix(between)
    jacobian[:, :3, 12] = np.where(relative.metric[:, None], 0.0, -shrink * between)
    jacobian[:, 3:, 3:6] = inverse_right_jacobian(rotvec)
    # The left Jacobian is the right one of the opposite rotation.
    jacobian[:, 3:, 9:12] = -inverse_right_jacobian(-rotvec) @ measured
    return _times(whitener, residual), whitener @ jacobian


def ratio_terms(state: State, ratios: ScaleRatios) -> tuple[Array, Array]:
    """Return (L, 1) whitened residuals and their (L, 1, 2) derivatives by the two logarithms."""
    apart = state.log_scale[ratios.second] - state.log_scale[ratios.first] - ratios.log_ratio
    jacobian = np.stack([-1.0 / ratios.sigma, 1.0 / ratios.sigma], axis=-1)[:, None, :]
    return (apart / ratios.sigma)[:, None], jacobian


def _times(matrices: Array, vectors: Array) -> Array:
    product: Array = np.einsum("kij,kj->ki", matrices, vectors)
    return product


def _transposed(matrices: Array) -> Array:
    return np.swapaxes(matrices, -1, -2)
