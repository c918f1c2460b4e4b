"""Damage in a depth set is named, left out and counted; too much of it is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.depth import open_depth, split_by_source
from sightline.errors import InputError
from sightline.records.depth import (
    DepthImage,
    DepthSet,
    write_depth_csv,
    write_depth_png_mm,
    write_depth_set,
)


@pytest.fixture
def depth_set(tmp_path):
    """Eight photos of 16 x 12 with depth, numbered."""
    items = []
    for i in range(8):
        Image.new("RGB", (16, 12), (30 * i, 0, 0)).save(tmp_path / f"{i}.jpg")
        write_depth_png_mm(tmp_path / f"{i}.png", np.full((12, 16), 1.0 + i))
        items.append(DepthImage(Path(f"{i}.jpg"), Path(f"{i}.png"), source=f"room{i // 2}"))
    data = DepthSet(tmp_path.name, tmp_path, tuple(items))
    write_depth_set(data)
    return data


def text(root):
    (root / "3.jpg").write_text("not a photo")
    return "unreadable image", "3.jpg"


def gone_photo(root):
    (root / "3.jpg").unlink()
    return "missing image", "3.jpg"


def gone_depth(root):
    (root / "3.png").unlink()
    return "missing depth", "3.png"


def unknown(root):
    write_depth_png_mm(root / "3.png", np.full((12, 16), np.nan))
    return "depth unknown everywhere", "3.png"


def eight_bits(root):
    Image.new("L", (16, 12), 9).save(root / "3.png")
    return "unreadable depth", "3.png"


def cut_off(root):
    (root / "3.png").write_bytes((root / "3.png").read_bytes()[:60])
    return "unreadable depth", "3.png"


def another_shape(root):
    write_depth_png_mm(root / "3.png", np.ones((16, 12)))
    return "depth of another shape", "3.png"


@pytest.mark.parametrize(
    "damage", [text, gone_photo, gone_depth, unknown, eight_bits, cut_off, another_shape]
)
def test_one_bad_item_is_named_and_the_rest_goes_on(depth_set, damage):
    root = depth_set.root
    reason, name = damage(root)
    data = open_depth(root)
    assert data.items == tuple(i for i in depth_set.items if i.image.name != "3.jpg")
    assert data.left_out == ((f"{reason} (first: {root / name})", 1),)


def test_nan_in_a_npy_is_unknown_not_damage(depth_set):
    values = np.full((12, 16), np.nan, np.float32)
    values[5, 3] = 2.0
    np.save(depth_set.root / "nan.npy", values)
    path = depth_set.root / "list.csv"
    write_depth_csv(path, [DepthImage(Path("1.jpg"), Path("nan.npy"))])
    data = open_depth(path)
    assert np.nansum(data.read_target(data.items[0])) == 2.0
    values[5, 3] = np.nan
    np.save(depth_set.root / "nan.npy", values)
    with pytest.raises(InputError, match=r"1 depth unknown everywhere .*nan\.npy"):
        open_depth(path)


@pytest.mark.parametrize("size", [(4, 3), (32, 24), (5, 4), (640, 480), (1, 1)])
def test_depth_of_another_size_is_fine(depth_set, size):
    write_depth_png_mm(depth_set.root / "3.png", np.full(size[::-1], 1.0))
    assert len(open_depth(depth_set.root)) == 8


def test_more_damaged_than_good_is_refused(depth_set):
    for i in range(4):
        (depth_set.root / f"{i}.jpg").write_text("x")
    assert len(open_depth(depth_set.root)) == 4
    (depth_set.root / "4.png").unlink()
    with pytest.raises(InputError, match="more than the 3 images left are wanted") as caught:
        open_depth(depth_set.root)
    assert "4 unreadable image (first: " in str(caught.value)
    assert "1 missing depth (first: " in str(caught.value)


def test_an_unlabelled_image_is_no_damage(depth_set):
    path = depth_set.root / "list.csv"
    write_depth_csv(path, [depth_set.items[0], DepthImage(Path("1.jpg"), None)])
    data = open_depth(path)
    assert len(data.unlabelled()) == 1
    assert data.left_out == ()


@pytest.mark.parametrize("what", ["picture", "source"])
def test_splits_that_leak_are_refused(depth_set, what):
    rows = [
        DepthImage(Path("0.jpg"), Path("0.png"), split="train", source="a"),
        DepthImage(Path("1.jpg"), Path("1.png"), split="test", source="a"),
    ]
    if what == "picture":
        rows[1] = DepthImage(Path("0.jpg"), Path("1.png"), split="test", source="b")
    path = depth_set.root / "list.csv"
    write_depth_csv(path, rows)
    with pytest.raises(InputError, match=f"the {what} .* is in train and in test"):
        open_depth(path)


def test_a_split_by_source_never_cuts_one(depth_set):
    split = split_by_source(depth_set, 0.25, seed=1)
    assert split.splits() == {"train": 6, "validation": 2}
    by_split = {s: {i.source for i in split.part(s).items} for s in ("train", "validation")}
    assert not by_split["train"] & by_split["validation"]
    assert split == split_by_source(depth_set, 0.25, seed=1)
    others = {split_by_source(depth_set, 0.25, seed=s).part("validation").items for s in range(9)}
    assert len(others) > 1
    assert "1 of 4 training sources, drawn with seed 1" in split.notes[0]


def test_a_split_by_source_leaves_test_alone(depth_set):
    items = tuple(
        DepthImage(i.image, i.depth, split="test" if n < 4 else "train", source=i.source)
        for n, i in enumerate(depth_set.items)
    )
    data = DepthSet("x", depth_set.root, items)
    split = split_by_source(data)
    assert split.part("test").items == items[:4]
    assert split.splits() == {"test": 4, "train": 2, "validation": 2}
    with pytest.raises(InputError, match="two sources or more are wanted"):
        split_by_source(DepthSet("x", depth_set.root, items[:6]))
    with pytest.raises(InputError, match="a share between 0 and 1"):
        split_by_source(data, 0.0)


def test_images_without_a_source_are_sources_of_their_own(depth_set):
    items = tuple(DepthImage(i.image, i.depth) for i in depth_set.items)
    split = split_by_source(DepthSet("x", depth_set.root, items), 0.25)
    assert split.splits() == {"train": 6, "validation": 2}


def test_damage_in_folders_is_counted_too(depth_set, tmp_path):
    root = tmp_path / "folders"
    for kind, suffix in (("rgb", ".jpg"), ("depth", ".png")):
        (root / kind).mkdir(parents=True)
        for i in range(8):
            shutil.copy(depth_set.root / f"{i}{suffix}", root / kind)
    (root / "rgb" / "2.jpg").write_text("x")
    (root / "rgb" / "5.jpg").unlink()
    data = open_depth(root)
    assert [i.image.stem for i in data.items] == list("013467")
    assert sorted(data.left_out) == [
        (f"depth without an image (first: {root / 'depth' / '5.png'})", 1),
        (f"unreadable image (first: {root / 'rgb' / '2.jpg'})", 1),
    ]
