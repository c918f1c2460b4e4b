"""Many methods on many pair sets: predictions are saved first, every figure comes from them.

In the folder of results: ``predictions.csv`` (one row a pair and method; what is there is not
computed again), ``metrics.json``, ``table.md`` and ``plots/``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import InputError
from sightline.geometry import Camera
from sightline.records.files import locked_folder, write_json
from sightline.records.pairs import ImagePair, PairSet
from sightline.records.views import RelativeMethod, View, read_view
from sightline.tasks.relative.baselines import (
    Baseline,
    ConstantPredictor,
    SamePose,
    training_labels,
)
from sightline.tasks.relative.judged import JudgedSet
from sightline.tasks.relative.metrics import Mask, seen_labels
from sightline.tasks.relative.predictions import (
    Key,
    Prediction,
    append_predictions,
    read_predictions,
    same_truth,
    write_predictions,
)

Progress = Callable[[str, float], None]

PREDICTIONS = "predictions.csv"
METRICS = "metrics.json"

#: Decoded photos kept while pairs are worked through: neighbours in a list share images.
_VIEWS_KEPT = 8


@dataclass(frozen=True, eq=False)
class Subject:
    """A pair set as it is judged.

    Attributes:
        name: Different from the other sets'.
        pairs: The set itself.
        judged: Its pairs with a pose; of its test part alone, where it has one.
        methods: What judges them, baselines last.
        training: Whose labels the baselines know, if they are not the set's own.
    """

    name: str
    pairs: PairSet
    judged: tuple[ImagePair, ...]
    methods: tuple[RelativeMethod, ...]
    training: PairSet | None

    @property
    def method_names(self) -> list[str]:
        """In the order of the tables."""
        return [method.name for method in self.methods]


def evaluate_methods(
    sets: Sequence[PairSet],
    methods: Sequence[RelativeMethod],
    out: Path,
    progress: Progress = lambda _stage, _fraction: None,
    training: PairSet | None = None,
) -> dict[str, Any]:
    """Return the scores of methods on pair sets, a constant and a same-pose predictor beside them.

    A set with a test part is judged on that part. Pairs without a true pose are counted and left
    out; pairs whose truth has no translation are judged by rotation. A killed call goes on where
    it stopped; rows of other sets and methods in the same folder stay.

    Args:
        sets: With true poses.
        methods: With different names.
        out: Folder of the results.
        progress: Called with a stage text and the fraction done.
        training: What networks among the methods were trained on; its ``train`` pairs give the
            baselines their means, and say which labels were seen in training. Where None, a set's
            own ``train`` part does that, or (an oracle, and named so) its own labels.

    Returns:
        ``folder`` and ``sets``: by name, ``pairs``, what was left out, and ``methods`` by name.

    Raises:
        InputError: No set, two methods of one name, a set without poses, a photo that cannot be
            read, or saved rows with another truth.
    """
    subjects = _subjects(sets, methods, training)
    out.mkdir(parents=True, exist_ok=True)
    with locked_folder(out):
        judged = _judge(subjects, out, progress)
        metrics = {
            "folder": str(out),
            "sets": {s.name: _set_metrics(s, j) for s, j in zip(subjects, judged, strict=True)},
        }
        write_json(out / METRICS, metrics)
        from sightline.tasks.relative.report import write_report

        write_report(out, metrics, judged)
    progress("scored", 1.0)
    return metrics


def judge_methods(
    sets: Sequence[PairSet],
    methods: Sequence[RelativeMethod],
    out: Path,
    progress: Progress = lambda _stage, _fraction: None,
    training: PairSet | None = None,
) -> list[JudgedSet]:
    """Return the saved answers of methods on pair sets, made where they are not there yet.

    The same as :func:`evaluate_methods`, for further use of the answers; no report is written.
    """
    subjects = _subjects(sets, methods, training)
    out.mkdir(parents=True, exist_ok=True)
    with locked_folder(out):
        return _judge(subjects, out, progress)


def _subjects(
    sets: Sequence[PairSet], methods: Sequence[RelativeMethod], training: PairSet | None
) -> list[Subject]:
    if not sets:
        raise InputError("image pairs to judge on are wanted, no set came")
    names = Counter(pairs.name for pairs in sets)
    made = []
    for pairs in sets:
        name = pairs.name if names[pairs.name] == 1 else f"{pairs.name} ({pairs.root})"
        part = pairs.part("test") if "test" in pairs.splits() else pairs
        judged = tuple(pair for pair in part.pairs if pair.b_from_a is not None)
        if not judged:
            raise InputError(f"{pairs.root}: pairs with a true pose are wanted, none has one")
        _refuse_twice([f"{pair.image_a}, {pair.image_b}" for pair in judged], f"{pairs.root}: pair")
        known = training or (pairs if "train" in pairs.splits() else None)
        everything = (*methods, *_baselines(known, part))
        _refuse_twice([method.name for method in everything], "method")
        made.append(Subject(name, pairs, judged, everything, known))
    _refuse_twice([subject.name for subject in made], "pair set")
    return made


def _baselines(training: PairSet | None, judged: PairSet) -> tuple[Baseline, Baseline]:
    if training is not None:
        return ConstantPredictor.of(training), SamePose.of(training)
    # nothing was trained: the best any constant could do, which no honest constant reaches
    return ConstantPredictor.of(judged, "constant (oracle: mean of these labels)"), SamePose.of()


def _refuse_twice(names: Sequence[str], what: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{what} {twice[0]!r} is there twice; leave one out")


def _judge(subjects: Sequence[Subject], out: Path, progress: Progress) -> list[JudgedSet]:
    rows = _saved(out / PREDICTIONS, subjects)
    total = sum(len(subject.judged) for subject in subjects)
    done = 0
    for subject in subjects:
        views = lru_cache(_VIEWS_KEPT)(read_view)
        for pair in subject.judged:
            new = _answers(subject, pair, rows, views)
            append_predictions(out / PREDICTIONS, new)
            rows |= {row.key: row for row in new}
            done += 1
            progress(f"{subject.name}: {done} of {total} pairs", done / total)
    # from the file alone, so that scores are the same however often the call was interrupted
    rows = {row.key: row for row in read_predictions(out / PREDICTIONS)}
    return [JudgedSet.of(s.name, s.judged, s.method_names, rows) for s in subjects]


def _saved(path: Path, subjects: Sequence[Subject]) -> dict[Key, Prediction]:
    """Return the rows that are already there, and leave a whole file behind to add others to."""
    rows = {row.key: row for row in read_predictions(path)} if path.is_file() else {}
    for subject in subjects:
        constants = [m for m in subject.methods if isinstance(m, Baseline)]
        for pair in subject.judged:
            images = pair.image_a.as_posix(), pair.image_b.as_posix()
            for method in subject.method_names:
                row = rows.get((subject.name, *images, method))
                if row is not None and not same_truth(row, pair):
                    raise InputError(
                        f"{path} holds another true pose of {images[0]}, {images[1]} in "
                        f"{subject.name}; the set has changed: choose another folder, or delete it"
                    )
            # never an older set's mean: these rows cost nothing to make again
            for constant in constants:
                new = Prediction.of(subject.name, pair, constant.name, constant.estimate())
                rows[new.key] = new
    write_predictions(path, rows.values())
    return rows


def _answers(
    subject: Subject,
    pair: ImagePair,
    rows: dict[Key, Prediction],
    views: Callable[[Path, Camera | None], View],
) -> list[Prediction]:
    images = pair.image_a.as_posix(), pair.image_b.as_posix()
    missing = [m for m in subject.methods if (subject.name, *images, m.name) not in rows]
    if not missing:
        return []
    a = views(subject.pairs.path(pair.image_a), pair.camera_a)
    b = views(subject.pairs.path(pair.image_b), pair.camera_b)
    return [Prediction.of(subject.name, pair, m.name, m.relate(a, b)) for m in missing]


def _set_metrics(subject: Subject, judged: JudgedSet) -> dict[str, Any]:
    pairs, training = subject.pairs, subject.training
    wanted = pairs.part("test") if "test" in pairs.splits() else pairs
    table: dict[str, Any] = {
        "source": pairs.source,
        "unit": pairs.unit,
        "pairs": len(judged),
        "other_parts": len(pairs) - len(wanted),
        "without_truth": len(wanted) - len(judged),
        "without_translation": int((~judged.moved).sum()),
    }
    seen: Mask | None = None
    if training is not None:
        labels = training_labels(training)
        seen = seen_labels(judged.true, labels)
        table["training"] = {
            "set": training.name,
            "pairs": len(labels),
            "seen_labels": int(seen.sum()),
            "pairs_with_training_images": _known_images(subject, training),
        }
    return table | {"methods": judged.metrics(seen)}


def _known_images(subject: Subject, training: PairSet) -> int:
    part = training.part("train") if "train" in training.splits() else training
    known = {
        training.path(image).resolve()
        for pair in part.pairs
        for image in (pair.image_a, pair.image_b)
    }
    root = subject.pairs
    hits = [
        root.path(pair.image_a).resolve() in known or root.path(pair.image_b).resolve() in known
        for pair in subject.judged
    ]
    return int(np.sum(hits))
