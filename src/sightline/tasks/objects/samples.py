"""Object views as square crops: cut once, kept on disk as a memory map, labels beside."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sightline.errors import InputError, SightlineError
from sightline.geometry.rotation import Array
from sightline.geometry.viewpoint import turn_from_front
from sightline.learning.cache import Progress, build_rows
from sightline.media import read_photo
from sightline.records.files import digest, locked_folder
from sightline.records.objects import Box, ObjectSet, ObjectView, rotations

#: Training crops are kept with this share of their side more on each side, for the jitter.
MARGIN = 0.15

#: Crops decoded before they are marked done.
_CHUNK = 256


def window(box: Box, context: float) -> tuple[float, float, float]:
    """Return left, top and side of the square that is seen of a box, in pixels from edge to edge.

    Args:
        box: ``x0, y0, x1, y1`` from edge to edge.
        context: Added on each side, as a share of the longer side.
    """
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0) * (1.0 + 2.0 * context)
    return (x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side


def crop(image: NDArray[np.uint8], box: Box, size: int, context: float) -> NDArray[np.uint8]:
    """Return (size, size, 3): the square round a box, its longer side and ``context`` about it.

    What lies outside the picture repeats its edge: a border of one colour would draw a straight
    line into the crop, which the network could take for the object's, and which turns with it
    when crops are jittered. The square is cut at whole pixels.

    Args:
        image: (H, W, 3) uint8.
        box: ``x0, y0, x1, y1`` in pixels from edge to edge.
        size: Side of the crop in pixels.
        context: What is seen round the box, as a share of its longer side.

    Raises:
        InputError: The box has no area, or lies outside the picture.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    inside = min(x1, width) > max(x0, 0) and min(y1, height) > max(y0, 0)
    if not (np.isfinite(box).all() and x1 > x0 and y1 > y0 and inside):
        came = ", ".join(f"{v:g}" for v in box)
        raise InputError(
            f"a box x0, y0, x1, y1 with an area inside the picture of {width}x{height} is wanted, "
            f"{came} came"
        )
    left, top, side = window(box, context)
    cut = max(round(side), 1)
    left, top = round(left + (side - cut) / 2), round(top + (side - cut) / 2)
    # a box with a fraction of a pixel inside must not be rounded out of the picture
    left, top = min(max(left, 1 - cut), width - 1), min(max(top, 1 - cut), height - 1)
    part = image[max(top, 0) : max(top + cut, 0), max(left, 0) : max(left + cut, 0)]
    above, below = max(-top, 0), max(top + cut - height, 0)
    before, after = max(-left, 0), max(left + cut - width, 0)
    square = cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_REPLICATE)
    how = cv2.INTER_AREA if cut > size else cv2.INTER_LINEAR
    resized = square if cut == size else cv2.resize(square, (size, size), interpolation=how)
    return np.ascontiguousarray(resized, dtype=np.uint8)


def margin_px(size: int) -> int:
    """Return the pixels kept beyond each side of training crops of a size."""
    return round(MARGIN * size)


@dataclass(frozen=True, eq=False)
class Samples:
    """Views whose image can be read, as arrays.

    Attributes:
        views: In the set's order.
        crops: Arrays (V, M, M, 3) uint8, memory-mapped, that hold the crops among others.
        place: (N, 2) which of the arrays, and which row of it.
        category: (N,) index in the set's categories.
        turn: (N, 3, 3) turn from the front; the identity where it is not known.
        has_pose: (N,) whether it is.
        focal: (N,) focal length in pixels of a crop without margin; 0 where it is not known.
        rendered: (N,) whether a view only teaches pose.
        margin: Pixels beyond the crop on each side.
        unreadable: How many views were left out.
    """

    views: tuple[ObjectView, ...]
    crops: tuple[NDArray[np.uint8], ...]
    place: NDArray[np.int64]
    category: NDArray[np.int64]
    turn: Array
    has_pose: NDArray[np.bool_]
    focal: Array
    rendered: NDArray[np.bool_]
    margin: int
    unreadable: int = 0

    def __len__(self) -> int:
        return len(self.views)

    @property
    def size(self) -> int:
        """Side of the crops without margin, in pixels."""
        return int(self.crops[0].shape[1]) - 2 * self.margin

    def kept(self, rows: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Return the (M, M, 3) crops of these samples, margins and all; nothing is copied."""
        return [self.crops[part][row] for part, row in self.place[rows]]

    def plain(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return (n, S, S, 3): the crops of these samples without their margins."""
        inner = slice(self.margin, self.margin + self.size)
        return np.stack([crop[inner, inner] for crop in self.kept(rows)])


def usable_views(
    data: ObjectSet,
    size: int,
    context: float,
    progress: Progress = lambda _stage, _fraction: None,
    *,
    margin: int = 0,
) -> Samples:
    """Return a set's views as samples; those whose image cannot be read are counted and named.

    Args:
        data: The views; all of them are taken.
        size: Side of the crops in pixels, the margin left out.
        context: What is seen round the box, as a share of its longer side.
        progress: Called with a text and the fraction done.
        margin: Pixels kept beyond each side of the crop.

    Raises:
        InputError: No view can be read; a view's category is none of the set's.
    """
    index = {name: k for k, name in enumerate(data.categories)}
    unknown = [view for view in data.views if view.category not in index]
    if unknown:
        raise InputError(
            f"{data.path(unknown[0])}: a category of {', '.join(data.categories)} is wanted, "
            f"{unknown[0].category!r} came"
        )
    if not data.views:
        raise InputError(f"objects are wanted, {data.root} has none")
    crops = _cached_crops(data, size, context, margin, progress)
    there = _not_black(crops)
    if not there.all():
        _tell_unreadable(data, there, progress)
    rows = np.flatnonzero(there)
    views = tuple(data.views[i] for i in rows)
    q = rotations(views)
    posed: NDArray[np.bool_] = np.asarray(np.isfinite(q).all(axis=1))
    turn = np.tile(np.eye(3), (len(views), 1, 1))
    if posed.any():
        turn[posed] = Rotation.from_quat(turn_from_front(q[posed]), scalar_first=True).as_matrix()
    sides = np.array([window(view.box, context)[2] for view in views])
    focal = np.array([view.focal_px or 0.0 for view in views])
    return Samples(
        views,
        (crops,),
        np.column_stack([np.zeros_like(rows), rows]),
        np.array([index[view.category] for view in views], dtype=np.int64),
        turn,
        posed,
        focal * size / sides,
        np.array([view.rendered for view in views], dtype=bool),
        margin,
        len(crops) - len(rows),
    )


def joined(parts: Sequence[Samples]) -> Samples:
    """Return several sets' samples as one; they are cut alike."""
    before = np.cumsum([0, *(len(part.crops) for part in parts)])
    places = [part.place + np.array([first, 0]) for part, first in zip(parts, before, strict=False)]
    return Samples(
        tuple(chain.from_iterable(part.views for part in parts)),
        tuple(chain.from_iterable(part.crops for part in parts)),
        np.concatenate(places),
        np.concatenate([part.category for part in parts]),
        np.concatenate([part.turn for part in parts]),
        np.concatenate([part.has_pose for part in parts]),
        np.concatenate([part.focal for part in parts]),
        np.concatenate([part.rendered for part in parts]),
        parts[0].margin,
        sum(part.unreadable for part in parts),
    )


def _cached_crops(
    data: ObjectSet, size: int, context: float, margin: int, progress: Progress
) -> NDArray[np.uint8]:
    stored = size + 2 * margin
    # the margin is more context, counted in the crop's own side
    context = ((1.0 + 2.0 * context) * stored / size - 1.0) / 2.0
    name = f"crops-{stored}-{_files_digest(data, context)}.npy"
    path = data.root / "cache" / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked_folder(path.parent):  # of two trainings on a set the second waits
            if not path.is_file():
                _write_crops(path, data, stored, context, progress)
    crops: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    return crops


def _write_crops(
    path: Path, data: ObjectSet, size: int, context: float, progress: Progress
) -> None:
    with ThreadPoolExecutor(os.cpu_count() or 1, "photos") as pool:

        def fill(todo: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
            views = [data.views[i] for i in todo]
            # neighbours of one image share its decoding
            images = [list(group) for _, group in groupby(views, key=data.path)]
            cuts = pool.map(lambda group: _cut(data, group, size, context), images)
            return chain.from_iterable(cuts)

        build_rows(
            path,
            (len(data), size, size, 3),
            np.uint8,
            fill=fill,
            report=lambda fraction: progress(f"{data.name}: crops cut", fraction),
            chunk=_CHUNK,
        )


def _cut(
    data: ObjectSet, views: Sequence[ObjectView], size: int, context: float
) -> list[NDArray[np.uint8]]:
    """Return the crops of one image's views; zeros where they cannot be had."""
    nothing = np.zeros((size, size, 3), dtype=np.uint8)
    try:
        image = read_photo(data.path(views[0]))
    except SightlineError:
        return [nothing] * len(views)
    cuts = []
    for view in views:
        try:
            cuts.append(crop(image, view.box, size, context))
        except SightlineError:
            cuts.append(nothing)
    return cuts


def _not_black(crops: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (N,) whether a crop has a pixel that is not black.

    Crops that cannot be had are zeros all over, so the cache alone says which they are.
    """
    there: NDArray[np.bool_] = np.asarray(crops[:, crops.shape[1] // 2].any(axis=(1, 2)))
    for row in np.flatnonzero(~there):  # one line of pixels may be black in a good crop
        there[row] = crops[row].any()
    return there


def _tell_unreadable(data: ObjectSet, there: NDArray[np.bool_], progress: Progress) -> None:
    """Say how many views are left out, and why the first is.

    Raises:
        InputError: None is left.
    """
    first = data.views[int(np.argmin(there))]
    name = data.path(first)
    try:
        crop(read_photo(name), first.box, 1, 0.0)
        why = f"{name} is black there"
    except SightlineError as error:
        why = str(error) if str(name) in str(error) else f"{name}: {error}"
    if not there.any():
        raise InputError(f"objects whose image can be read are wanted; {why}")
    # a log shows what stands before the first colon
    progress(f"{int((~there).sum())} of {len(there)} objects left out, the first as {why}", 0.0)


def _files_digest(data: ObjectSet, context: float) -> str:
    """Digest names, lengths and times: contents would cost a read of everything."""
    rows = []
    for view in data.views:
        try:
            stat = data.path(view).stat()
            file = [stat.st_size, stat.st_mtime_ns]
        except OSError:
            file = []
        rows.append([view.image.as_posix(), file, list(map(float, view.box))])
    return digest(rows, context)
