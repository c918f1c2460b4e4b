"""Images and their depth as training arrays: decoded once, kept on disk as a memory map."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, SightlineError
from sightline.learning.cache import Progress, build_rows
from sightline.records.depth import DepthImage, DepthSet, resize_depth
from sightline.records.files import digest, locked_folder, write_json
from sightline.tasks.depth.config import DepthConfig
from sightline.tasks.depth.sizes import resized

#: What targets are: ``disparity`` up to scale and shift, or ``depth`` in metres.
Target = Literal["disparity", "depth"]

#: A depth map shows its photo's view if their shapes differ by no more than this share.
_SAME_SHAPE = 0.03

#: Images decoded before they are marked done.
_CHUNK = 64

_THREADS = 2
_UNKNOWN = "no pixel of known depth"


@dataclass(frozen=True)
class FrameShape:
    """What is kept of each image, in pixels."""

    width: int
    height: int

    def cut(self, array: NDArray[np.uint8] | NDArray[np.float32]) -> tuple[slice, slice]:
        """Return rows and columns of the largest centred part of this shape."""
        height, width = array.shape[:2]
        scale = min(width / self.width, height / self.height)
        wide, tall = max(round(scale * self.width), 1), max(round(scale * self.height), 1)
        left, top = (width - wide) // 2, (height - tall) // 2
        return slice(top, top + tall), slice(left, left + wide)


@dataclass(frozen=True, eq=False)
class Samples:
    """Images whose depth is known somewhere, as arrays.

    Attributes:
        items: In the set's order.
        stored: (M, bytes) uint8, memory-mapped: each row an image and its targets, see
            :meth:`image` and :meth:`target`.
        rows: (N,) rows of ``stored``, one an item.
        shape: Of the kept images.
        target_kind: What the targets are.
        left_out: Files that could not be taken, with the reason.
    """

    items: tuple[DepthImage, ...]
    stored: NDArray[np.uint8]
    rows: NDArray[np.int64]
    shape: FrameShape
    target_kind: Target
    left_out: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return (H, W, 3) RGB; nothing is copied."""
        pixels = self.shape.height * self.shape.width
        row = self.stored[self.rows[index], : 3 * pixels]
        return row.reshape(self.shape.height, self.shape.width, 3)

    def target(self, index: int) -> NDArray[np.float16]:
        """Return (H, W) targets, NaN where unknown; nothing is copied."""
        return _targets(self.stored[self.rows[index]], self.shape)


def training_shape(config: DepthConfig) -> FrameShape:
    """Return what is kept of training images.

    A little over the frame's size, so that the mean random crop is not enlarged.
    """
    more = 1.0 / (1.0 - config.crop / 2.0)
    return FrameShape(round(config.frame_width * more), round(config.frame_height * more))


def usable_samples(
    data: DepthSet,
    shape: FrameShape,
    target: Target,
    max_depth_m: float,
    progress: Progress = lambda _stage, _fraction: None,
) -> Samples:
    """Return a set's images with depth as samples; what cannot be taken is counted and named.

    Images are cut to the frame's shape round their middle. Disparity of depth in metres is 1 / z,
    and what lies beyond ``max_depth_m`` is taught as lying there; of labels it is kept from 0 to 1
    (their scale and shift mean nothing). In metres, what lies beyond is unknown.

    Args:
        data: All items with depth are taken.
        shape: What is kept of each image.
        target: What the targets are to be.
        max_depth_m: The largest depth, in metres.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: No image can be taken, or metres are wanted of a set of disparity.
    """
    data = data.labelled()
    if not data.items:
        raise InputError(f"images with depth are wanted, {data.root} has none; check the splits")
    if target == "depth" and any(item.quantity != "depth" for item in data.items):
        raise InputError(
            f"{data.root}: depth in metres is wanted, it has disparity without a scale; train a "
            "teacher or a student on it"
        )
    key = digest(_rows(data), [shape.width, shape.height], target, max_depth_m)
    path = data.root / "cache" / f"depth-{shape.width}x{shape.height}-{key}.npy"
    if not path.with_suffix(".json").is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked_folder(path.parent):  # of two trainings on a set the second waits
            if not path.with_suffix(".json").is_file():
                _build(path, data, shape, target, max_depth_m, progress)
    stored: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    reasons: dict[str, str] = json.loads(path.with_suffix(".json").read_text("utf-8"))
    rows = np.array([k for k in range(len(data)) if str(k) not in reasons], dtype=np.int64)
    named = [(str(data.path(data.items[int(k)].image)), why) for k, why in reasons.items()]
    if named:
        _tell_left_out(data, named, progress)
    kept = tuple(data.items[k] for k in rows)
    return Samples(kept, stored, rows, shape, target, tuple(named))


def _build(
    path: Path,
    data: DepthSet,
    shape: FrameShape,
    target: Target,
    max_depth_m: float,
    progress: Progress,
) -> None:
    """Write the arrays, then beside them which rows are empty and why."""

    def read(index: int) -> NDArray[np.uint8]:
        try:
            return _row(data, data.items[index], shape, target, max_depth_m)
        except SightlineError:
            return _pack(np.zeros((*_size(shape), 3), np.uint8), np.full(_size(shape), np.nan))

    if not path.is_file():
        length = 5 * shape.height * shape.width
        with ThreadPoolExecutor(_THREADS, "photos") as pool:
            build_rows(
                path,
                (len(data), length),
                np.uint8,
                fill=lambda todo: pool.map(read, todo),
                report=lambda fraction: progress(f"{data.name}: images and depth read", fraction),
                chunk=_CHUNK,
            )
    stored = np.load(path, mmap_mode="r", allow_pickle=False)
    empty = [k for k in range(len(data)) if np.isnan(_targets(stored[k], shape)).all()]
    reasons = {str(k): _reason(data, data.items[k], shape, target, max_depth_m) for k in empty}
    write_json(path.with_suffix(".json"), reasons)


def _row(
    data: DepthSet, item: DepthImage, shape: FrameShape, target: Target, max_depth_m: float
) -> NDArray[np.uint8]:
    """Return an image and its targets as one row of bytes.

    Raises:
        SightlineError: One of them does not read, or they show different views.
    """
    photo = data.read_image(item)
    values = data.read_target(item)
    if abs(np.log(photo.shape[1] / photo.shape[0] * values.shape[0] / values.shape[1])) > (
        _SAME_SHAPE
    ):
        raise InputError(
            f"a depth map of the photo's view is wanted, {values.shape[1]} x {values.shape[0]} "
            f"came for a photo of {photo.shape[1]} x {photo.shape[0]}"
        )
    image = resized(photo[shape.cut(photo)], (shape.width, shape.height))
    values = resize_depth(values[shape.cut(values)], shape.width, shape.height)
    return _pack(image, _taught(values, item, target, max_depth_m))


def _taught(
    values: NDArray[np.float32], item: DepthImage, target: Target, max_depth_m: float
) -> NDArray[np.float32]:
    """Return targets of read values; NaN where unknown."""
    if item.quantity == "disparity":
        known = np.isfinite(values)
        if not known.any():
            return values
        least, most = values[known].min(), values[known].max()
        unit = (values - least) / max(most - least, np.finfo(np.float32).tiny)
        return np.asarray(unit, dtype=np.float32)
    if target == "depth":
        return np.where(values <= max_depth_m, values, np.float32(np.nan))
    nearest = np.float32(1e-3)  # a millimetre: float16 ends at 65504
    return (1.0 / np.clip(values, nearest, max_depth_m)).astype(np.float32)


def _reason(
    data: DepthSet, item: DepthImage, shape: FrameShape, target: Target, max_depth_m: float
) -> str:
    try:
        _row(data, item, shape, target, max_depth_m)
    except SightlineError as error:
        return str(error)
    return f"{_UNKNOWN} up to {max_depth_m:g} m" if target == "depth" else _UNKNOWN


def _tell_left_out(
    data: DepthSet, named: Sequence[tuple[str, str]], progress: Callable[[str, float], None]
) -> None:
    """Say how many images are left out, and why the first is.

    Raises:
        InputError: None is left.
    """
    name, why = named[0]
    first = why if name in why else f"{name}: {why}"
    if len(named) == len(data):
        raise InputError(f"images with depth that can be read are wanted; {first}")
    kinds = Counter(
        "of unknown depth" if why.startswith(_UNKNOWN) else "unreadable" for _, why in named
    )
    counts = " and ".join(f"{count} {kind}" for kind, count in kinds.items())
    # a log shows what stands before the first colon
    progress(f"{data.name} without {counts} of {len(data)} images, the first as {first}", 0.0)


def _pack(image: NDArray[np.uint8], target: NDArray[np.float32]) -> NDArray[np.uint8]:
    half = np.ascontiguousarray(target, dtype=np.float16)
    return np.concatenate([image.reshape(-1), half.reshape(-1).view(np.uint8)])


def _targets(row: NDArray[np.uint8], shape: FrameShape) -> NDArray[np.float16]:
    return row[3 * shape.height * shape.width :].view(np.float16).reshape(_size(shape))


def _size(shape: FrameShape) -> tuple[int, int]:
    return shape.height, shape.width


def data_digest(*parts: DepthSet | None) -> str:
    """Return a digest of which images and depth files sets name, and what they say of them."""
    return digest([None if part is None else list(part.items) for part in parts])


def _rows(data: DepthSet) -> list[object]:
    """Digest names, lengths and times: contents would cost a read of everything."""
    return [
        [item, _stat(data.path(item.image)), _stat(data.path(item.depth or item.image))]
        for item in data.items
    ]


def _stat(path: Path) -> list[int]:
    """Return length and time of a file, or of the archive that it lies in; nothing if neither."""
    for file in (path, *path.parents):
        if file.is_file():
            stat = file.stat()
            return [stat.st_size, stat.st_mtime_ns]
    return []
