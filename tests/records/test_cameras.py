"""The cameras of a place's images on disk."""

import pytest

from sightline.errors import InputError, PlaceError
from sightline.geometry import Camera
from sightline.records import Place
from sightline.records.cameras import common_camera, place_cameras, set_cameras

A = Camera("PINHOLE", 64, 48, (80.1, 81.0, 31.5, 23.5))
B = Camera("OPENCV", 48, 64, (1 / 3, 81.0, 31.5, 23.5, 0.1, -0.2, 1e-17, 0.0))


@pytest.fixture
def place(tmp_path):
    return Place.create(tmp_path / "place", source="here")


def test_one_camera_of_all_images_stands_in_place_toml(place):
    set_cameras(place, {"a.jpg": A, "b.jpg": A}, ["a.jpg", "b.jpg"])
    assert common_camera(Place.open(place.root)) == A
    assert place_cameras(place, ["a.jpg", "c.jpg"]) == {"a.jpg": A, "c.jpg": A}
    assert not (place.root / "cameras.csv").exists()


def test_cameras_that_differ_stand_in_a_table_to_the_last_digit(place):
    set_cameras(place, {"a.jpg": A}, ["a.jpg"])
    set_cameras(place, {"a.jpg": A, "b, b.jpg": B}, ["a.jpg", "b, b.jpg"])
    assert common_camera(place) is None
    assert place_cameras(place, ["a.jpg", "b, b.jpg", "c.jpg"]) == {"a.jpg": A, "b, b.jpg": B}
    set_cameras(place, {}, ["a.jpg"])
    assert place_cameras(place, ["a.jpg"]) == {}
    assert not (place.root / "cameras.csv").exists()


def test_one_camera_of_some_images_is_not_taken_for_the_others(place):
    set_cameras(place, {"a.jpg": A}, ["a.jpg", "b.jpg"])
    assert place_cameras(place, ["a.jpg", "b.jpg"]) == {"a.jpg": A}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,PINHOLE,64,48,80 80 31.5", "line 2: PINHOLE wants 4 parameters, 3 came"),
        ("a.jpg,PINHOLE,64,48,80 80 31.5 up", "line 2: could not convert"),
        ("a.jpg,FISHEYE,64,48,80", "line 2: a camera model of"),
    ],
)
def test_a_broken_row_is_named(place, row, message):
    (place.root / "cameras.csv").write_text(f"image,model,width,height,params\n{row}\n")
    with pytest.raises(InputError, match=message):
        place_cameras(place, ["a.jpg"])


def test_a_broken_table_is_named(place):
    place.update(camera={"model": "PINHOLE", "params": [1, 2]})
    with pytest.raises(PlaceError, match=r"place\.toml: \[camera\] with model"):
        common_camera(place)
