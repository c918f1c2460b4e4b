"""Predictors that never look: what any method has to beat (PITFALLS 19 says why)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array, mean_rotation
from sightline.records.pairs import PairSet
from sightline.records.views import RelativeEstimate, View
from sightline.tasks.relative.metrics import CONFIDENT_DEG, moved_mask, roe_deg, rte_deg

#: Translation of b_from_a where the camera walks ahead: b's centre lies before a.
FORWARD = (0.0, 0.0, -1.0)

#: A mean of directions shorter than this points nowhere.
_NO_MEAN = 1e-6


@runtime_checkable
class Baseline(Protocol):
    """A method that needs no images, so that none is read for it."""

    @property
    def name(self) -> str:
        """Full name, as tables show it."""
        ...

    def estimate(self) -> RelativeEstimate:
        """Return the one answer."""
        ...

    def relate(self, a: View, b: View) -> RelativeEstimate:
        """Return the one answer."""
        ...


@dataclass(frozen=True, eq=False)
class ConstantPredictor:
    """Always the mean label of the training pairs: chordal mean rotation, mean direction.

    Attributes:
        answer: b_from_a, translation of length 1.
        name: Full name, as tables show it.
        confidence: Share of the training labels within 10 degrees of it, both ways.
    """

    answer: Pose
    name: str = "constant"
    confidence: float = 0.0

    @classmethod
    def of(cls, training: PairSet, name: str | None = None) -> ConstantPredictor:
        """Return the predictor of a set's labels: its ``train`` pairs, or all where it has none.

        Raises:
            InputError: No pair has a pose.
        """
        labels = training_labels(training)
        answer = Pose(mean_rotation(labels.q_wxyz), mean_direction(labels))
        shown = name or f"constant (mean of {len(labels)} labels of {training.name})"
        return cls(answer, shown, _share_right(answer, labels))

    def estimate(self) -> RelativeEstimate:
        """Return the one answer."""
        return RelativeEstimate("ok", self.name, self.answer, confidence=self.confidence)

    def relate(self, a: View, b: View) -> RelativeEstimate:
        """Return the one answer, whatever the images."""
        return self.estimate()


@dataclass(frozen=True, eq=False)
class SamePose:
    """Always "the camera did not turn", and moved straight ahead, or as training pairs on average.

    Attributes:
        direction: (3,) unit translation of b_from_a.
        name: Full name, as tables show it.
        confidence: Share of the training labels within 10 degrees of it; 0 without any.
    """

    direction: Array
    name: str = "same pose"
    confidence: float = 0.0

    @classmethod
    def of(cls, training: PairSet | None = None) -> SamePose:
        """Return the predictor; the direction is the training mean, or ahead without training.

        Raises:
            InputError: There is a training set, and none of its pairs has a pose.
        """
        if training is None:
            return cls(np.array(FORWARD), "same pose, ahead")
        labels = training_labels(training)
        direction = mean_direction(labels)
        answer = Pose(np.array([1.0, 0.0, 0.0, 0.0]), direction)
        name = f"same pose, mean direction of {training.name}"
        return cls(direction, name, _share_right(answer, labels))

    def estimate(self) -> RelativeEstimate:
        """Return the one answer."""
        pose = Pose(np.array([1.0, 0.0, 0.0, 0.0]), self.direction)
        return RelativeEstimate("ok", self.name, pose, confidence=self.confidence)

    def relate(self, a: View, b: View) -> RelativeEstimate:
        """Return the one answer, whatever the images."""
        return self.estimate()


def training_labels(training: PairSet) -> Pose:
    """Return (N,) b_from_a of a set's ``train`` pairs, or of all where it has no such split.

    Raises:
        InputError: No pair has a pose.
    """
    part = training.part("train") if "train" in training.splits() else training
    poses = [pair.b_from_a for pair in part.pairs if pair.b_from_a is not None]
    if not poses:
        raise InputError(f"{training.root}: training pairs with a pose are wanted, none has one")
    return Pose.stack(poses)


def mean_direction(labels: Pose) -> Array:
    """Return (3,) the mean of unit translations, as a unit vector; ahead where they cancel out."""
    moved = labels.translation[moved_mask(labels)]
    if not len(moved):
        return np.array(FORWARD)
    mean: Array = np.mean(moved / np.linalg.norm(moved, axis=1, keepdims=True), axis=0)
    length = float(np.linalg.norm(mean))
    return mean / length if length > _NO_MEAN else np.array(FORWARD)


def _share_right(answer: Pose, labels: Pose) -> float:
    roe, rte = roe_deg(answer, labels), rte_deg(answer.translation, labels.translation)
    return float(np.mean(np.fmax(roe, rte) < CONFIDENT_DEG))
