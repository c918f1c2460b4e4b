"""Exports in the aligned world, read back by other means."""

import csv
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from sightline.errors import InputError, PlaceError
from sightline.geometry import Pose, Similarity
from sightline.reconstruction.export import export_place
from sightline.records import Place, PosedFrame, stack_poses
from sightline.records.colmap import model_from_colmap, read_model
from sightline.records.tum import read_tum


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A synthetic place of six frames, one without a pose, aligned to a world."""
    pycolmap.set_random_seed(1)
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_frames_per_rig, options.num_points3D = 1, 5, 30
    reconstruction = pycolmap.synthesize_dataset(options)
    place = Place.create(tmp_path / "place", source="synthetic")
    place.model_dir.mkdir(parents=True)
    reconstruction.write_binary(str(place.model_dir))
    world_from_map = Similarity(
        0.5, Pose.from_rotation(Rotation.from_euler("xyz", [0.1, 2.0, -0.5]), [3.0, 1.0, -2.0])
    )
    place.set_alignment(world_from_map, "m")
    frames = [
        PosedFrame(name, i / 5, world_from_map.apply_pose(frame.world_from_cam), split)
        for i, ((name, frame), split) in enumerate(
            zip(
                model_from_colmap(reconstruction).frames.items(),
                ["train", "validation", "test", "train", "train"],
                strict=True,
            )
        )
    ]
    place.write_frames([*frames, PosedFrame("lost.png", 1.0, None)])
    return place


@pytest.mark.parametrize("form", ["text", "binary"])
def test_colmap(place: Place, tmp_path: Path, form: str) -> None:
    export_place(place, tmp_path / "out", f"colmap-{form}")  # type: ignore[arg-type]
    suffix = "txt" if form == "text" else "bin"
    assert (tmp_path / "out" / f"points3D.{suffix}").is_file()
    exported = pycolmap.Reconstruction(str(tmp_path / "out"))
    for frame in place.registered():
        centre = exported.find_image_with_name(frame.image).projection_center()
        np.testing.assert_allclose(centre, frame.world_from_cam.translation, atol=1e-8)


def test_tum(place: Place, tmp_path: Path) -> None:
    export_place(place, tmp_path / "poses.txt", "tum")
    stamps, poses = read_tum(tmp_path / "poses.txt")
    np.testing.assert_allclose(stamps, np.arange(5) / 5)
    np.testing.assert_allclose(poses.matrix, stack_poses(place.registered()).matrix, atol=1e-7)


def test_tum_numbers_photos(place: Place, tmp_path: Path) -> None:
    place.write_frames([PosedFrame(f.image, None, f.world_from_cam) for f in place.frames()])
    export_place(place, tmp_path / "poses.txt", "tum")
    np.testing.assert_array_equal(read_tum(tmp_path / "poses.txt")[0], np.arange(5))


def test_paper(place: Place, tmp_path: Path) -> None:
    export_place(place, tmp_path / "paper", "paper")
    tables = {}
    for name in ("positions", "train", "validation", "test", "points3D"):
        with (tmp_path / "paper" / f"{name}.csv").open(newline="") as stream:
            tables[name] = list(csv.DictReader(stream))
    assert [len(tables[n]) for n in ("positions", "train", "validation", "test")] == [5, 3, 1, 1]
    assert ",".join(tables["positions"][0]) == "x,y,z,qx,qy,qz,qw,tx,ty,tz,image"
    points = np.array([[float(row[k]) for k in "xyz"] for row in tables["points3D"]])
    wanted = place.world_from_map.apply(read_model(place.model_dir).points)
    np.testing.assert_allclose(points, wanted, atol=1e-8)
    poses = {f.image: f.world_from_cam for f in place.registered()}
    for row in tables["positions"]:
        cam_from_world = Rotation.from_quat([float(row[k]) for k in ("qx", "qy", "qz", "qw")])
        t = np.array([float(row[k]) for k in ("tx", "ty", "tz")])
        centre = np.array([float(row[k]) for k in "xyz"])
        # As the authors compute the centre: -(R^T) t.
        np.testing.assert_allclose(-cam_from_world.as_matrix().T @ t, centre, atol=1e-7)
        np.testing.assert_allclose(centre, poses[row["image"]].translation, atol=1e-8)


def test_what_cannot_be_exported(place: Place, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="colmap-text, colmap-binary, tum, paper"):
        export_place(place, tmp_path / "out", "nvm")  # type: ignore[arg-type]
    taken = tmp_path / "taken"
    taken.mkdir()
    with pytest.raises(InputError, match="a file is wanted"):
        export_place(place, taken, "tum")
    (taken / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files"):
        export_place(place, taken, "paper")
    with pytest.raises(InputError, match="a folder is wanted"):
        export_place(place, taken / "mine.txt", "colmap-text")
    assert (taken / "mine.txt").read_text() == "mine"
    bare = Place.create(tmp_path / "bare", source="x")
    with pytest.raises(PlaceError, match="no map to export"):
        export_place(bare, tmp_path / "out", "tum")
