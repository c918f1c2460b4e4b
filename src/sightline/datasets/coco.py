"""Boxes in COCO's JSON files: COCO 2017, or any set in its layout.

``annotations/instances_NAME.json`` beside the folder ``NAME`` (or ``images/NAME``, ``images``), or
a ``.json`` file by its path, its photos beside it. Of COCO 2017 the validation part is read, as
the paper does; for another name the file.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.records.utility import Box, PristineImage, PristineSet

_ANNOTATIONS, _PREFIX = "annotations", "instances_"
_PAPERS = f"{_PREFIX}val2017.json"


def is_coco(path: Path) -> bool:
    """Whether a folder has ``annotations/instances_*.json``, or a path is such a JSON file."""
    if path.is_file():
        return path.suffix.lower() == ".json"
    return any((path / _ANNOTATIONS).glob(f"{_PREFIX}*.json"))


def read_coco(path: Path, left_out: LeftOut) -> PristineSet:
    """Return the images of a JSON file with their boxes; crowds are left out and counted.

    Categories are those of the file in the order of their ids: COCO's 80, whose ids leave gaps,
    are 0 to 79. An image whose boxes name no category of the file is left out.

    Raises:
        InputError: There are several files and none is COCO's validation part, or it is not
            COCO's JSON.
    """
    table = path if path.is_file() else _table(path)
    content = _content(table)
    try:
        names = {int(c["id"]): str(c["name"]) for c in content["categories"]}
        boxes = _boxes(content["annotations"], left_out)
        listed = {int(i["id"]): str(i["file_name"]) for i in content["images"]}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{table}: COCO's images, annotations and categories are wanted ({error!r})"
        ) from error
    index = {number: i for i, number in enumerate(sorted(names))}
    root = table.parent.parent if table.parent.name == _ANNOTATIONS else table.parent
    folder = _photos(root, table.stem.removeprefix(_PREFIX), next(iter(listed.values()), ""))
    images = []
    for number, name in sorted(listed.items()):
        own = boxes.pop(number, [])
        if any(category not in index for _, category in own):
            left_out.add("box of an unknown category", root / folder / name)
            continue
        images.append(
            PristineImage(
                image=folder / name,
                boxes=tuple(box for box, _ in own),
                box_categories=tuple(index[category] for _, category in own),
            )
        )
    for _ in range(sum(map(len, boxes.values()))):
        left_out.add("box of an image that is not listed")
    categories = tuple(names[number] for number in sorted(names))
    return PristineSet(table.stem.removeprefix(_PREFIX), root, tuple(images), categories)


def _table(root: Path) -> Path:
    there = sorted((root / _ANNOTATIONS).glob(f"{_PREFIX}*.json"))
    papers = root / _ANNOTATIONS / _PAPERS
    if papers in there:
        return papers
    if len(there) > 1:
        raise InputError(
            f"{root / _ANNOTATIONS}: one file is wanted, {', '.join(p.name for p in there)} are "
            "there; give the file's own path"
        )
    return there[0]


def _content(table: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(table.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"{table}: a JSON file is wanted ({error}); copy it again") from error
    if not isinstance(content, dict) or "annotations" not in content:
        raise InputError(
            f"{table}: COCO's images, annotations and categories are wanted, others came"
        )
    return content


def _boxes(annotations: Any, left_out: LeftOut) -> dict[int, list[tuple[Box, int]]]:
    """Return boxes and category ids by image id."""
    boxes: dict[int, list[tuple[Box, int]]] = defaultdict(list)
    for one in annotations:
        if one.get("iscrowd", 0):
            left_out.add("crowd box")
            continue
        x, y, width, height = (float(number) for number in one["bbox"])
        if not all(map(math.isfinite, (x, y, width, height))):
            raise ValueError(f"a box of finite numbers is wanted, {one['bbox']} came")
        boxes[int(one["image_id"])].append(((x, y, x + width, y + height), int(one["category_id"])))
    return boxes


def _photos(root: Path, name: str, first: str) -> Path:
    """Return the folder of the photos, relative to the root: the one that has the first."""
    places = [Path(name), Path("images", name), Path("images"), Path()]
    there = [place for place in places if (root / place).is_dir()]
    return next((place for place in there if (root / place / first).is_file()), there[0])
