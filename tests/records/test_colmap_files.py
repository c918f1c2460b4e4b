"""Damaged COLMAP models are told from whole ones before COLMAP sees them."""

import struct
from pathlib import Path

import pycolmap
import pytest

from ring_place import write_ring_place
from sightline.errors import InputError
from sightline.records.colmap import export_model, read_model, read_posed_images
from sightline.records.colmap_files import check_model_files

FILES = ["rigs.bin", "cameras.bin", "frames.bin", "images.bin", "points3D.bin"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("binary")
    place = write_ring_place(folder / "place")
    export_model(place.model_dir, folder / "model", "binary")
    check_model_files(place.model_dir)  # in text: left to COLMAP
    return folder / "model"


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_what_colmap_writes_is_whole(model: Path) -> None:
    check_model_files(model)
    assert {file.name for file in model.iterdir()} == set(FILES)


def test_rigs_of_several_cameras_and_every_camera_model_are_whole(tmp_path: Path) -> None:
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 2, 3, 2
    options.num_points3D = 10
    synthetic = pycolmap.synthesize_dataset(options)
    kinds = [kind for kind in pycolmap.CameraModelId.__members__.values() if kind.value >= 0]
    for number, kind in enumerate(kinds, start=1000):
        synthetic.add_camera(pycolmap.Camera.create_from_model_id(number, kind, 500.0, 640, 480))
    synthetic.write_binary(str(tmp_path))
    check_model_files(tmp_path)
    assert len(kinds) > 10


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["half", "longer", "other", "empty", "count"])
def test_damage_is_one_line(copy: Path, name: str, how: str) -> None:
    whole = (copy / name).read_bytes()
    damaged = {
        "half": whole[: len(whole) // 2],
        "longer": whole + b"more",
        "other": b"\x00\xff no model\n" * 400,
        "empty": b"",
        "count": struct.pack("<Q", 2**60) + whole[8:],
    }
    (copy / name).write_bytes(damaged[how])
    # Whoever reads a model hears of it; COLMAP would not come back from most of these.
    for read in (read_model, read_posed_images):
        with pytest.raises(InputError, match=f"{name}: a whole file of COLMAP's is wanted"):
            read(copy)


def test_a_camera_of_a_model_that_does_not_exist_is_damage(copy: Path) -> None:
    whole = (copy / "cameras.bin").read_bytes()
    (copy / "cameras.bin").write_bytes(whole[:12] + struct.pack("<i", 99) + whole[16:])
    with pytest.raises(InputError, match=r"cameras\.bin: a whole file"):
        read_model(copy)


def test_leftovers_beside_a_model_in_text_are_not_looked_at(tmp_path: Path) -> None:
    place = write_ring_place(tmp_path / "place")
    (place.model_dir / "points3D.bin").write_bytes(b"left over")
    assert len(read_model(place.model_dir).frames) == 40
