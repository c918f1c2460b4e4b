"""Figure 2 and Tables III and IV: unseen networks before and after images of no use went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper004 import answers
from sightline.app.papers.paper004.conclusions import (
    BEFORE,
    IDEAL,
    OWN,
    by_predictor,
    filter_notes,
    replace_notes,
    task_notes,
)
from sightline.app.papers.paper004.drawing import draw_groups
from sightline.app.papers.paper004.filtering import Filtered, filtered, most_useful
from sightline.app.papers.paper004.published import COMMON, NOTES, TABLE_3, TABLE_4
from sightline.app.papers.paper004.replacing import Detections, Replaced
from sightline.app.papers.paper004.study import Study, Task
from sightline.app.papers.results import Section
from sightline.errors import InputError
from sightline.records.utility import UtilitySet

NONE = "-"
ALL = "all pictures"
TASKS: tuple[Task, ...] = ("classification", "detection")
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Judged:
    """Test pictures of a task at the qualities that no predictor has seen.

    Attributes:
        data: With the labels of the machines that label.
        unseen: Names of the machines that do not.
        quality: (N,) JPEG quality.
        sources: What each picture was made of.
    """

    data: UtilitySet
    unseen: tuple[str, ...]
    quality: NDArray[np.float64]
    sources: list[str]

    def labels(self, machine: str = COMMON) -> NDArray[np.float64]:
        """Return (N,) a machine's labels, or the joined ones; NaN where there is none."""
        if machine == COMMON:
            said = [item.utility for item in self.data.items]
        else:
            at = self.data.machines.index(machine)
            said = [item.machines[at].utility for item in self.data.items]
        return np.array([np.nan if one is None else one for one in said])


def judged(study: Study, task: Task) -> Judged:
    """Return the test pictures of a task with what all machines say of them, made where not."""
    data = study.labels(task, "test")
    unseen = data.machines[len(study.specs(task)) :]
    return Judged(data, unseen, answers.qualities(data), answers.sources(data))


def useful(study: Study, of: Judged, trained: Task, machine: str = COMMON) -> Flags:
    """Return (N,) which pictures a predictor lets through."""
    model = study.predictor(trained, machine)
    # a picture that does not read any more is not let through
    return _utility(study, of, trained, machine) >= model.threshold


def figure2(study: Study, folder: Path) -> list[Section]:
    """Return Fig. 2 (a), and (b) where there are boxes."""
    made = [_figure2a(study, folder)]
    return [*made, _figure2b(study, folder)] if study.has_boxes else made


def _figure2a(study: Study, folder: Path) -> Section:
    of = judged(study, "classification")
    passed = _conditions(study, of, "classification")
    rows: list[tuple[str, ...]] = []
    bars: dict[str, dict[str, float]] = {}
    values: dict[str, Any] = {}
    for network in of.unseen:
        correct = answers.right(of.data, network)
        own = {**passed, OWN: of.labels(network) != 0}
        found = {
            name: filtered(correct, keep, of.quality, of.sources) for name, keep in own.items()
        }
        rows += [_filter_row(network, name, one) for name, one in found.items()]
        bars[network] = {name: one.accuracy.value for name, one in found.items()}
        values[network] = {name: _filter_values(one) for name, one in found.items()}
    picture = "figures/figure-2a.png"
    draw_groups(folder / picture, bars, "accuracy", "images left out by")
    return Section(
        "figure-2a",
        "Fig. 2 (a): accuracy of unseen classifiers, images of no use left out",
        ("classifier", "left out by", "accuracy % (95%)", "kept %", "as many at random %",
         "as many by quality %"),
        tuple(rows),
        (_test_note(of), *filter_notes(values), *NOTES["figure-2"]),
        (picture,),
        values,
    )  # fmt: skip


def _figure2b(study: Study, folder: Path) -> Section:
    of = judged(study, "detection")
    passed = _conditions(study, of, "detection")
    rows: list[tuple[str, ...]] = []
    bars: dict[str, dict[str, float]] = {}
    values: dict[str, Any] = {}
    for network in of.unseen:
        found = _detections(study, of, network)
        own = {**passed, OWN: of.labels(network) != 0}
        scores: dict[str, Replaced] = {}
        for name, keep in own.items():
            study.progress(f"mAP of {network}, {name}", 0.0)
            scores[name] = found.controlled(~keep)
        scores[ALL] = found.controlled(np.ones(len(of.data), dtype=bool))
        rows += [_replace_row(network, name, one) for name, one in scores.items()]
        bars[network] = {name: one.score for name, one in scores.items()}
        values[network] = {name: one.to_values() for name, one in scores.items()}
    picture = "figures/figure-2b.png"
    draw_groups(folder / picture, bars, "mAP", "images replaced by")
    return Section(
        "figure-2b",
        "Fig. 2 (b): mAP of unseen detectors, images of no use replaced by uncompressed ones",
        ("detector", "replaced by", "mAP", "replaced %", "as many at random", "as many by quality"),
        tuple(rows),
        (_test_note(of), *replace_notes(values), *NOTES["figure-2"]),
        (picture,),
        values,
    )


def table3(study: Study, _folder: Path) -> Section:
    """Return Table III: unseen classifiers after filtering by predictors of both tasks."""
    of = judged(study, "classification")
    utility = {task: _utility(study, of, task) for task in TASKS}
    kept = {task: useful(study, of, task) for task in utility}
    count = int(kept["classification"].sum())
    same = most_useful(utility["detection"], count)
    rows = []
    values: dict[str, Any] = {}
    for network in of.unseen:
        correct = answers.right(of.data, network)
        found = {
            task: filtered(correct, keep, of.quality, of.sources) for task, keep in kept.items()
        }
        other = filtered(correct, same, of.quality, of.sources)
        first, second = found["classification"], found["detection"]
        paper = TABLE_3.get(network, (NONE, NONE))
        rows.append(
            (
                network,
                f"{100 * first.random:.1f}",
                first.accuracy.percent(),
                second.accuracy.percent(),
                f"{100 * first.kept:.0f} / {100 * second.kept:.0f}",
                other.accuracy.percent(),
                _percent(first.by_quality),
                *paper,
            )
        )
        values[network] = {
            "classification": _filter_values(first),
            "detection": _filter_values(second),
            "detection, as many kept": _filter_values(other),
        }
    return Section(
        "table-3",
        "Table III: accuracy % of unseen classifiers after filtering, by the task trained for",
        ("classifier", "before", "classification trained (95%)", "OD trained (95%)",
         "kept % of each", "OD trained, as many kept", "by quality, as many kept",
         "paper: classification", "paper: OD"),
        (*rows, *_printed(TABLE_3, of.unseen, 7)),
        (_test_note(of), *task_notes(values, "classification", "accuracy"), *NOTES["table-3"]),
        values=values,
    )  # fmt: skip


def table4(study: Study, _folder: Path) -> Section:
    """Return Table IV: unseen detectors after replacing by predictors of both tasks."""
    of = judged(study, "detection")
    utility = {task: _utility(study, of, task) for task in TASKS}
    gone = {task: ~useful(study, of, task) for task in utility}
    count = int(gone["detection"].sum())
    same = ~most_useful(utility["classification"], len(of.data) - count)
    rows = []
    values: dict[str, Any] = {}
    for network in of.unseen:
        study.progress(f"mAP of {network}", 0.0)
        found = _detections(study, of, network)
        before = found.after(np.zeros(len(of.data), dtype=bool))
        first, second = (found.controlled(gone[task]) for task in TASKS[::-1])
        other = found.after(same)
        paper = TABLE_4.get(network, (NONE, NONE))
        rows.append(
            (
                network,
                _map(before),
                _map(first.score),
                _map(second.score),
                f"{100 * first.share:.0f} / {100 * second.share:.0f}",
                _map(other),
                _map(first.by_quality),
                *paper,
            )
        )
        values[network] = {
            "before": before,
            "detection": first.to_values(),
            "classification": second.to_values(),
            "classification, as many replaced": {"map": other},
        }
    return Section(
        "table-4",
        "Table IV: mAP of unseen detectors after replacing, by the task trained for",
        ("detector", "before", "OD trained", "classification trained", "replaced % of each",
         "classification trained, as many replaced", "by quality, as many replaced",
         "paper: OD", "paper: classification"),
        (*rows, *_printed(TABLE_4, of.unseen, 7)),
        (_test_note(of), *task_notes(values, "detection", "map"), *NOTES["table-4"]),
        values=values,
    )  # fmt: skip


def _conditions(study: Study, of: Judged, task: Task) -> dict[str, Flags]:
    """Return which pictures are kept, by whose labels the predictor was trained for."""
    machines = study.labels(task).machines
    keep: dict[str, Flags] = {BEFORE: np.ones(len(of.data), dtype=bool)}
    for machine in machines:
        try:
            keep[by_predictor(machine)] = useful(study, of, task, machine)
        except InputError as error:  # one label alone: the table of accuracies says so too
            study.progress(f"no predictor for {machine}, {error}", 0.0)
    keep[by_predictor(COMMON)] = useful(study, of, task)
    return {**keep, IDEAL: of.labels() != 0}


def _utility(study: Study, of: Judged, trained: Task, machine: str = COMMON) -> NDArray[np.float64]:
    model = study.predictor(trained, machine)
    found = answers.utilities(model, of.data, study.folder / "judged", study.progress)
    return np.nan_to_num(found, nan=-1.0)


def _detections(study: Study, of: Judged, network: str) -> Detections:
    distorted, pristine = answers.detected(of.data, network)
    truths = answers.truths(of.data, network, study.data("detection"))
    return Detections(truths, distorted, pristine, of.quality, study.config.seed)


def _filter_row(network: str, name: str, one: Filtered) -> tuple[str, ...]:
    control = (NONE, NONE)
    if one.kept < 1:
        control = (
            f"{100 * one.random:.1f} +- {100 * one.random_spread:.1f}",
            _percent(one.by_quality),
        )
    return (network, name, one.accuracy.percent(), f"{100 * one.kept:.1f}", *control)


def _replace_row(network: str, name: str, one: Replaced) -> tuple[str, ...]:
    share = f"{100 * one.share:.1f}"
    return (network, name, _map(one.score), share, _map(one.random), _map(one.by_quality))


def _filter_values(one: Filtered) -> dict[str, Any]:
    return {
        "accuracy": one.accuracy.to_values(),
        "kept": one.kept,
        "random": one.random,
        "by_quality": one.by_quality if np.isfinite(one.by_quality) else None,
    }


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if np.isfinite(value) else NONE


def _map(value: float | None) -> str:
    return NONE if value is None or not np.isfinite(value) else f"{value:.3f}"


def _printed(
    table: Mapping[str, tuple[str, str]], measured: Sequence[str], columns: int
) -> list[tuple[str, ...]]:
    """Return the paper's rows of networks that are not measured here."""
    blank = (NONE,) * (columns - 1)
    return [(name, *blank, *cells) for name, cells in table.items() if name not in measured]


def _test_note(of: Judged) -> str:
    levels = ", ".join(f"{quality:g}" for quality in np.unique(of.quality))
    sizes = [item.bytes for item in of.data.items if item.bytes]
    size = f", {np.mean(sizes):.0f} bytes on average" if sizes else ""
    return (
        f"{len(of.data)} test pictures of {len(set(of.sources))} sources, at JPEG qualities that "
        f"no predictor was trained at ({levels}){size}"
    )
