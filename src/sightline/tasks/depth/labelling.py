"""The data engine: a teacher labels photos by the million, shard by shard (paper 003, Sec. 5.1.1).

A shard is there whole or not at all, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import InputError
from sightline.learning.cache import Progress
from sightline.learning.pace import Pace
from sightline.learning.runs import CONFIG
from sightline.media.image_sources import image_names
from sightline.records.depth import DepthSet
from sightline.records.depth_labels import (
    LABELS_TOML,
    SKIPPED_CSV,
    VERSION,
    is_label_folder,
    read_skipped,
    shard_folder,
    shard_folders,
    shard_summary,
    write_skipped,
)
from sightline.records.files import atomic_path, locked_folder, read_toml, write_toml
from sightline.tasks.depth.label_shards import Entry, Shard, ShardJob, label_shards
from sightline.tasks.depth.maps import DepthModel

#: Longest side of a label in pixels: what Depth Anything itself works at.
LABEL_SIDE = 518

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
        waiting = sum(len(s.entries) for s in shards)
        pace = Pace(len(entries), waiting, progress, "photos", "images")
        if ray and shards:
            from sightline.tasks.depth.labelling_ray import label_with_ray

            label_with_ray(model, load, job, shards, pace)
        else:
            label_shards(model, job, shards, pace)
        report = _report(out, claim, root, time.perf_counter() - start)
    if progress is not None:
        progress(f"{report.labelled} photos labelled, {len(report.skipped)} skipped", 1.0)
    return report


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
