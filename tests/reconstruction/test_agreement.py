"""What a map explains of its matches: all of them where it is right, not where it is bent."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from sightline.geometry import Pose
from sightline.reconstruction import mapping
from sightline.reconstruction.agreement import Agreement, measure_agreement
from sightline.records.colmap import MapModel, model_from_colmap

FRAMES = 12


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


def test_few_matches_say_nothing() -> None:
    assert Agreement().doubted == []
    assert Agreement(0.5, {"b": 0.7, "a": 0.7, "c": 0.8, "d": 0.1}).doubted == ["d", "a", "b"]


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_both_mappers_map_the_synthetic_world(
    world: tuple[Path, MapModel], tmp_path: Path, mapper: str
) -> None:
    path, _truth = world
    (tmp_path / "models").mkdir()
    answer = mapping.build_map(
        {
            "database": str(path), "images_dir": str(tmp_path), "output": str(tmp_path / "models"),
            "num_images": FRAMES, "mapper": mapper, "refine_intrinsics": True,
            "bundle_growth": 1.4, "bundle_iterations": 30, "bundle_rounds": 2, "max_error_px": 2.0,
            "threads": 1, "seed": 0,
        },
        lambda _text, _fraction: None,
    )  # fmt: skip
    assert answer["models"] == [FRAMES]
    (attempt,) = answer["attempts"]
    assert attempt["mapper"] == mapper
    assert attempt["explained"] > 0.99
