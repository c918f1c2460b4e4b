"""The stage label: a teacher labels images, and the run folder becomes a depth set."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sightline.errors import InputError
from sightline.learning.runs import CONFIG, is_finished
from sightline.records.depth import DepthSet
from sightline.records.files import digest
from sightline.tasks.depth.config import DepthConfig, read_config, write_config
from sightline.tasks.depth.labelling import write_labels
from sightline.tasks.depth.models import load_model
from sightline.tasks.depth.samples import data_digest

Progress = Callable[[str, float], None]


def label_images(data: DepthSet, config: DepthConfig, folder: Path, progress: Progress) -> None:
    """Let the teacher label images; shards that are there are not made again.

    Args:
        data: Its training images without depth are labelled where ``config.unlabelled`` is empty.
        config: Who labels what.
        folder: Becomes a depth set, ``config.toml`` beside.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: No images, no such teacher, or the folder holds other labels.
        WeightsError: The teacher's weights cannot be had.
    """
    source = _source(data, config)
    teacher = load_model(config.teacher)
    of = str(source) if isinstance(source, Path) else data_digest(source)
    kept = digest(of, teacher.digest)
    if (folder / CONFIG).is_file():
        is_finished(
            folder, config, read_config(folder / CONFIG), kept, "images, or by another teacher"
        )
    report = write_labels(
        teacher,
        source,
        folder,
        shard=config.shard,
        batch=config.batch,
        ray=config.ray,
        load=partial(load_model, config.teacher),
        progress=progress,
    )
    about: dict[str, Any] = {
        "data": kept,
        "folder": str(data.root.resolve()),
        "source": str(source if isinstance(source, Path) else source.root),
        "teacher": teacher.name,
        "teacher_digest": teacher.digest,
        "quantity": teacher.quantity,
        "labelled": report.labelled,
        "skipped": len(report.skipped),
        "seconds": round(report.seconds, 1),
    }
    # last: a folder of labels is told by its own files, and refuses to begin among others
    write_config(folder / CONFIG, config, run=about)


def _source(data: DepthSet, config: DepthConfig) -> Path | DepthSet:
    if config.unlabelled:
        return Path(config.unlabelled)
    splits = {split for split in data.splits() if split}
    found = (data.part("train") if splits else data).unlabelled()
    if not found.items:
        raise InputError(
            f"{data.root}: training images without depth are wanted to label, it has none; pass "
            "`--unlabelled FOLDER`"
        )
    return found
