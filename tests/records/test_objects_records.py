"""objects.csv: what is written is what is read, and what is wrong is refused by its line."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.geometry.viewpoint import cam_from_object
from sightline.records.objects import (
    CATEGORIES,
    OBJECTS_COLUMNS,
    ObjectSet,
    ObjectView,
    clipped,
    in_order,
    read_objects_csv,
    rotations,
    write_objects_csv,
)

HEADER = "image,x0,y0,x1,y1,category"


def turned(azimuth, elevation, tilt=0.0):
    return tuple(cam_from_object(*np.radians([azimuth, elevation, tilt])).tolist())


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    return tmp_path


def read(folder, *lines, **options):
    path = folder / "objects.csv"
    path.write_text("\n".join(lines) + "\n")
    return read_objects_csv(path, **options)


def test_what_is_written_is_read_again(folder):
    views = [
        ObjectView(Path("a.png"), (0.25, 1.0, 63.5, 47.125), "car", turned(350, -5, 3), "train"),
        ObjectView(
            Path("b.png"), (0.0, 0.0, 64.0, 48.0), "mug", None, "", "mug_7", 812.5, rendered=True
        ),
        ObjectView(Path("a.png"), (3.0, 4.0, 5.0, 6.0), "car", turned(0, 90), "test", "x"),
    ]
    write_objects_csv(folder / "objects.csv", views)
    found = read_objects_csv(folder / "objects.csv")
    truth, came = rotations(tuple(views)), rotations(tuple(found))
    np.testing.assert_allclose(came, truth, atol=1e-8)
    assert [dataclasses.replace(v, cam_from_object=None) for v in found] == [
        dataclasses.replace(v, cam_from_object=None) for v in views
    ]


def test_columns_that_nothing_fills_are_left_out(folder):
    write_objects_csv(folder / "o.csv", [ObjectView(Path("a.png"), (0, 0, 64, 48), "car")])
    assert (folder / "o.csv").read_text() == f"{HEADER}\na.png,0,0,64,48,car\n"


def test_angles_are_degrees_and_an_empty_tilt_is_none(folder):
    view = read(folder, f"{HEADER},azimuth_deg,elevation_deg", "a.png,0,0,9,9,car,90,10")[0]
    np.testing.assert_allclose(view.cam_from_object, turned(90, 10), atol=1e-12)
    tilted = read(
        folder, f"{HEADER},tilt_deg,azimuth_deg,elevation_deg", "a.png,0,0,9,9,car,-7,90,10"
    )[0]
    np.testing.assert_allclose(tilted.cam_from_object, turned(90, 10, -7), atol=1e-12)


def test_boxes_are_cut_to_their_pictures(folder):
    view = read(folder, HEADER, "a.png,-5,10,70.5,60,car")[0]
    assert view.box == (0.0, 10.0, 64.0, 48.0)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("a.png,5,5,5,9,car", "x0 < x1 and y0 < y1"),
        ("a.png,9,5,5,9,car", "x0 < x1 and y0 < y1"),
        ("a.png,64,0,80,9,car", "in the picture of 64 x 48"),
        ("a.png,0,-9,9,0,car", "in the picture of 64 x 48"),
        ("a.png,0,0,nan,9,car", "finite number is wanted in x1"),
        ("a.png,0,0,,9,car", "number is wanted in x1"),
        ("a.png,0,0,wide,9,car", "'wide'"),
        ("a.png,0,0,9,9,", "category"),
        (",0,0,9,9,car", "image"),
        ("a.png,0,0,9,9", "6 cells"),
        ("gone.png,0,0,9,9,car", "gone.png is wanted"),
        ("broken.png,0,0,9,9,car", "broken.png"),
    ],
)
def test_a_bad_line_is_named(folder, line, wanted):
    (folder / "broken.png").write_text("no picture")
    with pytest.raises(InputError, match="line 3") as caught:
        read(folder, HEADER, "a.png,0,0,64,48,car", line)
    assert wanted in str(caught.value)
    assert "objects.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "cells", "wanted"),
    [
        ("azimuth_deg", "90", "elevation_deg"),
        ("azimuth_deg,elevation_deg,tilt_deg", ",,4", "or neither"),
        ("azimuth_deg,elevation_deg", "90,91", "-90 to 90"),
        ("split", "val", "'val'"),
        ("rendered", "yes", "'yes'"),
        ("focal_px", "-3", "above 0"),
    ],
)
def test_a_bad_optional_cell_is_refused(folder, columns, cells, wanted):
    with pytest.raises(InputError, match=r"line 2") as caught:
        read(folder, f"{HEADER},{columns}", f"a.png,0,0,9,9,car,{cells}")
    assert wanted in str(caught.value)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (f"{HEADER},azimuth", "unknown column 'azimuth'"),
        (f"{HEADER},split,split", "'split' is there twice"),
        ("image,x0,y0,x1,category", "are wanted"),
        ("", "empty file"),
    ],
)
def test_a_bad_header_is_refused(folder, header, wanted):
    with pytest.raises(InputError, match=wanted):
        read(folder, header)


def test_a_file_without_rows_is_refused(folder):
    with pytest.raises(InputError, match="one object or more"):
        read(folder, HEADER)


def test_missing_images_can_be_collected(folder):
    missing = []
    lines = ("gone.png,0,0,9,9,car", "a.png,0,0,9,9,car", "gone.png,0,0,9,9,car")
    found = read(folder, HEADER, *lines, missing=missing)
    assert [view.image for view in found] == [Path("a.png")]
    assert missing == [folder / "gone.png"] * 2


def test_an_upright_photos_sides_count(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored 64 x 48, held upright 48 x 64
    Image.new("RGB", (64, 48)).save(folder / "t.jpg", exif=exif)
    assert read(folder, HEADER, "t.jpg,0,0,100,100,car")[0].box == (0.0, 0.0, 48.0, 64.0)


def test_clipped_keeps_what_is_inside():
    assert clipped((1.5, 2.5, 3.5, 4.5), (9, 9)) == (1.5, 2.5, 3.5, 4.5)
    with pytest.raises(ValueError, match="picture of 9 x 9"):
        clipped((9.0, 0.0, 12.0, 5.0), (9, 9))
    with pytest.raises(ValueError, match="x0 < x1"):
        clipped((float("nan"), 0.0, 12.0, 5.0), (9, 9))


def test_the_papers_categories_come_first():
    assert in_order(["zebra", "car", "apple", "aeroplane", "car"]) == (
        "aeroplane",
        "car",
        "apple",
        "zebra",
    )
    assert in_order(CATEGORIES) == tuple(CATEGORIES)


def test_a_set_tells_its_parts():
    views = tuple(
        ObjectView(Path(f"{i}.png"), (0, 0, 1, 1), c, split=s)
        for i, (c, s) in enumerate([("car", "train"), ("bus", "train"), ("car", "test")])
    )
    data = ObjectSet("s", Path("/data/s"), views, ("bus", "car", "sofa"))
    assert data.part("train").views == views[:2]
    assert data.splits() == {"train": 2, "test": 1}
    assert data.counts("train") == {"bus": 1, "car": 1, "sofa": 0}
    with pytest.raises(InputError, match=r"'validation'.*2 of train, 1 of test"):
        data.part("validation")
    assert data.path(views[0]) == Path("/data/s/0.png")
    assert len(OBJECTS_COLUMNS) == 13
