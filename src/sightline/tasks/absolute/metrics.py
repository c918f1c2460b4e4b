"""Scores of saved predictions; nothing here knows a model.

``predictions.csv`` has one row a frame: image, split, the true pose and the predicted one, which is
left empty where there was no answer.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from sightline.errors import GeometryError, InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array, mean_rotation, rotation_angle_deg
from sightline.records.files import write_text

_POSE = ("qw", "qx", "qy", "qz", "x", "y", "z")
PREDICTIONS_COLUMNS = (
    "image",
    "split",
    *(f"true_{name}" for name in _POSE),
    *(f"predicted_{name}" for name in _POSE),
)

#: (metres, degrees) within which a prediction counts as right; the field's usual three.
RECALL_THRESHOLDS = ((0.25, 2.0), (0.5, 5.0), (5.0, 10.0))


class PosePredictions(Protocol):
    """A model's answers: a batch of poses, or a list in which None is no answer."""

    def __len__(self) -> int:
        """Return how many images were asked about."""

    def __getitem__(self, index: int, /) -> Pose | None:
        """Return the world_from_cam of one of them."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted poses beside the true ones.

    Attributes:
        images: (N,) names.
        splits: (N,) the part each frame belongs to.
        true: (N,) world_from_cam.
        predicted: (N,) world_from_cam.
        unanswered: (name, part) of the frames that got no answer; they are none of the N.
        unanswered_true: (len(unanswered),) their true world_from_cam.
    """

    images: tuple[str, ...]
    splits: tuple[str, ...]
    true: Pose
    predicted: Pose
    unanswered: tuple[tuple[str, str], ...] = ()
    unanswered_true: Pose = field(default_factory=lambda: Pose.stack([]))

    def __post_init__(self) -> None:
        counts = {len(self.images), len(self.splits), len(self.true), len(self.predicted)}
        if len(counts) != 1:
            raise InputError(f"one pose of each kind an image is wanted, {sorted(counts)} came")
        if len(self.unanswered) != len(self.unanswered_true):
            raise InputError(
                f"true poses of all {len(self.unanswered)} frames without an answer are wanted, "
                f"{len(self.unanswered_true)} came"
            )

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def of(
        cls, images: Sequence[str], splits: Sequence[str], true: Pose, predicted: PosePredictions
    ) -> Predictions:
        """Return a model's answers, those without a pose apart."""
        poses = [predicted[i] for i in range(len(predicted))]
        index = np.array([i for i, pose in enumerate(poses) if pose is not None], dtype=np.int64)
        without = np.array([i for i, pose in enumerate(poses) if pose is None], dtype=np.int64)
        return cls(
            tuple(images[i] for i in index),
            tuple(splits[i] for i in index),
            true[index],
            Pose.stack([pose for pose in poses if pose is not None]),
            tuple((images[i], splits[i]) for i in without),
            true[without],
        )

    @property
    def all_splits(self) -> tuple[str, ...]:
        """The part of every frame, answered or not."""
        return (*self.splits, *(split for _, split in self.unanswered))

    @property
    def all_true(self) -> Pose:
        """The true pose of every frame, the answered ones first."""
        return _joined(self.true, self.unanswered_true)

    def scores(self) -> dict[str, Any]:
        """Return :func:`scores`; errors are of the answered frames, shares of all.

        Where frames got no answer, ``answered`` is the share of those that did.
        """
        asked = len(self) + len(self.unanswered)
        if not self.unanswered:
            return scores(self.predicted, self.true)
        if not len(self):
            return {"frames": asked, "answered": 0.0}
        answered = len(self) / asked
        found = scores(self.predicted, self.true)
        within = {name: share * answered for name, share in found["recall"].items()}
        return found | {"frames": asked, "answered": answered, "recall": within}

    def of_split(self, split: str) -> Predictions:
        """Return the frames of one part."""
        index = np.array([i for i, s in enumerate(self.splits) if s == split], dtype=np.int64)
        without = [i for i, (_, s) in enumerate(self.unanswered) if s == split]
        return Predictions(
            tuple(self.images[i] for i in index),
            tuple(self.splits[i] for i in index),
            self.true[index],
            self.predicted[index],
            tuple(self.unanswered[i] for i in without),
            self.unanswered_true[np.array(without, dtype=np.int64)],
        )


@dataclass(frozen=True, eq=False)
class PoseErrors:
    """Errors frame by frame.

    Attributes:
        position: (N,) distance of centres, in the world's unit.
        rotation_deg: (N,) angle between rotations.
    """

    position: Array
    rotation_deg: Array


def pose_errors(predicted: Pose, true: Pose) -> PoseErrors:
    """Return the errors of (N,) world_from_cam poses."""
    _check_pair(predicted, true)
    return PoseErrors(
        np.linalg.norm(predicted.translation - true.translation, axis=-1),
        rotation_angle_deg(predicted.q_wxyz, true.q_wxyz),
    )


def position_mae(predicted: Pose, true: Pose) -> float:
    """Return the mean absolute error over frames and coordinates (paper 000, Tables II-IV)."""
    _check_pair(predicted, true)
    return float(np.abs(predicted.translation - true.translation).mean())


def rotation_mae(predicted: Pose, true: Pose) -> float:
    """Return the mean absolute error over frames and quaternion components (paper 000).

    Each true quaternion is first put on the predicted one's side: q and -q are one rotation.
    """
    _check_pair(predicted, true)
    same_side = (predicted.q_wxyz * true.q_wxyz).sum(axis=-1, keepdims=True) >= 0
    aligned = np.where(same_side, true.q_wxyz, -true.q_wxyz)
    return float(np.abs(predicted.q_wxyz - aligned).mean())


def recall(errors: PoseErrors, metres: float, degrees: float) -> float:
    """Return the share of frames within both limits."""
    return float(np.mean((errors.position <= metres) & (errors.rotation_deg <= degrees)))


def nearest_frame(true: Pose, training: Pose) -> Pose:
    """Return, for each true pose, the training pose whose centre is nearest.

    The baseline of copying: an oracle picks the nearest training frame, and its pose is the
    answer. A score that does not beat it shows no more than that the frame was recognised.

    Raises:
        GeometryError: There are no training poses.
    """
    if len(training) == 0:
        raise GeometryError("training poses are wanted for the nearest-frame baseline, none came")
    _, index = KDTree(training.translation).query(true.translation)
    return training[np.asarray(index, dtype=np.int64)]


def mean_pose(training: Pose, count: int) -> Pose:
    """Return the mean centre and rotation of the training poses, ``count`` times.

    The baseline of not looking: a score that does not beat it has learned nothing.

    Raises:
        GeometryError: There are no training poses.
    """
    if len(training) == 0:
        raise GeometryError("training poses are wanted for the constant baseline, none came")
    q_wxyz, centre = mean_rotation(training.q_wxyz), training.translation.mean(axis=0)
    return Pose(np.tile(q_wxyz, (count, 1)), np.tile(centre, (count, 1)))


def error_curve(errors: Array, points: int = 200, frames: int | None = None) -> tuple[Array, Array]:
    """Return (limits, share of frames within each), from zero to the largest error.

    Args:
        errors: Of the answered frames.
        points: How many limits.
        frames: How many were asked; as many as were answered where None.
    """
    limits = np.linspace(0.0, float(np.max(errors, initial=0.0)), points)
    asked = len(errors) if frames is None else frames
    return limits, np.searchsorted(np.sort(errors), limits, side="right") / max(asked, 1)


def scores(predicted: Pose, true: Pose) -> dict[str, Any]:
    """Return all scores of (N,) world_from_cam poses as a JSON-like table.

    Raises:
        GeometryError: No frames.
    """
    if len(true) == 0:
        raise GeometryError("frames to score are wanted, none came")
    errors = pose_errors(predicted, true)
    return {
        "frames": len(true),
        "median_position": float(np.median(errors.position)),
        "mean_position": float(np.mean(errors.position)),
        "median_rotation_deg": float(np.median(errors.rotation_deg)),
        "mean_rotation_deg": float(np.mean(errors.rotation_deg)),
        "max_position": float(np.max(errors.position)),
        "recall": {f"{m:g}, {d:g} deg": recall(errors, m, d) for m, d in RECALL_THRESHOLDS},
        "position_mae": position_mae(predicted, true),
        "rotation_mae": rotation_mae(predicted, true),
    }


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write ``predictions.csv``, atomically."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(PREDICTIONS_COLUMNS)
    numbers = np.concatenate([_numbers(predictions.true), _numbers(predictions.predicted)], axis=1)
    for image, split, row in zip(predictions.images, predictions.splits, numbers, strict=True):
        writer.writerow([image, split, *(f"{value:.9f}" for value in row)])
    for (image, split), row in zip(
        predictions.unanswered, _numbers(predictions.unanswered_true), strict=True
    ):
        writer.writerow([image, split, *(f"{v:.9f}" for v in row), *[""] * len(_POSE)])
    write_text(path, stream.getvalue())


def read_predictions(path: Path) -> Predictions:
    """Return the predictions of a ``predictions.csv``.

    Raises:
        InputError: The file is missing, has other columns, or a bad number.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; run `sightline evaluate absolute RUN`") from error
    if not rows or tuple(rows[0]) != PREDICTIONS_COLUMNS:
        raise InputError(f"{path}: columns {','.join(PREDICTIONS_COLUMNS)} are wanted")
    half = 2 + len(_POSE)
    body = [row for row in rows[1:] if any(row[half:])]
    without = [row for row in rows[1:] if row and not any(row[half:])]
    if any(not any(row[2:half]) for row in without):  # the form of before
        raise InputError(
            f"{path}: a true pose of every frame is wanted, {without[0][0]} has none; run "
            "`sightline evaluate absolute RUN` again"
        )
    try:
        numbers = np.array([row[2:] for row in body], dtype=np.float64).reshape(len(body), 14)
        true, predicted = _pose(numbers[:, :7]), _pose(numbers[:, 7:])
        rest = np.array([row[2:half] for row in without], dtype=np.float64).reshape(-1, 7)
        unanswered_true = _pose(rest)
    except (ValueError, GeometryError) as error:
        raise InputError(f"{path}: fourteen finite numbers a row are wanted ({error})") from error
    return Predictions(
        tuple(row[0] for row in body),
        tuple(row[1] for row in body),
        true,
        predicted,
        tuple((row[0], row[1]) for row in without),
        unanswered_true,
    )


def _numbers(pose: Pose) -> Array:
    return np.concatenate([pose.q_wxyz, pose.translation], axis=1)


def _joined(first: Pose, second: Pose) -> Pose:
    return Pose(
        np.concatenate([first.q_wxyz, second.q_wxyz]),
        np.concatenate([first.translation, second.translation]),
    )


def _pose(numbers: NDArray[np.float64]) -> Pose:
    return Pose(numbers[:, :4], numbers[:, 4:])


def _check_pair(predicted: Pose, true: Pose) -> None:
    if len(predicted.shape) != 1 or predicted.shape != true.shape:
        raise GeometryError(
            f"as many predicted as true poses are wanted, {predicted.shape} and {true.shape} came"
        )


def split_names(splits: Sequence[str]) -> list[str]:
    """Return the parts that occur, test first."""
    order = ("test", "validation", "train")
    present = set(splits)
    return [s for s in order if s in present] + sorted(present - set(order))
