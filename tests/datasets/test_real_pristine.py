"""Real images of ../shared/data as pristine sets, with counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.datasets.utility import draw_splits, open_pristine
from sightline.media import photo_size

pytestmark = pytest.mark.shared


def test_imagenet_samples(shared_data: Path) -> None:
    data = open_pristine(shared_data / "imagenet_samples")
    assert (len(data), len(data.categories), data.left_out) == (80, 1000, ())
    bulbul = next(i for i in data.images if i.image.name == "n01560419_bulbul.JPEG")
    assert bulbul.category == 16
    assert data.categories[16] == "bulbul"
    assert draw_splits(data).splits() == {"train": 58, "validation": 6, "test": 16}


def test_det_coco(shared_data: Path) -> None:
    data = open_pristine(shared_data / "det_coco")
    assert (len(data), len(data.categories), data.left_out) == (40, 80, ())
    first = data.images[0]
    assert first.image == Path("images/000000000009.jpg")
    assert [data.categories[i] for i in first.box_categories[:3]] == ["bowl", "bowl", "broccoli"]
    for image in data.images:
        width, height = photo_size(data.path(image))
        assert all(0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
                   for x0, y0, x1, y1 in image.boxes)  # fmt: skip
    lines = sum(
        len(t.read_text().split("\n")) - 1 for t in (shared_data / "det_coco").rglob("*.txt")
    )
    assert sum(len(image.boxes) for image in data.images) == lines


def test_folders_of_classes(shared_data: Path) -> None:
    animals = open_pristine(shared_data / "cls_cifar_animals6")
    assert (len(animals), len(animals.categories)) == (900, 6)
    monkeys = open_pristine(shared_data / "cls_monkeys10")
    assert monkeys.categories == tuple(f"n{i}" for i in range(10))
    assert len(monkeys) == sum(1 for _ in (shared_data / "cls_monkeys10").rglob("*.jpg"))


def test_cars_as_objects(shared_data: Path) -> None:
    cars = open_pristine(shared_data / "objpose_stanford_cars")
    assert len(cars) == 400
    assert {image.category for image in cars.images} == {0}
    assert set(cars.splits()) == {"train", "validation", "test"}
