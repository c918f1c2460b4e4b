"""Frames without an answer: kept in the file, counted in the scores, never taken for a pose."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.app.trained_runs import CarriedNetwork
from sightline.geometry import Pose, Similarity
from sightline.tasks.absolute.metrics import Predictions, read_predictions, write_predictions
from sightline.tasks.absolute.report import score_rows

TRUE = Pose.from_rotation(Rotation.random(4, rng=0), np.arange(12.0).reshape(4, 3))
NAMES, SPLITS = ("a", "b", "c", "d"), ("test", "test", "test", "train")


def predictions() -> Predictions:
    near = Pose(TRUE.q_wxyz, TRUE.translation + np.array([0.1, 0, 0]))
    return Predictions.of(NAMES, SPLITS, TRUE, [near[0], None, near[2], None])


def test_the_file_keeps_them(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", predictions())
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert len(lines) == 5
    assert "b,test" + "," * 14 in lines
    read = read_predictions(tmp_path / "p.csv")
    assert read.images == ("a", "c")
    assert read.unanswered == (("b", "test"), ("d", "train"))
    np.testing.assert_allclose(read.true.translation, TRUE.translation[[0, 2]])
    assert read.all_splits == ("test", "test", "test", "train")
    assert read.of_split("test").unanswered == (("b", "test"),)


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
