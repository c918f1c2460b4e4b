"""Saved maps: whole, of one model and one set, and never mistaken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from coded_depth import CodedModel, make_coded_set

from sightline.errors import InputError
from sightline.tasks.depth.predictions import (
    LabelMaps,
    images_digest,
    map_path,
    resize_map,
    save_predictions,
)

SHAPE = (24, 32)


def test_maps_come_back_as_they_were_predicted(tmp_path):
    data = make_coded_set(tmp_path / "set", {"test": 3})
    model = CodedModel()

    saved, failed = save_predictions(model, data, [SHAPE] * 3, tmp_path / "maps")

    assert not failed
    assert (saved.name, saved.quantity, saved.unit) == ("coded", "disparity", "relative")
    for item in data.items:
        (expected,) = model.predict([data.read_image(item)])
        np.testing.assert_array_equal(saved.read(item, SHAPE).values, expected.values)
    assert saved.about["digest"] == model.digest


def test_a_folder_is_only_read_for_its_own_model_and_images(tmp_path):
    data = make_coded_set(tmp_path / "set", {"test": 2})
    save_predictions(CodedModel(), data, [SHAPE] * 2, tmp_path / "maps")

    with pytest.raises(InputError, match="for these images are wanted, it holds others"):
        save_predictions(CodedModel(noise=1.0), data, [SHAPE] * 2, tmp_path / "maps")
    fewer = replace(data, items=data.items[:1])
    with pytest.raises(InputError, match="it holds others"):
        save_predictions(CodedModel(), fewer, [SHAPE], tmp_path / "maps")


def test_a_changed_image_is_another_set_and_another_place_is_not(tmp_path):
    data = make_coded_set(tmp_path / "set", {"test": 2})
    before = images_digest(data)
    (tmp_path / "set").rename(tmp_path / "moved")
    moved = replace(data, root=tmp_path / "moved")
    assert images_digest(moved) == before
    moved.path(moved.items[0].image).write_bytes(b"shorter")
    assert images_digest(moved) != before


def test_a_damaged_map_is_named(tmp_path):
    data = make_coded_set(tmp_path / "set", {"test": 1})
    saved, _ = save_predictions(CodedModel(), data, [SHAPE], tmp_path / "maps")
    path = map_path(tmp_path / "maps", data.items[0])
    path.write_bytes(path.read_bytes()[:200])

    with pytest.raises(InputError, match=r"npy: a prediction is wanted, it does not read"):
        saved.read(data.items[0], SHAPE)
    path.unlink()
    with pytest.raises(InputError, match="there is no such prediction"):
        saved.read(data.items[0], SHAPE)


def test_images_of_one_stem_in_two_folders_have_two_files(tmp_path):
    data = make_coded_set(tmp_path / "set", {"test": 1})
    other = replace(data.items[0], image=data.root / "b" / data.items[0].image)

    assert map_path(tmp_path, data.items[0]) != map_path(tmp_path, other)


def test_maps_are_resized_about_the_centres_of_pixels():
    ramp = np.repeat(np.arange(8, dtype=np.float32)[None], 4, axis=0)

    half = resize_map(ramp, (4, 4))

    np.testing.assert_allclose(half[0], [0.5, 2.5, 4.5, 6.5])
    assert resize_map(ramp, (4, 8)) is ramp


def test_labels_are_found_by_the_file_of_the_picture(tmp_path):
    data = make_coded_set(tmp_path / "set", {"test": 2})
    first = data.items[0]
    label = replace(
        first, image=data.path(first.image).resolve(), quantity="disparity", labelled_by="coded 1"
    )
    folder = tmp_path / "labels"
    folder.mkdir()
    np.save(folder / first.depth, np.full(SHAPE, 3.0, np.float32))
    maps = LabelMaps(replace(data, root=folder, items=(label,)), data.root)

    assert [maps.has(item) for item in data.items] == [True, False]
    np.testing.assert_array_equal(maps.read(first, SHAPE).values, 3.0)
    assert maps.unit == "relative"
    with pytest.raises(InputError, match="a label is wanted, it has none"):
        maps.read(data.items[1], SHAPE)
