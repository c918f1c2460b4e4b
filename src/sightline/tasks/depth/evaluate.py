"""Models on depth sets: predictions are saved first, and every figure is computed from the files.

In the folder of results: ``metrics.json``, ``table.md``, and a folder for each set with
``scores.csv`` (each image by each model), ``report.html``, ``plots/`` and a folder of predictions
for each model. Folders are named by digests of the images and of the model, so that what is there
is not predicted again, and never mistaken for another's.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline.datasets.depth import open_depth
from sightline.errors import InputError
from sightline.learning.judging import told_apart
from sightline.records.depth import DepthImage, DepthSet
from sightline.records.files import digest, locked_folder, write_json, write_text
from sightline.tasks.depth.align import Alignment, default_alignments
from sightline.tasks.depth.baselines import fit_baselines
from sightline.tasks.depth.judging import ROW_COLUMNS, Protocol, Tally
from sightline.tasks.depth.label_scores import label_counts
from sightline.tasks.depth.maps import DepthModel
from sightline.tasks.depth.metrics import KITTI_MAX_DEPTH_M, NYU_MAX_DEPTH_M, Crop
from sightline.tasks.depth.predictions import (
    BaselineMaps,
    LabelMaps,
    Maps,
    file_stem,
    images_digest,
    save_predictions,
)
from sightline.tasks.depth.scoring import DepthScoring

Progress = Callable[[str, float], None]

METRICS_FILE = "metrics.json"
SCORES = "scores.csv"

#: So many left-out files are named in the metrics; all are counted.
_NAMED = 100


@dataclass(frozen=True, eq=False)
class JudgedSet:
    """What models said of a set's images, added up.

    Attributes:
        data: The judged images.
        name: Of the set, different from the other sets'.
        split: What of it was taken.
        protocol: Which pixels are judged.
        folder: Where report and predictions lie.
        tallies: One for each model and alignment, models first.
        failed: By image, why it was left out.
    """

    data: DepthSet
    name: str
    split: str
    protocol: Protocol
    folder: Path
    tallies: tuple[Tally, ...]
    failed: dict[str, str]


def evaluate_models(
    models: Sequence[DepthModel],
    data: DepthSet,
    out: Path,
    scoring: DepthScoring | None = None,
    progress: Progress = lambda _stage, _fraction: None,
) -> dict[str, Any]:
    """Return the scores of models on one set, the predictors that never look beside them.

    The same as :func:`evaluate_sets` with one set.
    """
    return evaluate_sets(models, [data], out, scoring or DepthScoring(), progress)


def evaluate_sets(
    models: Sequence[DepthModel],
    sets: Sequence[DepthSet],
    out: Path,
    scoring: DepthScoring,
    progress: Progress = lambda _stage, _fraction: None,
    *,
    labels: Sequence[DepthSet] = (),
) -> dict[str, Any]:
    """Return the scores of every model on every set.

    A killed call goes on where it stopped, image by image. All models are judged on the same
    pixels of the same images: one that does not read is left out for all.

    Args:
        models: May be none where there are labels or baselines.
        sets: With true depth in metres; may be none where there are labels.
        out: Folder of the results.
        scoring: What is judged and how.
        progress: Called with a stage text and the fraction done.
        labels: Sets whose depth networks wrote: judged as models on the sets that have their
            images.

    Returns:
        ``folder``; ``judged``: for each set ``set``, ``root``, ``split``, ``folder``,
        ``protocol``, ``images``, ``left_out`` (by reason), ``left_out_files``, ``notes`` and
        ``scores``, for each model and alignment (:meth:`.judging.Tally.table`); ``labels``: for
        each folder of labels what is in it; ``notes``: what was judged and left out, in sentences.

    Raises:
        InputError: Nothing to judge or to judge on, metres without alignment wanted of a relative
            model, a set of which nothing can be judged.
    """
    if not models and not labels and not scoring.baselines:
        raise InputError("a model to judge is wanted, none came")
    if not sets and not labels:
        raise InputError("images with depth to judge on are wanted, no set came")
    names = told_apart([(data.name, data.root) for data in sets], "depth set")
    models = _apart(models)
    if sets:
        _refuse_unaligned(models, labels, scoring)
    judged: list[JudgedSet] = []
    out.mkdir(parents=True, exist_ok=True)
    with locked_folder(out):
        for index, (data, name) in enumerate(zip(sets, names, strict=True)):

            def part(stage: str, fraction: float, index: int = index) -> None:
                progress(stage, (index + fraction) / len(sets))

            judged.append(_judge(models, labels, data, name, out, scoring, part))
        tables = [_metrics(one) for one in judged]
        metrics: dict[str, Any] = {
            "folder": str(out),
            "judged": tables,
            "labels": [label_counts(one) for one in labels],
        }
        from sightline.tasks.depth.report import summary, write_report, write_table

        metrics["notes"] = summary(metrics)
        write_json(out / METRICS_FILE, metrics)
        write_table(out, metrics)
        for one, table in zip(judged, tables, strict=True):
            progress(f"report of {one.name}", 1.0)
            _write_scores(one)
            write_report(one, table, scoring.pictures)
    progress("scored", 1.0)
    return metrics


def protocol_of(data: DepthSet, scoring: DepthScoring) -> Protocol:
    """Return which pixels of a set are judged: as told, else as is usual for the set."""
    name = data.name.lower()
    crop: Crop = "none"
    cap: float | None = None
    if data.benchmark == "nyuv2" or (not data.benchmark and "nyu" in name):
        crop, cap = "eigen", NYU_MAX_DEPTH_M
    elif data.benchmark == "kitti" or "kitti" in name:
        crop, cap = "garg", KITTI_MAX_DEPTH_M
    if scoring.crop != "auto":
        crop = scoring.crop
    return Protocol(crop, scoring.min_depth_m, scoring.max_depth_m or cap)


def chosen_part(data: DepthSet, split: str) -> tuple[DepthSet, str]:
    """Return a split of a set and its name; ``auto``: test, else validation, else all.

    Raises:
        InputError: It has no such split.
    """
    splits = data.splits()
    if split == "auto":
        split = next((name for name in ("test", "validation") if splits.get(name)), "all")
    if split == "all":
        return data, "all"
    if not splits.get(split):
        there = ", ".join(name for name in splits if name) or "none"
        raise InputError(f"{data.root}: the split {split} is wanted, there are: {there}")
    return data.part(split), split


def _judge(
    models: Sequence[DepthModel],
    labels: Sequence[DepthSet],
    data: DepthSet,
    name: str,
    out: Path,
    scoring: DepthScoring,
    progress: Progress,
) -> JudgedSet:
    labelled = [LabelMaps(one, data.root) for one in labels]
    part, split = _part(data, labelled, scoring)
    protocol = protocol_of(data, scoring)
    part, shapes, failed = _judgeable(part, protocol, progress)
    folder = out / f"{file_stem(name)}-{digest(images_digest(part), shapes)[:8]}"
    maps: list[Maps] = []
    for index, model in enumerate(models):

        def predicting(stage: str, fraction: float, index: int = index) -> None:
            progress(stage, 0.1 + 0.7 * (index + fraction) / len(models))

        key = digest(model.digest)[:8]
        saved, unread = save_predictions(
            model, part, shapes, folder / f"{file_stem(model.name)}-{key}", predicting
        )
        maps.append(saved)
        failed |= unread
    part = _without(part, failed)
    maps += labelled
    alignments = [_chosen(one.unit, scoring) for one in maps]
    if scoring.baselines:
        maps += [BaselineMaps(one) for one in _baselines(part, protocol, scoring)]
    used = tuple(dict.fromkeys(mode for modes in alignments for mode in modes))
    alignments += [used or _chosen("m", scoring)] * (len(maps) - len(alignments))
    tallies = tuple(
        Tally(one, mode) for one, modes in zip(maps, alignments, strict=True) for mode in modes
    )
    failed |= _tally(part, protocol, tallies, progress)
    return JudgedSet(_without(part, failed), name, split, protocol, folder, tallies, failed)


def _part(
    data: DepthSet, labelled: Sequence[LabelMaps], scoring: DepthScoring
) -> tuple[DepthSet, str]:
    """Return the images that are judged, before any is read, and what they are called."""
    if labelled and scoring.split == "auto":
        part, split = data, "labelled"
    else:
        part, split = chosen_part(data, scoring.split)
    if labelled:
        part = replace(part, items=tuple(i for i in part.items if all(o.has(i) for o in labelled)))
        if not part.items:
            raise InputError(
                f"{data.root}: images are wanted that {labelled[0].labels.root} has labels of, "
                "there are none"
            )
    count = scoring.max_images
    if count is None or len(part) <= count:
        return part, split
    taken = np.random.default_rng(scoring.seed).choice(len(part), count, replace=False)
    return replace(part, items=tuple(part.items[i] for i in sorted(taken.tolist()))), split


def _judgeable(
    part: DepthSet, protocol: Protocol, progress: Progress
) -> tuple[DepthSet, list[tuple[int, int]], dict[str, str]]:
    """Return the images with depth to be judged, its (height, width), and why others are not.

    Raises:
        InputError: None can be judged; the first reason is said.
    """
    kept: list[DepthImage] = []
    shapes: list[tuple[int, int]] = []
    failed: dict[str, str] = {}
    for index, item in enumerate(part.items):
        progress(f"read the depth of {part.name}", 0.1 * index / len(part))
        try:
            height, width = protocol.truth(part, item).depth.shape
        except InputError as error:
            failed[item.image.as_posix()] = str(error)
            continue
        kept.append(item)
        shapes.append((height, width))
    if not kept:
        first = next(iter(failed.items()), ("", "it has no images"))
        raise InputError(
            f"{part.root}: images with true depth are wanted, none can be judged "
            f"({': '.join(text for text in first if text)})"
        )
    return replace(part, items=tuple(kept)), shapes, failed


def _without(part: DepthSet, failed: dict[str, str]) -> DepthSet:
    kept = tuple(item for item in part.items if item.image.as_posix() not in failed)
    if not kept:
        image, reason = next(iter(failed.items()))
        raise InputError(f"{part.root}: images that read are wanted, none does ({image}: {reason})")
    return replace(part, items=kept)


def _baselines(part: DepthSet, protocol: Protocol, scoring: DepthScoring) -> Sequence[Any]:
    if scoring.baseline_data is None:
        fitted, on = part, "the judged images themselves"
    else:
        whole = open_depth(scoring.baseline_data)
        train = whole.part("train")
        fitted, on = (train, f"the training part of {whole.name}") if train else (whole, whole.name)
    cap = protocol.max_depth_m or KITTI_MAX_DEPTH_M
    return fit_baselines(fitted, on, min_depth_m=protocol.min_depth_m, max_depth_m=cap)


def _refuse_unaligned(
    models: Sequence[DepthModel], labels: Sequence[DepthSet], scoring: DepthScoring
) -> None:
    """Refuse metres of what has none, before hours go into predictions."""
    if scoring.alignment != "none":
        return
    judged: list[DepthModel | LabelMaps] = [*models, *(LabelMaps(one, one.root) for one in labels)]
    for one in judged:
        if one.unit != "m":
            raise InputError(
                f"a model in metres is wanted for alignment none, {one.name} is relative; "
                "align by median, depth or disparity"
            )


def _chosen(unit: Any, scoring: DepthScoring) -> tuple[Alignment, ...]:
    return default_alignments(unit) if scoring.alignment == "auto" else (scoring.alignment,)


def _tally(
    part: DepthSet, protocol: Protocol, tallies: Sequence[Tally], progress: Progress
) -> dict[str, str]:
    """Judge all images, each read once for all models; return what does not read, and why."""
    failed: dict[str, str] = {}
    for index, item in enumerate(part.items):
        progress(f"judge {part.name}", 0.8 + 0.2 * index / len(part))
        image = item.image.as_posix()
        try:
            truth = protocol.truth(part, item)
            shape = (truth.depth.shape[0], truth.depth.shape[1])
            found = {
                id(one): one.read(item, shape)
                for one in {id(t.maps): t.maps for t in tallies}.values()
            }
        except InputError as error:
            failed[image] = str(error)
            continue
        for tally in tallies:
            tally.add(image, item.source, found[id(tally.maps)], truth)
    return failed


def _metrics(one: JudgedSet) -> dict[str, Any]:
    reasons = Counter(_reason(text) for text in one.failed.values())
    listed = [{"image": image, "reason": text} for image, text in one.failed.items()]
    return {
        "set": one.name,
        "root": str(one.data.root),
        "split": one.split,
        "folder": str(one.folder),
        "protocol": {
            "crop": one.protocol.crop,
            "min_depth_m": one.protocol.min_depth_m,
            "max_depth_m": one.protocol.max_depth_m,
            "said": one.protocol.said(),
        },
        "images": len(one.data),
        "left_out": dict(Counter(dict(one.data.left_out)) + reasons),
        "left_out_files": listed[:_NAMED],
        "notes": list(one.data.notes),
        "scores": [tally.table() for tally in one.tallies],
    }


def _reason(text: str) -> str:
    """Return a reason without the file it is about, so that equal ones are counted together."""
    short = ("without depth", "relative depth, no truth in metres")
    if text in short or text.startswith("no known depth"):
        return text
    if " refuses it: " in text:
        return "refused by a model"
    return "damaged or missing"


def _write_scores(one: JudgedSet) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("model", "alignment", *ROW_COLUMNS))
    for tally in one.tallies:
        for row in tally.rows:
            cells = (row[c] if c == "image" else f"{row[c]:.9g}" for c in ROW_COLUMNS)
            writer.writerow((tally.maps.name, tally.alignment, *cells))
    write_text(one.folder / SCORES, stream.getvalue())


def _apart(models: Sequence[DepthModel]) -> Sequence[DepthModel]:
    """Return the models; the same one twice is refused."""
    counts = Counter(model.digest for model in models)
    twice = [model.name for model in models if counts[model.digest] > 1]
    if twice:
        raise InputError(f"the model {twice[0]} is there twice; leave one out")
    return models
