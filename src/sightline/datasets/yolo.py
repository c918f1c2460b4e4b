"""Boxes in YOLO's text files.

A line a box: ``class x y width height``, the centre and sides in shares of the picture, or ``class
x1 y1 x2 y2 x3 y3 ...``, the corners of an outline, of which the box is taken. The text of
``images/a.jpg`` is ``labels/a.txt``, or ``a.txt`` beside it. A photo without one shows no object.
Names of the classes are in a YAML file (``names``, as a list or by number), ``classes.txt`` or
``obj.names``. Splits are those that the YAML file names (``train``, ``val``, ``test``: folders, or
lists of photos), else those of folders called so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from sightline.datasets.image_folders import photo_names
from sightline.datasets.layouts import walk
from sightline.datasets.left_out import LeftOut
from sightline.datasets.split_names import split_of
from sightline.errors import InputError, MediaError
from sightline.records.utility import Box, PristineImage, PristineSet

_IMAGES, _LABELS = "images", "labels"
_YAML = (".yaml", ".yml")
_LISTS = ("classes.txt", "obj.names")


def is_yolo(path: Path) -> bool:
    """Whether a path is a YAML file with names, or a folder with one or with texts of boxes."""
    if path.is_file():
        return _names_of(path) is not None
    if any(_names_of(p) is not None for p in path.iterdir()):
        return True
    if (path / _IMAGES).is_dir() and any((path / _LABELS).rglob("*.txt")):
        return True
    listed = any((path / name).is_file() for name in _LISTS)
    return listed and any(p.name not in _LISTS for p in path.rglob("*.txt"))


def read_yolo(path: Path, left_out: LeftOut) -> PristineSet:
    """Return the photos with their boxes, which are in shares of width and height.

    Raises:
        InputError: The YAML file does not read, or there is no photo.
    """
    root = path if path.is_dir() else path.parent
    yaml_file = path if path.is_file() else _yaml_file(path)
    table = _read_yaml(yaml_file) if yaml_file else {}
    names = _names(table) or _listed_names(root)
    try:
        photos = photo_names(root)
    except MediaError as error:
        raise InputError(str(error)) from error
    splits = _named_splits(root, table)
    images, texts, without = [], set(), 0
    for photo in photos:
        text = _text_of(root, photo)
        boxes: list[tuple[Box, int]] = []
        if text is None:
            without += 1
        else:
            texts.add(text)
            try:
                boxes = list(_boxes(text))
            except (ValueError, OSError):
                left_out.add("broken text of boxes", text)
                continue
        if names and any(category >= len(names) for _, category in boxes):
            left_out.add("class without a name", text)
            continue
        images.append(
            PristineImage(
                image=Path(photo),
                boxes=tuple(box for box, _ in boxes),
                box_categories=tuple(category for _, category in boxes),
                split=splits.get(photo, "") if splits else _folder_split(photo),
            )
        )
    for text in _all_texts(root) - texts:
        left_out.add("missing image", text)
    highest = max((max(i.box_categories, default=-1) for i in images), default=-1)
    return PristineSet(
        name=root.resolve().name,
        root=root,
        images=tuple(images),
        categories=names or tuple(f"class {i}" for i in range(highest + 1)),
        notes=(f"{without} photos have no text of boxes: they show no object",) if without else (),
    )


def _boxes(text: Path) -> Iterator[tuple[Box, int]]:
    """Yield boxes and classes of a text; raises ValueError."""
    for line in text.read_text("utf-8-sig").splitlines():
        if not line.strip():
            continue
        first, *rest = line.split()
        category, numbers = int(first), [float(cell) for cell in rest]
        if category < 0 or not all(map(math.isfinite, numbers)):
            raise ValueError(line)
        if len(numbers) == 4:
            x, y, width, height = numbers
            if width < 0 or height < 0:
                raise ValueError(line)
            yield (x - width / 2, y - height / 2, x + width / 2, y + height / 2), category
        elif len(numbers) >= 6 and len(numbers) % 2 == 0:
            across, down = numbers[::2], numbers[1::2]
            yield (min(across), min(down), max(across), max(down)), category
        else:
            raise ValueError(line)


def _text_of(root: Path, photo: str) -> Path | None:
    parts = list(PurePosixPath(photo).with_suffix(".txt").parts)
    beside = root.joinpath(*parts)
    if _IMAGES in parts[:-1]:
        last = len(parts) - 2 - parts[-2::-1].index(_IMAGES)
        parts[last] = _LABELS
    elif root.name == _IMAGES:
        parts = ["..", _LABELS, *parts]
    own = root.joinpath(*parts)
    return next((p for p in (own, beside) if p.is_file()), None)


def _all_texts(root: Path) -> set[Path]:
    """Return the texts that lie in folders called ``labels``."""
    return {
        folder / name
        for folder, _, files in walk(root)
        if _LABELS in folder.relative_to(root).parts
        for name in files
        if name.endswith(".txt") and name not in _LISTS
    }


def _folder_split(photo: str) -> str:
    parts = PurePosixPath(photo).parts[:-1]
    return next((split for split in map(split_of, parts) if split), "")


def _yaml_file(root: Path) -> Path | None:
    there = sorted(p for p in root.iterdir() if _names_of(p) is not None)
    if len(there) > 1:
        raise InputError(
            f"{root}: one YAML file with names is wanted, {', '.join(p.name for p in there)} are "
            "there; give the file's own path"
        )
    return there[0] if there else None


def _names_of(path: Path) -> tuple[str, ...] | None:
    """Return the names of a YAML file; None where it is none or has none."""
    if path.suffix.lower() not in _YAML or not path.is_file():
        return None
    try:
        return _names(_read_yaml(path)) or None
    except InputError:
        return None


def _read_yaml(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text("utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(
            f"{path}: a YAML file is wanted ({' '.join(str(error).split())})"
        ) from error
    return content if isinstance(content, dict) else {}


def _names(table: Mapping[str, Any]) -> tuple[str, ...]:
    names = table.get("names")
    if isinstance(names, list):
        return tuple(map(str, names))
    if isinstance(names, dict) and all(isinstance(key, int) and key >= 0 for key in names):
        return tuple(str(names.get(i, f"class {i}")) for i in range(max(names, default=-1) + 1))
    return ()


def _listed_names(root: Path) -> tuple[str, ...]:
    there = next((root / name for name in _LISTS if (root / name).is_file()), None)
    if there is None:
        return ()
    lines = there.read_text("utf-8-sig", errors="replace").splitlines()
    return tuple(line.strip() for line in lines if line.strip())


def _named_splits(root: Path, table: Mapping[str, Any]) -> dict[str, str]:
    """Return the split of each photo that the YAML file names; nothing where its paths are off.

    A photo that it names for two parts (COCO128 trains and validates on the same ones) has none.
    """
    base = root / str(table.get("path") or ".")
    splits: dict[str, str] = {}
    for key, split in (("train", "train"), ("val", "validation"), ("test", "test")):
        named = table.get(key) or []
        for entry in [named] if isinstance(named, str) else named:
            place = next((p for p in (base / str(entry), root / str(entry)) if p.exists()), None)
            for photo in _relative(root, place) if place else ():
                splits[photo] = split if splits.get(photo, split) == split else ""
    return splits


def _relative(root: Path, place: Path) -> Iterator[str]:
    """Yield the photos of a folder or list, as names relative to the root."""
    try:
        names = photo_names(place)
    except MediaError:
        return
    above = place if place.is_dir() else place.parent
    for name in names:
        path = (above / name).resolve()
        if path.is_relative_to(root.resolve()):
            yield path.relative_to(root.resolve()).as_posix()
