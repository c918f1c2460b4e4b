"""Folders of labels: they read back as they were written, and damage is named."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.media.distortions import Distortion
from sightline.records.utility import (
    LABELS_CSV,
    LABELS_TOML,
    LabelCounts,
    MachineLabel,
    Thresholds,
    UtilityItem,
    read_labels,
)
from sightline.records.utility_files import (
    LabelsHeader,
    MachineRecord,
    count_labels,
    is_labels,
    read_counts,
    read_header,
    write_labels,
)

NAN = float("nan")
YES = MachineLabel(1, 0.99, 0.987654321, 1.25, -7.5)
NO = MachineLabel(0, 0.99, 0.01, -0.98, -1.5)
BETWEEN = MachineLabel(None, 0.99, 0.5, 0.0)
FAILED = MachineLabel(None, 0.2, 0.9, NAN)


def item(
    utility: int | None,
    *machines: MachineLabel,
    image: str = "a.jpg",
    split: str = "train",
    source: str = "",
) -> UtilityItem:
    return UtilityItem(
        Path(image), Distortion("jpeg", 10), 7, 0, split, source, 1234, utility, machines
    )


ITEMS = (
    item(1, YES, YES),
    item(0, NO, NO),
    item(None, YES, NO),
    item(None, YES, BETWEEN),
    item(None, FAILED, YES, image="b.jpg", split="test", source="shape 3"),
    replace(
        item(1, YES, YES, image="ö, \"b\" \n.jpg", split="validation"),
        distortion=Distortion("blur", 1 / 3),
        augmented=2,
        bytes=0,
    ),
)  # fmt: skip


def header(images: Path) -> LabelsHeader:
    return LabelsHeader(
        name="demo",
        images_root=images,
        task="classification",
        operator="common",
        machines=(
            MachineRecord("vgg19", "classification", "abc"),
            MachineRecord("my, model.onnx", "classification", "def"),
        ),
        thresholds=Thresholds(high=0.8),
        distortions=(Distortion("jpeg", 10), Distortion("blur", 1 / 3)),
        categories=("cat", "dog"),
        truth="data",
        images=12,
        seed=3,
        left_out=(("unreadable image (first: x.jpg)", 2),),
        notes=("a note",),
    )


def same(a: UtilityItem, b: UtilityItem) -> bool:
    """Equality under which NaN is NaN."""

    def plain(one: UtilityItem) -> tuple:
        numbers = [
            None if math.isnan(v) else pytest.approx(v, rel=1e-8)
            for m in one.machines
            for v in (m.reference, m.confidence, m.value, m.energy)
        ]
        return replace(one, machines=()), [m.utility for m in one.machines], numbers

    return plain(a) == plain(b)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    write_labels(tmp_path / "labels", header(tmp_path / "images"), ITEMS)
    return tmp_path / "labels"


def test_labels_read_back(labels: Path) -> None:
    data = read_labels(labels)
    assert len(data) == len(ITEMS)
    assert all(same(a, b) for a, b in zip(data.items, ITEMS, strict=True))
    assert (data.name, data.task, data.operator) == ("demo", "classification", "common")
    assert data.machines == ("vgg19", "my, model.onnx")
    assert data.categories == ("cat", "dog")
    assert data.images_root == (labels.parent / "images").resolve()
    assert data.runs_dir == labels / "runs"
    assert [len(data.part(s)) for s in ("train", "validation", "test")] == [4, 1, 1]
    assert read_header(labels) == replace(
        header(labels.parent / "images"), images_root=(labels.parent / "images").resolve()
    )


def test_labels_are_counted_by_hand(labels: Path) -> None:
    counted = read_counts(labels)
    assert counted == count_labels(ITEMS, 2)
    assert counted.combined == LabelCounts(2, 1, between=1, disagreeing=1, failed=1)
    assert counted.combined.labelled == 3
    assert counted.combined.total == 6
    assert counted.machines[0] == LabelCounts(useful=4, useless=1, failed=1)
    assert counted.machines[1] == LabelCounts(useful=3, useless=2, between=1)
    assert counted.splits == {"train": 4, "validation": 1, "test": 1}


def test_infinite_values_and_odd_names_are_kept(tmp_path: Path) -> None:
    odd = item(1, replace(YES, value=math.inf), image=os.fsdecode(b" caf\xe9.jpg "))
    one = replace(header(tmp_path), machines=(MachineRecord("m", "classification", "d"),))
    write_labels(tmp_path / "labels", one, [odd])
    (read,) = read_labels(tmp_path / "labels").items
    assert read.image == odd.image
    assert read.machines[0].value == math.inf


def test_rows_are_written_as_they_come(tmp_path: Path) -> None:
    def items() -> Iterator[UtilityItem]:
        yield ITEMS[0]
        raise KeyboardInterrupt

    write_labels(tmp_path / "labels", header(tmp_path), ITEMS)
    with pytest.raises(KeyboardInterrupt):
        write_labels(tmp_path / "labels", header(tmp_path), items())
    assert len(read_labels(tmp_path / "labels")) == len(ITEMS)
    assert {p.name for p in (tmp_path / "labels").iterdir()} == {LABELS_CSV, LABELS_TOML}


def test_what_else_is_in_the_folder_stays(labels: Path) -> None:
    (labels / "predictions").mkdir()
    (labels / "predictions" / "kept").write_text("x")
    write_labels(labels, header(labels.parent / "images"), ITEMS[:2])
    assert len(read_labels(labels)) == 2
    assert (labels / "predictions" / "kept").read_text() == "x"


def test_images_are_found_where_both_folders_were_moved(labels: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("images", "labels"):
        shutil.move(tmp_path / name, moved / name)
    assert read_labels(moved / "labels").images_root == moved / "images"


def test_only_labels_of_utility_are_labels(labels: Path, tmp_path: Path) -> None:
    assert is_labels(labels)
    assert not is_labels(tmp_path)
    (tmp_path / LABELS_TOML).write_text('kind = "depth"\nversion = 1\n')
    assert not is_labels(tmp_path)
    with pytest.raises(InputError, match="labels of utility are wanted"):
        read_labels(tmp_path)
    with pytest.raises(InputError, match="write one with `sightline label utility IMAGES`"):
        read_labels(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("version = 1", "version = 9", "version 1 are wanted, 9 came"),
        ('task = "classification"', 'task = "guessing"', "is damaged"),
        ("high = 0.8", "high = 8.0", "is damaged"),
        ("useful = 2", "useful = 3", r"7 rows are wanted, as labels.toml says, 6 came"),
        ("disagreeing", "agreeing", "is damaged"),
        ('name = "vgg19"', 'name = "vgg16"', "the columns image,distortion"),
        ('"jpeg:10"', '"jpeg:0"', "is damaged"),
    ],
)
def test_a_damaged_header_is_named(labels: Path, before: str, after: str, message: str) -> None:
    text = (labels / LABELS_TOML).read_text()
    assert before in text
    (labels / LABELS_TOML).write_text(text.replace(before, after, 1))
    with pytest.raises(InputError, match=message) as caught:
        read_labels(labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("image", "", "a value is wanted in image"),
        ("distortion", "jpeg:0", "jpeg: a whole number from 1 to 100"),
        ("seed", "-1", "a number of 0 or more is wanted in seed, '-1' came"),
        ("augmented", "x", "in augmented, 'x' came"),
        ("split", "", "a split of train, validation, test is wanted, '' came"),
        ("split", "test", "the source a.jpg is in test and in train"),
        ("bytes", "1.5", "in bytes, '1.5' came"),
        ("utility", "2", "1, 0 or nothing is wanted as utility, '2' came"),
        ("vgg19.confidence", "1.5", "a confidence from 0 to 1 is wanted, 1.5 came"),
        ("vgg19.value", "much", "could not convert"),
        ("vgg19.value", "", "failed on the pristine image has no label"),
    ],
)
def test_a_damaged_row_is_named_by_its_line(
    labels: Path, column: str, cell: str, message: str
) -> None:
    lines = (labels / LABELS_CSV).read_text().splitlines(keepends=True)
    # The second machine's name holds a comma; the columns that are changed lie before it.
    cells = lines[1].split(",")
    cells[lines[0].split(",").index(column)] = cell
    lines[1] = ",".join(cells)
    (labels / LABELS_CSV).write_text("".join(lines))
    with pytest.raises(InputError, match=message) as caught:
        read_labels(labels)
    assert "labels.csv, line " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_was_cut_off_is_named(labels: Path) -> None:
    text = (labels / LABELS_CSV).read_text()
    (labels / LABELS_CSV).write_text(text[: text.index("\n", 400) - 9])
    with pytest.raises(InputError, match=r"labels\.csv"):
        read_labels(labels)
    (labels / LABELS_CSV).unlink()
    with pytest.raises(InputError, match="there is no such file; label again"):
        read_labels(labels)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([item(1, YES, YES, split="")], "a.jpg: a split of train, validation, test is wanted"),
        ([item(1, YES)], "labels of 2 machines are wanted, 1 came"),
        (
            [item(1, YES, YES, source="s"), item(1, YES, YES, source="s", split="test")],
            "the source s is in train and in test",
        ),
    ],
)
def test_nothing_is_written_of_impossible_labels(
    tmp_path: Path, items: list[UtilityItem], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_labels(tmp_path / "labels", header(tmp_path), items)
    assert not any((tmp_path / "labels").glob("*"))


def test_machines_have_names_of_their_own(tmp_path: Path) -> None:
    twice = replace(header(tmp_path), machines=(MachineRecord("m", "classification", "d"),) * 2)
    with pytest.raises(InputError, match="each of a name of its own"):
        write_labels(tmp_path / "labels", twice, [])
