"""Pair sets on disk: a round trip, and one clear line for each way a list can be wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.records.pairs import (
    ImagePair,
    PairSet,
    read_pair_set,
    read_pairs_csv,
    write_pair_set,
)


@pytest.fixture
def pairs(tmp_path: Path) -> PairSet:
    for name in ("a", "b", "c"):
        Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / f"{name}.png")
    pose = Pose.from_rotation(Rotation.from_rotvec([0.1, -0.4, 0.2]), [0.3, -1.0, 2.0])
    plain = Camera("PINHOLE", 40, 30, (50.0, 51.0, 19.5, 14.5))
    bent = Camera("OPENCV", 40, 30, (50.0, 51.0, 19.5, 14.5, 0.1, -0.02, 0.001, 0.0))
    return PairSet(
        "small",
        tmp_path,
        (
            ImagePair(Path("a.png"), Path("b.png"), pose, plain, bent, "room 1", "train", 0.25),
            ImagePair(Path("b.png"), Path("c.png"), None, scene="room, 2", split="test"),
        ),
        "m",
        "made up",
    )


def test_round_trip(pairs: PairSet) -> None:
    write_pair_set(pairs)
    back = read_pair_set(pairs.root)
    assert (back.name, back.unit, back.source) == ("small", "m", "made up")
    first, second = back.pairs
    assert first.b_from_a is not None
    wanted = pairs.pairs[0].b_from_a
    assert wanted is not None
    np.testing.assert_allclose(first.b_from_a.matrix, wanted.matrix, atol=1e-8)
    assert (first.camera_a, first.camera_b) == (pairs.pairs[0].camera_a, pairs.pairs[0].camera_b)
    assert (first.scene, first.split, first.overlap) == ("room 1", "train", 0.25)
    assert second.b_from_a is None
    assert second.camera_a is None
    assert (second.scene, second.overlap) == ("room, 2", None)
    assert back.splits() == {"train": 1, "test": 1}
    assert back.part("test").pairs == (second,)
    with pytest.raises(InputError, match="1 of train, 1 of test"):
        back.part("validation")


def test_swapped_is_the_inverse(pairs: PairSet) -> None:
    pair = pairs.pairs[0]
    other = pair.swapped()
    assert pair.b_from_a is not None
    assert other.b_from_a is not None
    np.testing.assert_allclose((pair.b_from_a @ other.b_from_a).matrix, np.eye(4), atol=1e-12)
    assert (other.image_a, other.camera_a) == (pair.image_b, pair.camera_b)
    again = other.swapped()
    for name in ("image_a", "image_b", "camera_a", "camera_b", "scene", "split", "overlap"):
        assert getattr(again, name) == getattr(pair, name)


def test_two_columns_are_enough_and_sizes_come_from_the_images(pairs: PairSet) -> None:
    path = pairs.root / "list.csv"
    path.write_text("\ufeffimage_a,image_b\r\na.png,b.png\r\n\r\n", encoding="utf-8")
    (pair,) = read_pairs_csv(path)
    assert pair.b_from_a is None
    path.write_text("image_a,image_b,fx_b,fy_b,cx_b,cy_b\na.png,b.png,9,9,20,15\n")
    (pair,) = read_pairs_csv(path)
    assert pair.camera_a is None
    assert pair.camera_b == Camera("PINHOLE", 40, 30, (9, 9, 20, 15))


def test_only_filled_columns_are_written(pairs: PairSet) -> None:
    bare = dataclasses.replace(pairs, pairs=(ImagePair(Path("a.png"), Path("b.png")),))
    write_pair_set(bare)
    assert (pairs.root / "pairs.csv").read_text() == "image_a,image_b\na.png,b.png\n"


HEAD = "image_a,image_b,scene,split,overlap,qw,qx,qy,qz,tx,ty,tz,fx_a,fy_a,cx_a,cy_a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the columns image_a,image_b are wanted, an empty file came"),
        ("left,right\na.png,b.png\n", "the columns image_a,image_b are wanted, left,right came"),
        ("image_a,image_b,foo\n", "unknown column 'foo'"),
        ("image_a,image_b,image_a\n", "image_a' is there twice"),
        ("image_a,image_b\n", "there is none below the header"),
        ("image_a,image_b\na.png\n", "line 2: 2 cells are wanted, 1 came"),
        ("image_a,image_b\na.png,\n", "line 2: a path is wanted in image_b"),
        ("image_a,image_b\na.png,gone.png\n", "gone.png is wanted; there is no such file"),
        (f"{HEAD}\na.png,b.png,,half" + "," * 12, "a split of train, validation, test or none"),
        (f"{HEAD}\na.png,b.png,,,1.5" + "," * 11, "an overlap between 0 and 1"),
        (f"{HEAD}\na.png,b.png,,,,1,0,0,0,1,,,,,,", "or none; ty is empty"),
        (f"{HEAD}\na.png,b.png,,,,1,0,0,x,1,2,3,,,,", "a number is wanted in qz, 'x' came"),
        (f"{HEAD}\na.png,b.png,,,,1,0,0,nan,1,2,3,,,,", "a finite number is wanted in qz"),
        (f"{HEAD}\na.png,b.png,,,,0,0,0,0,1,2,3,,,,", "line 2: "),
        (f"{HEAD}\na.png,b.png" + "," * 11 + "-5,5,1,1", "positive focal lengths are wanted"),
    ],
)
def test_bad_lists(pairs: PairSet, text: str, said: str) -> None:
    path = pairs.root / "list.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_pairs_csv(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_and_no_file(pairs: PairSet) -> None:
    path = pairs.root / "list.csv"
    with pytest.raises(InputError, match="no such file"):
        read_pairs_csv(path)
    path.write_bytes(b"\xff\xfe\x00\x01" * 20)
    with pytest.raises(InputError, match="CSV file in UTF-8"):
        read_pairs_csv(path)
    (pairs.root / "pairs.toml").write_text('unit = "feet"\n')
    (pairs.root / "pairs.csv").write_text("image_a,image_b\na.png,b.png\n")
    with pytest.raises(InputError, match="a unit of m, arbitrary, direction is wanted, 'feet'"):
        read_pair_set(pairs.root)
