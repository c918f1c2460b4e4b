"""Trajectory errors: ATE, RPE per frame and per metre (Sturm et al. 2012), rotation errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sightline.errors import GeometryError
from sightline.geometry.pose import Pose, relative_pose
from sightline.geometry.rotation import Array, rotation_angle
from sightline.geometry.similarity import Similarity, fit_similarity

Alignment = Literal["none", "se3", "sim3"]


@dataclass(frozen=True, eq=False)
class ErrorSummary:
    """Errors of one trajectory.

    Attributes:
        translation: (N,) in the true trajectory's unit.
        rotation: (N,) radians.
    """

    translation: Array
    rotation: Array

    @property
    def rmse(self) -> float:
        """Root mean square of the translation errors."""
        return float(np.sqrt(np.mean(self.translation**2)))

    @property
    def median(self) -> float:
        """Median translation error."""
        return float(np.median(self.translation))

    @property
    def median_deg(self) -> float:
        """Median rotation error in degrees."""
        return float(np.rad2deg(np.median(self.rotation)))


@dataclass(frozen=True, eq=False)
class AbsoluteTrajectoryError(ErrorSummary):
    """ATE with the alignment it was computed under (``true_from_estimated``)."""

    alignment: Similarity


def absolute_trajectory_error(
    estimated: Pose, true: Pose, alignment: Alignment = "sim3"
) -> AbsoluteTrajectoryError:
    """Return the distance between camera centres after alignment, and the rotation errors.

    Args:
        estimated: (N,) world_from_cam poses.
        true: (N,) world_from_cam poses of the same frames.
        alignment: ``sim3`` fits rotation, translation and scale; ``se3`` leaves the scale at 1;
            ``none`` compares as given.
    """
    _check_pair(estimated, true)
    if alignment == "none":
        fit = Similarity.identity()
    elif alignment in ("se3", "sim3"):
        fit = fit_similarity(
            estimated.translation, true.translation, with_scale=alignment == "sim3"
        )
    else:
        raise GeometryError(f"an alignment of none, se3, sim3 is wanted, {alignment!r} came")
    aligned = fit.apply_pose(estimated)
    return AbsoluteTrajectoryError(
        np.linalg.norm(aligned.translation - true.translation, axis=-1),
        rotation_angle(aligned.q_wxyz, true.q_wxyz),
        fit,
    )


def seam_gap(estimated: Pose, true: Pose, *, reach: float, apart: int) -> ErrorSummary:
    """Return the errors of the motion between frames that pass one spot at different times.

    A loop that is closed well has none; one that is not gapes by what the walk between drifted.
    The estimate is brought to the true scale by a Sim(3) fit first.

    Args:
        estimated: (N,) world_from_cam, in order of time.
        true: (N,) world_from_cam.
        reach: Frames at most so far from each other pass one spot, in the true unit.
        apart: Frames fewer than so many apart are no return.

    Raises:
        GeometryError: No frame returns to a spot.
    """
    _check_pair(estimated, true)
    a, b = np.triu_indices(len(true), max(1, apart))
    near = np.linalg.norm(true.translation[a] - true.translation[b], axis=-1) <= reach
    if not near.any():
        raise GeometryError(f"no frame comes within {reach:g} of one {apart} or more before it")
    aligned = absolute_trajectory_error(estimated, true).alignment.apply_pose(estimated)
    a, b = a[near], b[near]
    motion, asked = relative_pose(aligned[a], aligned[b]), relative_pose(true[a], true[b])
    return ErrorSummary(
        np.linalg.norm(motion.translation - asked.translation, axis=-1),
        rotation_angle(motion.q_wxyz, asked.q_wxyz),
    )


def relative_pose_error(
    estimated: Pose, true: Pose, *, delta: float = 1, unit: Literal["frames", "m"] = "frames"
) -> ErrorSummary:
    """Return RPE: the motion error over ``delta`` frames, or over ``delta`` metres of true path.

    For ``m``, each start frame is paired with the first later frame at least ``delta`` metres of
    path ahead, and the errors are divided by the path length actually covered (per metre).

    Args:
        estimated: (N,) world_from_cam.
        true: (N,) world_from_cam.
        delta: Frames (a whole number) or metres.
        unit: What ``delta`` counts.

    Raises:
        GeometryError: No pair of frames is that far apart, or ``delta`` or ``unit`` is none of
            the above.
    """
    _check_pair(estimated, true)
    if unit not in ("frames", "m"):
        raise GeometryError(f"a unit of frames, m is wanted, {unit!r} came")
    if not (np.isfinite(delta) and delta > 0):
        raise GeometryError(f"a positive, finite delta is wanted, {delta} came")
    n = len(true)
    if unit == "frames":
        if delta != int(delta):
            raise GeometryError(f"a whole number of frames of 1 or more is wanted, {delta} came")
        first = np.arange(n - int(delta))
        second = first + int(delta)
        length = np.ones(len(first))
    else:
        path = np.r_[0.0, np.linalg.norm(np.diff(true.translation, axis=0), axis=-1).cumsum()]
        second = np.searchsorted(path, path + delta, side="left")
        first = np.flatnonzero(second < n)
        second = second[first]
        length = path[second] - path[first]
    if len(first) == 0:
        raise GeometryError(f"no two of the {n} frames are {delta:g} {unit} apart")
    motion_true = relative_pose(true[first], true[second])
    motion_estimated = relative_pose(estimated[first], estimated[second])
    error = motion_true.inverse() @ motion_estimated
    return ErrorSummary(
        np.linalg.norm(error.translation, axis=-1) / length,
        rotation_angle(error.q_wxyz, np.array([1.0, 0.0, 0.0, 0.0])) / length,
    )


def _check_pair(estimated: Pose, true: Pose) -> None:
    if len(estimated.shape) != 1 or estimated.shape != true.shape:
        raise GeometryError(
            f"two trajectories of the same length are wanted, {estimated.shape} and "
            f"{true.shape} came"
        )
