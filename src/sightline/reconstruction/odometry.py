"""Visual odometry: how the frames of a video stand to one another, and how its steps compare.

Each frame is matched to the few before it (two-view geometry: a rotation and a direction). Points
that two pairs of frames both see tell how long one step is beside the other; the length of all is
left to whoever knows the scale (``geometry.pose_graph``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.interpolation import interpolate_poses
from sightline.geometry.pose import relative_pose
from sightline.geometry.pose_graph import RelativePoses, ScaleRatios, diagonal_covariance
from sightline.geometry.rotation import Array
from sightline.reconstruction.two_view.estimation import Estimator, Matches
from sightline.reconstruction.two_view.features import Keypoints, detect
from sightline.reconstruction.two_view.matching import match
from sightline.reconstruction.two_view.solve import solve
from sightline.reconstruction.two_view.uncertainty import pose_covariance, ranges_to_points

#: Fewest points that two pairs must share for their lengths to be compared.
_LEAST_SHARED = 8
#: Largest doubt of a logarithm of a distance that is compared.
_LARGEST_DOUBT = 0.5


@dataclass(frozen=True)
class OdometryConfig:
    """How frames are tied to those before them."""

    reach: int = 2
    """Each frame is matched to so many before it."""
    max_side: int = 800
    """Larger frames are shrunk to this for features, in pixels."""
    ratio: float = 0.8
    """Lowe's ratio between the best and the second-best distance."""
    min_inliers: int = 25
    """Fewest matches that must agree."""
    min_confidence: float = 0.3
    """Least probability that rotation and direction are right to 10 degrees."""
    still: float = 0.1
    """How far a camera that only turned may have moved (standard deviation), in the world's unit.
    """
    least_ratio_sigma: float = 0.05
    """Least standard deviation of the logarithm of a ratio of lengths."""
    least_rotation_deg: float = 0.1
    """Least standard deviation of a rotation, about each axis."""
    least_direction_deg: float = 1.0
    """Least standard deviation of a direction."""
    estimator: Estimator = field(default_factory=Estimator)
    """How two views are solved."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        if self.reach < 1 or self.min_inliers < _LEAST_SHARED or not self.still > 0:
            raise InputError(
                f"a reach of 1, {_LEAST_SHARED} inliers and a still above 0 or more are wanted, "
                f"{self.reach}, {self.min_inliers} and {self.still} came"
            )


@dataclass(frozen=True, eq=False)
class Odometry:
    """How the frames of a video stand to one another.

    Attributes:
        frames: How many there are.
        relative: Between near ones; steps of unknown length are not metric.
        ratios: Between those lengths.
    """

    frames: int
    relative: RelativePoses
    ratios: ScaleRatios

    def tied(self) -> NDArray[np.bool_]:
        """Return (frames - 1,) whether a relative pose reaches over each step."""
        over = np.zeros(self.frames, np.int64)
        np.add.at(over, np.minimum(self.relative.a, self.relative.b), 1)
        np.add.at(over, np.maximum(self.relative.a, self.relative.b), -1)
        tied: NDArray[np.bool_] = np.cumsum(over)[:-1] > 0
        return tied


class VisualOdometry:
    """Takes the frames of a video one by one; keeps no more than a few of them."""

    def __init__(self, config: OdometryConfig | None = None) -> None:
        """Begin a video."""
        self.config = config or OdometryConfig()
        self._held: deque[_Frame] = deque(maxlen=self.config.reach)
        self._pairs: deque[_Pair] = deque(maxlen=3 * self.config.reach)
        self._found: list[tuple[int, int, Pose, Array, bool]] = []
        self._ratios: list[tuple[int, int, float, float]] = []
        self.frames = 0

    def add(self, image: NDArray[np.uint8], camera: Camera) -> None:
        """Take the next frame.

        Args:
            image: (H, W, 3) uint8 RGB, upright.
            camera: Its intrinsics, of this very size.
        """
        keypoints = detect("sift", image, self.config.max_side)
        size = (image.shape[1], image.shape[0])
        new = _Frame(self.frames, keypoints, camera, size)
        found, ratios = len(self._found), len(self._ratios)
        try:
            for before in reversed(self._held):
                self._tie(before, new)
        except BaseException:  # Ctrl-C: what was found before stays whole
            del self._found[found:], self._ratios[ratios:]
            raise
        self._held.append(new)
        self.frames += 1

    def result(self) -> Odometry:
        """Return what the frames so far give."""
        found, ratios = self._found, self._ratios
        relative = RelativePoses(
            np.array([f[0] for f in found], np.int64),
            np.array([f[1] for f in found], np.int64),
            Pose.stack([f[2] for f in found]),
            np.array([f[3] for f in found]).reshape(-1, 6, 6),
            np.array([f[4] for f in found], bool),
        )
        table = np.array(ratios, dtype=np.float64).reshape(-1, 4)
        rows = table[:, :2].astype(np.int64)
        return Odometry(
            self.frames, relative, ScaleRatios(rows[:, 0], rows[:, 1], table[:, 2], table[:, 3])
        )

    def _tie(self, a: _Frame, b: _Frame) -> None:
        config = self.config
        rows = match(a.keypoints, b.keypoints, config.ratio)
        matches = Matches.of(
            a.keypoints.xy_px[rows[0]],
            b.keypoints.xy_px[rows[1]],
            (a.camera, b.camera),
            (a.keypoints.scale, b.keypoints.scale),
        ).distinct()
        solution = solve(matches, (a.size, b.size), config.estimator)
        if (
            solution.b_from_a is None
            or solution.count < config.min_inliers
            or solution.confidence < config.min_confidence
        ):
            return
        moved, inliers = solution.status == "ok", matches[solution.inliers]
        covariance = self._covariance(solution.b_from_a, inliers, moved=moved)
        self._found.append((a.index, b.index, solution.b_from_a, covariance, not moved))
        if moved:
            row, frames = len(self._found) - 1, (a.index, b.index)
            self._compare(_Pair.of(row, frames, solution.b_from_a, inliers))

    def _covariance(self, b_from_a: Pose, inliers: Matches, *, moved: bool) -> Array:
        config = self.config
        rotation = np.deg2rad(config.least_rotation_deg)
        if not moved:
            return diagonal_covariance(config.still, 2.0 * rotation)
        floor = diagonal_covariance(np.deg2rad(config.least_direction_deg), rotation)
        covariance: Array = pose_covariance(b_from_a, inliers) + floor
        return covariance

    def _compare(self, pair: _Pair) -> None:
        """Note how long a pair's step is beside those of earlier pairs that share a frame."""
        for other in self._pairs:
            for frame in set(other.seen) & set(pair.seen):
                ratio = _log_ratio(other.seen[frame], pair.seen[frame])
                if ratio is not None:
                    sigma = float(np.hypot(ratio[1], self.config.least_ratio_sigma))
                    self._ratios.append((other.row, pair.row, ratio[0], sigma))
        self._pairs.append(pair)


@dataclass(frozen=True, eq=False)
class _Frame:
    """A frame's keypoints, its number, its camera, its width and height."""

    index: int
    keypoints: Keypoints
    camera: Camera
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Seen:
    """Points of one pair as one of its frames sees them: where, how far, and the doubt."""

    at: NDArray[np.complex128]
    log_range: Array
    doubt: Array


@dataclass(frozen=True, eq=False)
class _Pair:
    """A solved pair: its row among the relative poses, and what its frames see."""

    row: int
    seen: dict[int, _Seen]

    @classmethod
    def of(cls, row: int, frames: tuple[int, int], b_from_a: Pose, inliers: Matches) -> _Pair:
        range_a, range_b, doubt = ranges_to_points(b_from_a, inliers)
        sure = doubt < _LARGEST_DOUBT
        seen = {
            frame: _Seen(px[sure] @ np.array([1.0, 1j]), np.log(away[sure]), doubt[sure])
            for frame, px, away in zip(
                frames, (inliers.a_px, inliers.b_px), (range_a, range_b), strict=True
            )
        }
        return cls(row, seen)


def _log_ratio(first: _Seen, second: _Seen) -> tuple[float, float] | None:
    """Return ln(unit of the second / unit of the first) and its sigma; None where too few agree.

    The weighted median over the points that both see: one distance, counted in two units.
    """
    _, i, j = np.intersect1d(first.at, second.at, return_indices=True)
    if len(i) < _LEAST_SHARED:
        return None
    log_ratio = first.log_range[i] - second.log_range[j]
    weight = 1.0 / (first.doubt[i] ** 2 + second.doubt[j] ** 2)
    middle = _weighted_median(log_ratio, weight)
    spread = 1.4826 * _weighted_median(np.abs(log_ratio - middle), weight)
    effective = weight.sum() ** 2 / (weight**2).sum()
    # The median's standard deviation is 1.25 times that of the mean.
    return middle, 1.25 * spread / float(np.sqrt(max(effective, 1.0)))


def _weighted_median(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])])


def odometry_of_trajectory(
    timestamps_s: ArrayLike,
    world_from_cam: Pose,
    wanted_s: Sequence[float],
    *,
    drift: float = 0.02,
    max_gap_s: float = 0.5,
) -> Odometry:
    """Return a given trajectory as steps between frames, in its own metres.

    Where its world lies does not matter; its poses must be the camera's.

    Args:
        timestamps_s: (M,) of the trajectory, on the frames' clock.
        world_from_cam: (M,) its poses.
        wanted_s: (N,) of the frames; between two poses they are interpolated.
        drift: Standard deviation of a step as a share of its length and of its angle.
        max_gap_s: Frames farther than this from the next pose get no step.

    Raises:
        InputError: No two neighbouring frames lie within the trajectory.
    """
    wanted = np.asarray(wanted_s, dtype=np.float64)
    at, known = interpolate_poses(timestamps_s, world_from_cam, wanted, max_gap_s)
    a = np.flatnonzero(known[:-1] & known[1:])
    if not len(a):
        raise InputError(
            f"a trajectory of these frames is wanted ({wanted.min():.3f} to {wanted.max():.3f} s), "
            "none of its times lie near two of them; shift its clock (--odometry-shift)"
        )
    steps = relative_pose(at[a + 1], at[a])
    length = np.linalg.norm(steps.translation, axis=1)
    covariance = diagonal_covariance(
        0.005 + drift * length, np.deg2rad(0.1) + drift * steps.rotation.magnitude()
    )
    relative = RelativePoses(a, a + 1, steps, covariance, np.ones(len(a), bool))
    return Odometry(len(wanted), relative, ScaleRatios.none())
