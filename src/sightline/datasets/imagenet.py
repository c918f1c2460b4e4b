"""ImageNet's validation photos (ILSVRC 2012) with their classes.

The photos lie in the folder itself or in ``val``, ``ILSVRC2012_img_val`` or
``ILSVRC/Data/CLS-LOC/val`` of it. Classes come, in this order, from

* ``val.txt``: ``ILSVRC2012_val_00000001.JPEG 65`` a line, the index as networks have it;
* ``LOC_val_solution.csv`` (Kaggle), which names a synset a photo;
* ``ILSVRC2012_validation_ground_truth.txt`` of the development kit, a number a line, with its
  ``meta.mat``: those numbers are the kit's own and not the index of any network;
* folders named by synset (``n01440764/ILSVRC2012_val_00000293.JPEG``).

Networks count classes in the order of the synsets' names. All 1,000 must be known for that: from
``synset_words.txt``, ``LOC_synset_mapping.txt`` or ``synsets.txt``, or because all are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath

from sightline.datasets.image_folders import IMAGENET_CLASSES, photo_names
from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.records.csv_rows import csv_rows
from sightline.records.matlab import read_matlab
from sightline.records.utility import PristineImage, PristineSet

VAL_LIST = "val.txt"
SOLUTION = "LOC_val_solution.csv"
GROUND_TRUTH, META = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"
SYNSET_LISTS = ("synset_words.txt", "LOC_synset_mapping.txt", "synsets.txt")

_PHOTO = re.compile(r"ILSVRC2012_val_(\d{8})\.jpe?g", re.IGNORECASE)
_SYNSET = re.compile(r"n\d{8}")
_FOLDERS = (".", "val", "ILSVRC2012_img_val", "ILSVRC/Data/CLS-LOC/val")
_KIT = "ILSVRC2012_devkit_t12/data"


def is_imagenet(path: Path) -> bool:
    """Whether a folder holds photos named ``ILSVRC2012_val_00000001.JPEG``, or synsets of them."""
    return path.is_dir() and _folder(path) is not None


def read_imagenet(path: Path, left_out: LeftOut) -> PristineSet:
    """Return the photos that are there, with their classes as networks count them.

    Photos of which no truth is found are left out and counted; where there is no truth at all,
    they are photos alone, and a note says what is wanted.

    Raises:
        InputError: A file of truths does not read.
    """
    folder = _folder(path)
    if folder is None:
        raise InputError(f"{path}: photos named ILSVRC2012_val_00000001.JPEG are wanted")
    names = [n for n in photo_names(folder) if _PHOTO.fullmatch(PurePosixPath(n).name)]
    listed = _listed_synsets(path, folder)
    truths = _truths(path, folder, names, listed)
    inside = folder.relative_to(path)
    if not truths.by_photo:
        images = tuple(PristineImage(inside / name) for name in names)
        return PristineSet("imagenet", path, images, notes=(_no_truth(folder),))
    found = []
    for name in names:
        category = truths.by_photo.get(PurePosixPath(name).name.lower())
        if category is None:
            left_out.add("photo without a truth")
        else:
            found.append(PristineImage(inside / name, category))
    return PristineSet("imagenet", path, tuple(found), truths.categories, notes=truths.notes)


class _Truths:
    """Class of each photo by its name in small letters, names of the classes, and notes."""

    def __init__(
        self, by_photo: Mapping[str, int], categories: tuple[str, ...], notes: tuple[str, ...] = ()
    ) -> None:
        self.by_photo, self.categories, self.notes = by_photo, categories, notes


def _truths(root: Path, folder: Path, names: list[str], listed: Mapping[str, str]) -> _Truths:
    indices = _val_list(root, folder)
    if indices is not None:
        return _Truths(indices, _thousand(tuple(listed.values())))
    synsets = _solution(root, folder) or _ground_truth(root, folder) or _by_folder(names)
    order = sorted(listed or set(synsets.values()))
    known = set(order)
    unknown = sorted(set(synsets.values()) - known)
    if unknown:
        raise InputError(f"{folder}: the synset {unknown[0]} is in no list of synsets")
    index = {synset: i for i, synset in enumerate(order)}
    notes: tuple[str, ...] = ()
    if order and len(order) != IMAGENET_CLASSES:
        notes = (
            f"{len(order)} of ImageNet's 1000 synsets are known, and counted in their order: not "
            f"the index of its networks; put {SYNSET_LISTS[0]} beside the photos",
        )
    categories = tuple(listed.get(synset) or synset for synset in order)
    return _Truths({photo: index[s] for photo, s in synsets.items()}, categories, notes)


def _no_truth(folder: Path) -> str:
    return (
        "ImageNet's photos without their classes: what machines say is the truth; for the truth "
        f"put {VAL_LIST}, {SOLUTION}, or {GROUND_TRUTH} and {META}, into {folder}"
    )


def _folder(path: Path) -> Path | None:
    """Return the folder of the photos, or of the synsets' folders."""
    for place in _FOLDERS:
        folder = path / place
        if folder.is_dir() and _holds_photos(folder):
            return folder
    return None


def _holds_photos(folder: Path) -> bool:
    for entry in folder.iterdir():
        if _PHOTO.fullmatch(entry.name):
            return True
        if not (_SYNSET.fullmatch(entry.name) and entry.is_dir()):
            continue
        # Of a folder of training photos, not all its names.
        if any(_PHOTO.fullmatch(p.name) for p in islice(entry.iterdir(), 10)):
            return True
    return False


def _near(root: Path, folder: Path, name: str) -> Path | None:
    """Return a file of truths: beside the photos, above them, or in the development kit."""
    tops = (folder, root, folder.parent)
    places = (top / inside / name for inside in (".", "data", _KIT) for top in tops)
    return next((p for p in places if p.is_file()), None)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: a text file is wanted ({error})") from error
    return ((i, line.strip()) for i, line in enumerate(lines, 1) if line.strip())


def _val_list(root: Path, folder: Path) -> dict[str, int] | None:
    path = _near(root, folder, VAL_LIST)
    if path is None:
        return None
    indices = {}
    for line, text in _lines(path):
        name, _, index = text.rpartition(" ")
        if not index.isdecimal() or int(index) >= IMAGENET_CLASSES or not name:
            raise InputError(
                f"{path}, line {line}: `PHOTO INDEX` with an index from 0 to 999 is wanted, "
                f"{text[:80]!r} came"
            )
        indices[PurePosixPath(name).name.lower()] = int(index)
    return indices


def _solution(root: Path, folder: Path) -> dict[str, str]:
    path = _near(root, folder, SOLUTION)
    if path is None:
        return {}
    columns = ("ImageId", "PredictionString")
    synsets = {}
    for line, row in csv_rows(path, columns, columns):
        synset = row["PredictionString"].partition(" ")[0]
        if not _SYNSET.fullmatch(synset):
            raise InputError(f"{path}, line {line}: a synset is wanted, {synset[:80]!r} came")
        synsets[f"{row['ImageId']}.JPEG".lower()] = synset
    return synsets


def _ground_truth(root: Path, folder: Path) -> dict[str, str]:
    path = _near(root, folder, GROUND_TRUTH)
    if path is None:
        return {}
    meta = _near(root, folder, META)
    if meta is None:
        raise InputError(
            f"{path}: its numbers are the development kit's own; {META} of the kit is wanted "
            "beside it"
        )
    rows = read_matlab(meta, "synsets", ("ILSVRC2012_ID", "WNID"))
    try:
        synset_of = {int(row["ILSVRC2012_ID"][0]): str(row["WNID"]) for row in rows}
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise InputError(f"{meta}: the synsets of ILSVRC 2012 are wanted, others came") from error
    synsets = {}
    for line, text in _lines(path):
        if not text.isdecimal() or int(text) not in synset_of:
            raise InputError(f"{path}, line {line}: a number of a synset is wanted, {text!r} came")
        synsets[f"ilsvrc2012_val_{line:08d}.jpeg"] = synset_of[int(text)]
    return synsets


def _by_folder(names: list[str]) -> dict[str, str]:
    paths = [PurePosixPath(name) for name in names]
    return {p.name.lower(): p.parent.name for p in paths if _SYNSET.fullmatch(p.parent.name)}


def _listed_synsets(root: Path, folder: Path) -> dict[str, str]:
    """Return names of all synsets, in the order of networks; nothing where no file lists them."""
    path = next(filter(None, (_near(root, folder, name) for name in SYNSET_LISTS)), None)
    if path is None:
        return {}
    listed = {}
    for line, text in _lines(path):
        synset, _, words = text.partition(" ")
        if not _SYNSET.fullmatch(synset):
            raise InputError(f"{path}, line {line}: a synset is wanted, {synset[:80]!r} came")
        # torchvision keeps the first of a synset's words, too.
        listed[synset] = words.partition(",")[0].strip() or synset
    if len(listed) != IMAGENET_CLASSES:
        raise InputError(f"{path}: 1000 synsets are wanted, {len(listed)} came")
    return dict(sorted(listed.items()))


def _thousand(names: tuple[str, ...]) -> tuple[str, ...]:
    return names or tuple(f"class {i}" for i in range(IMAGENET_CLASSES))
