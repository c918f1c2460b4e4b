"""MapNet+ end to end on pictures that tell where they were taken: what a walk adds; resuming."""

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.cli.main import main
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records import Place, PosedFrame, read_poses_csv, write_poses_csv
from sightline.records.files import read_toml
from sightline.tasks.absolute.checkpoint import load_run
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.task import evaluate, train

Picture = Callable[[float], np.ndarray]

QUICK = AbsoluteConfig(
    model="mapnet",
    backbone="compact",
    weights="none",
    width=32,
    height=40,
    rotation="6d",
    loss="l2",
    step=2,
    batch=4,
    epochs=2,
    learning_rate=2e-3,
    validate_every=1,
    precision="float32",
)
ELSEWHERE = Pose.from_rotation(Rotation.from_rotvec([0.4, 1.0, -2.0]), [5.0, -3.0, 9.0])


def plus(walk: Path, trajectory: Path | None, **changes: object) -> AbsoluteConfig:
    own = {"unlabelled": walk, "unlabelled_odometry": trajectory, "unlabelled_skip": 2}
    return dataclasses.replace(QUICK, **own | changes)  # type: ignore[arg-type]


def told_elsewhere(walk: Path, scale: float = 1.0) -> Path:
    """Return the true motion of a walk in a world that lies elsewhere, in another unit."""
    frames = read_poses_csv(walk / "poses.csv")
    there = [ELSEWHERE @ pose for f in frames if (pose := f.world_from_cam) is not None]
    path = walk / f"told-{scale:g}.csv"
    write_poses_csv(
        path,
        [
            PosedFrame(frame.image, None, Pose(pose.q_wxyz, scale * pose.translation))
            for frame, pose in zip(frames, there, strict=True)
        ],
    )
    return path


@pytest.fixture
def half_known(place: Place, tmp_path: Path, picture: Picture) -> tuple[Place, Path]:
    """A place whose training frames end halfway, and a walk on to its end."""
    frames = place.frames()
    half = len(frames) // 2
    place.write_frames(
        [f.with_split("validation" if i % 5 == 2 else "train") for i, f in enumerate(frames[:half])]
        + [f.with_split("") for f in frames[half:]]
    )
    walk = tmp_path / "on"
    (walk / "images").mkdir(parents=True)
    known = [frame for frame in frames if frame.world_from_cam is not None]
    for i in range(6, len(known)):
        Image.fromarray(picture(i / (len(known) - 1))).save(walk / "images" / f"{i:04d}.png")
    # Exactly the place's own pictures would be the place's own frames: these are new files.
    write_poses_csv(walk / "poses.csv", [dataclasses.replace(f, split="") for f in known[6:]])
    return place, walk


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_a_walk_teaches_where_no_labels_are(half_known: tuple[Place, Path], scale: float) -> None:
    """Labels end halfway: beyond, MapNet guesses, and MapNet+ follows the motion."""
    place, walk = half_known
    known = {"epochs": 60, "validate_every": 10}
    alone = train(place, dataclasses.replace(QUICK, **known), place.runs_dir / "a")
    metric = {} if scale == 1.0 else {"unlabelled_unit": "arbitrary"}
    settings = plus(walk, told_elsewhere(walk, scale), **known, **metric, unlabelled_skip=3)
    with_walk = train(place, settings, place.runs_dir / "b")
    before = evaluate(alone.directory, walk)["splits"]["walk"]
    after = evaluate(with_walk.directory, walk)["splits"]["walk"]
    assert after["median_position"] < 0.6 * before["median_position"]
    assert after["median_rotation_deg"] < 0.6 * before["median_rotation_deg"]


def test_a_run_says_what_it_learned_from(place: Place, walk: Path) -> None:
    (walk / "images" / "9999.png").write_bytes(b"no picture")
    said: list[str] = []
    settings = plus(walk, told_elsewhere(walk), augment_yaw_deg=8.0, augment_colour=0.1)
    run = train(place, settings, place.runs_dir / "plus", lambda text, _f: said.append(text))
    assert any("1 unlabelled photos left out" in text and "9999.png" in text for text in said)
    with (run.directory / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        assert float(row["train_unlabelled_position"]) > 0
        assert float(row["train_unlabelled_rotation"]) > 0
    table = read_toml(run.directory / "config.toml")["run"]
    assert table["unlabelled_frames"] == table["unlabelled_moving"] == 7
    assert table["unlabelled_pieces"] == 1
    assert table["unlabelled_metric"] is True
    assert table["unlabelled_motion"] == "told-1.csv"
    evaluate(run.directory)
    card = (run.directory / "card.md").read_text()
    assert "7 frames without poses of `second`" in card
    assert "told-1.csv" in card
    assert load_run(run.directory).config.unlabelled == walk


def test_a_place_without_metres_takes_no_lengths(place: Place, walk: Path) -> None:
    place.update(unit="arbitrary")
    run = train(place, plus(walk, told_elsewhere(walk), epochs=1), place.runs_dir / "r")
    assert read_toml(run.directory / "config.toml")["run"]["unlabelled_metric"] is False


class Killed(BaseException):
    pass


def test_a_killed_training_ends_as_an_unbroken_one(
    make_place: Callable[..., Place], walk: Path
) -> None:
    settings = plus(
        walk, told_elsewhere(walk), epochs=5, checkpoint_every_s=0.0, augment_yaw_deg=8.0
    )
    whole, broken = make_place("whole", 18), make_place("broken", 18)
    unbroken = train(whole, settings, whole.runs_dir / "r").model

    def kill(text: str, _fraction: float) -> None:
        if text.startswith("epoch 3/"):
            raise Killed

    with pytest.raises(Killed):
        train(broken, settings, broken.runs_dir / "r", kill)
    assert (broken.runs_dir / "r" / "last.ckpt").is_file()
    run = train(broken, settings, broken.runs_dir / "r")
    assert run.fit is not None
    for name, value in unbroken.network.state_dict().items():
        assert torch.equal(value, run.model.network.state_dict()[name]), name


def test_another_walk_is_another_run(place: Place, walk: Path, picture: Picture) -> None:
    told = told_elsewhere(walk)
    run = train(place, plus(walk, told, epochs=1), place.runs_dir / "r").directory
    assert train(place, plus(walk, told, epochs=1), run).fit is None
    with pytest.raises(InputError, match="another unlabelled_weight"):
        train(place, plus(walk, told, epochs=1, unlabelled_weight=2.0), run)
    Image.fromarray(picture(0.99)).save(walk / "images" / "0000.png")
    with pytest.raises(InputError, match="other poses, splits or unlabelled frames"):
        train(place, plus(walk, told, epochs=1), run)


def test_features_of_a_frozen_backbone_are_computed_once_for_the_walk_too(
    place: Place, walk: Path
) -> None:
    settings = plus(walk, told_elsewhere(walk), epochs=1, freeze=True)
    train(place, settings, place.runs_dir / "r")
    assert len(list(place.cache_dir.glob("features-compact-*.npy"))) == 2


def test_a_walk_of_another_shape_and_no_features_to_match(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Smooth pictures give nothing to match: one line says what would help."""
    walk = tmp_path / "smooth"
    walk.mkdir()
    for i in range(4):
        ramp = np.linspace(0, 200 + i, 60 * 40 * 3).reshape(40, 60, 3).astype(np.uint8)
        Image.fromarray(ramp).save(walk / f"{i}.png")
    arguments = ["--backbone", "compact", "--weights", "none", "--unlabelled", str(walk)]
    assert main(["train", "absolute", str(place.root), *arguments]) == 2
    said = capsys.readouterr().err
    assert "motion of more than 6 frames in a row is wanted" in said
    assert "at most 0 of 4" in said
    assert not place.runs_dir.exists()


def test_what_is_given_without_a_walk_is_refused(place: Place, tmp_path: Path) -> None:
    def refused(said: str, **changes: object) -> None:
        settings = dataclasses.replace(AbsoluteConfig(), **changes)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=said):
            train(place, settings, place.runs_dir / "r")

    gone = tmp_path / "gone.tum"
    refused("--unlabelled VIDEO or FOLDER is wanted with --unlabelled-odometry",
            unlabelled_odometry=gone)  # fmt: skip
    refused("--unlabelled-skip, --unlabelled-weight|--unlabelled-weight, --unlabelled-skip",
            unlabelled_skip=2, unlabelled_weight=0.5)  # fmt: skip
    refused("--unlabelled-odometry FILE is wanted with --unlabelled-unit",
            unlabelled=place.images_dir, unlabelled_unit="arbitrary")  # fmt: skip
    refused("--unlabelled came; .* train --model mapnet",
            model="posenet", unlabelled=place.images_dir)  # fmt: skip
    refused("gone.tum is wanted as odometry", unlabelled=place.images_dir,
            unlabelled_odometry=gone)  # fmt: skip
    refused("no such video or folder", unlabelled=tmp_path / "gone.mp4")
