"""Splits of pristine images: by source, four fifths to one, and kept where the data give them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from sightline.datasets.utility import draw_images, draw_splits
from sightline.datasets.utility_splits import source_of
from sightline.errors import InputError
from sightline.records.utility import PristineImage, PristineSet


def images(sources: int, each: int = 3, split: str = "") -> list[PristineImage]:
    return [
        PristineImage(Path(f"{split}{s}-{i}.jpg"), source=f"{split}shape {s}", split=split)
        for s in range(sources)
        for i in range(each)
    ]


def data_of(*of: PristineImage) -> PristineSet:
    return PristineSet("demo", Path("/data"), of)


def sources(data: PristineSet) -> dict[str, set[str]]:
    found = defaultdict(set)
    for image in data.images:
        found[image.split].add(source_of(image))
    return dict(found)


def test_a_fifth_of_the_sources_is_for_testing() -> None:
    data = draw_splits(data_of(*images(100)))
    parts = sources(data)
    assert {split: len(of) for split, of in parts.items()} == {
        "test": 20,
        "validation": 8,
        "train": 72,
    }
    assert not parts["test"] & parts["train"]
    assert not parts["validation"] & (parts["train"] | parts["test"])
    assert [replace(i, split="") for i in data.images] == images(100)


def test_the_same_seed_draws_the_same_and_another_another() -> None:
    data = data_of(*images(50))
    assert draw_splits(data, 1) == draw_splits(data, 1)
    shuffled = draw_splits(data_of(*reversed(data.images)), 1)
    assert sources(shuffled) == sources(draw_splits(data, 1))
    assert sources(draw_splits(data, 2)) != sources(draw_splits(data, 1))


def test_more_sources_move_few() -> None:
    before, after = (sources(draw_splits(data_of(*images(n)))) for n in (100, 110))
    stayed = sum(len(before[split] & after[split]) for split in before)
    assert stayed >= 90


def test_photos_without_a_source_are_their_own() -> None:
    alone = [PristineImage(Path(f"{i}.jpg")) for i in range(10)]
    assert draw_splits(data_of(*alone)).splits() == {"train": 7, "test": 2, "validation": 1}


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7])
def test_no_part_is_empty_where_there_are_sources_enough(count: int) -> None:
    assert set(sources(draw_splits(data_of(*images(count))))) == {"train", "validation", "test"}


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_sources_are_trained_on(count: int) -> None:
    assert draw_splits(data_of(*images(count))).splits() == {"train": 3 * count}


def test_splits_of_the_data_stay() -> None:
    given = [*images(20, split="train"), *images(4, split="validation"), *images(5, split="test")]
    assert draw_splits(data_of(*given)) == data_of(*given)


def test_missing_parts_are_drawn_from_training() -> None:
    parts = sources(draw_splits(data_of(*images(20, split="train"), *images(5, split="test"))))
    assert parts["test"] == {f"testshape {i}" for i in range(5)}
    assert (len(parts["validation"]), len(parts["train"])) == (2, 18)
    parts = sources(
        draw_splits(data_of(*images(20, split="train"), *images(5, split="validation")))
    )
    assert parts["validation"] == {f"validationshape {i}" for i in range(5)}
    assert (len(parts["test"]), len(parts["train"])) == (4, 16)


def test_images_of_a_source_follow_the_one_that_has_a_split() -> None:
    one = PristineImage(Path("a.jpg"), source="s", split="test")
    other = PristineImage(Path("b.jpg"), source="s")
    data = draw_splits(data_of(one, other, *images(30)))
    assert [i.split for i in data.images[:2]] == ["test", "test"]
    assert {"train", "validation", "test"} == set(data.splits())


def test_sources_in_two_splits_are_refused() -> None:
    both = [
        PristineImage(Path("a.jpg"), source="s", split="test"),
        PristineImage(Path("b.jpg"), source="s", split="train"),
    ]
    with pytest.raises(InputError, match="the source s is in test and in train"):
        draw_splits(data_of(*both))


def test_fewer_images_are_drawn_in_their_order() -> None:
    data = data_of(*images(20))
    fewer = draw_images(data, 7, seed=3)
    assert len(fewer) == 7
    places = [data.images.index(image) for image in fewer.images]
    assert places == sorted(places)
    assert draw_images(data, 7, seed=3) == fewer
    assert draw_images(data, 7, seed=4) != fewer
    assert draw_images(data, 1000) is data
    with pytest.raises(InputError, match="one image or more is wanted, 0 came"):
        draw_images(data, 0)
