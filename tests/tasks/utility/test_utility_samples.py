"""Frames of labelled images: the right pixels with the right label, made once, kept, augmented."""

import dataclasses
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_utility import LEVELS, make_toy_labels, toy_item

from sightline.errors import InputError
from sightline.media.distortions import Distortion, distort
from sightline.media.quality import psnr, sharpness, ssim
from sightline.records.utility import UtilitySet
from sightline.tasks.utility import measures as measures_module
from sightline.tasks.utility.batches import UtilityBatches, weak_views
from sightline.tasks.utility.config import UtilityConfig
from sightline.tasks.utility.copies import crop_of
from sightline.tasks.utility.measures import metric_values
from sightline.tasks.utility.samples import Copies, frame_of, labels_digest, usable_samples

CONFIG = UtilityConfig(frame_px=32, batch=8)


@pytest.fixture
def toy(tmp_path: Path) -> UtilitySet:
    return make_toy_labels(tmp_path, train=4, validation=1, test=1)


def pixels(data: UtilitySet, name: str) -> np.ndarray:
    return np.asarray(Image.open(data.images_root / name))


def test_each_frame_is_its_distorted_image_with_its_label(toy: UtilitySet) -> None:
    samples = usable_samples(toy, CONFIG)
    assert len(samples) == 6 * 3  # the fourth level has no label
    assert {str(i.distortion) for i in samples.items} == {
        str(d) for d, u in LEVELS if u is not None
    }
    for k, item in enumerate(samples.items):
        expected = distort(pixels(toy, item.image.name), item.distortion, item.seed)
        assert np.array_equal(samples.frames([k])[0], expected)
        assert samples.useful[k] == item.utility


def test_graded_images_are_learned_from_where_that_is_asked_for(toy: UtilitySet) -> None:
    graded = dataclasses.replace(CONFIG, targets="confidences")
    failed = replace(toy.items[3].machines[0], value=math.nan)
    items = (replace(toy.items[3], machines=(failed, failed)), *toy.items)
    samples = usable_samples(replace(toy, items=items), graded)
    assert len(samples) == 6 * 4  # the fourth level too, but for the copy whose pristine one failed
    grades = {1: 1.0, 0: 0.0, None: 0.5}  # 0.5 lies midway between T_L and T_H
    assert samples.target.tolist() == pytest.approx([grades[i.utility] for i in samples.items])
    ours, theirs = labels_digest(CONFIG, toy), labels_digest(graded, toy)
    assert ours != theirs  # a run of the one is no run of the other


def test_frames_are_made_once(toy: UtilitySet, monkeypatch: pytest.MonkeyPatch) -> None:
    first = usable_samples(toy, CONFIG)
    monkeypatch.setattr(Copies, "__call__", None)
    assert np.array_equal(usable_samples(toy, CONFIG).stored, first.stored)
    others = replace(toy, items=(replace(toy.items[0], seed=99), *toy.items[1:]))
    with pytest.raises(TypeError):  # another seed is another image
        usable_samples(others, CONFIG)


def test_an_image_of_another_shape_is_stretched_whole() -> None:
    image = np.zeros((20, 60, 3), np.uint8)
    image[:, 30:] = 200
    frame = frame_of(image, 32)
    assert frame.shape == (32, 32, 3)
    assert (frame[:, :15] == 0).all()
    assert (frame[:, 17:] == 200).all()


def test_an_augmented_copy_is_cropped_before_it_is_distorted(toy: UtilitySet) -> None:
    item = replace(toy.items[1], augmented=2, seed=5)
    pristine, distorted = Copies(toy.images_root, [item])(0)
    expected = crop_of(5, 32, 32).pixels(pixels(toy, item.image.name))
    assert np.array_equal(pristine, expected)
    assert np.array_equal(distorted, distort(expected, item.distortion, 5))


def test_a_damaged_photo_is_named_and_left_out_and_alone_it_is_an_error(toy: UtilitySet) -> None:
    (toy.images_root / "0001.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    said: list[str] = []
    samples = usable_samples(toy, CONFIG, lambda text, _: said.append(text))
    assert {name for name, _ in samples.left_out} == {"0001.png"}
    assert len(samples) == 5 * 3
    assert all(i.image.name != "0001.png" for i in samples.items)
    assert any("without 3 unreadable images" in text for text in said)
    assert len(usable_samples(toy, CONFIG).left_out) == 3  # the second time too
    alone = replace(toy, items=tuple(i for i in toy.items if i.image.name == "0001.png"))
    with pytest.raises(InputError, match="images that can be read are wanted"):
        usable_samples(alone, CONFIG)


def test_images_without_any_label_are_an_error(toy: UtilitySet) -> None:
    none = replace(toy, items=tuple(replace(i, utility=None) for i in toy.items))
    with pytest.raises(InputError, match="images with a label are wanted"):
        usable_samples(none, CONFIG)


def test_augmentation_mirrors_and_shifts_and_changes_no_pixel() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    views = weak_views(frames, CONFIG, np.random.default_rng(1))
    found = set()
    for frame, view in zip(frames, views, strict=True):
        inner = view[8:24, 8:24]
        for mirrored in (False, True):
            source = frame[:, ::-1] if mirrored else frame
            for top in range(-4, 5):
                for left in range(-4, 5):
                    part = source[8 + top : 24 + top, 8 + left : 24 + left]
                    if np.array_equal(part, inner):
                        found.add((mirrored, top, left))
    assert {mirrored for mirrored, _, _ in found} == {False, True}
    assert len(found) > 20
    plain = dataclasses.replace(CONFIG, mirror=False, shift_px=0)
    assert np.array_equal(weak_views(frames, plain, rng), frames)


def test_an_epoch_is_a_function_of_the_seed_and_its_number(toy: UtilitySet) -> None:
    samples = usable_samples(toy, CONFIG)
    batches = UtilityBatches(samples, CONFIG)
    assert len(batches) == 3

    def frames(number: int, seed: int = 0) -> np.ndarray:
        made = UtilityBatches(samples, dataclasses.replace(CONFIG, seed=seed)).epoch(number)
        return np.concatenate([b.frames.numpy() for b in made])

    assert np.array_equal(frames(3), frames(3))
    assert not np.array_equal(frames(3), frames(4))
    assert not np.array_equal(frames(3), frames(3, seed=1))
    target = np.concatenate([b.target.numpy() for b in batches.epoch(0)])
    assert sorted(target) == sorted(samples.target)


def test_measures_are_those_of_the_images_and_made_once(
    toy: UtilitySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = metric_values(toy)
    for k, item in enumerate(toy.items):
        pristine, image = Copies(toy.images_root, toy.items)(k)
        expected = (psnr(image, pristine), ssim(image, pristine), sharpness(image))
        assert [found[n][k] for n in ("psnr", "ssim", "sharpness")] == pytest.approx(expected, 1e-5)
        assert found["energy"][k] == pytest.approx(item.machines[0].energy)
        assert found["bytes_per_pixel"][k] == pytest.approx(500 / 32**2)
        assert found["quality"][k] == 100
    monkeypatch.setattr(measures_module, "psnr", None)
    again = metric_values(toy)
    assert all(np.array_equal(again[name], values) for name, values in found.items())


def test_what_is_not_known_of_an_image_is_nan(toy: UtilitySet) -> None:
    items = (
        toy_item("0000.png", Distortion("none"), 1, split="test", source="a"),
        toy_item("gone.png", Distortion("jpeg", 20), 0, split="test", source="b", bytes=0),
    )
    found = metric_values(replace(toy, items=items))
    assert found["psnr"].tolist() == pytest.approx([100.0, np.nan], nan_ok=True)
    assert found["ssim"].tolist() == pytest.approx([1.0, np.nan], nan_ok=True)
    assert found["quality"].tolist() == [100.0, 20.0]
    assert np.isnan(found["bytes_per_pixel"][1])
    assert np.isnan(found["energy"]).all()
