"""Predictors on labels: answers are saved first, and every figure is computed from the file.

In the folder of results: ``metrics.json``, ``table.md``, and for each run and set a folder
``RUN-on-SET-DIGEST`` with ``predictions.csv``, ``report.html`` and ``plots/``. The digest is of the
run's weights and of the labels, so that what is there is not computed again, and never mistaken
for another's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, SightlineError
from sightline.learning.cache import build_rows
from sightline.learning.judging import judge_all, named_runs, named_sets, write_judged
from sightline.learning.runs import CONFIG, WEIGHTS, read_run_table, trained_in
from sightline.records.files import digest, digest_files
from sightline.records.utility import UtilitySet, read_labels
from sightline.records.utility_files import is_labels, outcome
from sightline.tasks.utility.answers import Answers, answers_of, read_answers, write_answers
from sightline.tasks.utility.baselines import Decided, decide_all, fit_levels
from sightline.tasks.utility.config import Aim, read_config
from sightline.tasks.utility.measures import metric_values
from sightline.tasks.utility.metrics import SourceDraws
from sightline.tasks.utility.samples import Copies, labelled, made_of, photo_stats, source_of
from sightline.tasks.utility.scores import score_ahead, score_answers, score_decisions

Progress = Callable[[str, float], None]

PREDICTIONS = "predictions.csv"

#: The split that stands for every image of a set.
ALL = "all"

#: Baselines' thresholds are chosen on so many images, drawn by a seed.
_FITTED_ON = 2000

_THREADS = 2


@dataclass(frozen=True, eq=False)
class JudgedUtility:
    """What a run said of a set's images.

    Attributes:
        run: Its name, different from the other runs'.
        run_dir: Its folder.
        threshold: From which probability on it calls an image useful.
        data: The judged images, in the order of ``answers``.
        name: Of the set, different from the other sets'.
        folder: Where answers and report lie.
        answers: Read from the file; of images without a label too.
        baselines: By name, for the images with a label.
        fitted_on: What the baselines' thresholds were chosen on, in words.
        left_out: Images whose photo does not read.
    """

    run: str
    run_dir: Path
    threshold: float
    data: UtilitySet
    name: str
    folder: Path
    answers: Answers
    baselines: dict[str, Decided]
    fitted_on: str
    left_out: int


def evaluate_runs(
    runs: Sequence[Path],
    sets: Sequence[UtilitySet],
    out: Path,
    progress: Progress = lambda _stage, _fraction: None,
    *,
    split: str = "test",
) -> dict[str, Any]:
    """Return the scores of every run on every set, rules without a network beside each.

    A killed call goes on where it stopped. Images without a label are counted by reason and not
    scored (PITFALL 22).

    Args:
        runs: Run folders.
        sets: Labels.
        out: Folder of the results.
        progress: Called with a stage text and the fraction done.
        split: What is judged of each set; ``all``: everything.

    Returns:
        ``folder``, ``split`` and ``judged``: for each run and set ``run``, ``run_dir``, ``set``,
        ``folder``, ``task``, ``machines``, ``operator``, ``left_out``, ``fitted_on``; ``scores``
        (:func:`.scores.score_answers`); ``baselines``: for each rule
        :func:`.scores.score_decisions`, ``rule`` (what it says, in words) and ``ahead``.

    Raises:
        InputError: No run or no set, the same one twice, a split without a labelled image, or no
            image can be read.
        WeightsError: A run that has not ended.
    """
    from sightline.tasks.utility.report import write_report, write_table

    judged = judge_runs(runs, sets, out, progress, split=split)
    tables = [_metrics(one) for one in judged]
    return write_judged(judged, tables, out, split, write_table, write_report, progress)


def judge_runs(
    runs: Sequence[Path],
    sets: Sequence[UtilitySet],
    out: Path,
    progress: Progress = lambda _stage, _fraction: None,
    *,
    split: str = "test",
) -> list[JudgedUtility]:
    """Return the saved answers of runs on sets, made where they are not there yet.

    The same as :func:`evaluate_runs`, for further use of the answers; no report is written.
    """
    named = named_runs(runs, "utility")
    if not sets:
        raise InputError("labels to judge on are wanted, no set came")

    def judge(
        run_name: str, run: Path, set_name: str, data: UtilitySet, part: Progress
    ) -> JudgedUtility:
        return _judge(run, run_name, data, set_name, out, split, part)

    return judge_all(named, named_sets(sets, "set of labels"), judge, out, progress)


def run_labels(run_dir: Path) -> UtilitySet:
    """Return the labels that a run was trained on.

    Raises:
        InputError: They are neither around the run folder nor where they were.
    """
    for place in trained_in(run_dir):
        if is_labels(place):
            return read_labels(place)
    recorded = str(read_run_table(run_dir).get("folder", "")) or "another machine"
    raise InputError(
        f"{run_dir} was trained on the labels of {recorded}, which are not there any more; name a "
        "folder of labels"
    )


def _judge(
    run: Path,
    run_name: str,
    data: UtilitySet,
    set_name: str,
    out: Path,
    split: str,
    progress: Progress,
) -> JudgedUtility:
    part = data if split == ALL else data.part(split)
    if not labelled(part).items:
        has = Counter(i.split for i in data.items if i.utility is not None)
        there = ", ".join(f"{count} {name}" for name, count in has.items()) or "none anywhere"
        raise InputError(
            f"{data.root}: {'' if split == ALL else split + ' '}images with a label are wanted, "
            f"there are {len(part)} without one (with one: {there}); label more images"
        )
    weights = digest_files([run / CONFIG, run / WEIGHTS], names=False)
    key = digest(weights, _labels_key(part))[:8]
    folder = out / f"{_file_name(run_name)}-on-{_file_name(set_name)}-{key}"
    if not (folder / PREDICTIONS).is_file():
        write_answers(folder / PREDICTIONS, _answers(run, part, folder, progress))
    answers = read_answers(folder / PREDICTIONS)
    kept = set(zip(answers.images, answers.seeds, answers.augmented, map(str, answers.distortions),
                   strict=True))  # fmt: skip
    there_items = tuple(
        i
        for i in part.items
        if (i.image.as_posix(), i.seed, i.augmented, str(i.distortion)) in kept
    )
    aim = read_config(run / CONFIG).threshold_for  # the rules are to have the same
    baselines, fitted_on = _baselines(data, answers.scored(), split, aim, progress)
    threshold = float(read_run_table(run).get("threshold", 0.5))
    return JudgedUtility(
        run_name, run, threshold, replace(part, items=there_items), set_name, folder, answers,
        baselines, fitted_on, len(part) - len(answers),
    )  # fmt: skip


def _labels_key(part: UtilitySet) -> str:
    """Return a digest of what is judged; not of where it lies."""
    sizes = [stat[:2] for stat in photo_stats(part)]
    items = [
        [made_of(i), i.split, source_of(i), outcome(i), i.bytes, [m.energy for m in i.machines]]
        for i in part.items
    ]
    return digest(items, sizes)


def _answers(run: Path, part: UtilitySet, folder: Path, progress: Progress) -> Answers:
    """Return a run's answers for all images whose photo reads.

    Raises:
        InputError: None does; the message names the first.
    """
    probability = _probabilities(run, part, folder, progress)
    read = np.isfinite(probability)
    if not read.any():
        Copies(part.images_root, part.items)(0)  # raises, and says why
        raise InputError(f"{part.images_root}: images that can be read are wanted, there are none")
    rows = np.flatnonzero(read)
    items = tuple(part.items[k] for k in rows)
    measures = metric_values(replace(part, items=items), progress)
    return answers_of(items, [source_of(i) for i in items], probability[rows], measures)


def _probabilities(
    run: Path, part: UtilitySet, folder: Path, progress: Progress
) -> NDArray[np.float32]:
    """Return (N,) probabilities, NaN where a photo does not read; goes on after a kill."""
    from sightline.tasks.utility.predict import load_predictor
    from sightline.tasks.utility.samples import Photo, frame_of

    model = load_predictor(run)
    images = Copies(part.images_root, part.items)
    path = folder / "probability.npy"

    def frame(index: int) -> Photo | None:
        try:
            return frame_of(images(index)[1], model.config.frame_px)
        except SightlineError:
            return None

    with ThreadPoolExecutor(_THREADS, "images") as pool:

        def fill(todo: Sequence[int]) -> NDArray[np.float32]:
            frames = list(pool.map(frame, todo))
            there = [k for k, one in enumerate(frames) if one is not None]
            found = np.full(len(todo), np.nan, np.float32)
            if there:
                stack = np.stack([one for one in frames if one is not None])
                found[there] = model.frames_utility(stack)
            return found

        if not path.is_file():
            build_rows(
                path,
                (len(part),),
                np.float32,
                fill=fill,
                report=lambda fraction: progress(f"{model.name} on {part.name}", fraction),
                chunk=64,
            )
    found: NDArray[np.float32] = np.load(path, allow_pickle=False)
    path.unlink()  # predictions.csv, written next, says the same
    return found


def _baselines(
    data: UtilitySet, scored: Answers, split: str, aim: Aim, progress: Progress
) -> tuple[dict[str, Decided], str]:
    """Return what rules say of the judged images, and what their thresholds were chosen on."""
    # copies for balance are of the rarer class alone: no rule may take their levels for its mark
    data = replace(data, items=tuple(item for item in data.items if not item.augmented))
    training, held_out = labelled(data.part("train")), labelled(data.part("validation"))
    chosen_on = held_out if split != "validation" and _has_both(held_out) else training
    if not _has_both(chosen_on):
        return {}, ""
    count = min(len(chosen_on), _FITTED_ON)
    drawn = np.sort(np.random.default_rng(0).choice(len(chosen_on), count, replace=False))
    fitting = replace(chosen_on, items=tuple(chosen_on.items[k] for k in drawn))
    sources = [source_of(item) for item in fitting.items]
    fitted = answers_of(fitting.items, sources, np.zeros(count), metric_values(fitting, progress))
    known = training if training.items else chosen_on
    levels = fit_levels(
        [item.distortion for item in known.items],
        np.array([item.utility == 1 for item in known.items]),
    )
    part = "validation" if chosen_on is held_out else "training"
    return decide_all(scored, levels, fitted, aim), f"{count} {part} images"


def _has_both(data: UtilitySet) -> bool:
    return len({item.utility for item in data.items}) == 2


def _metrics(one: JudgedUtility) -> dict[str, Any]:
    scored = one.answers.scored()
    draws = SourceDraws(scored.sources)
    right = (scored.probability >= one.threshold) == scored.useful
    baselines = {
        name: score_decisions(scored, decided, draws)
        | {"rule": decided.rule, "ahead": score_ahead(right, decided, scored, draws)}
        for name, decided in one.baselines.items()
    }
    return {
        "run": one.run,
        "run_dir": str(one.run_dir),
        "set": one.name,
        "folder": str(one.folder),
        "task": one.data.task,
        "machines": list(one.data.machines),
        "operator": one.data.operator,
        "left_out": one.left_out,
        "scores": score_answers(one.answers, one.threshold),
        "baselines": baselines,
        "fitted_on": one.fitted_on,
    }


def _file_name(name: str) -> str:
    kept = "".join(c if c.isalnum() else "-" for c in name)
    return kept.strip("-")[:40] or "utility"
