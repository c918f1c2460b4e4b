"""Frames without an answer: kept in the file, counted in the scores, never taken for a pose."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.app.trained_runs import CarriedNetwork
from sightline.errors import InputError
from sightline.geometry import Pose, Similarity
from sightline.records import Place, stack_poses
from sightline.tasks.absolute.metrics import (
    Predictions,
    error_curve,
    read_predictions,
    write_predictions,
)
from sightline.tasks.absolute.report import score_rows, write_plots
from sightline.tasks.absolute.task import score_predictions

TRUE = Pose.from_rotation(Rotation.random(4, rng=0), np.arange(12.0).reshape(4, 3))
NAMES, SPLITS = ("a", "b", "c", "d"), ("test", "test", "test", "train")


def predictions() -> Predictions:
    near = Pose(TRUE.q_wxyz, TRUE.translation + np.array([0.1, 0, 0]))
    return Predictions.of(NAMES, SPLITS, TRUE, [near[0], None, near[2], None])


def test_the_file_keeps_them(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", predictions())
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert len(lines) == 5
    (row,) = [line for line in lines if line.startswith("b,test,")]
    assert row.endswith("," * 7)
    numbers = [float(cell) for cell in row.split(",")[2:9]]
    np.testing.assert_allclose(numbers, [*TRUE.q_wxyz[1], *TRUE.translation[1]], atol=1e-8)
    read = read_predictions(tmp_path / "p.csv")
    assert read.images == ("a", "c")
    assert read.unanswered == (("b", "test"), ("d", "train"))
    np.testing.assert_allclose(read.true.translation, TRUE.translation[[0, 2]])
    assert read.all_splits == ("test", "test", "test", "train")
    test = read.of_split("test")
    assert test.unanswered == (("b", "test"),)
    np.testing.assert_allclose(test.unanswered_true.translation, TRUE.translation[[1]])
    np.testing.assert_allclose(test.all_true.translation, TRUE.translation[[0, 2, 1]])
    np.testing.assert_allclose(read.of_split("train").all_true.translation, TRUE.translation[[3]])


def test_errors_are_of_the_answered_and_shares_of_all() -> None:
    table = predictions().of_split("test").scores()
    assert table["frames"] == 3
    assert table["answered"] == pytest.approx(2 / 3)
    assert table["median_position"] == pytest.approx(0.1)
    assert table["recall"]["0.25, 2 deg"] == pytest.approx(2 / 3)
    assert predictions().of_split("train").scores() == {"frames": 1, "answered": 0.0}


def test_the_table_says_how_many_were_answered() -> None:
    parts = {name: predictions().of_split(name).scores() for name in ("test", "train")}
    rows = score_rows({"run": "r", "unit": "m", "splits": parts})
    assert rows[1][0] == "test (67% answered)"
    assert rows[2][0] == "train (0% answered)"
    assert set(rows[2][2:]) == {"-"}
    assert len({len(row) for row in rows}) == 1


def test_a_file_without_their_true_poses_is_asked_for_again(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", predictions())
    lines = (tmp_path / "p.csv").read_text().splitlines()
    lines[3] = "b,test" + "," * 14
    (tmp_path / "p.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match="true pose of every frame is wanted, b has none; run"):
        read_predictions(tmp_path / "p.csv")
    with pytest.raises(InputError, match="true poses of all 1 frames without an answer"):
        Predictions(("a",), ("test",), TRUE[:1], TRUE[:1], (("b", "test"),))


def test_network_and_baseline_are_of_the_same_frames(place: Place) -> None:
    """The frames that a network leaves out are often those far from any training frame."""
    frames = [f for f in place.registered() if f.split == "test"]
    true = stack_poses(frames)
    # a walk three metres off but for its first two frames, which alone are answered
    far = Pose(true.q_wxyz, true.translation + np.array([0.0, 0.0, 3.0]))
    near, count = 2, len(frames)
    asked = Pose.stack([true[i] if i < near else far[i] for i in range(count)])
    answers = [asked[i] if i < near else None for i in range(count)]
    said = Predictions.of([f"{i}" for i in range(count)], ["walk"] * count, asked, answers)
    part = score_predictions(said, place, "r")["splits"]["walk"]
    copied, of_answered = part["nearest_frame"], part["nearest_frame_answered"]
    assert (part["frames"], copied["frames"], of_answered["frames"]) == (count, count, near)
    assert part["recall"]["0.25, 2 deg"] == pytest.approx(near / count)
    assert copied["median_position"] > 2.9
    assert of_answered["median_position"] < 0.3
    # of no answer at all there is the baseline still
    silent = Predictions.of(["a"], ["walk"], asked[-1:], [None])
    part = score_predictions(silent, place, "r")["splits"]["walk"]
    assert part["answered"] == 0.0
    assert part["nearest_frame"]["frames"] == 1
    assert "nearest_frame_answered" not in part


def test_the_table_and_the_curves_say_so(tmp_path: Path, place: Place) -> None:
    found = predictions()
    parts = score_predictions(found, place, "r")["splits"]
    rows = score_rows({"run": "r", "unit": "m", "splits": parts})
    assert [row[:2] for row in rows[1:]] == [
        ("test (leak: between training frames) (67% answered)", "r"),
        ("", "nearest training frame"),
        ("", "nearest training frame, of the answered"),
        ("train (0% answered)", "r"),
    ]
    assert len({len(row) for row in rows}) == 1
    limits, within = error_curve(np.array([0.1, 0.3]), 5, frames=4)
    assert limits[-1] == 0.3
    assert within[-1] == 0.5
    run_dir = place.runs_dir / "r"
    run_dir.mkdir(parents=True)
    write_predictions(run_dir / "predictions.csv", found)
    assert all(path.is_file() for path in write_plots(run_dir, "", place))


def test_a_batch_of_poses_is_all_answered() -> None:
    whole = Predictions.of(NAMES, SPLITS, TRUE, TRUE)
    assert whole.unanswered == ()
    assert whole.images == NAMES
    assert "answered" not in whole.scores()


def test_answers_carried_into_another_world_keep_their_gaps() -> None:
    class Network:
        def predict(self, _images: object) -> list[Pose | None]:
            return [TRUE[0], None]

    moved = Similarity(2.0, Pose.from_rotation(Rotation.from_rotvec([0, 0, 1]), [1.0, 2, 3]))
    found = CarriedNetwork(Network(), moved).predict([])
    assert found[1] is None
    wanted = moved.apply(TRUE[0].translation)
    assert found[0] is not None
    np.testing.assert_allclose(found[0].translation, wanted)
