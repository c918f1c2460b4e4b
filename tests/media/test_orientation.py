"""The eight orientations against Pillow and against the display matrix's own definition."""

import itertools

import numpy as np
import pytest
from PIL import Image, ImageOps

from sightline.media.orientation import UPRIGHT, Orientation, from_display_matrix, from_exif

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (3, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize("value", range(1, 9))
def test_exif_agrees_with_pillow(value):
    image = Image.fromarray(PICTURE)
    image.getexif()[0x0112] = value
    expected = np.asarray(ImageOps.exif_transpose(image))
    turned = from_exif(value).apply(PICTURE)
    np.testing.assert_array_equal(turned, expected)
    assert from_exif(value).upright_size(5, 3) == (turned.shape[1], turned.shape[0])


@pytest.mark.parametrize("value", [0, 9, None, "6", (6,)])
def test_exif_nonsense_is_upright(value):
    assert from_exif(value) == UPRIGHT


@pytest.mark.parametrize("flags", list(itertools.product([False, True], repeat=3)))
def test_display_matrix_moves_pixels_as_defined(flags):
    """(p, q) goes to (a p + c q, b p + d q); the picture is then shifted into view."""
    expected_orientation = Orientation(*flags)
    transpose, reverse_rows, reverse_columns = flags
    x, y = (-1 if reverse_columns else 1), (-1 if reverse_rows else 1)
    a, b, c, d = (0, y, x, 0) if transpose else (x, 0, 0, y)
    matrix = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]

    moved = {(a * p + c * q, b * p + d * q): PICTURE[q, p] for q in range(3) for p in range(5)}
    left, top = min(key[0] for key in moved), min(key[1] for key in moved)
    width, height = expected_orientation.upright_size(5, 3)
    expected = np.zeros((height, width, 3), np.uint8)
    for (column, row), pixel in moved.items():
        expected[row - top, column - left] = pixel

    orientation = from_display_matrix(matrix)
    assert orientation == expected_orientation
    np.testing.assert_array_equal(orientation.apply(PICTURE), expected)


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_clockwise_deg_is_the_turn_before_mirroring(quarter, mirrored):
    expected = np.rot90(PICTURE, -quarter)
    expected = expected[:, ::-1] if mirrored else expected
    every = (Orientation(*flags) for flags in itertools.product([False, True], repeat=3))
    found = [o for o in every if np.array_equal(o.apply(PICTURE), expected)]
    assert [o.clockwise_deg for o in found] == [90 * quarter]


def test_a_slightly_turned_matrix_takes_the_nearest_quarter():
    c, s = round(65536 * np.cos(np.radians(88))), round(65536 * np.sin(np.radians(88)))
    assert from_display_matrix([c, s, 0, -s, c, 0, 0, 0, 1 << 30]).clockwise_deg == 90
