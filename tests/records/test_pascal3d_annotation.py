"""PASCAL3D+ annotations: our own come back, and the data set's variety is read."""

import dataclasses
import time

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from sightline.errors import InputError
from sightline.records.pascal3d import (
    Pascal3dObject,
    folder_name,
    image_set,
    read_annotation,
    write_annotation,
)

CAR = Pascal3dObject(
    "car", (9.0, 19.0, 110.0, 80.0), 35.5, -4.25, 2.0, 3.5, 1.0, 2800.0, 60.0, 50.0, cad_index=7
)
VIEW = {
    "azimuth_coarse": 30.0,
    "elevation_coarse": 10.0,
    "azimuth": 33.25,
    "elevation": 8.5,
    "distance": 4.0,
    "focal": 1.0,
    "px": 60.0,
    "py": 50.0,
    "theta": -3.0,
    "error": 12.0,
    "interval_azimuth": 5.0,
    "interval_elevation": 2.0,
    "num_anchor": 6.0,
    "viewport": 3000.0,
}


def save(path, objects, **record):
    savemat(path, {"record": {"filename": "a.jpg", "objects": objects} | record})
    return read_annotation(path)


def one(path, **fields):
    """The object that a record of one struct is read as."""
    base = {"class": "car", "bbox": [10.0, 20.0, 110.0, 80.0], "viewpoint": VIEW}
    return save(path / "a.mat", base | fields).objects[0]


def test_what_is_written_is_read_again(tmp_path):
    objects = (
        CAR,
        Pascal3dObject("bus", (0.5, 0.0, 3.25, 2.0), truncated=True),
        dataclasses.replace(CAR, category="train", occluded=True, difficult=True, azimuth_deg=0.0),
    )
    path = tmp_path / "car_imagenet" / "car_0001_02.mat"
    write_annotation(path, "car_0001_02.JPEG", (128, 96), objects, database="ours")
    found = read_annotation(path)
    assert (found.image, found.size, found.objects) == ("car_0001_02.JPEG", (128, 96), objects)
    assert [p.name for p in path.parent.iterdir()] == ["car_0001_02.mat"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_any_number_of_objects(tmp_path, count):
    path = tmp_path / "a.mat"
    write_annotation(path, "a.jpg", (9, 9), [CAR] * count, database="ours")
    assert read_annotation(path).objects == (CAR,) * count


def test_the_file_holds_the_toolkits_fields_and_one_based_boxes(tmp_path):
    path = tmp_path / "a.mat"
    write_annotation(path, "a.jpg", (128, 96), [CAR], database="ours")
    record = loadmat(path, squeeze_me=True, struct_as_record=False)["record"]
    assert record.filename == "a.jpg"
    assert record.imgsize.tolist() == [128, 96, 3]
    assert (record.size.width, record.size.height) == (128, 96)
    # Pixels from 1, the last one included: the left edge of pixel 10 is 9.
    assert record.objects.bbox.tolist() == [10, 20, 110, 80]
    assert getattr(record.objects, "class") == "car"
    assert record.objects.cad_index == 7
    view = record.objects.viewpoint
    assert set(view._fieldnames) == set(VIEW)
    assert (view.azimuth, view.elevation, view.theta) == (35.5, -4.25, 2.0)
    assert (view.azimuth_coarse, view.distance, view.viewport) == (35.5, 3.5, 2800.0)
    flags = [record.objects.truncated, record.objects.occluded, record.objects.difficult]
    assert flags == [0, 0, 0]


def test_a_single_struct_and_the_fine_angles(tmp_path):
    found = one(tmp_path)
    assert (found.azimuth_deg, found.elevation_deg, found.tilt_deg) == (33.25, 8.5, -3.0)
    assert found.box == (9.0, 19.0, 110.0, 80.0)
    assert not found.coarse
    assert (found.truncated, found.occluded, found.difficult) == (False, False, False)
    assert found.cad_index == 0


def test_distance_zero_makes_the_coarse_angles_the_label(tmp_path):
    found = one(tmp_path, viewpoint=VIEW | {"distance": 0.0, "theta": 0.0})
    assert (found.azimuth_deg, found.elevation_deg, found.tilt_deg) == (30.0, 10.0, 0.0)
    assert found.coarse


def test_a_view_without_fine_angles_is_coarse(tmp_path):
    view = {"azimuth_coarse": 45, "elevation_coarse": 5}
    found = one(tmp_path, viewpoint=view)
    assert (found.azimuth_deg, found.elevation_deg, found.tilt_deg) == (45.0, 5.0, 0.0)
    assert found.coarse
    assert (found.focal, found.viewport, found.distance) == (1.0, 3000.0, 0.0)


def test_empty_fine_angles_are_coarse_too(tmp_path):
    found = one(tmp_path, viewpoint=VIEW | {"azimuth": [], "distance": 4.0})
    assert (found.azimuth_deg, found.coarse) == (30.0, True)


@pytest.mark.parametrize("view", [np.zeros((0, 0)), {"px": 3.0}, {"azimuth": np.nan}])
def test_no_view_is_none(tmp_path, view):
    found = one(tmp_path, viewpoint=view)
    assert found.azimuth_deg is None
    assert found.elevation_deg is None
    assert found.tilt_deg is None
    assert not found.coarse


def test_a_missing_viewpoint_field_is_none(tmp_path):
    found = save(tmp_path / "a.mat", {"class": "car", "bbox": [1, 1, 2, 2]}).objects[0]
    assert found.azimuth_deg is None


@pytest.mark.parametrize(
    "box",
    [
        np.array([10, 20, 110, 80], dtype=np.uint16),
        np.array([[10.0], [20.0], [110.0], [80.0]]),
        [10.0, 20.0, 110.0, 80.0],
    ],
)
def test_boxes_of_any_type_and_shape(tmp_path, box):
    assert one(tmp_path, bbox=box).box == (9.0, 19.0, 110.0, 80.0)


def test_a_box_as_pascal_voc_has_it(tmp_path):
    bounds = {"xmin": 10, "ymin": 20, "xmax": 110, "ymax": 80}
    assert one(tmp_path, bbox=[], bndbox=bounds).box == (9.0, 19.0, 110.0, 80.0)
    assert np.isnan(one(tmp_path, bbox=[]).box).all()


def test_flags_may_be_logical_numbers_or_empty(tmp_path):
    found = one(tmp_path, truncated=True, occluded=np.uint8(1), difficult=np.zeros((0, 0)))
    assert (found.truncated, found.occluded, found.difficult) == (True, True, False)


def test_nested_cells_and_cell_arrays_of_structs(tmp_path):
    struct = {"class": "car", "bbox": [10.0, 20.0, 110.0, 80.0], "viewpoint": VIEW}
    cells = np.empty((1, 2), dtype=object)
    cells[0, 0] = struct
    cells[0, 1] = struct | {"class": "bus"}
    nested = np.empty((1, 1), dtype=object)
    nested[0, 0] = cells
    found = save(tmp_path / "a.mat", nested)
    assert [o.category for o in found.objects] == ["car", "bus"]
    assert found.objects[0].azimuth_deg == 33.25


def test_the_size_from_either_field(tmp_path):
    assert save(tmp_path / "a.mat", {}, imgsize=[500.0, 375.0, 3.0]).size == (500, 375)
    assert save(tmp_path / "a.mat", {}, size={"width": 500, "height": 375}).size == (500, 375)
    assert save(tmp_path / "a.mat", {}).size is None


def test_compressed_files_and_foreign_fields(tmp_path):
    anchors = {"left_wheel": {"location": [1.0, 2.0], "status": 1}, "x": {"location": []}}
    struct = {"class": "car", "bbox": [10.0, 20.0, 110.0, 80.0], "viewpoint": VIEW}
    record = {"filename": "a.jpg", "objects": struct | {"anchors": anchors, "actions": []}}
    path = tmp_path / "a.mat"
    savemat(path, {"record": record, "other": 3}, do_compression=True)
    assert read_annotation(path).objects[0].azimuth_deg == 33.25


def damaged(path):
    write_annotation(path, "a.jpg", (9, 9), [CAR], database="ours")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    "make",
    [
        damaged,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("no matlab file " * 20),
        lambda path: savemat(path, {"other": 1}),
        lambda path: savemat(path, {"record": 3}),
        lambda path: savemat(path, {"record": {"objects": {"class": "car", "bbox": "here"}}}),
        lambda path: path.write_bytes(b"MATLAB 7.3 MAT-file" + b" " * 105 + b"\x00\x02IM" * 40),
    ],
    ids=["cut", "empty", "text", "no record", "number", "words", "7.3"],
)
def test_a_broken_file_is_named_in_one_line(tmp_path, make):
    path = tmp_path / "broken.mat"
    make(path)
    with pytest.raises(InputError, match=r"broken\.mat.*wanted") as caught:
        read_annotation(path)
    assert "\n" not in str(caught.value)


def test_random_damage_is_read_or_refused(tmp_path):
    path = tmp_path / "a.mat"
    write_annotation(path, "a.jpg", (128, 96), [CAR, CAR], database="ours")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(len(whole), size=rng.integers(1, 6)):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            read_annotation(path)
        except InputError:
            refused += 1
    assert 30 < refused < 300


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.mat is wanted"):
        read_annotation(tmp_path / "gone.mat")


def test_the_layouts_names(tmp_path):
    assert folder_name("car", "imagenet") == "car_imagenet"
    assert image_set(tmp_path, "val", "car", "imagenet") == (
        tmp_path / "Image_sets" / "car_imagenet_val.txt"
    )
    voc = tmp_path / "PASCAL" / "VOCdevkit" / "VOC2012" / "ImageSets" / "Main" / "train.txt"
    assert image_set(tmp_path, "train", "car", "pascal") == voc


def test_a_file_is_written_and_read_in_milliseconds(tmp_path):
    start = time.perf_counter()
    for i in range(50):
        write_annotation(tmp_path / f"{i}.mat", "a.jpg", (128, 96), [CAR], database="ours")
        read_annotation(tmp_path / f"{i}.mat")
    # 1.4 ms here; the bound leaves room for a busy machine.
    assert (time.perf_counter() - start) / 50 < 0.02
