"""MapNet+PGO: absolute answers for a video's frames and its odometry, put together.

Brahmbhatt et al. 2018 (MapNet), Sec. 3.3, over the whole video instead of a window of seven frames,
with every term weighed by its own doubt, outliers let go, and lengths of steps that nobody knows
found on the way. Imports without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.pose_graph import (
    PoseGraph,
    PoseGraphOptions,
    PoseGraphSolution,
    PosePriors,
    RelativePoses,
    diagonal_covariance,
    solve_pose_graph,
)
from sightline.geometry.rotation import Array, rotation_angle
from sightline.media import exif_focal_px, read_photo
from sightline.reconstruction.odometry import Odometry, VisualOdometry
from sightline.reconstruction.refine import camera_for_photo

#: Median length of three standard normal numbers.
_MEDIAN_OF_THREE = 1.5382
#: Fewest answers that tell how far answers are off.
_LEAST_TO_JUDGE = 8
#: Share of the steps that odometry must tie: else the trajectory follows the answers anyway.
_WHOLE = 0.8
#: How much the data may change a doubt that was given, either way.
_LEAST_CHANGE, _MOST_CHANGE = 0.3, 10.0
#: Standard deviation of a step that odometry ties, as a share of its length.
_DRIFT = 0.05
#: A network's doubt before it is judged: this share of the walk's own spread, and an angle.
_NETWORK_SHARE, _NETWORK_DEG = 0.2, 10.0


@dataclass(frozen=True)
class SmoothingConfig:
    """How a video's answers are smoothed."""

    walking: float = 1.5
    """Speed of the camera where odometry is lost (standard deviation), in the world's unit a
    second."""
    turning_deg: float = 60.0
    """Turn of the camera there, in degrees a second."""
    longest_gap_s: float = 5.0
    """Frames farther in time from all that is known are not tied without odometry."""
    rounds: int = 2
    """How often the doubt of answers is judged anew by how they fit, where odometry is whole enough
    to tell."""
    graph: PoseGraphOptions = field(default_factory=PoseGraphOptions)
    """How the graph is solved."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Absolute answers for a video's frames, before smoothing.

    Attributes:
        poses: N world_from_cam; None where there is no answer.
        position_sigma: (N,) standard deviation of each coordinate, in the world's unit.
        rotation_sigma: (N,) of the rotation about each axis, in radians.
        judged: (N,) whether the doubt is a guess, to be judged by how the answers fit.
    """

    poses: Sequence[Pose | None]
    position_sigma: Array
    rotation_sigma: Array
    judged: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = (len(self.poses),)
        for name in ("position_sigma", "rotation_sigma", "judged"):
            kind = bool if name == "judged" else np.float64
            value = np.broadcast_to(np.asarray(getattr(self, name), dtype=kind), shape)
            object.__setattr__(self, name, value)
        if not ((self.position_sigma > 0).all() and (self.rotation_sigma > 0).all()):
            raise InputError("standard deviations above 0 are wanted for all answers")

    @property
    def frames(self) -> NDArray[np.int64]:
        """(M,) the frames with an answer."""
        return np.array([i for i, pose in enumerate(self.poses) if pose is not None], np.int64)

    def priors(self) -> PosePriors:
        """Return the answers as priors."""
        rows = self.frames
        return PosePriors(
            rows,
            Pose.stack([pose for pose in self.poses if pose is not None]),
            diagonal_covariance(self.position_sigma[rows], self.rotation_sigma[rows]),
        )


@dataclass(frozen=True, eq=False)
class Smoothed:
    """A smoothed trajectory.

    Attributes:
        poses: N world_from_cam; None where nothing says where the frame was taken.
        weights: (N,) how much the frame's own answer still counts, 0 to 1; 0 where it had none.
        position_sigma: What the answers' doubt was judged to be, (N,), in the world's unit.
        step_sigma: (N - 1,) about how far each coordinate may stray from a frame to the next:
            hardly where odometry ties them, as far as people walk where it is lost; infinite where
            nothing ties them.
    """

    poses: list[Pose | None]
    weights: Array
    position_sigma: Array
    step_sigma: Array


def smooth(
    answers: Answers,
    odometry: Odometry,
    timestamps_s: Sequence[float],
    config: SmoothingConfig | None = None,
) -> Smoothed:
    """Return the trajectory that answers and odometry make most likely together.

    Args:
        answers: For all frames.
        odometry: Between them.
        timestamps_s: (N,) of the frames, increasing.
        config: How.

    Raises:
        InputError: Answers, odometry and times are not of the same frames.
    """
    config = config or SmoothingConfig()
    count = len(answers.poses)
    if odometry.frames != count or len(timestamps_s) != count:
        raise InputError(
            f"odometry and times of {count} frames are wanted, {odometry.frames} and "
            f"{len(timestamps_s)} came"
        )
    if not len(answers.frames):
        apart = np.full(max(count - 1, 0), np.inf)
        return Smoothed([None] * count, np.zeros(count), answers.position_sigma, apart)
    walking = _walking(odometry, answers.frames, np.asarray(timestamps_s, dtype=np.float64), config)
    relative = RelativePoses.union([odometry.relative, walking])

    def solved(given: Answers) -> PoseGraphSolution:
        graph = PoseGraph(count, given.priors(), relative, odometry.ratios)
        return solve_pose_graph(graph, config.graph)

    found = solved(answers)
    whole = count > 1 and odometry.tied().mean() >= _WHOLE
    for _ in range(config.rounds if whole else 0):
        judged = _judged_by(answers, found.world_from_cam)
        if judged is answers:
            break
        answers = judged
        found = solved(answers)
    weights = np.zeros(count)
    weights[answers.frames] = found.prior_weights
    poses = [found.world_from_cam[i] if found.determined[i] else None for i in range(count)]
    step_sigma = _step_sigma(odometry, walking, found)
    return Smoothed(poses, weights, answers.position_sigma, step_sigma)


def _step_sigma(odometry: Odometry, walking: RelativePoses, found: PoseGraphSolution) -> Array:
    """Return (N - 1,) how far each coordinate may stray from a frame to the next."""
    length = np.linalg.norm(np.diff(found.world_from_cam.translation, axis=0), axis=1)
    sigma = np.where(odometry.tied(), _DRIFT * length, np.inf)
    sigma[walking.a] = np.sqrt(walking.covariance[:, 0, 0])
    both: Array = np.where(found.determined[:-1] & found.determined[1:], sigma, np.inf)
    return both


def _walking(
    odometry: Odometry, answered: NDArray[np.int64], stamps: Array, config: SmoothingConfig
) -> RelativePoses:
    """Return ties over steps that odometry lost: nobody walks or turns faster than people do."""
    gap, tied = np.diff(stamps), odometry.tied()
    # a chain of such steps says nothing of where its far end is: each stays near what is known
    known = np.isin(np.arange(len(stamps)), answered) | np.r_[tied, False] | np.r_[False, tied]
    around = np.r_[-np.inf, stamps[known], np.inf]
    after = np.searchsorted(around, stamps)
    away = np.minimum(around[after] - stamps, stamps - around[after - 1])
    near = np.maximum(away[:-1], away[1:]) <= config.longest_gap_s
    a = np.flatnonzero(~tied & near & (gap <= config.longest_gap_s))
    seconds = np.maximum(gap[a], 1e-3)
    return RelativePoses(
        a,
        a + 1,
        Pose.identity((len(a),)),
        diagonal_covariance(config.walking * seconds, np.deg2rad(config.turning_deg) * seconds),
        np.ones(len(a), bool),
    )


def _judged_by(answers: Answers, found: Pose) -> Answers:
    """Return answers whose guessed doubts fit how far they are from a trajectory, on the median."""
    rows = answers.frames[answers.judged[answers.frames]]
    if len(rows) < _LEAST_TO_JUDGE:
        return answers
    given = Pose.stack([pose for i in rows if (pose := answers.poses[i]) is not None])
    off = np.linalg.norm(given.translation - found.translation[rows], axis=1)
    turned = rotation_angle(given.q_wxyz, found.q_wxyz[rows])
    position, rotation = answers.position_sigma.copy(), answers.rotation_sigma.copy()
    for sigma, length in ((position, off), (rotation, turned)):
        factor = float(np.median(length / sigma[rows])) / _MEDIAN_OF_THREE
        sigma[rows] *= min(max(factor, _LEAST_CHANGE), _MOST_CHANGE)
    return Answers(answers.poses, position, rotation, answers.judged)


def smooth_walk(
    predicted: Sequence[Pose | None],
    images: Sequence[Path],
    camera: Camera | None,
    timestamps_s: Sequence[float],
    progress: Callable[[str, float], None] = lambda _stage, _done: None,
) -> Smoothed:
    """Return a network's answers for a walk, smoothed over it by what its images say of the motion.

    Args:
        predicted: The network's, in the walk's order; None where it has no answer.
        images: The frames' files.
        camera: That the place was seen with; None guesses a usual field of view.
        timestamps_s: Of the frames, increasing.
        progress: Called with a text and the share done.

    Raises:
        MediaError: An image does not read.
    """
    odometry = VisualOdometry()
    for i, path in enumerate(images):
        image = read_photo(path)
        height, width = image.shape[:2]
        likely = camera or Camera.guess(width, height)
        odometry.add(image, camera_for_photo(likely, width, height, exif_focal_px(path)))
        progress("matching the walk's frames", (i + 1) / len(images))
    known = [pose for pose in predicted if pose is not None]
    reach = np.linalg.norm(Pose.stack(known).translation.std(axis=0)) if known else 1.0
    answers = Answers(
        predicted,
        np.array(_NETWORK_SHARE * max(float(reach), 1e-9)),
        np.array(np.deg2rad(_NETWORK_DEG)),
        np.array(True),
    )
    return smooth(answers, odometry.result(), timestamps_s)
