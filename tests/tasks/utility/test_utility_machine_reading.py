"""How pictures become inputs: as torchvision's presets, and back to the picture's own pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.learning.torchvision_compat import import_torchvision
from sightline.tasks.utility.machines.reading import Reading, batches


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("width", "height"), [(300, 200), (97, 211), (40, 33), (256, 256), (1, 1)])
@pytest.mark.parametrize(("crop", "short", "how"), [(224, 256, "bilinear"), (60, 60, "bicubic")])
def test_the_middle_is_cut_out_as_torchvision_does(
    width: int, height: int, crop: int, short: int, how: str
) -> None:
    import_torchvision()
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms._presets import ImageClassification

    preset = ImageClassification(
        crop_size=crop, resize_size=short, interpolation=InterpolationMode(how)
    )
    image = picture(width, height)
    reading = Reading(crop, crop, "center", short, how)
    wanted = preset(Image.fromarray(image)).numpy()
    got = reading.normalise(reading.pixels(image)[None])[0]
    grey_level = 1 / 255 / 0.224
    assert np.abs(got - wanted).max() < 1.01 * grey_level  # rounding in two steps
    assert np.abs(got - wanted).mean() < 0.02 * grey_level


def test_a_strip_is_read_without_a_giant_in_between() -> None:
    strip = np.repeat(picture(1, 200, 3), 500, axis=0)  # 224 x 22,400,000 pixels if resized whole
    assert Reading(224, 224, "center", 256).pixels(strip).shape == (224, 224, 3)
    assert Reading(32, 16, "letterbox").pixels(strip).shape == (16, 32, 3)


@pytest.mark.parametrize("resize", ["stretch", "center", "letterbox"])
def test_a_mark_is_found_again_where_it_was(resize: str) -> None:
    image = np.zeros((120, 200, 3), np.uint8)
    image[40:80, 70:130] = 255
    reading = Reading(96, 64, resize)
    seen = reading.pixels(image)[:, :, 0] > 127
    inner = np.argwhere(seen & (reading.pixels(image)[:, :, 0] != 114))
    (y0, x0), (y1, x1) = inner.min(axis=0), inner.max(axis=0) + 1
    back = reading.placement(200, 120).back(np.array([[x0, y0, x1, y1]], float))[0]
    np.testing.assert_allclose(back, [70, 40, 130, 80], atol=1.6)


def test_what_stands_beside_a_letterboxed_picture() -> None:
    seen = Reading(40, 40, "letterbox").pixels(np.full((10, 20, 3), 255, np.uint8))
    assert (seen[10:30] == 255).all()
    assert (seen[:10] == 114).all()
    assert (seen[30:] == 114).all()


def test_numbers_come_in_the_order_and_scale_asked_for() -> None:
    pixels = picture(3, 2)[None]
    plain = Reading(3, 2, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0)).normalise(pixels)
    assert plain.shape == (1, 3, 2, 3)
    assert plain.dtype == np.float32
    np.testing.assert_allclose(plain[0, 2, 1, 0], (pixels[0, 1, 0, 2] / 255 - 0.3) / 4, rtol=1e-5)
    other = Reading(
        3, 2, colour="bgr", layout="nhwc", scale=1.0, mean=(104, 117, 123), std=(1,) * 3
    )
    np.testing.assert_allclose(
        other.normalise(pixels)[0], pixels[0, :, :, ::-1].astype(float) - [104, 117, 123], rtol=1e-5
    )


def test_large_inputs_come_in_small_batches() -> None:
    assert Reading(224, 224).batch == 32
    assert Reading(600, 600).batch == 4
    assert Reading(5000, 5000).batch == 1
    images = [picture(5, 4, seed) for seed in range(7)]
    found = list(batches(images, Reading(8, 8), 3))
    assert [which for which, _ in found] == [[0, 1, 2], [3, 4, 5], [6]]
    assert np.array_equal(found[1][1][2], Reading(8, 8).pixels(images[5]))


def test_what_is_no_picture() -> None:
    grey, floats = np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)
    for wrong in (grey, floats, np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(InputError, match=r"uint8 RGB images of shape .* came at 1"):
            list(batches([picture(4, 4), wrong], Reading()))
    with pytest.raises(
        InputError, match=r"short side of at least 224 pixels is wanted, .* 128 came"
    ):
        Reading(resize="center", short_side=128)
