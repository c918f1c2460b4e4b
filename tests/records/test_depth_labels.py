"""Labels of a network: 16-bit values, shards, and the depth set they make."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.records.depth import read_depth
from sightline.records.depth_labels import (
    LABELS_CSV,
    LABELS_TOML,
    SHARD_JSON,
    LabelRow,
    is_label_folder,
    read_label_folder,
    read_shard,
    read_skipped,
    shard_folder,
    stored_label,
    write_shard,
)
from sightline.records.files import read_toml, write_toml


def row(image: str = "a.jpg", label: str = "00000.png", scale: float = 0.25) -> LabelRow:
    return LabelRow(
        *(
            image,
            label,
            "disparity",
            "relative",
            scale,
            4,
            3,
            "net 0123",
            "ab" * 32,
            77,
            "train",
            "",
        ),
    )


def write_labels_toml(root: Path, photos: Path, *, images: int = 4, from_here: str = "") -> None:
    root.mkdir(exist_ok=True)
    table = {
        "version": 1,
        "model": {"name": "net", "digest": "0123", "quantity": "disparity", "unit": "relative"},
        "source": {"root": str(photos), "from_here": from_here, "images": images},
        "settings": {"shard": 2, "side": 518},
    }
    write_toml(root / LABELS_TOML, table)


def write_one_shard(root: Path, index: int, rows: list[LabelRow]) -> Path:
    folder = shard_folder(root, index)
    folder.mkdir(parents=True)
    write_shard(folder, rows, [("bad.jpg", "cut, off\nhere")], {"seconds": 1.5})
    return folder


def read_back(tmp_path: Path, stored: np.ndarray, scale: float, quantity: str) -> np.ndarray:
    assert stored.dtype == np.uint16
    Image.fromarray(stored).save(tmp_path / "label.png")
    return read_depth(tmp_path / "label.png", scale, quantity=quantity)


def test_disparity_keeps_the_sky_and_sixteen_bits(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(0, 40, (30, 20)).astype(np.float32)
    values[0, 0], values[0, 1], values[5, 5], values[5, 6] = 0.0, 40.0, np.nan, -1.0

    stored, scale = stored_label(values, "disparity", metric=False)
    back = read_back(tmp_path, stored, scale, "disparity")

    unknown = np.isnan(values) | (values < 0)
    np.testing.assert_array_equal(np.isnan(back), unknown)
    assert np.isnan(back).sum() == 2
    step = 40.0 / 65533
    # one step up, so that 0 is not unknown; rounded to half a step
    np.testing.assert_allclose(back[~unknown], values[~unknown] + step, atol=0.51 * step)


def test_depth_in_metres_is_kept_in_millimetres(tmp_path: Path) -> None:
    values = np.array([[1.2344, 65.0, 0.0], [np.nan, 0.0001, np.inf]], np.float32)

    stored, scale = stored_label(values, "depth", metric=True)

    assert scale == 0.001
    np.testing.assert_array_equal(stored, [[1234, 65000, 0], [0, 1, 0]])
    back = read_back(tmp_path, stored, scale, "depth")
    np.testing.assert_array_equal(np.isnan(back), [[False, False, True], [True, False, True]])


def test_far_depth_takes_a_larger_unit_and_its_end_is_still_known(tmp_path: Path) -> None:
    values = np.array([[250.0, 2.0]], np.float32)

    stored, scale = stored_label(values, "depth", metric=True)

    assert scale > 0.001
    np.testing.assert_allclose(read_back(tmp_path, stored, scale, "depth"), values, atol=scale)


@pytest.mark.parametrize("values", [[0.0, 0.0], [np.nan, np.nan], [-1.0, np.inf]])
def test_what_says_nothing_is_no_label(values: list[float]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        stored_label(np.array([values], np.float32), "disparity", metric=False)


def test_shards_become_a_depth_set(tmp_path: Path) -> None:
    photos, root = tmp_path / "photos", tmp_path / "labels"
    photos.mkdir()
    write_labels_toml(root, photos)
    write_one_shard(root, 1, [row("t.tar/x.jpg", "00001.png")])
    write_one_shard(root, 0, [row(" odd, \udce9\n.jpg")])
    (root / ".shard-00002.77-ab.tmp").mkdir()

    data = read_label_folder(root)

    assert is_label_folder(root)
    assert not is_label_folder(photos)
    assert (data.name, data.root) == ("labels", root)
    first, second = data.items
    assert first.image == photos / " odd, \udce9\n.jpg"
    assert second.image == photos / "t.tar" / "x.jpg"
    assert second.depth == Path("shard-00001/00001.png")
    assert (first.quantity, first.scale, first.labelled_by) == ("disparity", 0.25, "net 0123")
    assert data.splits() == {"train": 2}
    assert data.left_out == (("photo without a label (skipped.csv)", 2),)
    assert data.notes == ("labelled by net",)


def test_an_unfinished_folder_says_how_much_is_there(tmp_path: Path) -> None:
    write_labels_toml(tmp_path, tmp_path, images=5)
    write_one_shard(tmp_path, 0, [row()])

    assert "1 of 3 shards are there; label again to go on" in read_label_folder(tmp_path).notes


def test_photos_that_moved_with_their_labels_are_found(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    root = tmp_path / "labels"
    write_labels_toml(root, Path("/nowhere/photos"), from_here="../photos")
    write_one_shard(root, 0, [row()])

    assert read_label_folder(root).items[0].image == tmp_path / "photos" / "a.jpg"


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [row(scale=0.1 + 0.2), row('quoted "name".jpg', "00001.png")]
    folder = write_one_shard(tmp_path, 0, rows)

    assert list(read_shard(folder)) == rows
    assert read_skipped(folder / "skipped.csv") == [("bad.jpg", "cut, off\nhere")]
    assert json.loads((folder / SHARD_JSON).read_text()) == {
        "labelled": 2,
        "skipped": 1,
        "seconds": 1.5,
    }


def test_damage_is_named(tmp_path: Path) -> None:
    write_labels_toml(tmp_path, tmp_path)
    folder = write_one_shard(tmp_path, 0, [row()])
    table = folder / LABELS_CSV
    whole = table.read_text()
    for text, message in (
        (whole.replace("0.25", "much"), "a row is damaged"),
        (whole[:-12], "line 2: 12 cells wanted"),
        ("image,label\n", "the columns image,label,quantity"),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=message):
            read_label_folder(tmp_path)
    table.write_text(whole)
    (folder / SHARD_JSON).write_text("{")
    with pytest.raises(InputError, match=r"shard\.json is damaged"):
        read_label_folder(tmp_path)


@pytest.mark.parametrize("table", ["model", "source", "settings"])
def test_a_damaged_description_is_named(tmp_path: Path, table: str) -> None:
    write_labels_toml(tmp_path, tmp_path)
    content = read_toml(tmp_path / LABELS_TOML)
    del content[table]
    write_toml(tmp_path / LABELS_TOML, content)

    with pytest.raises(InputError, match=rf"labels\.toml is damaged .*{table}"):
        read_label_folder(tmp_path)


def test_a_copy_of_a_shard_is_no_shard(tmp_path: Path) -> None:
    write_labels_toml(tmp_path, tmp_path)
    folder = write_one_shard(tmp_path, 0, [row()])
    shutil.copytree(folder, tmp_path / "shard-00000 (copy)")

    assert len(read_label_folder(tmp_path)) == 1


def test_labels_of_another_version_are_refused(tmp_path: Path) -> None:
    write_toml(tmp_path / LABELS_TOML, {"version": 2})

    with pytest.raises(InputError, match="version 1 are wanted, 2 came"):
        read_label_folder(tmp_path)
