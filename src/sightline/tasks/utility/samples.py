"""Distorted images as training frames: made and resized once, kept on disk as a memory map."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import InputError, SightlineError
from sightline.learning.cache import FrameSize, Progress, build_rows
from sightline.media.image_sources import read_image
from sightline.records.files import digest, locked_folder, write_json
from sightline.records.utility import UtilityItem, UtilitySet
from sightline.tasks.utility.config import UtilityConfig
from sightline.tasks.utility.copies import distorted_copy
from sightline.tasks.utility.definition import graded_utility

Photo = NDArray[np.uint8]

_THREADS = 2

#: Frames made before they are marked done.
_CHUNK = 64

#: Pristine photos kept decoded: the copies of one stand together.
_KEPT_PHOTOS = 8


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled images as frames.

    Attributes:
        items: In the set's order.
        stored: (M, H, W, 3) uint8, memory-mapped.
        rows: (N,) rows of ``stored``, one an item.
        target: (N,) float32: 1 useful, 0 useless; between them where that is graded.
        left_out: Images that could not be read, with the reason.
    """

    items: tuple[UtilityItem, ...]
    stored: NDArray[np.uint8]
    rows: NDArray[np.int64]
    target: NDArray[np.float32]
    left_out: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def useful(self) -> NDArray[np.bool_]:
        """(N,) whether they are rather useful than useless."""
        useful: NDArray[np.bool_] = self.target >= 0.5
        return useful

    def frames(self, part: Sequence[int] | NDArray[np.int64]) -> Photo:
        """Return a copy of the (n, H, W, 3) frames of some samples."""
        return self.stored[self.rows[np.asarray(part, dtype=np.int64)]]


def frame_of(image: Photo, frame_px: int) -> Photo:
    """Return an image as the network sees it: (frame_px, frame_px, 3), stretched.

    Raises:
        InputError: It is no uint8 RGB image with pixels.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(f"a uint8 RGB image (H, W, 3) is wanted, {image.dtype} {image.shape} came")
    if image.shape[:2] == (frame_px, frame_px):
        return image
    return FrameSize(frame_px, frame_px, "stretch").resize(Image.fromarray(image))


class Copies:
    """The images of items; a photo is read once for all copies that stand together.

    Safe to use from several threads at once.
    """

    def __init__(self, images_root: Path, items: Sequence[UtilityItem]) -> None:
        """Take items; nothing is read yet."""
        self._root, self._items = images_root, items
        self._kept = lru_cache(maxsize=_KEPT_PHOTOS)(self._photo)

    def __call__(self, index: int) -> tuple[Photo, Photo]:
        """Return an item's image before and after it is distorted.

        Raises:
            MediaError: Its photo does not read.
        """
        item = self._items[index]
        return distorted_copy(self._kept(item.image), item)

    def _photo(self, image: Path) -> Photo:
        return read_image(self._root / image)


def source_of(item: UtilityItem) -> str:
    """Return what an item was made of: its photo where nothing else is known."""
    return item.source or item.image.as_posix()


def labelled(data: UtilitySet) -> UtilitySet:
    """Return the images of a set that are useful or useless, without those that are neither."""
    return replace(data, items=tuple(i for i in data.items if i.utility is not None))


def target_of(item: UtilityItem, data: UtilitySet, config: UtilityConfig) -> float | None:
    """Return how useful an image is to be called in training, 0 to 1; None: nothing is known.

    Its label where it has one.
    """
    if item.utility is not None or config.targets == "labels":
        return item.utility
    return graded_utility(item.machines, data.task, data.thresholds)


def taught(data: UtilitySet, config: UtilityConfig) -> UtilitySet:
    """Return the images of a set that can be learned from."""
    known = (item for item in data.items if target_of(item, data, config) is not None)
    return replace(data, items=tuple(known))


def usable_samples(
    data: UtilitySet,
    config: UtilityConfig,
    progress: Progress = lambda _stage, _fraction: None,
) -> Samples:
    """Return the images of a set that can be learned from; unreadable ones are counted and named.

    Others are passed over (PITFALL 22): whoever calls counts them.

    Args:
        data: The images.
        config: Width and height of the frames, and what is learned.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: No image has a label, or none can be read.
    """
    data = taught(data, config)
    if not data.items:
        raise InputError(f"{data.root}: images with a label are wanted, there are none")
    frame_px = config.frame_px
    key = digest([made_of(item) for item in data.items], photo_stats(data), frame_px)
    path = data.root / "cache" / f"utility-{frame_px}-{key}.npy"
    if not path.with_suffix(".json").is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked_folder(path.parent):  # of two trainings on a set the second waits
            if not path.with_suffix(".json").is_file():
                _build(path, data, frame_px, progress)
    stored: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    reasons: dict[str, str] = json.loads(path.with_suffix(".json").read_text("utf-8"))
    if len(reasons) == len(data):
        raise InputError(f"images that can be read are wanted; {next(iter(reasons.values()))}")
    rows = np.array([k for k in range(len(data)) if str(k) not in reasons], dtype=np.int64)
    items = tuple(data.items[k] for k in rows)
    left_out = tuple((str(data.items[int(k)].image), why) for k, why in reasons.items())
    if left_out:
        first = left_out[0][1].replace(": ", " ")
        progress(f"{data.name} without {len(left_out)} unreadable images, the first {first}", 0.0)
    target = np.array([target_of(item, data, config) for item in items], dtype=np.float32)
    return Samples(items, stored, rows, target, left_out)


def _build(path: Path, data: UtilitySet, frame_px: int, progress: Progress) -> None:
    """Write the frames, then beside them which rows are empty and why."""
    images = Copies(data.images_root, data.items)
    reasons: dict[str, str] = {}

    def frame(index: int) -> Photo:
        try:
            return frame_of(images(index)[1], frame_px)
        except SightlineError as error:
            reasons[str(index)] = str(error)
            return np.zeros((frame_px, frame_px, 3), np.uint8)

    if not path.is_file():
        with ThreadPoolExecutor(_THREADS, "photos") as pool:
            build_rows(
                path,
                (len(data), frame_px, frame_px, 3),
                np.uint8,
                fill=lambda todo: pool.map(frame, todo),
                report=lambda fraction: progress(f"{data.name}: images distorted", fraction),
                chunk=_CHUNK,
            )
    # after a kill the reasons of the rows made before are not known any more: black rows tell
    stored = np.load(path, mmap_mode="r", allow_pickle=False)
    for index in _black(stored):
        if str(index) not in reasons:
            frame(index)
    write_json(path.with_suffix(".json"), dict(sorted(reasons.items(), key=lambda kv: int(kv[0]))))


def _black(stored: NDArray[np.uint8]) -> Iterator[int]:
    for start in range(0, len(stored), 256):
        empty = ~stored[start : start + 256].any(axis=(1, 2, 3))
        yield from (start + np.flatnonzero(empty)).tolist()


def labels_digest(config: UtilityConfig, *parts: UtilitySet | None) -> str:
    """Return a digest of which images sets name, how they are distorted and what they are."""
    return digest(
        [
            None
            if part is None
            else [[made_of(i), i.split, target_of(i, part, config)] for i in part.items]
            for part in parts
        ]
    )


def made_of(item: UtilityItem) -> list[object]:
    """Return what an item's image is a function of: photo, distortion, seed, copy."""
    return [item.image.as_posix(), str(item.distortion), item.seed, item.augmented]


def photo_stats(data: UtilitySet) -> list[list[object]]:
    """Return names, lengths and times of the photos: contents would cost a read of everything."""
    stats: list[list[object]] = []
    for image in dict.fromkeys(item.image for item in data.items):
        try:
            stat = (data.images_root / image).stat()
            stats.append([image.as_posix(), stat.st_size, stat.st_mtime_ns])
        except OSError:
            stats.append([image.as_posix()])
    return stats
