"""PNG sizes from the heads of chunks: the same as by decoding, or none."""

import io

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sightline.media import photo_size
from sightline.media.png_header import png_size


def noise(size=(300, 200)):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_sizes_are_those_of_decoding(tmp_path):
    for size in ((300, 200), (1, 1), (7, 900)):
        noise(size).save(tmp_path / "a.png")
        assert png_size(tmp_path / "a.png") == photo_size(tmp_path / "a.png") == size


def turned(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    noise().save(path, exif=exif)


def with_text(path):
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "<x/>")
    noise().save(path, pnginfo=info)


def cut_off(path):
    noise().save(path)
    path.write_bytes(path.read_bytes()[:-5000])


def cut_in_the_header(path):
    noise().save(path)
    path.write_bytes(path.read_bytes()[:20])


def jpeg(path):
    stream = io.BytesIO()
    noise().save(stream, "JPEG")
    path.write_bytes(stream.getvalue())


@pytest.mark.parametrize("write", [turned, with_text, cut_off, cut_in_the_header, jpeg])
def test_what_may_be_turned_or_is_no_whole_png_is_left_to_decoding(tmp_path, write):
    write(tmp_path / "a.png")
    assert png_size(tmp_path / "a.png") is None
    assert png_size(tmp_path / "gone.png") is None


def test_a_turned_picture_is_turned_by_decoding(tmp_path):
    turned(tmp_path / "a.png")
    assert photo_size(tmp_path / "a.png") == (200, 300)
