"""What speaks for a pose found in a map, and what against it: numbers, no verdict."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Camera, Pose
from sightline.geometry.pose_graph.terms import cross_matrix
from sightline.geometry.rotation import Array
from sightline.reconstruction.two_view.matching import grid_coverage
from sightline.records.colmap import estimate_absolute_pose

#: Draws for a rival pose: one that a tenth of the remaining matches hold is found with 26%, one
#: that a fifth hold with 91%; weaker rivals are no danger.
_RIVAL_TRIALS = 300
_LEAST_OF_A_RIVAL = 6
_LEAST_OF_A_HALF = 4

#: Median length of a two-dimensional normal error, in its standard deviations.
_MEDIAN_OF_RAYLEIGH = float(np.sqrt(2.0 * np.log(2.0)))


@dataclass(frozen=True)
class PoseEvidence:
    """What speaks for a pose; lengths are in the map's unit.

    Attributes:
        inliers: Keypoints that agree with the pose.
        share: The same as a share of all matches.
        support: The same as a share of the map points to expect in the photo.
        coverage: Share of an 8 x 8 grid over the photo with an inlier.
        similarity: Appearance similarity to the map's frames (1 = typical of them).
        error: Median reprojection error of the inliers, as a share of the largest allowed.
        deviation: Standard deviation of the centre by the covariance of the pose.
        halves: Distance between the centres found from either half of the keypoints; infinite
            where a half gives none.
        rival: Keypoints that agree with the best pose of the remaining matches, as a share of
            ``inliers``; 0 where there is none.
        rival_apart: Distance of that pose's centre; 0 where there is none.
    """

    inliers: int
    share: float
    support: float
    coverage: float
    similarity: float
    error: float
    deviation: float
    halves: float
    rival: float
    rival_apart: float

    def scaled(self, scale: float) -> PoseEvidence:
        """Return the same with lengths in another unit, ``scale`` of which are one of this."""
        lengths = ("deviation", "halves", "rival_apart")
        return dataclasses.replace(self, **{name: scale * getattr(self, name) for name in lengths})


@dataclass(frozen=True, eq=False)
class MatchedPose:
    """A pose, and the matches it was found from.

    Attributes:
        pose: map_from_cam.
        camera: The intrinsics it holds for.
        keypoints: (N,) the keypoint of each match; one may have several.
        keypoints_px: (N, 2) where it lies.
        points: (N, 3) the map point matched to it.
        agree: (N,) whether the match is an inlier.
        max_error_px: Largest reprojection error of an inlier.
    """

    pose: Pose
    camera: Camera
    keypoints: NDArray[np.int64]
    keypoints_px: Array
    points: Array
    agree: NDArray[np.bool_]
    max_error_px: float


def evidence_of(found: MatchedPose, support: float, similarity: float) -> PoseEvidence:
    """Return what speaks for a pose.

    Args:
        found: The pose and its matches.
        support: Inliers as a share of the map points to expect.
        similarity: Of the photo to the map's frames.
    """
    agree = found.agree
    inliers = len(np.unique(found.keypoints[agree]))
    px, design = _linearised(found.pose, found.points[agree], found.camera)
    off = found.keypoints_px[agree] - px
    error_px = float(np.median(np.linalg.norm(off, axis=1)))
    variance = np.trace(_shift_covariance(design.reshape(-1, 6)))
    rival, apart = _rival(found)
    size = (found.camera.width, found.camera.height)
    return PoseEvidence(
        inliers=inliers,
        share=inliers / len(found.agree),
        support=support,
        coverage=grid_coverage(found.keypoints_px[found.agree], size),
        similarity=similarity,
        error=error_px / found.max_error_px,
        deviation=float(np.sqrt(variance)) * error_px / _MEDIAN_OF_RAYLEIGH,
        halves=_halves(design, off, found.keypoints[agree]),
        rival=rival / inliers,
        rival_apart=apart,
    )


def center_covariance(world_from_cam: Pose, points: Array, camera: Camera) -> Array:
    """Return the covariance of a camera's centre for one pixel of noise in each coordinate.

    The block of the inverse of the normal equations of the reprojection error over the six numbers
    of a pose (Hartley and Zisserman 2004, Sec. 5.2); map points and intrinsics count as exact.

    Args:
        world_from_cam: The pose.
        points: (N, 3) points it was found from, in front of the camera.
        camera: Intrinsics.

    Returns:
        (3, 3) in the world; infinite on the diagonal where the points do not determine the pose.
    """
    _, design = _linearised(world_from_cam, points, camera)
    rotation = world_from_cam.rotation_matrix
    covariance = _shift_covariance(design.reshape(-1, 6))
    if not np.isfinite(covariance).all():
        return np.diag(np.full(3, np.inf))
    turned: Array = rotation @ covariance @ rotation.T
    return turned


def _linearised(world_from_cam: Pose, points: Array, camera: Camera) -> tuple[Array, Array]:
    """Return (N, 2) pixels of points, and (N, 2, 6) their derivatives by the camera's own motion.

    That motion is a shift, then a turn, both in the camera's axes: ``p -> (1 - [turn]) p - shift``.
    """
    seen = world_from_cam.inverse().apply(points)
    step = 1e-5 * np.abs(seen[:, 2])
    around = np.concatenate([seen[:, None], seen[:, None] + step[:, None, None] * np.eye(3)], 1)
    px = camera.project(around)
    by_point = (px[:, 1:] - px[:, :1]).transpose(0, 2, 1) / step[:, None, None]
    return px[:, 0], np.concatenate([-by_point, by_point @ cross_matrix(seen)], axis=2)


def _shift_covariance(design: Array) -> Array:
    """Return (3, 3) of the shift, in the camera's axes, for a pixel of noise in each of (M,) rows.

    Infinite on the diagonal where the rows do not determine the pose.
    """
    even = _evened(design)
    if even is None:
        return np.diag(np.full(3, np.inf))
    rows, scale = even
    covariance: Array = np.linalg.inv(rows.T @ rows)[:3, :3] / np.outer(scale[:3], scale[:3])
    return covariance


def _evened(design: Array) -> tuple[Array, Array] | None:
    """Return (M, 6) derivatives over their columns' lengths, and these; None: they fix no pose."""
    # turns and shifts on one scale, so that the rank tells of geometry, not of the unit
    scale = np.linalg.norm(design, axis=0)
    if not np.isfinite(scale).all() or not scale.all():
        return None
    even: Array = design / scale
    return None if np.linalg.matrix_rank(even, tol=1e-6) < 6 else (even, scale)


def _halves(design: Array, off: Array, keypoints: NDArray[np.int64]) -> float:
    """Return how far apart the centres lie that either half of the inliers gives.

    Halved are the keypoints: matches of one keypoint err together. Each half's centre is the one of
    least squares, by one step from the pose of all: both lie within the error of an inlier.

    Args:
        design: (n, 2, 6) derivatives of the inliers' pixels.
        off: (n, 2) what they miss by.
        keypoints: (n,) of each.
    """
    _, number = np.unique(keypoints, return_inverse=True)
    shifts = []
    for half in (number % 2 == 0, number % 2 == 1):
        even = _evened(design[half].reshape(-1, 6))
        if half.sum() < _LEAST_OF_A_HALF or even is None:
            return float("inf")
        rows, scale = even
        shifts.append(np.linalg.solve(rows.T @ rows, rows.T @ off[half].ravel())[:3] / scale[:3])
    return float(np.linalg.norm(shifts[0] - shifts[1]))


def _rival(found: MatchedPose) -> tuple[int, float]:
    """Return the keypoints that agree with the best pose of the other matches, and how far off."""
    rest = np.flatnonzero(~found.agree)
    answer = estimate_absolute_pose(
        found.keypoints_px[rest],
        found.points[rest],
        found.camera,
        max_error_px=found.max_error_px,
        min_inliers=_LEAST_OF_A_RIVAL,
        max_trials=_RIVAL_TRIALS,
    )
    if answer is None:
        return 0, 0.0
    count = len(np.unique(found.keypoints[rest][answer.inliers]))
    apart = np.linalg.norm(answer.world_from_cam.translation - found.pose.translation)
    return count, float(apart)
