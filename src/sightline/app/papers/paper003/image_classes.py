"""Images sorted into classes by their folders, and their split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, MediaError
from sightline.media import list_photos

TRAIN, VALIDATION = "train", "validation"
_PARTS = {
    "train": TRAIN, "training": TRAIN,
    "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "test": VALIDATION,
}  # fmt: skip

#: Pictures whose 128 bits differ in so few are taken for copies of one.
_SAME_BITS = 5
#: Grey levels of a difference that is noise.
_NOISE = 2.0
_WANTED = (
    "a folder of images is wanted, with a folder for each class, or with such folders in train/ "
    "and val/"
)


@dataclass(frozen=True)
class ClassImage:
    """One image: its path relative to the data set's folder, its class, its part (or empty)."""

    image: Path
    label: int
    split: str = ""


@dataclass(frozen=True)
class ImageClasses:
    """An image-folder data set.

    Attributes:
        root: Folder that paths are relative to.
        classes: Names of the classes.
        images: In a fixed order, by part, class and name.
        has_split: Whether the folder itself has parts.
    """

    root: Path
    classes: tuple[str, ...]
    images: tuple[ClassImage, ...]
    has_split: bool

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) class of each image."""
        return np.array([one.label for one in self.images], dtype=np.int64)

    def rows(self, split: str) -> NDArray[np.int64]:
        """Return the positions of a part's images."""
        return np.flatnonzero([one.split == split for one in self.images])


def open_image_classes(root: Path) -> ImageClasses:
    """Return the images of a folder by class.

    Folders named train and val (or validation, test) are its parts; else it has none. A folder that
    holds nothing but one other folder stands for that one.

    Raises:
        InputError: There is no such folder, or fewer than two classes in it.
    """
    if not root.is_dir():
        raise InputError(f"{_WANTED}; {root} is not a folder; check --images")
    folders = _folders(root)
    while len(folders) == 1 and not _photos(root):
        root = folders[0]
        folders = _folders(root)
    parts = {folder: _PARTS[folder.name.casefold()] for folder in folders
             if folder.name.casefold() in _PARTS}  # fmt: skip
    if set(parts.values()) == {TRAIN, VALIDATION}:
        if any(part.name.casefold() != "test" for part in parts if parts[part] == VALIDATION):
            parts = {part: name for part, name in parts.items() if part.name.casefold() != "test"}
        groups = [(one, name) for part, name in parts.items() for one in _folders(part)]
    else:
        parts = {}
        groups = [(one, "") for one in folders]
    found = [(folder, split, _photos(folder)) for folder, split in groups]
    classes = tuple(sorted({folder.name for folder, _, photos in found if photos}))
    if len(classes) < 2:
        raise InputError(f"{_WANTED}; {root} has images of {len(classes)} classes")
    number = {name: label for label, name in enumerate(classes)}
    images = tuple(
        ClassImage(photo.relative_to(root), number[folder.name], split)
        for folder, split, photos in found
        for photo in photos
    )
    return ImageClasses(root, classes, images, has_split=bool(parts))


def split_by_source(
    data: ImageClasses, frames: NDArray[np.uint8], share: float, seed: int
) -> ImageClasses:
    """Return the data with parts: each class is split alike, copies of one picture stay together.

    Args:
        data: Without parts.
        frames: (N, H, W, 3) uint8, the images at any one size.
        share: Of the images of each class that are for validation; at least one is.
        seed: Other seeds, other splits.

    Raises:
        InputError: A class has fewer than two pictures that differ.
    """
    groups = copies(frames)
    labels = data.labels
    part = np.full(len(labels), TRAIN, dtype=object)
    # a picture that stands in two classes counts for the first of them
    owner = {int(g): int(labels[groups == g][0]) for g in np.unique(groups)}
    for label, name in enumerate(data.classes):
        own = [g for g, of in owner.items() if of == label]
        if len(own) < 2:
            raise InputError(
                f"two pictures or more of each class are wanted, {name!r} has {len(own)}; add some"
            )
        wanted = max(1, round(share * int(np.sum(np.isin(groups, own)))))
        taken = 0
        for group in sorted(own, key=lambda g: _draw(data, groups, g, seed))[: len(own) - 1]:
            if taken >= wanted:
                break
            part[groups == group] = VALIDATION
            taken += int(np.sum(groups == group))
    images = (replace(one, split=str(p)) for one, p in zip(data.images, part, strict=True))
    return replace(data, images=tuple(images))


def copies(frames: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return (N,) the first image that each is a copy of: itself where it is of none.

    Pictures count as copies where their difference hashes differ in at most five of 128 bits, and
    where they are copies of a third.

    Args:
        frames: (N, H, W, 3) uint8.
    """
    bits = np.stack([_difference_hash(frame) for frame in frames])
    signs = bits.astype(np.float32) * 2 - 1
    first = np.arange(len(bits))
    for row in range(len(bits)):
        differing = (signs.shape[1] - signs[row + 1 :] @ signs[row]) / 2
        for other in row + 1 + np.flatnonzero(differing <= _SAME_BITS):
            a, b = sorted((int(first[row]), int(first[other])))
            first[first == b] = a
    return first


def counts(data: ImageClasses) -> dict[str, int]:
    """Return how many images each part has."""
    return dict(Counter(one.split for one in data.images))


def without(data: ImageClasses, missing: Sequence[Path]) -> ImageClasses:
    """Return the data without some images.

    Raises:
        InputError: Nothing is left of a class.
    """
    gone = set(missing)
    kept = tuple(one for one in data.images if one.image not in gone)
    for label, name in enumerate(data.classes):
        if all(one.label != label for one in kept):
            raise InputError(f"no image of the class {name!r} can be read; see what was left out")
    return replace(data, images=kept)


def _difference_hash(frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return 128 bits: whether mean grey values of a grid exceed their right and lower neighbours.

    Differences of a few levels are noise and count as none.
    """
    grey = frame.astype(np.float32).mean(axis=2)
    rows = np.array_split(grey, 9, axis=0)
    cells = np.array([[c.mean() for c in np.array_split(r, 9, axis=1)] for r in rows])
    right = cells[:8, 1:] - cells[:8, :-1] < -_NOISE
    lower = cells[1:, :8] - cells[:-1, :8] < -_NOISE
    return np.concatenate([right.reshape(-1), lower.reshape(-1)])


def _draw(data: ImageClasses, groups: NDArray[np.int64], group: int, seed: int) -> str:
    """Return what a group is sorted by: the same on every machine, and for a moved folder."""
    name = data.images[int(np.flatnonzero(groups == group)[0])].image.as_posix()
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _photos(folder: Path) -> list[Path]:
    try:
        return list_photos(folder)
    except MediaError:
        return []
