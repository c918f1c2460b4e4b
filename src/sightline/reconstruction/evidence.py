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

    @property
    def errors_px(self) -> Array:
        """(n,) reprojection errors of the inliers."""
        seen = self.pose.inverse().apply(self.points[self.agree])
        off: Array = self.camera.project(seen) - self.keypoints_px[self.agree]
        errors: Array = np.linalg.norm(off, axis=1)
        return errors


def evidence_of(found: MatchedPose, support: float, similarity: float) -> PoseEvidence:
    """Return what speaks for a pose.

    Args:
        found: The pose and its matches.
        support: Inliers as a share of the map points to expect.
        similarity: Of the photo to the map's frames.
    """
    inliers = len(np.unique(found.keypoints[found.agree]))
    error_px = float(np.median(found.errors_px))
    variance = np.trace(center_covariance(found.pose, found.points[found.agree], found.camera))
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
        halves=_halves(found),
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
    seen = world_from_cam.inverse().apply(points)
    step = 1e-5 * np.abs(seen[:, 2])
    moved = seen[:, None, :] + step[:, None, None] * np.eye(3)
    # (N, 2, 3) pixels by point, then by the camera's own motion: p -> (1 - [turn]) p - shift
    by_point = (camera.project(moved) - camera.project(seen)[:, None]).transpose(0, 2, 1)
    by_point = by_point / step[:, None, None]
    by_turn = by_point @ cross_matrix(seen)
    design = np.concatenate([-by_point, by_turn], axis=2).reshape(-1, 6)
    # turns and shifts on one scale, so that the rank tells of geometry, not of the unit
    scale = np.linalg.norm(design, axis=0)
    if not np.isfinite(scale).all() or np.linalg.matrix_rank(design / scale, tol=1e-6) < 6:
        return np.diag(np.full(3, np.inf))
    inverse = np.linalg.inv((design / scale).T @ (design / scale)) / np.outer(scale, scale)
    rotation = world_from_cam.rotation_matrix
    covariance: Array = rotation @ inverse[:3, :3] @ rotation.T
    return covariance


def _halves(found: MatchedPose) -> float:
    """Return how far apart the centres lie that either half of the inliers gives.

    Halved are the keypoints: matches of one keypoint err together.
    """
    rows = np.flatnonzero(found.agree)
    _, number = np.unique(found.keypoints[rows], return_inverse=True)
    centers = []
    for half in (rows[number % 2 == 0], rows[number % 2 == 1]):
        answer = estimate_absolute_pose(
            found.keypoints_px[half],
            found.points[half],
            found.camera,
            max_error_px=found.max_error_px,
            min_inliers=4,
        )
        if answer is None:
            return float("inf")
        centers.append(answer.world_from_cam.translation)
    return float(np.linalg.norm(centers[0] - centers[1]))


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
