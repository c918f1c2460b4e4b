"""The essential matrix of matched points: PoseLib's LO-RANSAC, or OpenCV's RANSAC as the papers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array

EstimatorName = Literal["poselib", "opencv", "magsac"]
ESTIMATORS: tuple[EstimatorName, ...] = get_args(EstimatorName)

#: Five points determine the matrix, and say nothing about whether it is right.
MIN_MATCHES = 8


@dataclass(frozen=True)
class Estimator:
    """How the essential matrix is found."""

    name: EstimatorName = "poselib"
    """``poselib`` (five points, LO-RANSAC, nonlinear refinement), ``opencv`` (five points, RANSAC,
    `recoverPose`, as papers usually have it) or ``magsac`` (OpenCV's USAC_MAGSAC)."""
    threshold_px: float = 1.0
    """Largest Sampson distance of an inlier, in pixels of the image features were taken on."""
    iterations: int = 10000
    """Most RANSAC iterations."""
    seed: int = 0
    """Seed of RANSAC, where it takes one; OpenCV's has its own fixed one."""

    def __post_init__(self) -> None:
        if self.name not in ESTIMATORS:
            raise InputError(f"an estimator of {', '.join(ESTIMATORS)} is wanted, {self.name!r}")

    @property
    def title(self) -> str:
        """Name with the threshold, as tables show it."""
        name = {
            "poselib": "PoseLib 5pt LO-RANSAC",
            "opencv": "OpenCV 5pt RANSAC",
            "magsac": "OpenCV USAC_MAGSAC",
        }[self.name]
        return f"{name} {self.threshold_px:.1f} px"


@dataclass(frozen=True, eq=False)
class Matches:
    """Matched points of two images, as rays and as pixels.

    Attributes:
        a: (N, 2) rays ``x / z, y / z`` of camera a, distortion undone.
        b: (N, 2) of camera b.
        a_px: (N, 2) where they lie in image a.
        b_px: (N, 2) in image b.
        pixel: One pixel of the images that features were taken on, as a length on the ray plane.
    """

    a: Array
    b: Array
    a_px: Array
    b_px: Array
    pixel: float

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, rows: Any) -> Matches:
        return Matches(self.a[rows], self.b[rows], self.a_px[rows], self.b_px[rows], self.pixel)

    def distinct(self) -> Matches:
        """Return the matches without those that repeat another to the pixel in both images.

        Detectors find one corner at several scales and under several names.
        """
        cells = np.round(np.concatenate([self.a_px, self.b_px], axis=1))
        _, first = np.unique(cells, axis=0, return_index=True)
        return self[np.sort(first)]

    def swapped(self) -> Matches:
        """Return the same matches from b to a."""
        return Matches(self.b, self.a, self.b_px, self.a_px, self.pixel)

    @classmethod
    def of(
        cls, a_px: Array, b_px: Array, cameras: tuple[Camera, Camera], scales: tuple[float, float]
    ) -> Matches:
        """Return the matches of two images; points that no ray reaches are left out.

        Args:
            a_px: (N, 2) pixels of image a.
            b_px: (N, 2) pixels of image b.
            cameras: Of a and b, for images of these sizes.
            scales: Pixels that features were taken on, over those of the images.
        """
        a, b = cameras[0].unproject(a_px)[:, :2], cameras[1].unproject(b_px)[:, :2]
        seen = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
        focals = [float(np.sqrt(c.fx * c.fy)) * s for c, s in zip(cameras, scales, strict=True)]
        pixel = 0.5 * (1 / focals[0] + 1 / focals[1])
        return cls(a[seen], b[seen], np.asarray(a_px)[seen], np.asarray(b_px)[seen], pixel)

    @classmethod
    def union(cls, parts: list[Matches]) -> Matches:
        """Return all matches of several detectors on the same two images."""
        return cls(
            np.concatenate([p.a for p in parts]),
            np.concatenate([p.b for p in parts]),
            np.concatenate([p.a_px for p in parts]),
            np.concatenate([p.b_px for p in parts]),
            float(np.mean([p.pixel for p in parts])),
        )


def essential_matrix(b_from_a: Pose) -> Array:
    """Return (3, 3) E with ``x_b^T E x_a = 0``."""
    x, y, z = b_from_a.translation
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    essential: Array = cross @ b_from_a.rotation_matrix
    return essential


def homogeneous(rays: Array) -> Array:
    """Return (N, 3) rays with z = 1."""
    return np.concatenate([rays, np.ones((len(rays), 1))], axis=1)


def sampson_px(b_from_a: Pose, matches: Matches) -> Array:
    """Return (N,) Sampson distances in pixels of the images that features were taken on.

    Hartley and Zisserman 2004, Eq. 11.9.
    """
    essential = essential_matrix(b_from_a)
    a, b = homogeneous(matches.a), homogeneous(matches.b)
    line_b, line_a = a @ essential.T, b @ essential
    algebraic = np.abs((b * line_b).sum(axis=1))
    slope = np.hypot(*line_b[:, :2].T) ** 2 + np.hypot(*line_a[:, :2].T) ** 2
    distance: Array = algebraic / np.sqrt(np.maximum(slope, 1e-24)) / matches.pixel
    return distance


def in_front(b_from_a: Pose, matches: Matches) -> NDArray[np.bool_]:
    """Return (N,) whether the two rays meet in front of both cameras.

    Rays so nearly parallel that a pixel decides count as meeting (points far away).
    """
    a = b_from_a.rotation.apply(_unit(homogeneous(matches.a)))
    b, t = _unit(homogeneous(matches.b)), b_from_a.translation
    cos = (a * b).sum(axis=1)
    at, bt = a @ t, b @ t
    # Depths s_a, s_b of the nearest points of the rays t + s_a a and s_b b, times sin^2.
    depth_a, depth_b = cos * bt - at, bt - cos * at
    far = np.linalg.norm(np.cross(a, b), axis=1) < matches.pixel
    front: NDArray[np.bool_] = far | ((depth_a > 0) & (depth_b > 0))
    return front


def inlier_mask(b_from_a: Pose, matches: Matches, threshold_px: float) -> NDArray[np.bool_]:
    """Return (N,) whether a match agrees with a pose: near its epipolar lines, and in front."""
    agrees: NDArray[np.bool_] = sampson_px(b_from_a, matches) < threshold_px
    return agrees & in_front(b_from_a, matches)


def estimate_pose(
    matches: Matches, estimator: Estimator, initial: Pose | None = None
) -> Pose | None:
    """Return b_from_a with a translation of length 1, or None where none is found.

    Args:
        matches: Of the two images.
        estimator: How.
        initial: A first guess (PoseLib only): RANSAC starts from it, and leaves it for a better.
    """
    if len(matches) < MIN_MATCHES:
        return None
    if estimator.name == "poselib":
        return _by_poselib(matches, estimator, initial)
    return _by_opencv(matches, estimator)


#: Rays, not pixels, go into the libraries: distortion is undone, and no pixel convention matters.
_RAY_CAMERA = {"model": "SIMPLE_PINHOLE", "width": 2, "height": 2, "params": [1.0, 0.0, 0.0]}


def _by_poselib(matches: Matches, estimator: Estimator, initial: Pose | None) -> Pose | None:
    import poselib

    threshold = estimator.threshold_px * matches.pixel
    ransac = {
        "max_epipolar_error": threshold,
        "max_iterations": estimator.iterations,
        "seed": estimator.seed,
    }
    bundle = {"loss_type": "CAUCHY", "loss_scale": 0.5 * threshold}
    start = None if initial is None else _to_poselib(initial)
    found, info = poselib.estimate_relative_pose(
        matches.a, matches.b, _RAY_CAMERA, _RAY_CAMERA, ransac, bundle, start
    )
    if info["num_inliers"] < MIN_MATCHES:
        return None
    pose = _from_poselib(found)
    if pose is None:
        return None
    rows = np.array(info["inliers"], dtype=bool)
    refined, _ = poselib.refine_relative_pose(
        matches.a[rows], matches.b[rows], _to_poselib(pose), _RAY_CAMERA, _RAY_CAMERA, bundle
    )
    better = _from_poselib(refined)
    return pose if better is None else better


def _to_poselib(pose: Pose) -> Any:
    import poselib

    converted = poselib.CameraPose()
    converted.q, converted.t = pose.q_wxyz, pose.translation
    return converted


def _from_poselib(found: Any) -> Pose | None:
    q, t = np.asarray(found.q, dtype=np.float64), np.asarray(found.t, dtype=np.float64).reshape(3)
    length = float(np.linalg.norm(t))
    if not (np.isfinite(q).all() and np.isfinite(length)) or length < 1e-12 or not q.any():
        return None
    return Pose(q, t / length)


def _by_opencv(matches: Matches, estimator: Estimator) -> Pose | None:
    a, b = np.ascontiguousarray(matches.a), np.ascontiguousarray(matches.b)
    method = cv2.USAC_MAGSAC if estimator.name == "magsac" else cv2.RANSAC
    try:
        found, mask = cv2.findEssentialMat(
            a, b, np.eye(3), method, 0.9999, estimator.threshold_px * matches.pixel,
            estimator.iterations,
        )  # fmt: skip
    except cv2.error:
        # OpenCV asserts inside its solver on some degenerate sets.
        return None
    if found is None or not found.size or found.shape[0] % 3:
        return None
    best, best_count = None, 0
    for essential in found.reshape(-1, 3, 3):
        count, rotation, t, _ = cv2.recoverPose(essential, a, b, np.eye(3), mask=mask.copy())
        if count > best_count:
            best_count = count
            best = Pose.from_rotation(Rotation.from_matrix(rotation), t.ravel())
    return best


def _unit(vectors: Array) -> Array:
    units: Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units


def parallax_deg(b_from_a: Pose, matches: Matches) -> Array:
    """Return (N,) angles between the two rays to each point, in degrees."""
    a = b_from_a.rotation.apply(_unit(homogeneous(matches.a)))
    b = _unit(homogeneous(matches.b))
    angle: Array = np.degrees(
        np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1))
    )
    return angle
