"""A walk's scores with the pose graph beside those of the network alone."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records import Place, PosedFrame
from sightline.tasks.absolute.metrics import pose_errors, read_predictions
from sightline.tasks.absolute.report import score_rows
from sightline.tasks.absolute.scoring import AbsoluteScoring, score
from sightline.tasks.absolute.smoothed_walk import score_smoothed
from two_walls import CAMERA, view_of_planes

COUNT = 12


def walk() -> Pose:
    """Sideways past the two walls, turning a little."""
    x = np.linspace(-1.2, 1.2, COUNT)
    turn = Rotation.from_euler("y", -9 * x[:, None], degrees=True)
    return Pose.from_rotation(turn, np.stack([x, 0.1 * np.sin(4 * x), 0.3 * np.cos(2 * x)], axis=1))


@pytest.fixture
def walked(tmp_path: Path) -> tuple[Place, list[PosedFrame], Path]:
    place = Place.create(tmp_path / "place", source="test")
    place.update(
        unit="m",
        camera={
            "model": CAMERA.model, "width": CAMERA.width, "height": CAMERA.height,
            "params": list(CAMERA.params),
        },
    )  # fmt: skip
    true, folder, frames = walk(), tmp_path / "second", []
    folder.mkdir()
    for i in range(COUNT):
        picture = view_of_planes(true[i].inverse(), noise=i + 1).image
        Image.fromarray(picture).save(folder / f"{i}.png")
        frames.append(PosedFrame(f"{i}.png", 0.5 * i, true[i], "walk"))
    return place, frames, folder


def test_smoothed_answers_are_saved_and_nearer(
    walked: tuple[Place, list[PosedFrame], Path], tmp_path: Path
) -> None:
    place, frames, folder = walked
    true, rng = walk(), np.random.default_rng(3)
    turn = Rotation.from_rotvec(np.deg2rad(8.0) * rng.standard_normal((COUNT, 3)))
    raw = Pose.from_rotation(
        true.rotation * turn, true.translation + 0.3 * rng.standard_normal((COUNT, 3))
    )
    predicted = [None if i == 7 else raw[i] for i in range(COUNT)]
    saved = tmp_path / "smoothed.csv"
    found = score_smoothed(saved, place, frames, folder, predicted)
    before = pose_errors(raw, true)
    assert found["frames"] == COUNT
    assert found["median_position"] < 0.6 * np.median(before.position)
    assert found["median_rotation_deg"] < 0.6 * np.median(before.rotation_deg)
    assert read_predictions(saved).images == tuple(f.image for f in frames)
    with saved.open(newline="") as stream:
        assert [row["split"] for row in csv.DictReader(stream)] == ["walk"] * COUNT


def test_the_table_has_a_row_for_it() -> None:
    table = {
        "median_position": 1.0, "mean_position": 1.2, "median_rotation_deg": 9.0,
        "mean_rotation_deg": 10.0, "recall": {"0.25, 2 deg": 0.1, "0.5, 5 deg": 0.2,
        "5, 10 deg": 0.6},
    }  # fmt: skip
    better = table | {"median_position": 0.5}
    metrics = {
        "unit": "m", "run": "mapnet",
        "splits": {"walk": {**table, "pose_graph": better, "nearest_frame": table}},
    }  # fmt: skip
    rows = score_rows(metrics)
    assert [row[1] for row in rows] == [
        "answer", "mapnet", "with the pose graph", "nearest training frame",
    ]  # fmt: skip
    assert rows[2][2] == "0.500"


def test_a_walk_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--walk FOLDER is wanted with --pose-graph"):
        score([tmp_path], AbsoluteScoring(pose_graph=True), lambda _text, _done: None)
