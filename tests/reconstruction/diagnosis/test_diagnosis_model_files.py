"""Damaged COLMAP models are told from whole ones before COLMAP sees them."""

import struct
from pathlib import Path

import pytest

from ring_place import write_ring_place
from sightline.errors import InputError
from sightline.reconstruction.diagnosis.model_files import check_model_files
from sightline.records.colmap import export_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("binary")
    place = write_ring_place(folder / "place")
    export_model(place.model_dir, folder / "model", "binary")
    check_model_files(place.model_dir)  # in text: left to COLMAP
    return folder / "model"


def test_what_colmap_writes_is_whole(model: Path) -> None:
    check_model_files(model)


@pytest.mark.parametrize("name", ["points3D.bin", "images.bin"])
@pytest.mark.parametrize("how", ["half", "longer", "other", "empty", "count"])
def test_damage_is_one_line(model: Path, tmp_path: Path, name: str, how: str) -> None:
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    whole = (model / name).read_bytes()
    damaged = {
        "half": whole[: len(whole) // 2],
        "longer": whole + b"more",
        "other": b"\x00\xff no model\n" * 400,
        "empty": b"",
        "count": struct.pack("<Q", 2**60) + whole[8:],
    }
    (tmp_path / name).write_bytes(damaged[how])
    with pytest.raises(InputError, match=f"{name}: a whole file of COLMAP's is wanted"):
        check_model_files(tmp_path)
