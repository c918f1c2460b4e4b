"""What a map explains of its matches: all of them where it is right, not where it is bent."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose
from sightline.reconstruction import mapping
from sightline.reconstruction.agreement import Agreement, measure_agreement
from sightline.records.colmap import (
    MapFrame,
    MapModel,
    camera_to_colmap,
    model_from_colmap,
)

FRAMES = 12
REQUEST = {
    "num_images": FRAMES, "refine_intrinsics": True, "bundle_growth": 1.4, "bundle_iterations": 30,
    "bundle_rounds": 2, "max_error_px": 2.0, "threads": 1, "seed": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MapModel]:
    """Return COLMAP's own synthetic world: a database of exact matches, and the true map."""
    path = tmp_path_factory.mktemp("world") / "database.db"
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, FRAMES
    options.num_points3D = 400
    pycolmap.set_random_seed(0)
    with pycolmap.Database.open(str(path)) as database:
        truth = pycolmap.synthesize_dataset(options, database)
    return path, model_from_colmap(truth)


def bent(model: MapModel, names: list[str], turn_deg: float) -> MapModel:
    """Return the map with some frames turned about their own vertical."""
    turn = Pose.from_rotation(Rotation.from_euler("y", turn_deg, degrees=True), [0.0, 0.0, 0.0])
    frames = {
        name: dataclasses.replace(f, world_from_cam=f.world_from_cam @ turn) if name in names else f
        for name, f in model.frames.items()
    }
    return dataclasses.replace(model, frames=frames)


def test_the_true_map_explains_everything(world: tuple[Path, MapModel]) -> None:
    path, model = world
    agreement = measure_agreement(path, model, 2.0)
    assert agreement.share == pytest.approx(1.0, abs=1e-3)
    assert set(agreement.frames) == set(model.frames)
    assert agreement.doubted == []


def test_a_bent_map_names_its_frames(world: tuple[Path, MapModel]) -> None:
    path, model = world
    names = sorted(model.frames)[:2]
    agreement = measure_agreement(path, bent(model, names, 8.0), 2.0)
    assert agreement.share < 0.9
    assert set(agreement.doubted[:2]) == set(names)
    assert agreement.frames[names[0]] < 0.5
    told = agreement.to_json()
    assert list(told["doubted"]) == agreement.doubted
    assert told["share"] == pytest.approx(agreement.share, abs=1e-4)


def test_matches_of_frames_left_out_are_not_explained(world: tuple[Path, MapModel]) -> None:
    path, model = world
    names = sorted(model.frames)
    kept = dataclasses.replace(model, frames={n: model.frames[n] for n in names[: FRAMES // 2]})
    agreement = measure_agreement(path, kept, 2.0)
    # every frame is matched with every other: 6 of 12 frames have 15 of the 66 pairs
    assert agreement.share == pytest.approx(15 / 66, abs=0.05)
    assert agreement.doubted == []


@pytest.mark.parametrize("scale", [1.0, 1.6, 4.0])
def test_a_camera_that_stands_still_and_turns_is_not_doubted(tmp_path: Path, scale: float) -> None:
    """Noise decides whether the rays of such a pair meet in front of it; that says nothing."""
    rng = np.random.default_rng(0)
    camera = Camera("SIMPLE_PINHOLE", 1600, 1200, (1300.0, 799.5, 599.5))
    points = np.stack([*rng.uniform(-2.0, 2.0, (2, 400)), rng.uniform(3.0, 6.0, 400)], axis=1)
    poses = [
        Pose.from_rotation(Rotation.from_euler("y", turn, degrees=True), [x, 0.0, 0.0])
        for turn, x in ((0.0, 0.0), (6.0, 0.001))
    ]
    frames = {}
    for number, pose in enumerate(poses):
        px = camera.project(pose.inverse().apply(points)) + rng.normal(0, 0.5 * scale, (400, 2))
        frames[f"{number}.png"] = MapFrame(f"{number}.png", 1, pose, px, np.full(400, -1))
    nothing = np.zeros(0)
    model = MapModel(
        {1: camera}, frames, nothing.astype(int), np.zeros((0, 3)), np.zeros((0, 3), np.uint8),
        nothing, nothing.astype(int),
    )  # fmt: skip
    path = tmp_path / "database.db"
    with pycolmap.Database.open(str(path)) as database:
        number = database.write_camera(camera_to_colmap(camera))
        ids = [database.write_image(pycolmap.Image(name=name, camera_id=number)) for name in frames]
        geometry = pycolmap.TwoViewGeometry()
        geometry.config = pycolmap.TwoViewGeometryConfiguration.CALIBRATED
        geometry.inlier_matches = np.tile(np.arange(400, dtype=np.uint32)[:, None], 2)
        database.write_two_view_geometry(ids[0], ids[1], geometry)
    agreement = measure_agreement(path, model, 2.0 * scale)
    assert agreement.doubted == []
    assert agreement.share > 0.97
    turned = bent(model, ["1.png"], 3.0)
    assert measure_agreement(path, turned, 2.0 * scale).share < 0.5


def test_few_matches_say_nothing() -> None:
    assert Agreement().doubted == []
    assert Agreement(0.5, {"b": 0.7, "a": 0.7, "c": 0.8, "d": 0.1}).doubted == ["d", "a", "b"]


def test_what_a_told_start_does_not_reach_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parts that share no matches: begun at a frame of the first, the second is still there."""
    path = tmp_path / "database.db"
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, 14
    options.num_points3D = 400
    pycolmap.set_random_seed(0)
    with pycolmap.Database.open(str(path)) as database:
        pycolmap.synthesize_dataset(options, database)
        names = {i.image_id: str(i.name) for i in database.read_all_images()}
        ids = sorted(names)
        for a in ids[:9]:
            for b in ids[9:]:
                database.delete_matches(a, b)
                database.delete_two_view_geometry(a, b)
    said = iter([Agreement(0.9, {names[ids[3]]: 0.5}), Agreement(0.95)])
    monkeypatch.setattr(mapping, "measure_agreement", lambda *_: next(said))
    answer = mapping.build_map(
        {**REQUEST, "database": str(path), "output": str(tmp_path / "models"), "num_images": 14,
         "starts_dir": str(tmp_path / "starts"),
         "images_dir": str(tmp_path), "mapper": "auto"},
        lambda _text, _fraction: None,
    )  # fmt: skip
    assert [a["first"] for a in answer["attempts"]] == ["", names[ids[3]]]
    assert answer["models"] == [9, 5]
    second = pycolmap.Reconstruction(str(tmp_path / "models" / "1"))
    assert {i.name for i in second.images.values()} >= {names[k] for k in ids[9:]}


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_both_mappers_map_the_synthetic_world(
    world: tuple[Path, MapModel], tmp_path: Path, mapper: str
) -> None:
    path, _truth = world
    (tmp_path / "models").mkdir()
    answer = mapping.build_map(
        {**REQUEST, "database": str(path), "output": str(tmp_path / "models"),
         "starts_dir": str(tmp_path / "starts"), "images_dir": str(tmp_path), "mapper": mapper},
        lambda _text, _fraction: None,
    )  # fmt: skip
    assert answer["models"] == [FRAMES]
    (attempt,) = answer["attempts"]
    assert attempt["mapper"] == mapper
    assert attempt["explained"] > 0.99
