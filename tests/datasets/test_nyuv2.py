"""NYUv2's labelled file, written as MATLAB writes it: columns first, text behind references."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from sightline.cli import main as cli
from sightline.datasets.depth import open_depth
from sightline.datasets.nyuv2 import INTRINSICS, make_depth_set
from sightline.errors import InputError
from sightline.records.depth import read_depth

WIDTH, HEIGHT, COUNT = 16, 12, 5
TYPES = ("kitchen", "living_room", "kitchen", "Office Kitchen", "bathroom")
SCENES = (
    "kitchen_0004",
    "living_room_0011",
    "kitchen_0004",
    "office_kitchen_0001a",
    "bathroom_0002",
)


def truth():
    """Return images (N, H, W, 3) and depths (N, H, W) as a person would have them."""
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (COUNT, HEIGHT, WIDTH, 3), dtype=np.uint8)
    depths = rng.uniform(0.7, 9.9, (COUNT, HEIGHT, WIDTH)).astype(np.float32)
    return images, depths


def cells(file, name, words):
    """Write a cell array of text: MATLAB's own way, codes in a column behind a reference."""
    references = np.empty((1, len(words)), dtype=h5py.ref_dtype)
    for i, word in enumerate(words):
        codes = np.array([[ord(letter)] for letter in word], np.uint16)
        references[0, i] = file.create_dataset(f"#refs#/{name}{i}", data=codes).ref
    file.create_dataset(name, data=references, dtype=h5py.ref_dtype)


def write_mat(path: Path, images, depths, *, matlab_axes=True):
    raw = depths.copy()
    raw[:, 2:4, 5] = 0.0
    with h5py.File(path, "w", userblock_size=512) as file:
        if matlab_axes:
            images, depths, raw = images.transpose(0, 3, 2, 1), depths.mT, raw.mT
        chunk = (1, *images.shape[1:])
        file.create_dataset("images", data=images, compression="gzip", chunks=chunk)
        file.create_dataset("depths", data=depths, compression="gzip")
        file.create_dataset("rawDepths", data=raw, compression="gzip")
        cells(file, "sceneTypes", TYPES)
        cells(file, "scenes", SCENES)


def write_splits(path: Path, train, test):
    numbers = {"trainNdxs": train, "testNdxs": test}
    columns = {name: np.array(values, float)[:, None] for name, values in numbers.items()}
    savemat(path, columns, do_compression=True)


@pytest.fixture
def labelled(tmp_path):
    images, depths = truth()
    table = tmp_path / "nyu" / "nyu_depth_v2_labeled.mat"
    table.parent.mkdir()
    write_mat(table, images, depths)
    write_splits(table.parent / "splits.mat", [1, 3, 4], [2, 5])
    return table


def test_axes_are_turned_pixel_by_pixel(labelled, tmp_path):
    images, depths = truth()
    data = make_depth_set(labelled, tmp_path / "out")
    assert len(data) == COUNT
    for i, item in enumerate(data.items):
        np.testing.assert_array_equal(data.read_image(item), images[i])
        np.testing.assert_allclose(data.read_target(item), depths[i], atol=0.00051)
        assert item.intrinsics == INTRINSICS


def test_a_file_with_pythons_axes_is_refused(tmp_path):
    """Transposed silently it would give turned pictures."""
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    write_mat(path, *truth(), matlab_axes=False)
    with pytest.raises(InputError, match=r"images \(N, 3, W, H\) .* \(5, 12, 16, 3\)"):
        make_depth_set(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_split_counts_from_one(labelled, tmp_path):
    data = make_depth_set(labelled, tmp_path / "out")
    assert [i.split for i in data.items] == ["train", "test", "train", "train", "test"]


def test_folders_are_indoor_and_scene_type(labelled, tmp_path):
    out = tmp_path / "out"
    make_depth_set(labelled, out)
    folders = {p.parent.relative_to(out).as_posix() for p in out.rglob("*.png")}
    assert folders == {
        "indoor/kitchen",
        "indoor/living_room",
        "indoor/office_kitchen",
        "indoor/bathroom",
    }
    assert sorted(p.name for p in (out / "indoor" / "kitchen").iterdir()) == [
        "0001.png",
        "0001_depth.png",
        "0003.png",
        "0003_depth.png",
    ]
    with Image.open(out / "indoor/kitchen/0001_depth.png") as depth:
        assert depth.mode == "I;16"


def test_what_was_made_opens_with_its_scenes(labelled, tmp_path):
    made = make_depth_set(labelled, tmp_path / "out")
    data = open_depth(tmp_path / "out")
    assert (made.benchmark, data.benchmark) == ("nyuv2", "nyuv2")
    assert data.items == made.items
    assert [i.source for i in data.items] == list(SCENES)


def test_raw_depth_has_the_sensors_holes(labelled, tmp_path):
    make_depth_set(labelled, tmp_path / "out", raw_depth=True)
    depth = read_depth(tmp_path / "out" / "indoor/kitchen/0001_depth.png")
    assert np.argwhere(np.isnan(depth)).tolist() == [[2, 5], [3, 5]]
    filled = make_depth_set(labelled, tmp_path / "filled")
    assert not np.isnan(filled.read_target(filled.items[0])).any()


def test_invalid_depth_is_unknown_and_an_empty_one_is_left_out(tmp_path):
    images, depths = truth()
    depths[0, 0, :3] = [0.0, np.nan, -1.0]
    depths[1] = 0.0
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    write_mat(path, images, depths)
    data = make_depth_set(path, tmp_path / "out")
    assert np.isnan(data.read_target(data.items[0])[0]).tolist() == [True] * 3 + [False] * 13
    ((reason, count),) = data.left_out
    assert count == 1
    assert "unknown everywhere" in reason
    assert "living_room/0002_depth.png" in reason
    assert data.notes == ("no split: splits.mat is not beside nyu_depth_v2_labeled.mat",)


def test_an_interrupted_import_goes_on(labelled, tmp_path):
    out = tmp_path / "out"

    class StopError(Exception):
        pass

    def stop(_text, fraction):
        if fraction > 0.5:
            raise StopError

    with pytest.raises(StopError):
        make_depth_set(labelled, out, progress=stop)
    assert not (out / "depth.csv").exists()
    done = {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    assert len(done) == 6
    seen = []
    data = make_depth_set(labelled, out, progress=lambda _, fraction: seen.append(fraction))
    assert len(data) == COUNT
    assert seen[-1] == 1.0
    assert {p: p.stat().st_mtime_ns for p in done} == done  # none was written again


def test_another_import_into_the_same_folder_is_refused(labelled, tmp_path):
    make_depth_set(labelled, tmp_path / "out")
    with pytest.raises(InputError, match="was made with depth 'depths'; take another folder"):
        make_depth_set(labelled, tmp_path / "out", raw_depth=True)
    with pytest.raises(InputError, match="a new or empty folder is wanted"):
        make_depth_set(labelled, labelled.parent)


def test_a_split_that_cuts_a_scene_keeps_the_split(labelled, tmp_path):
    write_splits(labelled.parent / "splits.mat", [1, 2], [3, 4, 5])
    data = make_depth_set(labelled, tmp_path / "out")
    assert [(i.split, i.source) for i in data.items[:3:2]] == [("train", ""), ("test", "")]
    assert "cuts through 1 scenes (first: kitchen_0004)" in data.notes[0]
    assert len(open_depth(tmp_path / "out")) == COUNT


@pytest.mark.parametrize(
    ("train", "test", "says"),
    [
        ([1, 2], [2, 3], "number 2 is in both parts"),
        ([0], [1], "whole numbers from 1 are wanted in trainNdxs"),
        ([1, 6], [2], "numbers up to 5 are wanted, 6 came"),
    ],
)
def test_a_split_of_another_file_is_refused(labelled, tmp_path, train, test, says):
    write_splits(labelled.parent / "splits.mat", train, test)
    with pytest.raises(InputError, match=says):
        make_depth_set(labelled, tmp_path / "out")


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"x": 1})
    with pytest.raises(InputError, match=r"version 7\.3"):
        make_depth_set(path, tmp_path / "out")
    with h5py.File(path, "w") as file:
        file["other"] = 1
    with pytest.raises(InputError, match="it has no 'images', but other"):
        make_depth_set(path, tmp_path / "out")
    with pytest.raises(InputError, match="there is no such file"):
        make_depth_set(tmp_path / "gone.mat", tmp_path / "out")


def test_a_file_cut_off_is_refused(labelled, tmp_path):
    labelled.write_bytes(labelled.read_bytes()[:-4000])
    with pytest.raises(InputError, match="does not open"):
        make_depth_set(labelled, tmp_path / "out")


def test_a_pair_that_is_damaged_is_left_out(labelled, tmp_path):
    with h5py.File(labelled) as file:
        first = file["images"].id.get_chunk_info(0)
    content = bytearray(labelled.read_bytes())
    start = first.byte_offset
    start += 0 if content[start] == 0x78 else 512  # behind MATLAB's own header
    content[start : start + 64] = bytes(64)
    labelled.write_bytes(content)
    with h5py.File(labelled) as file, pytest.raises(OSError, match="filter"):
        file["images"][0]
    data = make_depth_set(labelled, tmp_path / "out")
    assert [i.image.stem for i in data.items] == ["0002", "0003", "0004", "0005"]
    ((reason, count),) = data.left_out
    assert count == 1
    assert reason == f"damaged pair (first: {labelled}/0001)"
    assert [i.split for i in data.items] == ["test", "train", "train", "test"]  # by number still


def test_opening_the_mat_says_what_makes_a_set_of_it(labelled):
    for path in (labelled, labelled.parent):
        with pytest.raises(InputError, match=rf"sightline import nyuv2 {labelled} OUT"):
            open_depth(path)


def test_the_command(labelled, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["import", "nyuv2", str(labelled), str(out), "--raw-depth"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "5 images with depth",
        "3 train, 0 validation, 2 test",
        f"next: sightline train depth {out}",
    ]
    assert cli.main(["import", "nyuv2", str(labelled), str(out), "--link"]) == 2
    assert "nyuv2 has no --link" in capsys.readouterr().err
