"""Predictors that never look, on labels whose means are known."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records.pairs import ImagePair, PairSet
from sightline.tasks.relative.baselines import Baseline, ConstantPredictor, SamePose


def pairs_of(poses: list[Pose | None], split: str = "") -> tuple[ImagePair, ...]:
    return tuple(
        ImagePair(Path(f"{i}a.png"), Path(f"{i}b.png"), pose, split=split)
        for i, pose in enumerate(poses)
    )


def turned(degrees: float, t: list[float]) -> Pose:
    return Pose.from_rotation(Rotation.from_euler("y", degrees, degrees=True), np.array(t))


def test_constant_is_the_mean_of_the_training_labels() -> None:
    labels = [turned(10, [3, 0, 0]), turned(50, [0, 0, 0.1]), None]
    pairs = (*pairs_of(labels, "train"), *pairs_of([turned(170, [0, 1, 0])], "test"))
    found = ConstantPredictor.of(PairSet("rooms", Path(), pairs))
    said = found.estimate()
    assert said.pose().rotation.magnitude() == pytest.approx(np.deg2rad(30))
    np.testing.assert_allclose(said.pose().translation, [np.sqrt(0.5), 0, np.sqrt(0.5)], atol=1e-12)
    assert "rooms" in said.method
    assert said.status == "ok"


def test_means_near_half_a_turn_are_right() -> None:
    # axis-angle vectors of these two cancel out; their mean rotation is half a turn (PITFALLS 6)
    labels = pairs_of([turned(175, [1, 0, 0]), turned(-175, [1, 0, 0])])
    found = ConstantPredictor.of(PairSet("all", Path(), labels))
    assert found.answer.rotation.magnitude() == pytest.approx(np.pi)


def test_confidence_is_the_share_of_labels_it_would_be_right_on() -> None:
    labels = pairs_of([turned(0, [0, 0, -1])] * 3 + [turned(0, [1, 0, -1])])
    assert (
        SamePose.of(PairSet("all", Path(), labels)).confidence == 0
    )  # the mean is 13 deg off three
    labels = pairs_of([turned(0, [0, 0, -1])] * 19 + [turned(20, [0, 0, -1])])
    assert SamePose.of(PairSet("all", Path(), labels)).confidence == pytest.approx(0.95)


def test_same_pose_does_not_turn_and_walks_ahead() -> None:
    said = SamePose.of().estimate()
    assert said.pose().rotation.magnitude() == 0
    # b's centre lies before a
    np.testing.assert_allclose(said.pose().inverse().translation, [0, 0, 1])
    assert isinstance(SamePose.of(), Baseline)


def test_directions_that_cancel_out_leave_ahead() -> None:
    labels = pairs_of([turned(0, [1, 0, 0]), turned(0, [-1, 0, 0])])
    np.testing.assert_allclose(SamePose.of(PairSet("all", Path(), labels)).direction, [0, 0, -1])


def test_labels_are_needed() -> None:
    with pytest.raises(InputError, match="none has one"):
        ConstantPredictor.of(PairSet("none", Path(), pairs_of([None])))
