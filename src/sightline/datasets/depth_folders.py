"""Folders of photos and depth maps, matched by name, never by position.

``rgb/0001.jpg`` goes with ``depth/0001.png``, ``a.jpg`` with ``a_depth.png`` or ``a.npy``,
``frame-000000.color.png`` with ``frame-000000.depth.png``, and the same in subfolders. Folders
named train, val, validation and test are splits. What ``sightline predict depth`` wrote is no
truth, and is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from sightline.datasets.layouts import walk
from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.media.photo import PHOTO_SUFFIXES
from sightline.records.depth import DepthImage, DepthSet

_PHOTO_WORDS = r"rgb|images?|imgs?|colou?r|photos?"
_DEPTH_WORDS = r"(?:sync_|gt_|groundtruth_)?depths?(?:_?maps?)?(?:_(?:mm|m|gt|raw))?"
_PHOTO_FOLDER = re.compile(rf"(?:{_PHOTO_WORDS})", re.IGNORECASE)
_DEPTH_FOLDER = re.compile(rf"(?:{_DEPTH_WORDS})", re.IGNORECASE)
_EITHER_END = r"(?:{0})[_.-](.+)|(.+?)[_.-](?:{0})"
_PHOTO_NAME = re.compile(_EITHER_END.format(_PHOTO_WORDS), re.IGNORECASE)
_DEPTH_NAME = re.compile(_EITHER_END.format(_DEPTH_WORDS), re.IGNORECASE)
_PREDICTED_NAME = re.compile("_(?:colour|edges|uncertainty)$")
_SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
#: Trainings on a set write pictures and arrays here.
_OTHERS = frozenset({"runs", "cache"})

#: Folder and name that a photo and its depth have in common.
_Key = tuple[str, ...]


def is_depth_folder(path: Path) -> bool:
    """Return whether there is a depth map below a folder, by its name."""
    return path.is_dir() and any(depth for _, depth in _walk(path))


def read_depth_folder(path: Path, left_out: LeftOut) -> DepthSet:
    """Return the photos with their depth; those without any are items without depth.

    Raises:
        InputError: Two photos or two depth maps have the same name, or none goes with another.
    """
    photos: dict[_Key, Path] = {}
    depths: dict[_Key, Path] = {}
    for file, is_depth in _walk(path):
        found = depths if is_depth else photos
        key = _key(file, _DEPTH_NAME if is_depth else _PHOTO_NAME)
        before = found.setdefault(key, file)
        if before != file:
            kind = "depth map" if is_depth else "photo"
            raise InputError(
                f"{path}: one {kind} named {key[-1]} is wanted, there are {before} and {file}; "
                "keep one of the two"
            )
    if not photos.keys() & depths.keys():
        there = next(iter(photos.values()), None), next(iter(depths.values()))
        raise InputError(
            f"{path}: photos and depth maps of the same names are wanted (rgb/0001.jpg and "
            f"depth/0001.png, a.jpg and a_depth.png), there are {there[0] or 'no photos'} and "
            f"{there[1]}; name them alike, or write a list (docs/depth-data.md)"
        )
    for key in depths.keys() - photos.keys():
        left_out.add("depth without an image", path / depths[key])
    items = tuple(_item(key, photos[key], depths.get(key)) for key in sorted(photos))
    alone = [item.image for item in items if item.depth is None]
    notes = (f"{len(alone)} images have no depth (first: {alone[0]})",) if alone else ()
    return DepthSet(path.resolve().name, path, items, (), notes)


def _item(key: _Key, photo: Path, depth: Path | None) -> DepthImage:
    split = next((_SPLITS[part] for part in key[:-1] if part in _SPLITS), "")
    return DepthImage(photo, depth, split=split, source="/".join(key[:-1]))


def _key(file: Path, name: re.Pattern[str]) -> _Key:
    folders = (p for p in file.parent.parts if not (_is_photos(p) or _is_depths(p)))
    bare = name.fullmatch(file.stem)
    return *folders, next(filter(None, bare.groups())) if bare else file.stem


def _walk(path: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the photos and depth maps below a folder, relative to it, and which one is depth."""
    for folder, names, files in walk(path):
        here = folder.relative_to(path)
        names[:] = [name for name in names if name not in _OTHERS]
        measured = any(_is_depths(part) for part in here.parts)
        there = frozenset(files)
        for name in files:
            file = here / name
            suffix = file.suffix.lower()
            said = f"{_PREDICTED_NAME.sub('', file.stem)}.json"
            if said in there and _is_predicted(folder / said):
                continue
            if suffix == ".npy" or (suffix == ".png" and (measured or _named_depth(file))):
                yield file, True
            elif suffix in PHOTO_SUFFIXES and not measured:
                yield file, False


def _is_predicted(path: Path) -> bool:
    """Return whether a file is what ``sightline predict depth`` says of maps beside it."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and "model_digest" in said


def _named_depth(file: Path) -> bool:
    return _DEPTH_NAME.fullmatch(file.stem) is not None


def _is_photos(part: str) -> bool:
    return _PHOTO_FOLDER.fullmatch(part) is not None


def _is_depths(part: str) -> bool:
    return _DEPTH_FOLDER.fullmatch(part) is not None
