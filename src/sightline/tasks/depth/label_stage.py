"""The stage label: a teacher labels images, and the run folder becomes a depth set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from sightline.errors import InputError
from sightline.learning.runs import CONFIG, is_finished
from sightline.records.depth import DepthSet
from sightline.records.depth_labels import LABELS_TOML
from sightline.records.files import digest, read_toml
from sightline.tasks.depth.config import DepthConfig, read_config, write_config
from sightline.tasks.depth.labelling import write_labels
from sightline.tasks.depth.maps import DepthModel
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
    source = _source(data, config, folder)
    load = partial(load_teacher, _anywhere(config.teacher))
    teacher = load()
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
        load=load,
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
        # of all calls: the last may have found everything there
        "seconds": read_toml(folder / LABELS_TOML)["counts"]["seconds"],
    }
    # last: a folder of labels is told by its own files, and refuses to begin among others
    write_config(folder / CONFIG, config, run=about)


def load_teacher(source: str) -> DepthModel:
    """Return a teacher, on the graphics processor of the machine that calls where it has one."""
    return load_model(source, device="cuda" if torch.cuda.is_available() else "cpu")


def _anywhere(source: str) -> str:
    """Return a path as workers that run in another folder can use it; a hub name as it is."""
    path = Path(source).expanduser()
    return str(path.resolve()) if path.exists() else source


def _source(data: DepthSet, config: DepthConfig, folder: Path) -> Path | DepthSet:
    if config.unlabelled:
        return Path(config.unlabelled)
    splits = {split for split in data.splits() if split}
    found = _without_made((data.part("train") if splits else data).unlabelled(), folder)
    if not found.items:
        raise InputError(
            f"{data.root}: training images without depth are wanted to label, it has none; pass "
            "`--unlabelled FOLDER`"
        )
    return found


def _without_made(data: DepthSet, folder: Path) -> DepthSet:
    """Return the photos that no run made: in a folder of photos labels and plots look like some."""
    # as named, not as links lead: photos below the folder are named so too
    root, made = data.root.absolute(), (data.runs_dir.absolute(), folder.absolute())
    photos = (i for i in data.items if not any((root / i.image).is_relative_to(m) for m in made))
    return replace(data, items=tuple(photos))
