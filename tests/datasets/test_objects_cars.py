"""Stanford cars: their angles become ours, and the real photos agree."""

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.objects import open_objects
from sightline.errors import InputError
from sightline.geometry.rotation import rotation_from_wxyz
from sightline.geometry.viewpoint import viewpoint
from sightline.records.objects import rotations

HEADER = "file,class_id,class_name,body_type,azimuth_rad,elevation_rad,theta_rad"


def cars(folder, *rows):
    (folder / "images").mkdir(exist_ok=True)
    lines = []
    for name, azimuth, elevation, theta in rows:
        if "gone" not in name:
            Image.new("RGB", (60, 40)).save(folder / "images" / name)
        lines.append(f"{name},1,A car,Sedan,{azimuth},{elevation},{theta},abc,60,40")
    (folder / "poses.csv").write_text(
        "\n".join([f"{HEADER},cad_model_id,width,height", *lines]) + "\n"
    )
    return folder


@pytest.mark.parametrize(
    ("azimuth", "front"),
    [
        (0.0, (-1, 0, 0)),  # the nose points to the picture's left
        (np.pi / 2, (0, 0, -1)),  # frontal
        (np.pi, (1, 0, 0)),  # the nose points right
        (3 * np.pi / 2, (0, 0, 1)),  # rear
    ],
)
def test_their_azimuths_become_ours(tmp_path, azimuth, front):
    view = open_objects(cars(tmp_path, ("a.jpg", azimuth, 0.0, 0.0))).views[0]
    seen = rotation_from_wxyz(np.array(view.cam_from_object)).apply([0, -1, 0])
    np.testing.assert_allclose(seen, front, atol=1e-12)


def test_their_elevation_lifts_and_their_theta_leans_to_the_right(tmp_path):
    view = open_objects(cars(tmp_path, ("a.jpg", 1.2, 0.3, 0.2))).views[0]
    up = rotation_from_wxyz(np.array(view.cam_from_object)).apply([0, 0, 1])
    assert up[2] < 0  # seen from above: the roof is turned to the viewer
    assert up[0] > 0
    found = np.array(viewpoint(view.cam_from_object))
    np.testing.assert_allclose(found, [np.pi / 2 - 1.2, 0.3, -0.2], atol=1e-12)
    assert (view.box, view.category, view.source) == ((0.0, 0.0, 60.0, 40.0), "car", "a")


def test_the_split_is_by_photo_and_does_not_depend_on_the_order(tmp_path):
    rows = [(f"{i:05}.jpg", 1.0, 0.0, 0.0) for i in range(50)]
    data = open_objects(cars(tmp_path, *rows))
    assert data.splits() == {"train": 35, "test": 10, "validation": 5}
    again = open_objects(cars(tmp_path, *rows[::-1]))
    assert {v.image: v.split for v in again.views} == {v.image: v.split for v in data.views}


def test_missing_photos_go_and_bad_numbers_are_named(tmp_path):
    rows = [("a.jpg", 1, 0, 0), ("b.jpg", 1, 0, 0), ("gone.jpg", 1, 0, 0)]
    data = open_objects(cars(tmp_path, *rows))
    assert len(data) == 2
    assert data.left_out == ((f"missing image (first: {tmp_path / 'images' / 'gone.jpg'})", 1),)
    with pytest.raises(InputError, match=r"poses\.csv, line 3.*elevation_rad"):
        open_objects(cars(tmp_path, rows[0], ("b.jpg", 1, "steep", 0)))
    with pytest.raises(InputError, match=r"poses\.csv, line 2.*empty"):
        open_objects(cars(tmp_path, ("a.jpg", 1, "", 0)))


@pytest.mark.shared
def test_the_real_cars(shared_data):
    data = open_objects(shared_data / "objpose_stanford_cars")
    assert data.splits() == {"train": 280, "test": 80, "validation": 40}
    assert (data.categories, data.left_out) == (("car",), ())
    q = {v.image.stem: v.cam_from_object for v in data.views}
    assert np.isfinite(rotations(data.views)).all()
    # Seen in the photos: which way the nose points, and how the roof leans.
    by_eye = {
        "06767": ("front", None),
        "00142": ("left", None),
        "01107": ("right", None),
        "01549": ("rear", None),
        "01109": (None, "leans left"),
        "03753": (None, "leans left"),
        "05205": (None, "leans right"),
        "06949": (None, "leans right"),
    }
    for name, (nose, roof) in by_eye.items():
        turn = rotation_from_wxyz(np.array(q[name]))
        x, _, z = turn.apply([0, -1, 0])
        if nose:
            directions = {"left": -x, "right": x, "front": -z, "rear": z}
            assert max(directions, key=directions.get) == nose
        if roof:
            lean = np.degrees(np.arcsin(turn.apply([0, 0, 1])[0]))
            assert lean < -8 if roof == "leans left" else lean > 8


@pytest.mark.shared
def test_side_views_are_longer_than_views_of_the_front(shared_data):
    data = open_objects(shared_data / "objpose_stanford_cars")
    x = rotation_from_wxyz(rotations(data.views)).apply([0, -1, 0])[:, 0]
    ratio = np.array([v.box[2] / v.box[3] for v in data.views])
    assert np.median(ratio[abs(x) > 0.9]) > 1.5 * np.median(ratio[abs(x) < 0.3])
