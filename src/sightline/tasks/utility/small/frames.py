"""Pristine images as a network's frames: decoded once, what they show beside, jittered mildly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sightline.errors import InputError, SightlineError
from sightline.learning.cache import FrameSize, Progress, build_rows
from sightline.media import photo_size, read_photo
from sightline.records.files import digest, locked_folder
from sightline.records.utility import PristineImage, PristineSet
from sightline.tasks.utility.machines.machine import Photo
from sightline.tasks.utility.small.config import SmallConfig

Array = NDArray[np.float32]

#: Boxes of which less than this share is left in a jittered frame are not taught.
_LEFT_SHARE = 0.4

#: Frames decoded before they are marked done.
_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Frames:
    """Images as frames, with what they show.

    Attributes:
        pixels: (M, S, S, 3) uint8, memory-mapped, which hold the frames among others.
        rows: (N,) the frames' rows in it.
        category: (N,) index of each image's class, of its first box where it has none; -1: neither.
        boxes: N arrays (n, 4) of ``x0, y0, x1, y1`` in the frame's pixels from edge to edge.
        box_category: N arrays (n,) of indices.
        unreadable: How many images were left out.
    """

    pixels: Photo
    rows: NDArray[np.int64]
    category: NDArray[np.int64]
    boxes: tuple[Array, ...]
    box_category: tuple[NDArray[np.int64], ...]
    unreadable: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def side(self) -> int:
        """Width and height of the frames, in pixels."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True, eq=False)
class FrameBatch:
    """Frames of a step.

    Attributes:
        frames: (N, 3, S, S) float32 from 0 to 255.
        category: (N,) int64.
        boxes: N tensors (n, 4).
        box_category: N tensors (n,).
    """

    frames: Tensor
    category: Tensor
    boxes: tuple[Tensor, ...]
    box_category: tuple[Tensor, ...]

    def to(self, device: torch.device) -> FrameBatch:
        """Return the batch on a device."""
        return FrameBatch(
            self.frames.to(device),
            self.category.to(device),
            tuple(boxes.to(device) for boxes in self.boxes),
            tuple(category.to(device) for category in self.box_category),
        )


def as_frame(image: Photo, side: int) -> Photo:
    """Return (S, S, 3): the whole uint8 (H, W, 3) image, stretched."""
    if image.shape[:2] == (side, side):
        return image
    return FrameSize(side, side, "stretch").resize(Image.fromarray(image))


def read_frames(
    data: PristineSet,
    side: int,
    cache_dir: Path,
    progress: Progress = lambda _stage, _fraction: None,
) -> Frames:
    """Return a set's images as frames; those that cannot be read are counted and left out.

    Args:
        data: The images; all of them are taken.
        side: Width and height of the frames, in pixels.
        cache_dir: Where they are kept once decoded.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: No image can be read.
    """
    if not data.images:
        raise InputError(f"images are wanted, {data.root} has none of this part")
    pixels = _cached(data, side, cache_dir, progress)
    # what cannot be read is black all over, and black teaches nothing
    rows = np.array([row for row, frame in enumerate(pixels) if frame.any()], dtype=np.int64)
    if not len(rows):
        _refuse_nothing(data)
    unreadable = len(pixels) - len(rows)
    if unreadable:
        progress(f"{unreadable} of {len(pixels)} images left out: not readable, or black", 0.0)
    images = [data.images[row] for row in rows]
    return Frames(
        pixels,
        rows,
        np.array([_category(image) for image in images], dtype=np.int64),
        tuple(_boxes(data.root / image.image, image, side) for image in images),
        tuple(np.array(image.box_categories, dtype=np.int64) for image in images),
        unreadable,
    )


def jittered(
    frame: Photo, boxes: Array, config: SmallConfig, rng: np.random.Generator
) -> tuple[Photo, Array]:
    """Return a frame, mirrored, moved and sized anew at random, and its boxes, which move alike.

    What comes in from outside repeats the frame's edge.

    Args:
        frame: (S, S, 3) uint8.
        boxes: (n, 4) in its pixels from edge to edge.
        config: How much.
        rng: Of the draws.
    """
    side = frame.shape[0]
    size = 1.0 + config.zoom * rng.uniform(-1.0, 1.0)
    moved = config.shift * side * rng.uniform(-1.0, 1.0, 2) + (1.0 - size) * side / 2
    sizes = np.array([-size if config.flip and rng.random() < 0.5 else size, size])
    offset = np.where(sizes < 0, side - moved, moved)
    # edge to edge: the seen point of a frame's point p is sizes * p + offset; OpenCV counts from
    # the centres of pixels, which lie half a pixel further
    centres = offset + 0.5 * sizes - 0.5
    matrix = np.array([[sizes[0], 0.0, centres[0]], [0.0, sizes[1], centres[1]]])
    out = cv2.warpAffine(
        frame,
        matrix,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    corners = (boxes.reshape(-1, 2, 2) - offset) / sizes
    placed = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return out.astype(np.uint8, copy=False), placed.astype(np.float32).reshape(-1, 4)


class FrameBatches:
    """Training batches: categories drawn evenly, frames jittered; a function of the epoch alone."""

    def __init__(self, frames: Frames, config: SmallConfig) -> None:
        self._frames = frames
        self._config = config

    def __len__(self) -> int:
        return max(len(self._frames) // self._config.batch, 1)

    def epoch(self, number: int) -> Iterator[FrameBatch]:
        """Yield the batches of an epoch; the same for the same number."""
        rng = np.random.default_rng((self._config.seed, number))
        order = evenly(self._frames.category, rng)
        for step in range(len(self)):
            chosen = order[step * self._config.batch : (step + 1) * self._config.batch]
            yield self._batch(chosen, rng)

    def _batch(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> FrameBatch:
        frames, side = self._frames, self._frames.side
        pixels = np.empty((len(chosen), side, side, 3), dtype=np.float32)
        boxes, box_category = [], []
        for at, index in enumerate(chosen):
            frame = frames.pixels[frames.rows[index]]
            pixels[at], placed = jittered(frame, frames.boxes[index], self._config, rng)
            inside, kept = left_in(placed, side)
            boxes.append(torch.from_numpy(inside))
            box_category.append(torch.from_numpy(frames.box_category[index][kept]))
        if self._config.colour:
            _recolour(pixels, self._config.colour, rng)
        return FrameBatch(
            torch.from_numpy(pixels).permute(0, 3, 1, 2),
            torch.from_numpy(frames.category[chosen]),
            tuple(boxes),
            tuple(box_category),
        )


def left_in(boxes: Array, side: int) -> tuple[Array, NDArray[np.int64]]:
    """Return the boxes cut at a frame's edges, and which they are: those with enough inside."""
    inside = boxes.clip(0, side)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    left = (inside[:, 2:] - inside[:, :2]).prod(axis=1)
    kept = np.flatnonzero((left > 0) & (left >= _LEFT_SHARE * area))
    return inside[kept], kept


def evenly(category: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return as many indices as there are images, as many of each category, in random order.

    Where categories are of one size, each index comes once.
    """
    known = np.unique(category)
    each = -(-len(category) // len(known))
    drawn = []
    for one in known:
        rows = np.flatnonzero(category == one)
        drawn += [rng.permutation(rows) for _ in range(each // len(rows))]
        drawn.append(rng.permutation(rows)[: each % len(rows)])
    return rng.permutation(np.concatenate(drawn))[: len(category)]


def _recolour(pixels: Array, most: float, rng: np.random.Generator) -> None:
    """Change brightness, contrast and channels of (N, S, S, 3) frames, in place."""
    count = len(pixels)
    contrast = 1.0 + most * rng.uniform(-1.0, 1.0, (count, 1, 1, 1))
    gains = contrast * (1.0 + most / 2 * rng.uniform(-1.0, 1.0, (count, 1, 1, 3)))
    offset = 127.5 * (1.0 - contrast) + 255.0 * most * rng.uniform(-0.5, 0.5, (count, 1, 1, 1))
    pixels *= gains.astype(np.float32)
    pixels += offset.astype(np.float32)
    np.clip(pixels, 0.0, 255.0, out=pixels)


def _category(image: PristineImage) -> int:
    if image.category is not None:
        return image.category
    return image.box_categories[0] if image.box_categories else -1


def _boxes(path: Path, image: PristineImage, side: int) -> Array:
    if not image.boxes:
        return np.empty((0, 4), dtype=np.float32)
    boxes = np.array(image.boxes, dtype=np.float64)
    scaled: Array = (boxes * side / np.tile(photo_size(path), 2)).astype(np.float32)
    return scaled


def _cached(data: PristineSet, side: int, cache_dir: Path, progress: Progress) -> Photo:
    """Return (N, S, S, 3): the frames, zeros where an image cannot be read."""
    path = cache_dir / f"frames-{side}-{_files_digest(data)}.npy"
    if not path.is_file():
        cache_dir.mkdir(parents=True, exist_ok=True)
        with locked_folder(cache_dir):  # of two trainings on a set the second waits
            if not path.is_file():
                _decode(path, data, side, progress)
    frames: Photo = np.load(path, mmap_mode="r", allow_pickle=False)
    return frames


def _decode(path: Path, data: PristineSet, side: int, progress: Progress) -> None:
    def one(index: int) -> Photo:
        try:
            return as_frame(read_photo(data.root / data.images[index].image), side)
        except SightlineError:
            return np.zeros((side, side, 3), dtype=np.uint8)

    with ThreadPoolExecutor(os.cpu_count() or 1, "photos") as pool:
        build_rows(
            path,
            (len(data), side, side, 3),
            np.uint8,
            fill=lambda todo: pool.map(one, todo),
            report=lambda fraction: progress(f"{data.name}: frames decoded", fraction),
            chunk=_CHUNK,
        )


def _refuse_nothing(data: PristineSet) -> None:
    """Raise, because no image of a set can be read.

    Raises:
        InputError: Always; it says what is wrong with the first.
    """
    read_photo(data.root / data.images[0].image)
    raise InputError(f"{data.root}: images that are not black all over are wanted, all are")


def _files_digest(data: PristineSet) -> str:
    """Digest names, lengths and times: contents would cost a read of everything."""
    rows = []
    for image in data.images:
        try:
            stat = (data.root / image.image).stat()
            rows.append([image.image.as_posix(), stat.st_size, stat.st_mtime_ns])
        except OSError:
            rows.append([image.image.as_posix()])
    return digest(rows)
