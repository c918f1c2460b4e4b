"""Runs on object sets: predictions are saved first, and every figure is computed from the file.

In the folder of results: ``metrics.json``, ``table.md``, and for each run and set a folder
``RUN-on-SET-DIGEST`` with ``predictions.csv``, ``report.html`` and ``plots/``. The digest is of the
run's weights and of the objects, so that what is there is not computed again, and never mistaken
for another's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sightline.errors import InputError, MediaError
from sightline.learning.judging import judge_all, named_runs, named_sets, write_judged
from sightline.learning.runs import CONFIG, WEIGHTS, read_run_table, trained_in
from sightline.media import read_photo
from sightline.records.files import digest, digest_files
from sightline.records.objects import ObjectSet, ObjectView
from sightline.tasks.objects.metrics import constant_predictions, score_predictions
from sightline.tasks.objects.predictions import (
    ObjectPredictions,
    read_predictions,
    write_predictions,
)

Progress = Callable[[str, float], None]

PREDICTIONS = "predictions.csv"

#: The split that stands for every object of a set.
ALL = "all"


@dataclass(frozen=True, eq=False)
class JudgedObjects:
    """What a run said of a set's objects.

    Attributes:
        run: Its name, different from the other runs'.
        run_dir: Its folder.
        data: The objects that are judged, the set's own categories kept.
        name: Of the set, different from the other sets'.
        folder: Where predictions and report lie.
        predictions: Read from the file, in the order of ``data``.
        constant: Of one who looks at nothing (:func:`constant_predictions`); None where no
            training objects are known.
        constant_of: Name of the set that he knows the training part of.
        unknown: Objects of categories that the run does not know, left out.
    """

    run: str
    run_dir: Path
    data: ObjectSet
    name: str
    folder: Path
    predictions: ObjectPredictions
    constant: ObjectPredictions | None
    constant_of: str
    unknown: dict[str, int]


def evaluate_runs(
    runs: Sequence[Path],
    sets: Sequence[ObjectSet],
    out: Path,
    progress: Progress = lambda _stage, _fraction: None,
    *,
    split: str = "test",
) -> dict[str, Any]:
    """Return the scores of every run on every set, a constant predictor beside each.

    A killed call goes on where it stopped, run by run and set by set.

    Args:
        runs: Run folders.
        sets: With true categories or poses.
        out: Folder of the results.
        progress: Called with a stage text and the fraction done.
        split: What is judged of each set; a set without splits is judged whole, as with ``all``.

    Returns:
        ``folder``, ``split`` and ``judged``: a table for each run and set: ``run``, ``run_dir``,
        ``set``, ``folder``, ``unknown`` (left out, by category), ``left_out`` (when the set was
        read, by reason), ``notes`` (of the set), ``scores``
        (:func:`sightline.tasks.objects.metrics.score_predictions`), and ``constant``: the same
        scores of the constant predictor with ``of``, whose training part it knows; or None.

    Raises:
        InputError: No run or no set, the same one twice, a set without that split, or without any
            category that the run knows.
        WeightsError: A run that has not ended.
        MediaError: No image can be read; those that cannot beside others are left out and counted.
    """
    from sightline.tasks.objects.report import write_report, write_table

    judged = judge_runs(runs, sets, out, progress, split=split)
    tables = [_metrics(one) for one in judged]
    return write_judged(judged, tables, out, split, write_table, write_report, progress)


def judge_runs(
    runs: Sequence[Path],
    sets: Sequence[ObjectSet],
    out: Path,
    progress: Progress = lambda _stage, _fraction: None,
    *,
    split: str = "test",
) -> list[JudgedObjects]:
    """Return the saved answers of runs on sets, made where they are not there yet.

    The same as :func:`evaluate_runs`, for further use of the answers; no report is written.
    """
    named = named_runs(runs, "objects")
    if not sets:
        raise InputError("objects to judge on are wanted, no set came")

    def judge(
        run_name: str, run: Path, set_name: str, data: ObjectSet, part: Progress
    ) -> JudgedObjects:
        return _judge(run, run_name, data, set_name, out, split, part)

    return judge_all(named, named_sets(sets, "object set"), judge, out, progress)


def chosen_part(data: ObjectSet, split: str) -> ObjectSet:
    """Return a split of a set; the whole set where it has no splits, or for ``all``.

    Raises:
        InputError: It has splits, and not that one.
    """
    return data if split == ALL or set(data.splits()) == {""} else data.part(split)


def objects_digest(data: ObjectSet) -> str:
    """Return a digest of a set's views and the sizes of their files; not of where it lies."""
    views = [replace(view, image=Path(view.image.as_posix())) for view in data.views]
    sizes = {view.image.as_posix(): _size(data.path(view)) for view in data.views}
    return digest(views, sizes)


def run_objects(run_dir: Path) -> ObjectSet:
    """Return the object set that a run was trained on.

    Raises:
        InputError: It is neither around the run folder nor where it was.
    """
    from sightline.datasets.objects import open_objects

    recorded = str(read_run_table(run_dir).get("folder", ""))
    for place in trained_in(run_dir):
        try:
            return open_objects(place)
        except InputError:
            continue
    raise InputError(
        f"{run_dir} was trained on the objects of {recorded or 'another machine'}, which are not "
        "there any more; name an object set"
    )


def _judge(
    run: Path,
    run_name: str,
    data: ObjectSet,
    set_name: str,
    out: Path,
    split: str,
    progress: Progress,
) -> JudgedObjects:
    categories = _run_categories(run)
    part = chosen_part(data, split)
    known = tuple(view for view in part.views if view.category in categories)
    if not known:
        raise InputError(
            f"{data.root}: objects of {', '.join(categories)} are wanted, which {run} knows; "
            f"there are {', '.join(sorted({view.category for view in part.views})) or 'none'}"
        )
    unknown = Counter(view.category for view in part.views if view.category not in categories)
    judged = replace(part, views=known)
    weights = digest_files([run / CONFIG, run / WEIGHTS], names=False)
    key = digest(weights, objects_digest(judged))[:8]
    folder = out / f"{_file_name(run_name)}-on-{_file_name(set_name)}-{key}"
    if not (folder / PREDICTIONS).is_file():
        write_predictions(folder / PREDICTIONS, _answers(run, judged, progress))
    predictions = read_predictions(folder / PREDICTIONS)
    judged = _of_images(judged, set(predictions.images))
    train, constant_of = _training_views(run, data, judged, categories)
    constant = constant_predictions(train, judged.views, categories) if train else None
    return JudgedObjects(
        run_name, run, judged, set_name, folder, predictions, constant, constant_of, dict(unknown)
    )


def _answers(run: Path, data: ObjectSet, progress: Progress) -> ObjectPredictions:
    """Return a run's answers for all objects whose pictures can be read.

    Raises:
        MediaError: None can be read; the message names the first.
    """
    from sightline.tasks.objects.predict import load_run

    model = load_run(run)
    try:
        return model.predict_views(data, progress)
    except MediaError:
        whole = {v.image.as_posix() for v in data.views if _is_readable(data.path(v))}
        if not whole:
            raise
    return model.predict_views(_of_images(data, whole), progress)


def _of_images(data: ObjectSet, images: set[str]) -> ObjectSet:
    """Return the objects in some of the pictures; the others are counted as left out."""
    views = tuple(view for view in data.views if view.image.as_posix() in images)
    if len(views) == len(data.views):
        return data
    first = next(v.image for v in data.views if v.image.as_posix() not in images)
    reason = f"damaged image (first: {data.root / first})"
    return replace(
        data, views=views, left_out=(*data.left_out, (reason, len(data.views) - len(views)))
    )


def _is_readable(image: Path) -> bool:
    try:
        read_photo(image)
    except MediaError:
        return False
    return True


def _training_views(
    run: Path, data: ObjectSet, judged: ObjectSet, categories: Sequence[str]
) -> tuple[list[ObjectView], str]:
    """Return what the constant predictor learns from: the set's own training part, or the run's."""
    there = {view.category for view in judged.views}
    own = _teaching(data, categories)
    if there <= {view.category for view in own}:
        return own, data.name
    try:
        trained = run_objects(run)
    except InputError:  # the training data are not on this machine
        return [], ""
    return _teaching(trained, categories), trained.name


def _teaching(data: ObjectSet, categories: Sequence[str]) -> list[ObjectView]:
    return [
        view
        for view in data.views
        if view.split == "train"
        and not view.rendered
        and view.category in categories
        and view.cam_from_object is not None
    ]


def _metrics(one: JudgedObjects) -> dict[str, Any]:
    constant = None
    if one.constant is not None:
        constant = {"of": one.constant_of} | score_predictions(one.constant)
    return {
        "run": one.run,
        "run_dir": str(one.run_dir),
        "set": one.name,
        "folder": str(one.folder),
        "unknown": one.unknown,
        "left_out": dict(one.data.left_out),
        "notes": list(one.data.notes),
        "scores": score_predictions(one.predictions),
        "constant": constant,
    }


def _run_categories(run: Path) -> tuple[str, ...]:
    categories = tuple(str(name) for name in read_run_table(run).get("categories", ()))
    if not categories:
        raise InputError(f"{run / CONFIG}: the categories are wanted in [run], there are none")
    return categories


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1  # whoever reads the image says that it is missing


def _file_name(name: str) -> str:
    kept = "".join(c if c.isalnum() else "-" for c in name)
    return kept.strip("-")[:40] or "objects"
