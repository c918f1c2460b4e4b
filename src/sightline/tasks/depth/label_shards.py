"""Labels of whole shards: photos are read ahead and labels written while the teacher predicts."""

from __future__ import annotations

import hashlib
import itertools
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.media.image_sources import decode_image, read_content
from sightline.records.depth_labels import LabelRow, shard_folder, stored_label, write_shard
from sightline.records.files import atomic_path
from sightline.tasks.depth.maps import DepthMap, DepthModel, predict_each
from sightline.tasks.depth.sizes import is_one_colour

Photo = NDArray[np.uint8]

#: The teacher sees photos at most this many times larger than their labels: more detail would be
#: lost in the label, and sixteen photos of 50 megapixels would fill the memory.
_PHOTO_OVER_LABEL = 2

#: Most threads that read and write; each may hold a photo of 80 megapixels.
_THREADS = 16

#: A relative label whose values differ by less than this share of the largest says nothing.
_FLAT = 1e-3

#: A third of the time of OpenCV's own choice on smooth maps, and the file as small to 5 %.
_PNG = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG),
)


class Entry(NamedTuple):
    """One photo: its name relative to the source, its split, the scene it was taken in."""

    name: str
    split: str
    source: str


@dataclass(frozen=True)
class ShardJob:
    """What is alike for all shards of a labelling.

    Attributes:
        out: Where the shards go.
        root: What names of photos are relative to.
        batch: Photos a call of the teacher.
        side: Longest side of a label, in pixels.
    """

    out: Path
    root: Path
    batch: int
    side: int


@dataclass(frozen=True)
class Shard:
    """Photos whose labels are written together."""

    index: int
    entries: Sequence[Entry]


def label_shards(
    model: DepthModel,
    job: ShardJob,
    shards: Sequence[Shard],
    tick: Callable[[int], None],
    *,
    threads: int | None = None,
) -> None:
    """Label shards on this machine, reading ahead across them.

    Args:
        model: The teacher.
        job: What is alike for all.
        shards: In the order in which they are made.
        tick: Told how many more photos are done.
        threads: That read and write; as many as there are cores where not given.
    """
    pool = ThreadPoolExecutor(threads or min(_THREADS, max(2, os.cpu_count() or 1)), "labels")
    photos = _read_ahead(itertools.chain.from_iterable(s.entries for s in shards), job, pool)
    try:
        for shard in shards:
            _label_shard(model, job, shard, photos, pool, tick)
    finally:
        photos.close()
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, eq=False)
class _Read:
    """A photo as read: scaled down where it is larger than a label needs; or why it is not."""

    entry: Entry
    image: Photo | None
    sha256: str
    size: int
    reason: str = ""


def _label_shard(
    model: DepthModel,
    job: ShardJob,
    shard: Shard,
    photos: Iterator[_Read],
    pool: ThreadPoolExecutor,
    tick: Callable[[int], None],
) -> None:
    start = time.perf_counter()
    rows: list[LabelRow] = []
    skipped: list[tuple[str, str]] = []
    by = f"{model.name} {model.digest}"
    with atomic_path(shard_folder(job.out, shard.index)) as folder:
        folder.mkdir()
        writing: deque[Future[LabelRow | str]] = deque()
        names: deque[str] = deque()

        def collect(keep: int) -> None:
            while len(writing) > keep:
                name, result = names.popleft(), writing.popleft().result()
                if isinstance(result, str):
                    skipped.append((name, result))
                else:
                    rows.append(result)

        try:
            numbered = enumerate(itertools.islice(photos, len(shard.entries)))
            while group := list(itertools.islice(numbered, job.batch)):
                maps = _predict(model, [read for _, read in group])
                for (number, read), answer in zip(group, maps, strict=True):
                    names.append(read.entry.name)
                    label = folder / f"{number:05d}.png"
                    writing.append(pool.submit(_write_label, label, read, answer, job.side, by))
                collect(2 * job.batch)
                tick(len(group))
            collect(0)
        finally:
            for future in writing:  # nothing may be written where the folder is being removed
                future.cancel()
            wait(writing)
        write_shard(folder, rows, skipped, _summary(model, time.perf_counter() - start))


def _read_ahead(
    entries: Iterable[Entry], job: ShardJob, pool: ThreadPoolExecutor
) -> Generator[_Read]:
    """Yield photos in order, two batches read before they are asked for."""
    reading: deque[Future[_Read]] = deque()
    remaining = iter(entries)
    try:
        while True:
            for entry in itertools.islice(remaining, 2 * job.batch - len(reading)):
                reading.append(pool.submit(_read, entry, job))
            if not reading:
                return
            yield reading.popleft().result()
    finally:
        for future in reading:
            future.cancel()


def _read(entry: Entry, job: ShardJob) -> _Read:
    path = job.root / entry.name
    try:
        content = read_content(path)
        image = decode_image(content, str(path))
    except SightlineError as error:
        return _Read(entry, None, "", 0, str(error))
    sha256 = hashlib.sha256(content).hexdigest()
    if is_one_colour(image):
        return _Read(entry, None, sha256, len(content), "a photo of one colour shows no depth")
    return _Read(entry, _scaled_down(image, job.side * _PHOTO_OVER_LABEL), sha256, len(content))


def _scaled_down(image: Photo, side: int) -> Photo:
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    size = _size_within(width, height, side)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _size_within(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the width and height of the same shape whose longer one is at most ``side``."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _predict(model: DepthModel, photos: Sequence[_Read]) -> list[DepthMap | str]:
    """Return the maps of the photos that were read; of the others, why not."""
    images = [photo.image for photo in photos if photo.image is not None]
    maps = iter(
        f"the teacher refuses it: {answer}" if isinstance(answer, str) else answer
        for answer in predict_each(model, images)
    )
    return [photo.reason if photo.image is None else next(maps) for photo in photos]


def _write_label(
    path: Path, photo: _Read, answer: DepthMap | str, side: int, labelled_by: str
) -> LabelRow | str:
    """Write one label; return its row, or why there is none."""
    if isinstance(answer, str):
        return answer
    height, width = answer.values.shape
    values = _resized(answer.values, _size_within(width, height, side))
    flat = _flatness(values, answer)
    if flat:
        return flat
    stored, scale = stored_label(values, answer.quantity, answer.unit == "m")
    path.write_bytes(cv2.imencode(".png", stored, _PNG)[1].tobytes())
    return LabelRow(
        image=photo.entry.name,
        label=path.name,
        quantity=answer.quantity,
        unit=answer.unit,
        scale=scale,
        width=stored.shape[1],
        height=stored.shape[0],
        labelled_by=labelled_by,
        photo_sha256=photo.sha256,
        photo_bytes=photo.size,
        split=photo.entry.split,
        source=photo.entry.source,
    )


def _flatness(values: NDArray[np.float32], answer: DepthMap) -> str:
    """Return why a label says nothing; empty where it says something."""
    known = values[np.isfinite(values) & (values >= 0)]
    largest = float(known.max()) if known.size else 0.0
    if largest <= 0:
        return "the teacher says nothing of it (no value above zero)"
    # A loss that is free of scale and shift cannot normalise a constant; metres stay metres.
    if answer.unit == "relative" and largest - float(known.min()) <= _FLAT * largest:
        return "flat label: the teacher sees one depth everywhere"
    return ""


def _resized(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the mean of what is known under each pixel; unknown where less than half is."""
    if values.shape == size[::-1]:
        return values
    known = np.isfinite(values)
    if known.all():
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
    filled = np.where(known, values, np.float32(0))
    share = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(filled, size, interpolation=cv2.INTER_AREA)
    mean = total / np.maximum(share, np.float32(0.5))
    return np.where(share >= 0.5, mean, np.float32(np.nan)).astype(np.float32)


def _summary(model: DepthModel, seconds: float) -> dict[str, str | float]:
    """Return what a shard's file says beside its counts; only this differs between two runs."""
    return {
        "model": model.name,
        "digest": model.digest,
        "seconds": round(seconds, 3),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": socket.gethostname(),
    }
