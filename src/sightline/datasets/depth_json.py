"""Images, depth and cameras listed in ``depth.json``.

``{"items": [{"rgb": FILE, "depth": FILE, "K": [fx, fy, cx, cy], "source": WORDS}, ...]}``; depth is
a 16-bit PNG in millimetres, 0 where unknown. ``K`` and ``source`` may be missing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.records.depth import DepthImage, DepthSet, Intrinsics

DEPTH_JSON = "depth.json"


def is_depth_json(path: Path) -> bool:
    """Return whether a folder holds ``depth.json``, or the path is such a file."""
    return (path / DEPTH_JSON).is_file() or (path.is_file() and path.name == DEPTH_JSON)


def read_depth_json(path: Path, _left_out: LeftOut) -> DepthSet:
    """Return the images that ``depth.json`` lists; they have no split.

    Raises:
        InputError: It does not hold what it should; the message names the item.
    """
    table = path / DEPTH_JSON if path.is_dir() else path
    try:
        content = json.loads(table.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{table} is not JSON: {error}") from error
    listed = content.get("items") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{table}: a list `items` of rgb and depth is wanted, there is none")
    items = []
    for number, item in enumerate(listed):
        try:
            items.append(_item(item))
        except ValueError as error:
            raise InputError(f"{table}, items[{number}]: {error}") from error
    return DepthSet(table.parent.resolve().name, table.parent, tuple(items))


def _item(item: Any) -> DepthImage:
    if not isinstance(item, dict):
        raise ValueError("an object with rgb and depth is wanted, another thing came")
    return DepthImage(
        _file(item, "rgb"),
        _file(item, "depth"),
        source=_source(item),
        intrinsics=_intrinsics(item.get("K")),
    )


def _file(item: Mapping[str, Any], key: str) -> Path:
    name = item.get(key)
    if not isinstance(name, str) or not name:
        raise ValueError(f"a file name is wanted in {key}, {name!r} came")
    return Path(name)


def _source(item: Mapping[str, Any]) -> str:
    source = item.get("source", "")
    if not isinstance(source, str):
        raise ValueError(f"words are wanted in source, {source!r} came")
    return source


def _intrinsics(value: Any) -> Intrinsics | None:
    if value is None:
        return None
    numbers = value if isinstance(value, list) else []
    good = [float(v) for v in numbers if isinstance(v, (int, float)) and math.isfinite(v)]
    if len(numbers) != 4 or len(good) != 4 or min(good[:2]) <= 0:
        raise ValueError(f"K as fx, fy, cx, cy is wanted, {value!r} came")
    return good[0], good[1], good[2], good[3]
