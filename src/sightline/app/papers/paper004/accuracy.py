"""Tables I and II: how well utility is foreseen, by the networks that define it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.app.papers.objects_resnet import start_in_words
from sightline.app.papers.paper004 import answers
from sightline.app.papers.paper004.conclusions import Target, combined_note, target_note
from sightline.app.papers.paper004.intervals import Share
from sightline.app.papers.paper004.published import COMMON, NOTES, TABLE_1, TABLE_2
from sightline.app.papers.paper004.study import Kind, Study, Task
from sightline.app.papers.results import Section
from sightline.errors import InputError
from sightline.tasks.utility.baselines import LEVEL, RULES

NONE = "-"
_TARGETS = {
    "labels": "images without a label are not learned from",
    "confidences": "images between the thresholds are learned from by the machines' confidences",
}
_AIMS = {"accuracy": "accuracy", "balanced": "balanced accuracy"}
#: The row of other distortions beside compression.
MIXED = "common, mixed distortions"
QUALITY = RULES["quality"]
_HEADER = (
    "labels of", "predictor % (95%)", "balanced %", "AUC", f"{QUALITY} % (95%)",
    "ahead by (95%)", "best rule %", "test: useful / no use",
    "between / differ / pristine failed", "paper %",
)  # fmt: skip


def table1(study: Study, folder: Path) -> Section:
    """Return Table I: predictors for classifiers."""
    return _table(study, folder, "classification", "table-1", "Table I", TABLE_1)


def table2(study: Study, folder: Path) -> Section:
    """Return Table II: predictors for detectors."""
    return _table(study, folder, "detection", "table-2", "Table II", TABLE_2)


def judged(study: Study, folder: Path, task: Task, machine: str, kind: Kind) -> dict[str, Any]:
    """Return the scores of a predictor on held-out sources, rules without a network beside.

    As ``sightline evaluate utility`` gives them, whose report is written too.

    Raises:
        InputError: No test picture has a label.
    """
    from sightline.tasks.utility.evaluate import evaluate_runs

    run = study.run(task, machine, kind)
    data = study.labels_of(task, machine, kind)

    def progress(stage: str, fraction: float) -> None:
        study.progress(f"judging {run.name}, {stage}", fraction)

    out = folder / "judged" / run.name
    (found,) = evaluate_runs([run], [data], out, progress)["judged"]
    return dict(found)


def _table(
    study: Study, folder: Path, task: Task, key: str, title: str, published: Mapping[str, str]
) -> Section:
    machines = study.labels(task).machines
    wanted: dict[str, tuple[str, Kind]] = {name: (name, "jpeg") for name in machines}
    wanted[COMMON] = (COMMON, "jpeg")
    if study.config.distort:
        wanted[MIXED] = (COMMON, "mixed")
    found: dict[str, dict[str, Any]] = {}
    missing = []
    for name, what in wanted.items():
        try:
            found[name] = judged(study, folder, task, *what)
        except InputError as error:  # such as labels that are all useful: the others have a row
            missing.append(f"not measured: {name}: {error}")
    if not found:
        raise InputError(missing[0])
    rows = [_row(name, one, published.get(name, NONE)) for name, one in found.items()]
    blank = (NONE,) * (len(_HEADER) - 2)
    rows += [(name, *blank, cell) for name, cell in published.items() if name not in found]
    shares = {name: found[name]["scores"]["accuracy"] for name in found if name != MIXED}
    return Section(
        key,
        f"{title}: accuracy of the predictor, trained for the utility of "
        f"{'classifiers' if task == 'classification' else 'detectors'}",
        _HEADER,
        tuple(rows),
        (
            _settings(study, task),
            *missing,
            *(target_note(name, _target(found[name])) for name in found if name not in machines),
            *([combined_note(shares, title)] if COMMON in shares and len(shares) > 1 else []),
            *NOTES[key],
        ),
        values={
            name: {"scores": one["scores"], "baselines": one["baselines"]}
            for name, one in found.items()
        },
    )


def _row(name: str, one: Mapping[str, Any], paper: str) -> tuple[str, ...]:
    scores, rules, counts = one["scores"], one["baselines"], one["scores"]["counts"]
    target = _target(one)
    best = max(
        (rule for rule in rules if rule != QUALITY),
        key=lambda rule: rules[rule]["accuracy"],
        default="",
    )
    return (
        name,
        target.accuracy.percent(),
        _percent(scores["balanced_accuracy"]),
        NONE if scores["auc"] is None else f"{scores['auc']:.3f}",
        _share(rules[QUALITY]).percent() if QUALITY in rules else NONE,
        target.ahead.percent(),
        f"{_percent(rules[best]['accuracy'])} ({best})" if best else NONE,
        f"{counts['useful']} / {counts['useless']}",
        f"{counts['between']} / {counts['disagreeing']} / {counts['failed']}",
        paper,
    )


def _target(one: Mapping[str, Any]) -> Target:
    """Return what was set as a goal: the accuracy, and how far it is ahead of the quality alone.

    Of other distortions the quality knows nothing: there the rule knows distortion and level.
    """
    mixed = any(not row["distortion"].startswith("jpeg") for row in one["scores"]["by_distortion"])
    rule = one["baselines"].get(LEVEL if mixed else QUALITY)
    ahead = Share(float("nan"))
    if rule is not None:
        ahead = _of(rule["ahead"]["accuracy"], rule["ahead"]["interval"])
    return Target(_share(one["scores"]), ahead, f"'{LEVEL if mixed else QUALITY}'")


def _share(scores: Mapping[str, Any]) -> Share:
    return _of(scores["accuracy"], scores["intervals"]["accuracy"])


def _of(value: float | None, limits: tuple[float, float] | None) -> Share:
    if value is None:
        return Share(float("nan"))
    return Share(value) if limits is None else Share(value, *limits)


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f}"


def _settings(study: Study, task: Task) -> str:
    config, data = study.config, study.labels(task)
    count = {
        split: len(set(answers.sources(data.part(split))))
        for split in ("train", "validation", "test")
    }
    passes = "1 pass" if config.epochs == 1 else f"{config.epochs} passes"
    budget = f"{config.minutes:g} minutes" if config.minutes else passes
    return (
        f"{len({i.image for i in data.items})} pictures of {count['train']} + "
        f"{count['validation']} + {count['test']} sources (training, validation, test), JPEG "
        f"qualities {config.qualities}; {config.backbone} at {config.width:g} of its channels, "
        f"{start_in_words(config.weights)}, {config.frame_px} px, {budget} each; "
        f"{_TARGETS[config.targets]}, balanced copies are in the training part alone; thresholds "
        "of predictors and of rules are chosen on validation for the best "
        f"{_AIMS[config.threshold_for]}"
    )
