"""Scores against closed forms, and that they need nothing but the saved file."""

import ast
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError, InputError
from sightline.geometry import Pose
from sightline.tasks.absolute import metrics
from sightline.tasks.absolute.metrics import (
    Predictions,
    error_curve,
    nearest_frame,
    pose_errors,
    position_mae,
    read_predictions,
    recall,
    rotation_mae,
    scores,
    split_names,
    write_predictions,
)


def poses(count: int, seed: int = 0) -> Pose:
    generator = np.random.default_rng(seed)
    return Pose.from_rotation(
        Rotation.random(count, rng=generator), generator.normal(size=(count, 3))
    )


def moved(true: Pose, metres: list[float], degrees: list[float]) -> Pose:
    """Poses off by exactly these distances and angles, in random directions."""
    generator = np.random.default_rng(9)
    direction = generator.normal(size=(len(true), 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    axis = generator.normal(size=(len(true), 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    turn = Rotation.from_rotvec(axis * np.deg2rad(degrees)[:, None])
    return Pose.from_rotation(
        true.rotation * turn, true.translation + direction * np.asarray(metres)[:, None]
    )


def test_errors_and_scores_are_what_was_put_in() -> None:
    true = poses(5)
    metres, degrees = [0.1, 0.3, 0.2, 4.0, 6.0], [1.0, 1.5, 4.0, 179.0, 9.0]
    predicted = moved(true, metres, degrees)
    errors = pose_errors(predicted, true)
    np.testing.assert_allclose(errors.position, metres, atol=1e-12)
    np.testing.assert_allclose(errors.rotation_deg, degrees, atol=1e-6)
    table = scores(predicted, true)
    assert table["median_position"] == pytest.approx(0.3)
    assert table["mean_position"] == pytest.approx(10.6 / 5)
    assert table["max_position"] == pytest.approx(6.0)
    assert table["median_rotation_deg"] == pytest.approx(4.0)
    assert table["mean_rotation_deg"] == pytest.approx(194.5 / 5)
    assert table["recall"] == {"0.25, 2 deg": 0.2, "0.5, 5 deg": 0.6, "5, 10 deg": 0.6}
    assert table["frames"] == 5


def test_recall_wants_both_within() -> None:
    errors = metrics.PoseErrors(np.array([0.1, 0.1, 9.0, 0.25]), np.array([1.0, 9.0, 1.0, 2.0]))
    assert recall(errors, 0.25, 2.0) == 0.5


def test_the_papers_mean_absolute_errors_by_hand() -> None:
    true = Pose(np.array([[1.0, 0, 0, 0], [0.6, 0.8, 0, 0]]), np.zeros((2, 3)))
    predicted = Pose(np.array([[1.0, 0, 0, 0], [0.8, 0.6, 0, 0]]), [[0.3, -0.6, 0], [0, 0, 1.5]])
    assert position_mae(predicted, true) == pytest.approx((0.3 + 0.6 + 1.5) / 6)
    assert rotation_mae(predicted, true) == pytest.approx((0.2 + 0.2) / 8)


def test_rotation_mae_is_blind_to_the_sign_across_the_half_turn() -> None:
    """179 and 181 degrees about z have stored quaternions with opposite vectors."""
    true = Pose.from_rotation(Rotation.from_rotvec([[0, 0, np.deg2rad(179)]]), np.zeros((1, 3)))
    other = Pose.from_rotation(Rotation.from_rotvec([[0, 0, np.deg2rad(181)]]), np.zeros((1, 3)))
    assert true.q_wxyz[0, 3] * other.q_wxyz[0, 3] < 0
    assert rotation_mae(other, true) < 0.01


def test_the_nearest_frame_is_the_nearest_by_brute_force() -> None:
    true, training = poses(30, 1), poses(40, 2)
    found = nearest_frame(true, training)
    for i in range(30):
        gaps = np.linalg.norm(training.translation - true.translation[i], axis=1)
        np.testing.assert_array_equal(found.translation[i], training.translation[gaps.argmin()])
        np.testing.assert_allclose(found.q_wxyz[i], training.q_wxyz[gaps.argmin()])
    with pytest.raises(GeometryError, match="training poses"):
        nearest_frame(true, Pose.stack([]))


def test_the_error_curve_is_the_cumulative_share() -> None:
    errors = np.array([0.5, 0.1, 0.2, 1.0])
    limits, within = error_curve(errors, 11)
    for limit, share in zip(limits, within, strict=True):
        assert share == pytest.approx(np.mean(errors <= limit))
    assert within[-1] == 1.0


def test_predictions_round_trip(tmp_path: Path) -> None:
    true = poses(4)
    saved = Predictions(
        ("a.jpg", "b,c.jpg", "d.jpg", "e.jpg"),
        ("test", "test", "train", ""),
        true,
        moved(true, [0.1] * 4, [3.0] * 4),
    )
    write_predictions(tmp_path / "p.csv", saved)
    back = read_predictions(tmp_path / "p.csv")
    assert (back.images, back.splits) == (saved.images, saved.splits)
    np.testing.assert_allclose(back.true.translation, true.translation, atol=1e-9)
    np.testing.assert_allclose(back.predicted.q_wxyz, saved.predicted.q_wxyz, atol=1e-8)
    assert back.of_split("test").images == ("a.jpg", "b,c.jpg")
    assert len(back.of_split("validation")) == 0


def test_a_bad_predictions_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sightline evaluate"):
        read_predictions(tmp_path / "none.csv")
    (tmp_path / "p.csv").write_text("image,split\n")
    with pytest.raises(InputError, match="columns"):
        read_predictions(tmp_path / "p.csv")
    row = ",".join(["a", "test", "1"] + ["x"] * 13)
    (tmp_path / "p.csv").write_text(",".join(metrics.PREDICTIONS_COLUMNS) + "\n" + row + "\n")
    with pytest.raises(InputError, match="fourteen"):
        read_predictions(tmp_path / "p.csv")


def test_mismatched_and_empty_input_is_refused() -> None:
    with pytest.raises(GeometryError, match="as many"):
        pose_errors(poses(3), poses(4))
    with pytest.raises(GeometryError, match="frames to score"):
        scores(Pose.stack([]), Pose.stack([]))
    with pytest.raises(InputError, match="one pose"):
        Predictions(("a",), ("test",), poses(1), poses(2))


def test_parts_come_test_first() -> None:
    assert split_names(["train", "walk", "test"]) == ["test", "train", "walk"]


def test_metrics_know_no_model() -> None:
    tree = ast.parse(Path(metrics.__file__).read_text())
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert not {n for n in imported if n and ("torch" in n or "learning" in n or "model" in n)}
