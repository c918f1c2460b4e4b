"""Scene coordinates as a run: trained, judged, loaded, resumed, used as a place's network."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import painted_box as box
from sightline.app.localize import Localizer
from sightline.errors import InputError, PlaceError
from sightline.geometry import Camera, Pose
from sightline.records import Place, PosedFrame, write_poses_csv
from sightline.records.cameras import set_cameras
from sightline.tasks.absolute import task as task_module
from sightline.tasks.absolute.checkpoint import load_run
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.metrics import read_predictions
from sightline.tasks.absolute.models import load_model
from sightline.tasks.absolute.scene.model import SceneModel
from sightline.tasks.absolute.scene.network import create_network
from sightline.tasks.absolute.scene.samples import cells_size
from sightline.tasks.absolute.task import evaluate, predict, train

SETTINGS = AbsoluteConfig(
    model="scene_coordinates",
    width=48,
    height=64,
    crop="stretch",
    regions=8,
    min_inliers=8,
    max_error=0.06,
    batch=3,
    augment_yaw_deg=10.0,
    epochs=160,
    learning_rate=3e-3,
    validate_every=30,
)


def settings(**changes: object) -> AbsoluteConfig:
    return dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]


@pytest.fixture
def room(tmp_path: Path) -> Place:
    return box.write_place(tmp_path / "place")


@pytest.mark.slow
def test_it_learns_the_room_and_answers_beside_the_walk(tmp_path: Path) -> None:
    room = box.write_place(tmp_path / "place", count=36)
    run = train(room, SETTINGS, room.runs_dir / "scene")
    assert run.fit is not None
    metrics = evaluate(run.directory)
    test = metrics["splits"]["test"]
    assert test["frames"] == 12
    assert test["median_position"] < 0.6  # the middle of the room is 0.9 m off
    assert test["median_rotation_deg"] < 16
    # a walk beside the first; the last photo shows nothing of the room
    second, poses = tmp_path / "second", box.beside(box.walk(6))
    second.mkdir()
    for i in range(6):
        Image.fromarray(box.picture(poses[i])).save(second / f"{i}.png")
    Image.new("RGB", (96, 128)).save(second / "5.png")
    write_poses_csv(
        second / "poses.csv", [PosedFrame(f"{i}.png", None, poses[i]) for i in range(6)]
    )
    walk = evaluate(run.directory, second)["splits"]["walk"]
    assert walk["median_position"] < 1.1
    assert walk["median_rotation_deg"] < 25
    saved = read_predictions(run.directory / "predictions-second.csv")
    assert len(saved) + len(saved.unanswered) == 6
    assert walk["frames"] == 6
    card = (run.directory / "card.md").read_text()
    assert "# scene: scene_coordinates\n" in card
    assert "gets no answer" in card
    assert json.loads((run.directory / "metrics.json").read_text()) == metrics
    loaded = load_model(run.directory)
    assert isinstance(loaded, SceneModel)
    images = [box.picture(poses[i]) for i in range(2)]
    for mine, theirs in zip(loaded.predict(images), run.model.predict(images), strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None and theirs is not None:
            np.testing.assert_array_equal(mine.translation, theirs.translation)
    localizer = Localizer.open(room, refine=False)
    assert localizer.network_name == "scene"
    (found,) = localizer.localize([box.picture(box.walk(36)[0])], ["a"])
    assert found.status == "regressed"


def test_a_run_that_is_there_is_loaded_and_another_is_refused(room: Place) -> None:
    run_dir = room.runs_dir / "r"
    quick = settings(epochs=1)
    first = train(room, quick, run_dir)
    again = train(room, quick, run_dir)
    assert first.fit is not None
    assert again.fit is None
    with pytest.raises(InputError, match="another regions"):
        train(room, settings(epochs=1, regions=9), run_dir)
    with pytest.raises(InputError, match="posenet or mapnet is wanted, scene_coordinates came"):
        load_run(run_dir)
    points = room.model_dir / "points3D.bin"
    points.write_bytes(points.read_bytes() + b"\0")
    with pytest.raises(InputError, match="other poses or another map"):
        train(room, quick, run_dir)


def test_a_network_that_knows_nothing_is_judged_all_the_same(room: Place) -> None:
    """Where too few cells agree there is no answer, and the scores say for how many."""
    every_cell = settings(epochs=1, min_inliers=48, max_error=1e-4)
    run = train(room, every_cell, room.runs_dir / "r")
    splits = evaluate(run.directory)["splits"]
    assert set(splits) == {"test", "validation", "train"}
    for part in splits.values():
        assert part["frames"] == 6
        assert part["answered"] == 0.0
    assert "card.md" in {p.name for p in run.directory.iterdir()}


class Telling(torch.nn.Module):
    """A network that says the points that a camera sees from one pose after another."""

    def __init__(self, poses: Pose, camera: Camera) -> None:
        super().__init__()
        self.contract = create_network(SETTINGS).contract
        self.register_buffer("centres", torch.zeros(1, 3))
        pixels = cells_size(SETTINGS).pixel_centres(camera.width, camera.height)
        cells = [box.seen(poses[i], camera.unproject(pixels)) for i in range(len(poses))]
        self._points = torch.from_numpy(np.stack(cells))

    def decode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self._points[: len(images)], torch.ones(self._points.shape[:3])[: len(images)]


@pytest.mark.parametrize("known", [False, True], ids=["shape", "camera"])
def test_a_walk_by_another_camera_is_judged_through_it(
    room: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Of another shape: the training camera would put every answer in the wrong spot."""
    run = train(room, settings(epochs=1), room.runs_dir / "r")
    # the same field of view where nothing is known, a narrower one where the walk's place says so
    focal = 110.0 if known else 80.0 / 128 * 150
    camera = Camera("SIMPLE_PINHOLE", 150, 100, (focal, 74.5, 49.5))
    poses, second = box.walk(4), Place.create(tmp_path / "second", source="another phone")
    second.images_dir.mkdir()
    for i in range(4):
        Image.fromarray(box.picture(poses[i], camera)).save(second.images_dir / f"{i}.png")
    frames = [PosedFrame(f"{i}.png", i / 5, poses[i]) for i in range(4)]
    second.write_frames(frames)
    if known:
        set_cameras(second, dict.fromkeys([f.image for f in frames], camera), [])
    model = SceneModel.ready(Telling(poses, camera), SETTINGS, box.CAMERA)  # type: ignore[arg-type]
    monkeypatch.setattr(task_module, "load_model", lambda _run: model)
    scores = evaluate(run.directory, second.root)["splits"]["walk"]
    assert scores["frames"] == 4
    assert scores["max_position"] < 1e-3
    files = [second.images_dir / f"{i}.png" for i in range(4)]
    found = predict(model, files)
    if not known:  # else only the place could say
        np.testing.assert_allclose(found[3].translation, poses[3].translation, atol=1e-3)
    assert len(predict(model, [])) == 0


def test_a_place_without_a_map_is_refused(room: Place) -> None:
    room.model_dir.rename(room.root / "elsewhere")
    with pytest.raises(PlaceError, match="has no map"):
        train(room, SETTINGS, room.runs_dir / "r")
    assert not (room.runs_dir / "r").exists()
