"""Masks: black is ignored, sizes are made to fit, what is no mask is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError, MediaError
from sightline.media.masks import fit_mask, mask_name, read_mask, write_mask


def test_what_is_written_is_read(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).random((37, 53)) < 0.5
    path = tmp_path / mask_name("0003.jpg")
    assert path.name == "0003.jpg.png"
    write_mask(path, counts)
    assert path.stat().st_size < counts.size / 8 + 300
    np.testing.assert_array_equal(read_mask(path), counts)


def test_labels_of_16_bits_and_transparent_black_are_what_they_say(tmp_path: Path) -> None:
    labels = np.array([[0, 1], [2, 700]], np.uint16)
    Image.fromarray(labels).save(tmp_path / "labels.png")
    assert read_mask(tmp_path / "labels.png").tolist() == [[False, True], [True, True]]
    clear = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    clear.putpixel((1, 0), (255, 255, 255, 255))
    clear.save(tmp_path / "clear.png")
    assert read_mask(tmp_path / "clear.png").tolist() == [[False, True]]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "LA"])
def test_only_black_is_ignored_whatever_the_kind_of_picture(tmp_path: Path, mode: str) -> None:
    grey = Image.new("L", (4, 2), 255)
    grey.putpixel((1, 0), 0)
    if mode in ("L", "RGB"):
        grey.putpixel((3, 1), 1)  # all but black counts, however dark
    grey.convert(mode).save(tmp_path / "mask.png")
    wanted = np.ones((2, 4), bool)
    wanted[0, 1] = False
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), wanted)


def test_a_lossy_or_damaged_mask_is_refused(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "mask.jpg")
    with pytest.raises(InputError, match=r"PNG is wanted.*mask\.jpg came"):
        read_mask(tmp_path / "mask.jpg")
    (tmp_path / "mask.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(MediaError, match=r"mask\.png"):
        read_mask(tmp_path / "mask.png")


def test_a_mask_of_another_size_is_fitted() -> None:
    small = np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(fit_mask(small, 4, 4), np.kron(small, np.ones((2, 2))) > 0)
    large = np.kron(small, np.ones((6, 6))) > 0
    np.testing.assert_array_equal(fit_mask(large, 2, 2), small)
    assert fit_mask(small, 2, 2) is small
    # 1601 x 1201 made smaller to 1600 x 1200 is the same shape but for rounding.
    assert fit_mask(np.ones((1201, 1601), bool), 1600, 1200).shape == (1200, 1600)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"40 x 30 pixels, is wanted, 30 x 40 came \(is it turn"):
        fit_mask(np.ones((40, 30), bool), 40, 30)
    with pytest.raises(InputError, match=r"40 x 40 came$"):
        fit_mask(np.ones((40, 40), bool), 40, 30)
