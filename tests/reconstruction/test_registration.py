"""Frames registered in a finished map, on the ray-cast scene, against its exact truth."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.errors import ReconstructionError
from sightline.geometry import Pose
from sightline.geometry.trajectory import absolute_trajectory_error
from sightline.reconstruction.anchors import TOO_FEW
from sightline.reconstruction.config import QUALITY_PRESETS, ReconstructionConfig
from sightline.reconstruction.pipeline import reconstruct
from sightline.reconstruction.registration import _check_held, _keep, register_frames
from sightline.reconstruction.stages import extract_features
from sightline.records import Place
from sightline.records.colmap import pose_to_colmap, read_model

OLD, NEW = range(11), range(11, 16)


@pytest.fixture(scope="module")
def mapped(scene, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A map of the scene's first eleven frames."""
    from sightline.records import PosedFrame

    place = Place.create(tmp_path_factory.mktemp("mapped") / "place", source="scene")
    place.images_dir.mkdir()
    for i in OLD:
        Image.fromarray(scene.images[i]).save(place.images_dir / scene.names[i])
    place.write_frames([PosedFrame(scene.names[i], i / 5, None) for i in OLD])
    reconstruct(place, ReconstructionConfig(threads=2))
    return place


def request(place: Place, folder: Path, pictures: dict[str, np.ndarray]) -> dict:
    """Return a request to register pictures; their features are in its database."""
    images = folder / "images"
    images.mkdir()
    for name, picture in pictures.items():
        Image.fromarray(picture).save(images / name)
    database = folder / "database.db"
    shutil.copyfile(place.database_path, database)
    preset = QUALITY_PRESETS["medium"]
    common = {"database": str(database), "images_dir": str(images), "threads": 2, "seed": 0}
    if pictures:
        extract_features(
            {
                **common,
                "groups": [{"names": list(pictures), "shared": True, "camera_params": ""}],
                "camera_model": "SIMPLE_RADIAL",
                "max_image_size": preset.max_image_size_px,
                "max_features": preset.max_features,
            },
            quiet,
        )
    names = list(pictures)
    return {
        **common,
        "model": str(place.model_dir),
        "output": str(folder / "model"),
        "names": names,
        "beside": [[a, b] for i, a in enumerate(names) for b in names[i + 1 : i + 3]],
        "own_lens": True,
        "wanted": 2,
        "num_images": len(names),
        "refine_intrinsics": False,
        "bundle_growth": preset.bundle_growth,
        "bundle_iterations": preset.bundle_iterations,
        "bundle_rounds": preset.bundle_rounds,
        "max_error_px": 2.0,
    }


def quiet(text: str, fraction: float) -> None:
    assert 0 <= fraction <= 1


def test_frames_of_the_same_wall_join_the_map(mapped: Place, scene, tmp_path: Path) -> None:
    new = {f"new-{i}.png": scene.images[i] for i in NEW}
    told = register_frames(request(mapped, tmp_path, new), quiet)
    assert set(told["registered"]) == set(new)
    assert told["left"] == {}
    assert told["same_lens"]
    assert min(told["registered"].values()) >= 30
    before, after = read_model(mapped.model_dir), read_model(tmp_path / "model")
    for name, frame in before.frames.items():
        pose = after.frames[name].world_from_cam
        np.testing.assert_allclose(
            pose.translation, frame.world_from_cam.translation, rtol=0, atol=1e-9
        )
        np.testing.assert_allclose(pose.q_wxyz, frame.world_from_cam.q_wxyz, atol=1e-9)
    assert len(after.points) > len(before.points)
    # The new frames stand where they are, in the world of the old: at the wall's far end.
    names = [scene.names[i] for i in OLD] + list(new)
    poses = Pose.stack([after.frames[n].world_from_cam for n in names])
    assert absolute_trajectory_error(poses, scene.world_from_cam).rmse < 0.015
    lens = after.cameras[after.frames["new-11.png"].camera_id]
    assert lens == before.cameras[before.frames[scene.names[0]].camera_id]
    assert (after.colors.sum(axis=1) > 0).mean() > 0.9


def test_what_is_kept_is_written_whole_and_counted_at_last(
    mapped: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame far from its anchor takes the points with it that only one other frame saw."""
    import pycolmap

    model = read_model(mapped.model_dir)
    names = sorted(model.frames)
    first, wrong = names[0], names[1]
    far = Pose(np.array([1.0, 0, 0, 0]), np.array([50.0, 0.0, 0.0]))
    search = SimpleNamespace(anchors={wrong: SimpleNamespace(world_from_cam=far)}, left={})
    output = tmp_path / "model"
    asked = {"names": [first, wrong], "output": output, "images_dir": str(mapped.images_dir)}

    def full(_self: pycolmap.Reconstruction, path: str) -> None:
        (Path(path) / "frames.bin").write_bytes(b"half")
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(pycolmap.Reconstruction, "write_binary", full)
        with pytest.raises(OSError, match="no room"):
            _keep(pycolmap.Reconstruction(str(mapped.model_dir)), model, search, asked)
    assert list(tmp_path.iterdir()) == []
    kept = _keep(pycolmap.Reconstruction(str(mapped.model_dir)), model, search, asked)
    assert set(search.left) == {wrong}
    written = read_model(output).frames
    assert wrong not in written
    seen = {f.name: int((f.point_ids >= 0).sum()) for f in (model.frames[first], written[first])}
    assert kept == seen
    assert kept[first] < (model.frames[first].point_ids >= 0).sum()


def test_old_frames_may_not_turn_either(mapped: Place) -> None:
    import pycolmap

    model = read_model(mapped.model_dir)
    reconstruction = pycolmap.Reconstruction(str(mapped.model_dir))
    _check_held(reconstruction, model)
    name = sorted(model.frames)[3]
    pose = model.frames[name].world_from_cam
    turn = Pose.from_rotation(Rotation.from_euler("y", 0.5, degrees=True), np.zeros(3))
    image = reconstruction.find_image_with_name(name)
    image.frame.set_cam_from_world(image.camera_id, pose_to_colmap(pose @ turn))
    with pytest.raises(ReconstructionError, match=r"turn them by 0\.5 deg"):
        _check_held(reconstruction, model)


def test_another_wall_is_refused(mapped: Place, scene, tmp_path: Path) -> None:
    """The pictures' own grey values, in other places: nothing of the map is in them."""
    rng = np.random.default_rng(3)
    other = {}
    for i in range(4):
        tiles = [
            scene.images[3 + i][y : y + 30, x : x + 40]
            for y in range(0, 240, 30)
            for x in range(0, 320, 40)
        ]
        order = rng.permutation(len(tiles))
        rows = [np.hstack([tiles[k] for k in order[8 * r : 8 * r + 8]]) for r in range(8)]
        other[f"new-{i}.png"] = np.vstack(rows)
    told = register_frames(request(mapped, tmp_path, other), quiet)
    assert told["registered"] == {}
    assert set(told["left"]) == set(other)
    assert not (tmp_path / "model").exists()


def test_one_bad_frame_among_good_ones_is_named(mapped: Place, scene, tmp_path: Path) -> None:
    new = {f"new-{i}.png": scene.images[i] for i in NEW}
    new["new-13.png"] = np.full_like(scene.images[13], 128)
    told = register_frames(request(mapped, tmp_path, new), quiet)
    assert set(told["registered"]) == set(new) - {"new-13.png"}
    assert TOO_FEW in told["left"]["new-13.png"]


def test_frames_of_a_build_that_were_left_out_are_found(
    make_place: Callable[..., Place], scene, tmp_path: Path
) -> None:
    """Frames that were taken out of a finished map come back, to where they were."""
    import pycolmap

    place = make_place()
    reconstruct(place, ReconstructionConfig(threads=2))
    reconstruction = pycolmap.Reconstruction(str(place.model_dir))
    lost = [scene.names[i] for i in (6, 7, 15)]
    for name in lost:
        reconstruction.deregister_frame(reconstruction.find_image_with_name(name).frame_id)
    shutil.rmtree(place.model_dir)
    place.model_dir.mkdir()
    reconstruction.write_binary(str(place.model_dir))
    asked = request(place, tmp_path, {})
    asked |= {"names": lost, "own_lens": False, "wanted": 1, "images_dir": str(place.images_dir)}
    rows = [(i, j) for i in range(16) for j in range(i + 1, min(i + 5, 16))]
    pairs = [(scene.names[i], scene.names[j]) for i, j in rows]
    asked["beside"] = [p for p in pairs if set(p) & set(lost)]
    told = register_frames(asked, quiet)
    assert set(told["registered"]) == set(lost)
    model = read_model(tmp_path / "model")
    poses = Pose.stack([model.frames[n].world_from_cam for n in scene.names])
    assert absolute_trajectory_error(poses, scene.world_from_cam).rmse < 0.015
