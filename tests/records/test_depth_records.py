"""Depth maps and depth sets on disk: what is written comes back, what is wrong is named."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.records.depth import (
    DepthImage,
    DepthSet,
    depth_header,
    disparity_of,
    read_depth,
    read_depth_csv,
    read_depth_set,
    resize_depth,
    write_depth_csv,
    write_depth_png_mm,
    write_depth_set,
)
from sightline.records.depth_files import says_nothing

NAN = np.nan


def save_png(path, values):
    Image.fromarray(np.asarray(values, dtype=np.uint16)).save(path)
    return path


def interlaced_png(path, values):
    """Write a grey 16-bit PNG in Adam7's seven passes, by hand."""
    values = np.asarray(values, dtype=">u2")
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2)]  # fmt: skip
    rows = b""
    for x, y, step_x, step_y in passes:
        part = values[y::step_y, x::step_x]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)

    def chunk(kind, data):
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    height, width = values.shape
    head = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 1)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


def test_millimetres_come_back_and_unknown_stays_unknown(tmp_path):
    metres = np.array([[0.001, 1.2345, 65.534], [0.0, -1.0, NAN], [np.inf, 65.536, 0.0004]])
    write_depth_png_mm(tmp_path / "a.png", metres)
    stored = np.asarray(Image.open(tmp_path / "a.png"))
    assert stored.dtype == np.uint16
    assert stored.tolist() == [[1, 1234, 65534], [0, 0, 0], [0, 0, 0]]
    read = read_depth(tmp_path / "a.png")
    assert read.dtype == np.float32
    wanted = [[0.001, 1.234, 65.534], [NAN] * 3, [NAN] * 3]
    np.testing.assert_allclose(read, np.array(wanted), rtol=1e-6)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.png"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_depth_png_mm(tmp_path / "a.png", np.ones((2, 3)))

    def fail(*_args, **_kwargs):
        raise OSError("no")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="no"):
        write_depth_png_mm(tmp_path / "a.png", np.full((2, 3), 2.0))
    monkeypatch.undo()
    np.testing.assert_array_equal(read_depth(tmp_path / "a.png"), np.ones((2, 3), np.float32))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("shape", [(11, 13), (1, 1), (8, 5)])
def test_interlaced_pngs_are_read(tmp_path, shape):
    values = np.random.default_rng(0).integers(1, 65535, shape)
    read = read_depth(interlaced_png(tmp_path / "a.png", values), 0.5)
    np.testing.assert_array_equal(read, (values * 0.5).astype(np.float32))


def test_scales_are_those_of_the_file_or_those_given(tmp_path):
    png = save_png(tmp_path / "a.png", [[5000, 256]])
    np.testing.assert_allclose(read_depth(png), [[5.0, 0.256]], rtol=1e-6)
    np.testing.assert_allclose(read_depth(png, 1 / 5000), [[1.0, 0.0512]], rtol=1e-6)
    np.save(tmp_path / "a.npy", np.array([[5000.0, 256.0]]))
    np.testing.assert_array_equal(read_depth(tmp_path / "a.npy"), [[5000, 256]])
    np.testing.assert_array_equal(read_depth(tmp_path / "a.npy", 0.5), [[2500, 128]])


def test_a_sensor_that_had_no_more_is_unknown_only_in_millimetres(tmp_path):
    png = save_png(tmp_path / "a.png", [[65535, 65534]])
    np.testing.assert_allclose(read_depth(png), [[NAN, 65.534]], rtol=1e-6)
    np.testing.assert_allclose(read_depth(png, 1 / 256), [[255.996, 255.992]], rtol=1e-5)


@pytest.mark.parametrize("kind", ["float32", "float64", "uint16"])
def test_npy_of_every_type(tmp_path, kind):
    values = np.array([[1, 0], [7, 40000]], dtype=kind)
    np.save(tmp_path / "a.npy", values)
    read = read_depth(tmp_path / "a.npy")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, [[1, NAN], [7, 40000]])


def test_npy_holds_what_a_float_can(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[NAN, np.inf, -np.inf], [-2.0, 1e300, 3.5]]))
    np.testing.assert_array_equal(read_depth(tmp_path / "a.npy"), [[NAN] * 3, [NAN, NAN, 3.5]])


def test_the_sky_is_known_in_disparity_alone(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0.0, -1.0, NAN, 2.0]], np.float32))
    np.testing.assert_array_equal(
        read_depth(tmp_path / "a.npy", quantity="disparity"), [[0, NAN, NAN, 2]]
    )
    np.testing.assert_array_equal(read_depth(tmp_path / "a.npy"), [[NAN, NAN, NAN, 2]])
    png = save_png(tmp_path / "a.png", [[0, 65535]])
    np.testing.assert_array_equal(read_depth(png, 1.0, quantity="disparity"), [[NAN, 65535]])


def test_sun_rgbd_turns_sixteen_bits_back(tmp_path):
    mm = np.array([[0, 1, 1234, 8191, 40000]], dtype=np.uint32)
    turned = ((mm << 3) | (mm >> 13)) & 0xFFFF  # as its authors store them
    png = save_png(tmp_path / "a.png", turned)
    read = read_depth(png, encoding="sunrgbd")
    np.testing.assert_allclose(read, [[NAN, 0.001, 1.234, 8.191, 40.0]], rtol=1e-6)
    assert not np.allclose(read_depth(png)[0, 1:], read[0, 1:])


def write_text(path):
    path.write_text("not a picture")


def write_grey8(path):
    Image.fromarray(np.ones((4, 4), np.uint8)).save(path)


def write_rgb(path):
    Image.fromarray(np.ones((4, 4, 3), np.uint8)).save(path)


def write_cut(path):
    rng = np.random.default_rng(0)
    save_png(path, rng.integers(0, 65535, (64, 64)))
    path.write_bytes(path.read_bytes()[:-2000])


def write_broken(path):
    rng = np.random.default_rng(0)
    save_png(path, rng.integers(0, 65535, (64, 64)))
    content = bytearray(path.read_bytes())
    content[1000:1040] = bytes(40)
    path.write_bytes(content)


def write_objects(path):
    np.save(path, np.array([[{}]], dtype=object), allow_pickle=True)


def write_cut_npy(path):
    np.save(path, np.ones((64, 64), np.float32))
    path.write_bytes(path.read_bytes()[:-100])


def write_npz(path):
    with path.open("wb") as stream:
        np.savez(stream, a=np.ones((2, 2), np.float32))


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("a.png", write_text, "another kind of file came"),
        ("a.png", lambda p: p.write_bytes(b""), "an empty file came"),
        ("a.png", write_grey8, r"16-bit PNG of depth is wanted, one of 8 bits \(grey\)"),
        ("a.png", write_rgb, r"one of 8 bits \(RGB\)"),
        ("a.png", write_cut, "cut off"),
        ("a.png", write_broken, "damaged"),
        ("a.png", lambda _: None, "no such file"),
        ("a.npz", write_npz, r"16-bit PNG or \.npy is wanted"),
        ("a.jpg", write_text, r"16-bit PNG or \.npy is wanted"),
        ("a.npy", write_text, "another kind of file came"),
        ("a.npy", lambda p: p.write_bytes(b""), "another kind of file came"),
        ("a.npy", lambda p: p.write_bytes(b"\x93NUMPY\1\0v\0{'descr'"), "does not read"),
        ("a.npy", write_cut_npy, "does not read"),
        ("a.npy", write_npz, "another kind of file came"),
        ("a.npy", write_objects, "does not read"),
        ("a.npy", lambda p: np.save(p, np.ones((2, 2), np.int32)), "int32 came"),
        ("a.npy", lambda p: np.save(p, np.ones((2, 2, 3), np.float32)), r"\(2, 2, 3\) came"),
        ("a.npy", lambda p: np.save(p, np.ones((0, 3), np.float32)), r"\(0, 3\) came"),
    ],
)
def test_another_file_is_one_line_that_names_it(tmp_path, name, write, says):
    write(tmp_path / name)
    with pytest.raises(InputError, match=says) as caught:
        read_depth(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_headers_tell_sizes_without_values(tmp_path):
    save_png(tmp_path / "a.png", np.ones((3, 5)))
    np.save(tmp_path / "a.npy", np.ones((3, 5), np.float32))
    assert depth_header(tmp_path / "a.png") == depth_header(tmp_path / "a.npy") == (5, 3)


@pytest.mark.parametrize("size", [(2, 2), (480, 640)])
def test_maps_that_say_nothing_are_found(tmp_path, size):
    some = np.zeros(size)
    save_png(tmp_path / "a.png", some)
    assert says_nothing(tmp_path / "a.png")
    save_png(tmp_path / "a.png", np.full(size, 65535))  # as 7-Scenes has where it saw nothing
    assert says_nothing(tmp_path / "a.png")
    assert not says_nothing(tmp_path / "a.png", 1 / 256)
    some[-1, -1] = 9
    save_png(tmp_path / "a.png", some)
    assert not says_nothing(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", np.where(some > 0, some, NAN))
    assert not says_nothing(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.full(size, NAN))
    assert says_nothing(tmp_path / "a.npy")


def test_resizing_never_mixes_near_and_far():
    depth = np.array([[1.0, 9.0], [NAN, 5.0]], np.float32)
    grown = resize_depth(depth, 4, 6)
    np.testing.assert_array_equal(grown, np.repeat(np.repeat(depth, 3, axis=0), 2, axis=1))
    np.testing.assert_array_equal(resize_depth(grown, 2, 2), depth)
    assert resize_depth(depth, 2, 2) is depth
    for size in ((3, 3), (7, 5), (1, 1), (640, 480)):
        values = resize_depth(depth, *size)
        assert values.shape == size[::-1]
        assert set(np.unique(values[np.isfinite(values)])) <= {1.0, 5.0, 9.0}


def test_disparity_is_one_over_z():
    depth = np.array([[2.0, 0.5, NAN]], np.float32)
    np.testing.assert_array_equal(disparity_of(depth), [[0.5, 2.0, NAN]])
    assert disparity_of(depth).dtype == np.float32


@pytest.fixture
def full_set(tmp_path):
    """A set that uses every column."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        Image.new("RGB", (8, 6), (200, 10, 10)).save(tmp_path / name)
    save_png(tmp_path / "a.png", [[1000, 0]])
    np.save(tmp_path / "b.npy", np.array([[0.25, 4.0]], np.float32))
    a, b, c = Path("a.jpg"), Path("b.jpg"), Path("c.jpg")
    items = (
        DepthImage(a, Path("a.png"), "depth", 1 / 256, "train", "kitchen", (5.5, 6, 3, 2.25)),
        DepthImage(b, Path("b.npy"), "disparity", split="test", labelled_by="net 12ab"),
        DepthImage(c, None),
        DepthImage(a, Path("a.png"), encoding="sunrgbd", split="train", source="kitchen"),
    )
    return DepthSet(tmp_path.name, tmp_path, items)


def test_a_set_comes_back_whole(full_set):
    write_depth_set(full_set)
    again = read_depth_set(full_set.root)
    assert again == full_set
    assert read_depth_set(full_set.root / "depth.csv") == full_set


def test_columns_that_nobody_fills_are_left_out(full_set):
    path = full_set.root / "list.csv"
    write_depth_csv(path, full_set.items[2:3])
    assert path.read_text() == "image,depth\nc.jpg,\n"
    assert read_depth_csv(path) == [full_set.items[2]]
    assert read_depth_set(path).name == "list"


def test_a_set_reads_its_photos_and_targets(full_set):
    a, b, c, turned = full_set.items
    assert full_set.read_image(a).shape == (6, 8, 3)
    np.testing.assert_allclose(full_set.read_target(a), [[1000 / 256, NAN]])
    np.testing.assert_allclose(full_set.read_disparity(a), [[0.256, NAN]], rtol=1e-6)
    np.testing.assert_array_equal(full_set.read_target(b), [[0.25, 4]])
    np.testing.assert_array_equal(full_set.read_disparity(b), [[0.25, 4]])  # it is one already
    np.testing.assert_allclose(full_set.read_target(turned), [[0.125, NAN]])
    with pytest.raises(InputError, match=r"c\.jpg: an image with depth is wanted"):
        full_set.read_target(c)


def test_parts_of_a_set(full_set):
    assert full_set.splits() == {"train": 2, "test": 1, "": 1}
    assert [i.image.name for i in full_set.part("train").items] == ["a.jpg", "a.jpg"]
    assert len(full_set.part("validation")) == 0
    assert [i.image.name for i in full_set.unlabelled().items] == ["c.jpg"]
    assert len(full_set.labelled()) == 3


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (",a.png,,,", "a path is wanted in image"),
        ("a.jpg,a.png,height,,", "quantity of depth, disparity or nothing is wanted, 'height'"),
        ("a.jpg,a.png,,0,", "a scale above 0 is wanted, 0 came"),
        ("a.jpg,a.png,,nan,", "a finite number is wanted in scale"),
        ("a.jpg,a.png,,x,", "a number is wanted in scale, 'x' came"),
        ("a.jpg,a.png,,,dev", "split of train, validation, test or nothing is wanted, 'dev'"),
        ("gone.jpg,a.png,,,", r"gone\.jpg is wanted; there is no such file"),
        ("a.jpg,gone.png,,,", r"gone\.png is wanted; there is no such file"),
        ("a.jpg", "5 cells are wanted, 1 came"),
    ],
)
def test_a_bad_row_is_named_with_its_line(full_set, row, says):
    path = full_set.root / "list.csv"
    path.write_text(f"image,depth,quantity,scale,split\na.jpg,a.png,,,\n\n{row}\n")
    with pytest.raises(InputError, match=rf"list\.csv, line 4: .*{says}"):
        read_depth_csv(path)


@pytest.mark.parametrize(
    ("cells", "says"),
    [("5,5,1,", "all of fx, fy, cx, cy are wanted"), ("-5,5,1,1", "focal lengths above 0")],
)
def test_intrinsics_are_whole(full_set, cells, says):
    path = full_set.root / "list.csv"
    path.write_text(f"image,depth,fx,fy,cx,cy\na.jpg,a.png,{cells}\n")
    with pytest.raises(InputError, match=f"line 2: {says}"):
        read_depth_csv(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image\na.jpg\n", "columns image,depth are wanted"),
        ("image,depth,colour\n", "unknown column 'colour'"),
        ("image,depth\n", "one image or more is wanted"),
    ],
)
def test_a_bad_table_is_refused(full_set, text, says):
    path = full_set.root / "list.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_depth_csv(path)


def test_missing_files_are_told_where_asked(full_set):
    path = full_set.root / "list.csv"
    path.write_text("image,depth\na.jpg,a.png\ngone.jpg,a.png\nb.jpg,gone.png\n")
    told = []
    items = read_depth_csv(path, left_out=lambda reason, file: told.append((reason, file.name)))
    assert [i.image.name for i in items] == ["a.jpg"]
    assert told == [("missing image", "gone.jpg"), ("missing depth", "gone.png")]
