"""The data engine: a teacher labels photos by the million, shard by shard (paper 003, Sec. 3.1).

Photos are read ahead and labels written in threads while the teacher predicts. A shard is there
whole or not at all, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, SightlineError
from sightline.learning.cache import Progress
from sightline.learning.runs import CONFIG
from sightline.media.image_sources import decode_image, image_names, read_content
from sightline.records.depth import DepthSet
from sightline.records.depth_labels import (
    LABELS_TOML,
    SKIPPED_CSV,
    VERSION,
    LabelRow,
    is_label_folder,
    read_skipped,
    shard_folder,
    shard_folders,
    shard_summary,
    stored_label,
    write_shard,
    write_skipped,
)
from sightline.records.files import atomic_path, locked_folder, read_toml, write_toml
from sightline.tasks.depth.maps import DepthMap, DepthModel

Photo = NDArray[np.uint8]

#: Longest side of a label in pixels: what Depth Anything itself works at.
LABEL_SIDE = 518

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


#: What must not change between two calls: what messages call it, and where ``labels.toml`` has it.
_CLAIMED = (
    ("model", "model", "digest"),
    ("quantity", "model", "quantity"),
    ("unit", "model", "unit"),
    ("source", "source", "path"),
    ("number of photos", "source", "images"),
    ("list of photos", "source", "names_digest"),
    ("number of photos a shard", "settings", "shard"),
    ("size of labels", "settings", "side"),
)


#: What a folder may hold before its first label: a run's configuration, and what a process that
#: was killed while it wrote that or the claim has left.
_BEGUN = (CONFIG, f".{CONFIG}.", f".{LABELS_TOML}.")


@dataclass(frozen=True)
class LabelReport:
    """What a labelling left behind, earlier calls' shards counted in.

    Attributes:
        folder: Opened by ``open_depth``.
        labelled: Photos with a label.
        skipped: Photos without one, and why.
        seconds: That this call took.
    """

    folder: Path
    labelled: int
    skipped: tuple[tuple[Path, str], ...]
    seconds: float


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


def write_labels(
    model: DepthModel,
    source: Path | DepthSet,
    out: Path,
    *,
    shard: int = 1000,
    batch: int = 16,
    ray: bool = False,
    progress: Progress | None = None,
    load: Callable[[], DepthModel] | None = None,
    side: int = LABEL_SIDE,
) -> LabelReport:
    """Label photos with a teacher; the same call goes on where an earlier one stopped.

    While one call is at work in a folder, another waits for it.

    A photo that cannot be read, is of one colour, or whose label would be flat is skipped: named
    with the reason in ``skipped.csv`` and in the report.

    Args:
        model: The teacher.
        source: A folder, archive or list of photos (``image_names``), or a depth set.
        out: Folder of the labels (``sightline.records.depth_labels``).
        shard: Photos a shard.
        batch: Photos a call of the teacher.
        ray: Work on a Ray cluster, whose machines see ``source`` and ``out`` at the same paths.
        progress: Told what is done, how fast, and how long it will take.
        load: How each worker of a cluster gets the teacher; it is sent there where not given.
        side: Longest side of a label in pixels; labels are never larger than their photo.

    Raises:
        InputError: There are no photos, ``out`` holds other things or labels of another teacher,
            source or settings, or not one photo could be labelled.
    """
    start = time.perf_counter()
    root, entries = _entries(source, out)
    job = ShardJob(out.resolve(), root, batch, side)
    claim = _claim(model, source, job, entries, shard)
    _check_claim(out, claim)
    out.mkdir(parents=True, exist_ok=True)
    with locked_folder(out):
        if not _check_claim(out, claim):
            write_toml(out / LABELS_TOML, claim)
        for stale in out.glob(".shard-*.tmp"):  # of a process that was killed
            shutil.rmtree(stale)
        done = {folder.name for folder in shard_folders(out)}
        shards = [
            Shard(index, entries[first : first + shard])
            for index, first in enumerate(range(0, len(entries), shard))
            if shard_folder(out, index).name not in done
        ]
        pace = _Pace(len(entries), sum(len(s.entries) for s in shards), progress)
        if ray and shards:
            from sightline.tasks.depth.labelling_ray import label_with_ray

            label_with_ray(model, load, job, shards, pace)
        else:
            label_shards(model, job, shards, pace)
        report = _report(out, claim, root, time.perf_counter() - start)
    if progress is not None:
        progress(f"{report.labelled} photos labelled, {len(report.skipped)} skipped", 1.0)
    return report


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
    # Few pixels first: almost all photos are known by them to have colours.
    if not any((part != image[0, 0]).any() for part in (image[::16, ::16], image)):
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
    maps = iter(_maps(model, images))
    return [photo.reason if photo.image is None else next(maps) for photo in photos]


def _maps(model: DepthModel, images: Sequence[Photo]) -> Sequence[DepthMap | str]:
    """Return the maps of images; where the teacher refuses some, why, for those alone."""
    if not images:
        return []
    try:
        return model.predict(images)
    except SightlineError as error:
        if len(images) == 1:
            return [f"the teacher refuses it: {error}"]
        return [answer for image in images for answer in _maps(model, [image])]


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


def _entries(source: Path | DepthSet, out: Path) -> tuple[Path, list[Entry]]:
    """Return the photos of a source, and what their names are relative to."""
    if isinstance(source, DepthSet):
        items = {item.image: item for item in source.items}.values()
        if not items:
            raise InputError(f"photos to label are wanted; {source.name} has none")
        found = [Entry(item.image.as_posix(), item.split, item.source) for item in items]
        return source.root.resolve(), found
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise InputError(
            f"a folder for labels outside of the photos is wanted; {out} is in {source} and its "
            "labels would be taken for photos; choose another"
        )
    names = image_names(source)
    return names.root.resolve(), [Entry(name, "train", "") for name in names.names]


def _claim(
    model: DepthModel,
    source: Path | DepthSet,
    job: ShardJob,
    entries: Sequence[Entry],
    shard: int,
) -> dict[str, Any]:
    """Return what ``labels.toml`` says of a labelling that begins."""
    sha = hashlib.sha256()
    for entry in entries:
        sha.update("\0".join(entry).encode(errors="surrogateescape") + b"\n")
    path = source.root if isinstance(source, DepthSet) else source
    return {
        "version": VERSION,
        "model": {
            "name": model.name,
            "digest": model.digest,
            "quantity": model.quantity,
            "unit": model.unit,
        },
        "source": {
            "path": str(path.resolve()),
            "root": str(job.root),
            "from_here": _relative(job.root, job.out),
            "images": len(entries),
            "names_digest": sha.hexdigest()[:16],
        },
        "settings": {"shard": shard, "side": job.side},
    }


def _relative(path: Path, start: Path) -> str:
    try:
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError:  # on another drive of Windows
        return ""


def _check_claim(out: Path, claim: dict[str, Any]) -> bool:
    """Return whether a folder holds labels of this claim; False where it is new or empty.

    Raises:
        InputError: It holds other things, or labels of another claim.
    """
    if not out.exists():
        return False
    if not is_label_folder(out):
        if out.is_dir() and all(p.name.startswith(_BEGUN) for p in out.iterdir()):
            return False
        raise InputError(
            f"a new or empty folder is wanted for labels; {out} holds other things; choose another "
            "(nothing was changed)"
        )
    there = read_toml(out / LABELS_TOML)
    for what, table, key in _CLAIMED:
        old, new = (t.get(table, {}).get(key) for t in (there, claim))
        if old != new:
            raise InputError(
                f"{out} holds labels of another {what} ({old} there, {new} now); choose another "
                "folder, or the same to go on (nothing was changed)"
            )
    return True


def _report(out: Path, claim: dict[str, Any], root: Path, seconds: float) -> LabelReport:
    """Return the report of a finished labelling; write its counts and ``skipped.csv``."""
    folders = shard_folders(out)
    skipped = [row for folder in folders for row in read_skipped(folder / SKIPPED_CSV)]
    summaries = [shard_summary(folder) for folder in folders]
    labelled = sum(summary["labelled"] for summary in summaries)
    with atomic_path(out / SKIPPED_CSV) as temporary:
        write_skipped(temporary, skipped)
    counts = {
        "labelled": labelled,
        "skipped": len(skipped),
        "shards": len(folders),
        "seconds": round(sum(summary["seconds"] for summary in summaries), 3),
    }
    write_toml(out / LABELS_TOML, {**claim, "counts": counts})
    if not labelled:
        image, reason = skipped[0]
        raise InputError(f"not one of {len(skipped)} photos could be labelled; {image}: {reason}")
    found = tuple((root / image, reason) for image, reason in skipped)
    return LabelReport(out, labelled, found, seconds)


class _Pace:
    """Tells how far a labelling is, how fast, and how long it will take."""

    def __init__(self, total: int, waiting: int, progress: Progress | None) -> None:
        self._total, self._waiting, self._progress = total, waiting, progress
        self._new = 0
        self._start = time.perf_counter()

    def __call__(self, count: int) -> None:
        """Count photos that are done."""
        self._new += count
        if self._progress is None:
            return
        rate = self._new / max(time.perf_counter() - self._start, 1e-9)
        left = timedelta(seconds=round((self._waiting - self._new) / rate))
        done = self._total - self._waiting + self._new
        self._progress(
            f"{done} of {self._total} photos, {rate:.1f} images/s, {left} left", done / self._total
        )
