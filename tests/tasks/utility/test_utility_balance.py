"""Copies of the rarer class: crops with their boxes, levels between the given ones, new labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coloured_images import SQUARE, SizeReader, SquareFinder, coloured_set
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.media.distortions import Distortion, distort
from sightline.media.image_sources import read_image
from sightline.records.utility import UtilityItem
from sightline.records.utility_files import read_header, read_labels
from sightline.tasks.utility.copies import Crop, crop_of, distorted_copy
from sightline.tasks.utility.label_options import LabelOptions
from sightline.tasks.utility.labelling import write_utility_labels
from sightline.tasks.utility.labelling_balance import jittered
from sightline.tasks.utility.labelling_plan import by_index, class_indices

PLAIN = LabelOptions(qualities="", batch=8, shard=8)
SEEDS = st.integers(0, 2**31 - 1)
SIDES = st.integers(1, 300)


@given(seed=SEEDS, width=SIDES, height=SIDES)
def test_a_crop_keeps_four_fifths_of_each_side_and_stays_inside(seed, width, height):
    crop = crop_of(seed, width, height)
    assert crop == crop_of(seed, width, height)
    assert 0.8 * width <= crop.width <= width - crop.left
    assert 0.8 * height <= crop.height <= height - crop.top
    assert min(crop.left, crop.top) >= 0


@given(seed=SEEDS)
def test_a_box_goes_along_with_its_pixels(seed):
    picture = np.zeros((32, 40, 3), np.uint8)
    x0, y0, x1, y1 = map(int, SQUARE)
    picture[y0:y1, x0:x1] = 255
    crop = crop_of(seed, 40, 32)
    shown = crop.pixels(picture)
    which, boxes = crop.boxes([SQUARE, (39.0, 0.0, 40.0, 1.0)])
    rows, columns = (np.flatnonzero(shown.any(axis=(2, axis))) for axis in (1, 0))
    assert which[0] == 0
    assert boxes[0] == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert shown.shape == (crop.height, crop.width, 3)


def test_a_box_that_is_mostly_cut_off_is_not_looked_for():
    boxes = [(0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 8.0, 10.0)]
    # from column 5: half of the first box is left, less of the second
    assert Crop(5, 0, 30, 10, mirrored=False).boxes(boxes) == ([0], [(0.0, 0.0, 5.0, 10.0)])
    assert Crop(5, 0, 30, 10, mirrored=True).boxes(boxes) == ([0], [(25.0, 0.0, 30.0, 10.0)])


def test_a_label_names_its_pixels():
    picture = np.random.default_rng(0).integers(0, 255, (32, 40, 3), np.uint8)
    item = UtilityItem(Path("a.png"), Distortion("noise", 9), 77, 0, "train", "", 0, 1)
    pristine, distorted = distorted_copy(picture, item)
    assert pristine is picture
    np.testing.assert_array_equal(distorted, distort(picture, item.distortion, 77))
    cropped, noisy = distorted_copy(picture, replace(item, augmented=1))
    np.testing.assert_array_equal(cropped, crop_of(77, 40, 32).pixels(picture))
    np.testing.assert_array_equal(noisy, distort(cropped, item.distortion, 77))


@given(seed=SEEDS, k=st.integers(0, 8))
def test_levels_are_drawn_between_the_given_ones(seed, k):
    qualities = (5, 10, 15, 20, 30, 40, 50, 70, 90)
    given_ones = [Distortion("jpeg", q) for q in qualities] + [Distortion("blur", 2.0)]
    own = Distortion("jpeg", qualities[k])
    made = jittered(own, given_ones, seed)
    assert made.kind == "jpeg"
    assert qualities[max(0, k - 1)] <= made.level <= qualities[min(8, k + 1)]
    assert made.level == round(made.level)
    assert jittered(Distortion("blur", 2.0), given_ones, seed) == Distortion("blur", 2.0)


def test_levels_do_vary():
    given_ones = [Distortion("blur", level) for level in (1.0, 2.0, 4.0)]
    levels = {jittered(given_ones[1], given_ones, seed).level for seed in range(40)}
    assert 2.0 in levels  # half of the copies keep it
    assert len(levels) > 10
    assert all(2**0.5 - 0.01 <= level <= 8**0.5 + 0.01 for level in levels)


def test_the_rarer_class_is_filled_up_in_the_training_part_only(tmp_path):
    data = coloured_set(tmp_path / "images", 20)
    # useful: noise:5; of no use: lowlight, thrice
    options = replace(
        PLAIN, task="detection", distort=("noise:5", "lowlight:0.1,0.15", "lowlight:0.05")
    )
    report = write_utility_labels(data, tmp_path / "out", options, machines=[SquareFinder()])
    items = read_labels(report.folder).items
    copies = [item for item in items if item.augmented]
    train = [item for item in items if item.split == "train"]
    useful = sum(item.utility == 1 for item in train)
    useless = sum(item.utility == 0 for item in train)
    assert 0.9 * useless <= useful <= useless
    assert {item.split for item in copies} == {"train"}
    # boxes went along: the finder's true box in every crop is the right one
    assert {item.utility for item in copies} == {1}
    tried = len(copies)
    assert f"added {tried} copies that are useful ({tried} tried)" in report.notes[-1]
    assert report.notes[-1] in read_header(report.folder).notes
    numbers = [(item.image, item.augmented) for item in copies]
    assert len(set(numbers)) == len(copies)
    assert len({item.seed for item in copies}) == len(copies)
    # and so it is for whoever makes the picture again
    for item in copies:
        picture, distorted = distorted_copy(read_image(data.root / item.image), item)
        answer = SquareFinder().detect([distorted])[0]
        boxes = crop_of(item.seed, 32, 32).boxes([SQUARE])[1]
        np.testing.assert_allclose(answer.boxes[0], boxes[0])
        assert picture.shape == distorted.shape


def test_copies_are_labelled_anew(tmp_path):
    """A narrow crop shrunk four times is too small for the reader to be wrong enough: it goes."""
    data = coloured_set(tmp_path / "images", 16)
    options = replace(PLAIN, distort=("downscale:2", "downscale:4", "noise:1,2,3"), copies=2)
    reader = SizeReader()
    report = write_utility_labels(data, tmp_path / "out", options, machines=[reader])
    copies = [item for item in read_labels(report.folder).items if item.augmented]
    assert {item.utility for item in copies} == {0}
    for item in copies:
        distorted = distorted_copy(read_image(data.root / item.image), item)[1]
        said = SizeReader().classify([distorted]).probabilities[0]
        truth = int(item.image.stem) % 3
        assert said.argmax() != truth
        assert said[truth] < 0.1
        assert 2.8 <= item.distortion.level <= 4
    note = report.notes[-1]
    assert f"added {len(copies)} copies that are of no use" in note
    tried = int(note.partition("(")[2].partition(" tried")[0])
    assert tried > len(copies)
    assert "copies would repeat the same images" in note
    assert max(item.augmented for item in copies) <= 2


def test_nothing_is_balanced_without_a_second_class(tmp_path):
    data = coloured_set(tmp_path / "images", 6)
    options = replace(PLAIN, distort=("downscale:2",))
    report = write_utility_labels(data, tmp_path / "out", options, machines=[SizeReader()])
    assert report.counts.combined.useful == 6
    assert report.notes == ("no training image is of no use: there was nothing to balance with",)


def test_options_are_read_and_refused():
    options = LabelOptions(qualities="5, 10", distort=("blur:1,2 noise:10", "webp:5"))
    assert [str(one) for one in options.distortions()] == [
        *("jpeg:5", "jpeg:10", "blur:1", "blur:2", "noise:10", "webp:5")
    ]
    assert [one.level for one in LabelOptions().distortions()] == [
        *(5, 10, 15, 20, 30, 40, 50, 70, 90)
    ]
    assert LabelOptions(models=" a, b:none ").specs() == ["a", "b:none"]
    alone = LabelOptions(qualities="", distort=("blur", "noise:10")).distortions()
    assert [str(one) for one in alone] == ["blur:1", "blur:2", "blur:4", "blur:8", "noise:10"]
    # what scores less than 0.05 is not kept, so that a lower --score could not be told
    low_scores = ({"score": 0.0}, {"score": 0.04})
    for wrong in ({"high": 1.0}, {"low": 0.95}, {"iou": 0.0}, {"copies": 0}, {"batch": 0},
                  *low_scores):  # fmt: skip
        with pytest.raises(InputError, match=f"{next(iter(wrong))} = "):
            LabelOptions(**wrong)
    for text in ("blur:0", "smoke", "smoke:1", "none", "jpeg:101"):
        with pytest.raises(InputError):
            LabelOptions(distort=(text,)).distortions()


def test_classes_are_matched_by_name_or_by_index(tmp_path):
    data = coloured_set(tmp_path / "images", 3)
    reader = SizeReader(categories=("Blue", "background", "RED"))
    assert class_indices(data, reader) == (2, -2, 0)
    assert class_indices(data, SizeReader(categories=())) == (0, 1, 2)
    twice = replace(data, categories=("garter_snake", "crane", "crane"))
    birds = SizeReader(categories=("crane", "x", "garter snake", "crane"))
    assert class_indices(twice, birds) == (2, 0, 3)
    nameless = replace(data, categories=("class 0", "class 1", "class 2"))
    assert class_indices(nameless, SizeReader(categories=("a", "b"))) == (0, 1, -2)
    # a guess by index is said, where the data have names to compare
    (note,) = by_index(data, [reader, SizeReader(categories=())])
    assert note.startswith(f"{SizeReader(categories=()).name} names no classes: its first is")
    assert by_index(nameless, [SizeReader(categories=())]) == ()
