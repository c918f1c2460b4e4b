"""Tables I and II: how well utility is foreseen, by the networks that define it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper004 import answers
from sightline.app.papers.paper004.conclusions import combined_note, target_notes
from sightline.app.papers.paper004.intervals import Share, share
from sightline.app.papers.paper004.measures import level_scores, measures
from sightline.app.papers.paper004.published import COMMON, NOTES, TABLE_1, TABLE_2
from sightline.app.papers.paper004.study import Kind, Study, Task
from sightline.app.papers.results import Section
from sightline.errors import InputError
from sightline.records.utility import LabelCounts, UtilitySet
from sightline.records.utility_files import count_labels
from sightline.tasks.utility.metrics import area_under_roc, best_threshold, decision_scores
from sightline.tasks.utility.samples import labelled

NONE = "-"
#: The row of other distortions beside compression.
MIXED = "common, mixed distortions"
_EVEN = 0.5
_HEADER = (
    "labels of", "predictor % (95%)", "balanced %", "AUC", "JPEG quality alone %",
    "ahead by (95%)", "best other baseline %", "commoner label %", "useful / no use",
    "between / differ / pristine failed", "paper %",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Accuracy:
    """One predictor on the labelled test pictures.

    Attributes:
        predictor: Share of its decisions that are right.
        balanced: Mean of the shares of useful and useless pictures that are right.
        area: Under its ROC curve.
        level: Share that the distortion and its level alone have right: the JPEG quality.
        ahead: How much more the predictor has right.
        best_other: Name and share of the best of the other baselines.
        commoner: Share of the commoner label.
        counts: Of all test pictures.
    """

    predictor: Share
    balanced: float | None
    area: float
    level: Share
    ahead: Share
    best_other: tuple[str, float]
    commoner: float
    counts: LabelCounts

    def to_values(self) -> dict[str, Any]:
        """Return all numbers for JSON, None for NaN."""
        name, best = self.best_other
        return {
            "predictor": self.predictor.to_values(),
            "balanced": self.balanced,
            "auc": self.area if np.isfinite(self.area) else None,
            "level": self.level.to_values(),
            "ahead": self.ahead.to_values(),
            "best_other": {name: best} if name else {},
            "commoner": self.commoner,
            "counts": asdict(self.counts),
        }


def table1(study: Study, folder: Path) -> Section:
    """Return Table I: predictors for classifiers."""
    return _table(study, "classification", "table-1", "Table I", TABLE_1)


def table2(study: Study, folder: Path) -> Section:
    """Return Table II: predictors for detectors."""
    return _table(study, "detection", "table-2", "Table II", TABLE_2)


def accuracy(study: Study, task: Task, machine: str, kind: Kind = "jpeg") -> Accuracy:
    """Return how well the predictor of a machine's labels foresees them, on held-out sources."""
    data = study.labels_of(task, machine, kind)
    test, validation = labelled(data.part("test")), labelled(data.part("validation"))
    if not test.items:
        raise InputError(
            f"{data.name}: test pictures with a label are wanted, there are none; take more "
            "--images, or other --qualities"
        )
    truth = _truth(test)
    model = study.predictor(task, machine, kind)
    judged = study.folder / "judged"
    utility = answers.utilities(model, test, judged, study.progress)
    # a picture that does not read is not let through
    said = np.nan_to_num(utility, nan=-1.0) >= model.threshold
    trained = data.part("train")
    by_level = decisions(
        level_scores(trained, validation), level_scores(trained, test), _truth(validation)
    )
    level = by_level == truth
    others = (measures(part, judged, study.progress) for part in (validation, test))
    decided = {name: decisions(*pair, _truth(validation)) for name, pair in _pairs(*others).items()}
    right, where = said == truth, answers.sources(test)
    scores = decision_scores(said, truth)
    best = {name: float((one == truth).mean()) for name, one in decided.items()}
    name = max(best, key=lambda key: best[key], default="")
    return Accuracy(
        predictor=share(right, where),
        balanced=scores["balanced_accuracy"],
        area=area_under_roc(np.nan_to_num(utility, nan=-1.0), truth),
        level=share(level, where),
        ahead=share(right.astype(np.float64) - level, where),
        best_other=(name, best[name]) if name else ("", float("nan")),
        commoner=float(max(truth.mean(), 1 - truth.mean())),
        counts=count_labels(data.part("test").items, len(data.machines)).combined,
    )


def decisions(
    known: NDArray[np.float64], scores: NDArray[np.float64], truth: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return (N,) what a score alone says is useful, by the threshold that a predictor's gets too.

    Args:
        known: (V,) scores of validation pictures.
        scores: (N,) of the pictures to decide on; NaN is never useful.
        truth: (V,) whether validation pictures are useful.
    """
    there = np.isfinite(known)
    flip = 1.0
    if there.any() and area_under_roc(known[there], truth[there]) < _EVEN:
        flip = -1.0  # energy falls, and so may others, where images grow useful
    threshold = best_threshold(flip * known[there], truth[there]) if there.any() else None
    if threshold is None:  # one class alone: everything is called that
        return np.full(len(scores), bool(truth.all()))
    with np.errstate(invalid="ignore"):
        return np.asarray(flip * scores >= threshold)


def _table(study: Study, task: Task, key: str, title: str, published: Mapping[str, str]) -> Section:
    machines = study.labels(task).machines
    wanted: dict[str, tuple[str, Kind]] = {name: (name, "jpeg") for name in machines}
    wanted[COMMON] = (COMMON, "jpeg")
    if study.config.distort:
        wanted[MIXED] = (COMMON, "mixed")
    found = {name: accuracy(study, task, *what) for name, what in wanted.items()}
    rows = [_row(name, one, published.get(name, NONE)) for name, one in found.items()]
    blank = (NONE,) * (len(_HEADER) - 2)
    rows += [(name, *blank, cell) for name, cell in published.items() if name not in found]
    shares = {name: found[name].predictor.value for name in (*machines, COMMON)}
    return Section(
        key,
        f"{title}: accuracy of the predictor, trained for the utility of "
        f"{'classifiers' if task == 'classification' else 'detectors'}",
        _HEADER,
        tuple(rows),
        (
            _settings(study, task),
            *target_notes({name: found[name] for name in wanted if name in (COMMON, MIXED)}),
            combined_note(shares, title),
            *NOTES[key],
        ),
        values={name: one.to_values() for name, one in found.items()},
    )


def _row(name: str, one: Accuracy, paper: str) -> tuple[str, ...]:
    counts = one.counts
    other, best = one.best_other
    return (
        name,
        one.predictor.percent(),
        NONE if one.balanced is None else f"{100 * one.balanced:.1f}",
        f"{one.area:.3f}" if np.isfinite(one.area) else NONE,
        one.level.percent(),
        one.ahead.percent(),
        f"{100 * best:.1f} ({other})" if other else NONE,
        f"{100 * one.commoner:.1f}",
        f"{counts.useful} / {counts.useless}",
        f"{counts.between} / {counts.disagreeing} / {counts.failed}",
        paper,
    )


def _settings(study: Study, task: Task) -> str:
    config, data = study.config, study.labels(task)
    sources = {
        split: len(set(answers.sources(data.part(split))))
        for split in ("train", "validation", "test")
    }
    budget = f"{config.minutes:g} minutes" if config.minutes else f"{config.epochs} epochs"
    return (
        f"{len({i.image for i in data.items})} pictures of {sources['train']} + "
        f"{sources['validation']} + {sources['test']} sources (training, validation, test), JPEG "
        f"qualities {config.qualities}; {config.backbone} at {config.width:g} of its channels from "
        f"{config.weights} weights, {config.frame_px} px, {budget} each; balanced copies are in "
        "the training part alone; every threshold, of predictors and of baselines, is chosen on "
        "validation for the best balanced accuracy"
    )


def _truth(data: UtilitySet) -> NDArray[np.bool_]:
    return np.array([item.utility == 1 for item in data.items], dtype=bool)


def _pairs(
    first: Mapping[str, NDArray[np.float64]], second: Mapping[str, NDArray[np.float64]]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return both parts' values of each metric that says something of both."""
    return {
        name: (first[name], second[name])
        for name in first
        if np.isfinite(first[name]).any() and np.isfinite(second[name]).any()
    }
