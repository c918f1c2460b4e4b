"""Photos of every kind come out as upright 8-bit RGB, or as one clear line."""

import io
import math
import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError, MediaError
from sightline.media.limits import MediaLimits
from sightline.media.photo import exif_focal_px, list_photos, read_photo, write_photo

RNG = np.random.default_rng(0)
SMOOTH = np.stack(np.meshgrid(np.arange(80) * 3, np.arange(48) * 5), -1).astype(np.uint8)
SMOOTH = np.dstack([SMOOTH, np.full((48, 80), 60, np.uint8)])


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def one_line(raised):
    text = str(raised.value)
    assert "\n" not in text
    assert "wanted" in text
    assert ";" in text
    return text


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF"])
def test_lossless_kinds_are_exact(kind):
    np.testing.assert_array_equal(read_photo(encoded(Image.fromarray(SMOOTH), kind)), SMOOTH)


def test_lossless_webp_is_exact():
    content = encoded(Image.fromarray(SMOOTH), "WEBP", lossless=True)
    np.testing.assert_array_equal(read_photo(content), SMOOTH)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_exif_orientations_come_out_upright(kind, orientation, tmp_path, indexed, index_of):
    upright = indexed(1234)
    # What a camera stores: the inverse of what Pillow's transposition for display does.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{kind.lower()}"
    path.write_bytes(encoded(image, kind, exif=exif))
    photo = read_photo(path)
    assert photo.shape == upright.shape
    assert photo.flags.c_contiguous
    assert index_of(photo) == 1234


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bit_png_keeps_the_brightness(channels):
    wide = RNG.integers(0, 65536, (20, 30, channels), dtype=np.uint16)
    content = cv2.imencode(".png", wide[:, :, ::-1])[1].tobytes()
    photo = read_photo(content)
    assert photo.shape == (20, 30, 3)
    assert photo.dtype == np.uint8
    assert np.abs(photo - wide / 257.0).max() <= 1.0


def test_grey_palette_bilevel_and_first_gif_frame():
    grey = Image.fromarray(SMOOTH[:, :, 0])
    np.testing.assert_array_equal(read_photo(encoded(grey)), np.dstack([SMOOTH[:, :, 0]] * 3))
    colours = Image.fromarray(np.kron([[0, 1], [2, 3]], np.ones((4, 4))).astype(np.uint8), "P")
    colours.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7])
    photo = read_photo(encoded(colours))
    assert [tuple(photo[y, x]) for y, x in ((0, 0), (0, 7), (7, 0), (7, 7))] == [
        (255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 8, 7),
    ]  # fmt: skip
    bilevel = Image.fromarray(SMOOTH[:, :, 0] > 100)
    np.testing.assert_array_equal(
        read_photo(encoded(bilevel))[:, :, 0], (SMOOTH[:, :, 0] > 100) * np.uint8(255)
    )
    gif = encoded(colours, "GIF", save_all=True, append_images=[grey])
    assert tuple(read_photo(gif)[0, 0]) == (255, 0, 0)


def test_transparent_becomes_white():
    layers = np.dstack([SMOOTH, np.full((48, 80), 255, np.uint8)])
    layers[:10, :, 3] = 0
    photo = read_photo(encoded(Image.fromarray(layers)))
    assert (photo[:10] == 255).all()
    np.testing.assert_array_equal(photo[10:], SMOOTH[10:])
    grey = Image.fromarray(layers[:, :, [0, 3]], "LA")
    np.testing.assert_array_equal(read_photo(encoded(grey))[10:, :, 1], SMOOTH[10:, :, 0])
    keyed = Image.fromarray(SMOOTH[:, :, 0])
    content = encoded(keyed, transparency=int(SMOOTH[5, 5, 0]))
    assert tuple(read_photo(content)[5, 5]) == (255, 255, 255)


def test_cmyk_jpeg_has_the_right_colours():
    flat = [(220, 30, 30), (30, 200, 60), (40, 40, 210), (250, 250, 250)]
    image = np.kron(np.array(flat, np.uint8).reshape(2, 2, 3), np.ones((16, 16, 1), np.uint8))
    content = encoded(Image.fromarray(image).convert("CMYK"), "JPEG", quality=98)
    assert Image.open(io.BytesIO(content)).mode == "CMYK"
    assert np.abs(read_photo(content).astype(int) - image).max() <= 12


def test_depth_maps_are_not_photos():
    content = encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF")
    with pytest.raises(MediaError, match="32-bit pixels") as raised:
        read_photo(content)
    one_line(raised)


def huge_png(width, height):
    """A PNG header that promises a huge picture, and 20 bytes of it."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(20)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_000, 9_500), (20_000, 20_000), (1_000_000, 1_000_000)])
def test_too_many_pixels_are_refused_from_the_header_without_a_warning(size):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(MediaError, match=f"has {size[0]}x{size[1]}") as raised:
            read_photo(huge_png(*size))
    assert "max_pixels" in one_line(raised)


def test_a_raised_limit_reads_beyond_pillows_own_without_a_warning():
    side = 9_600
    content = encoded(Image.new("1", (side, side)), "TIFF", compression="group4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(MediaError, match="80000000"):
            read_photo(content)
        photo = read_photo(content, MediaLimits(max_pixels=side * side))
    assert photo.shape == (side, side, 3)


def test_byte_limit_holds_for_files_and_content(tmp_path):
    content = encoded(Image.fromarray(SMOOTH))
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for source in (path, content):
        with pytest.raises(MediaError, match="max_bytes") as raised:
            read_photo(source, MediaLimits(max_bytes=len(content) - 1))
        one_line(raised)
        read_photo(source, MediaLimits(max_bytes=len(content)))


def test_limits_refuse_nonsense():
    with pytest.raises(InputError, match="max_pixels"):
        MediaLimits(max_pixels=0)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "empty"),
        (b"hello, this is text", "none that is known"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(100), "HEIC"),
        (b"\xff\xd8\xff" + bytes(30), "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(8), "damaged"),
    ],
)
def test_what_is_no_photo_says_so(content, text, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    for source in (path, content):
        with pytest.raises(MediaError, match=text) as raised:
            read_photo(source)
        one_line(raised)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(MediaError, match="does not exist") as raised:
        read_photo(tmp_path / "no.jpg")
    one_line(raised)
    with pytest.raises(MediaError, match="not a file"):
        read_photo(tmp_path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_truncated_photos_are_refused(kind, part):
    noise = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    content = encoded(noise, kind)
    with pytest.raises(MediaError, match="damaged") as raised:
        read_photo(content[: int(len(content) * part)])
    one_line(raised)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow tells of damaged EXIF by warning
def test_random_damage_gives_a_picture_or_a_media_error(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(SMOOTH)
    content = encoded(image, kind) if kind == "GIF" else encoded(image, kind, exif=exif)
    rng = np.random.default_rng(1)
    read = 0
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 4):
            damaged[place] = rng.integers(256)
        try:
            photo = read_photo(bytes(damaged), MediaLimits(max_pixels=1_000_000))
        except MediaError:
            continue
        read += 1
        assert photo.dtype == np.uint8
        assert photo.ndim == 3
    assert read < 300


def test_list_photos_is_natural_and_complete(tmp_path):
    for name in ("10.jpg", "2.jpg", "1.JPG", "b2.png", "b10.png", "x.heic", "01.jpg"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "noname").write_bytes(encoded(Image.fromarray(SMOOTH), "JPEG"))
    for name in (".hidden.jpg", "notes.txt", "clip.mp4", "textfile"):
        (tmp_path / name).write_text("text")
    (tmp_path / "folder.jpg").mkdir()
    names = [p.name for p in list_photos(tmp_path)]
    assert names == ["01.jpg", "1.JPG", "2.jpg", "10.jpg", "b2.png", "b10.png", "noname", "x.heic"]


def test_list_photos_of_nothing(tmp_path):
    with pytest.raises(MediaError, match="no files") as raised:
        list_photos(tmp_path)
    one_line(raised)
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(MediaError, match="1 other files"):
        list_photos(tmp_path)
    with pytest.raises(MediaError, match="not a folder"):
        list_photos(tmp_path / "a.txt")


def test_write_photo_round_trip(tmp_path):
    write_photo(tmp_path / "a.png", SMOOTH)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), SMOOTH)
    write_photo(tmp_path / "a.jpg", SMOOTH, quality=95)
    assert np.abs(read_photo(tmp_path / "a.jpg").astype(int) - SMOOTH).max() <= 6
    write_photo(tmp_path / "small.jpg", SMOOTH, quality=30, chroma="4:2:0")
    assert (tmp_path / "small.jpg").stat().st_size < (tmp_path / "a.jpg").stat().st_size
    write_photo(tmp_path / "grey.png", SMOOTH[:, :, 1])
    assert (read_photo(tmp_path / "grey.png")[:, :, 0] == SMOOTH[:, :, 1]).all()


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("a.gif", SMOOTH),
        ("a.jpg", SMOOTH.astype(np.float32)),
        ("a.jpg", SMOOTH[:, :, :2]),
        ("a.jpg", SMOOTH[:0]),
    ],
)
def test_write_photo_refuses(name, image, tmp_path):
    with pytest.raises(InputError, match="wanted"):
        write_photo(tmp_path / name, image)
    assert not list(tmp_path.iterdir())


def test_write_photo_into_nowhere(tmp_path):
    with pytest.raises(MediaError, match="could not be written"):
        write_photo(tmp_path / "no" / "a.jpg", SMOOTH)


def with_exif(size, **tags):
    numbers = {"film": 0xA405, "focal": 0x920A, "res": 0xA20E, "unit": 0xA210, "wide": 0xA002}
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, value in tags.items():
        exif.get_ifd(0x8769)[numbers[name]] = value
    return encoded(Image.new("RGB", size), "JPEG", exif=exif)


def test_focal_from_the_35mm_equivalent_is_by_the_diagonal():
    expected = 26 * math.hypot(400, 300) / math.hypot(36, 24)
    assert exif_focal_px(with_exif((400, 300), film=26)) == pytest.approx(expected, rel=1e-12)
    assert exif_focal_px(with_exif((300, 400), film=26)) == pytest.approx(expected, rel=1e-12)


def test_focal_from_the_focal_plane():
    # 5 mm lens, 100 pixels a millimetre: 500 pixels, in whichever unit it is said.
    assert exif_focal_px(with_exif((400, 300), focal=5.0, res=100.0, unit=4)) == pytest.approx(500)
    assert exif_focal_px(with_exif((400, 300), focal=5.0, res=1000.0, unit=3)) == pytest.approx(500)
    assert exif_focal_px(with_exif((400, 300), focal=5.0, res=2540.0)) == pytest.approx(500)
    scaled = with_exif((400, 300), focal=5.0, res=100.0, unit=4, wide=1600)
    assert exif_focal_px(scaled) == pytest.approx(125)


@pytest.mark.parametrize(
    "tags",
    [{}, {"film": 0}, {"focal": 5.0}, {"res": 100.0}, {"focal": 5.0, "res": 100.0, "unit": 9}],
)
def test_focal_unknown_is_none(tags):
    assert exif_focal_px(with_exif((40, 30), **tags)) is None


@pytest.mark.shared
def test_real_photos_agree_with_opencv(shared_data):
    photos = list_photos(shared_data / "pose_fox_phone" / "images")[:3]
    assert photos
    for path in photos:
        expected = cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1]
        # Two JPEG decoders may round differently.
        assert np.abs(read_photo(path).astype(int) - expected).mean() < 0.5
