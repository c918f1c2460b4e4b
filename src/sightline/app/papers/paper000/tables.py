"""Tables I to IV, each measured value followed by the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sightline.app.papers.paper000 import conclusions
from sightline.app.papers.paper000.config import PAPERS_BACKBONES, Model, Paper000Config
from sightline.app.papers.paper000.published import (
    IMAGENET_ACCURACY,
    IMAGENET_NOTES,
    LOSSES,
    MAPNET,
    POSENET,
    SLIPS,
    BackboneRow,
)
from sightline.app.papers.paper000.runs import SECOND, TEST, Outcome, Runs
from sightline.app.papers.paper000.trainings import (
    MODELS,
    OWN_BACKBONE,
    label,
    of_backbones,
    of_losses,
)
from sightline.app.papers.results import Section
from sightline.tasks.absolute.config import AbsoluteConfig

_PAPER = "paper"
_NONE = "-"


def table1(config: Paper000Config) -> Section:
    """Return Table I: accuracies that torchvision publishes with its weights; none is measured."""
    rows, values = [], {}
    for name in _rows_of(config):
        found = published_accuracy(name)
        paper = IMAGENET_ACCURACY.get(name, (_NONE, _NONE))
        cells = (_NONE, _NONE) if found is None else tuple(f"{value:.3f}" for value in found)
        rows.append((label(name), cells[0], paper[0], cells[1], paper[1]))
        values[name] = found
    return Section(
        "table-1",
        "Table I: backbones on ImageNet",
        ("Model", "Acc@1 %", _PAPER, "Acc@5 %", _PAPER),
        tuple(rows),
        IMAGENET_NOTES,
        values={"accuracy_percent": values},
    )


def table2(runs: Runs, _folder: Path) -> Section:
    """Return Table II: PoseNet on each backbone."""
    outcomes = [runs.run(one) for one in of_backbones(runs.config, "posenet")]
    errors = _errors_of(outcomes)
    notes = (
        *conclusions.best_backbones(errors),
        "by the paper's own table EfficientNet-B7 has the largest position error",
        *_against_baselines(runs, outcomes),
    )
    return _backbone_table(runs, "posenet", outcomes, POSENET, notes)


def table3(runs: Runs, _folder: Path) -> Section:
    """Return Table III: PoseNet with each loss."""
    config = runs.config
    trainings = of_losses(config)
    backbone = trainings["smooth_l1"].backbone
    outcomes = {key: runs.run(one) for key, one in trainings.items()}
    rows, values = [], {}
    for key, paper in LOSSES.items():
        outcome = outcomes[key]
        found = values[key] = outcome.scores()
        name = f"{paper.name} ({config.alpha:g}, SmoothL1)" if paper.weighted else paper.name
        cells = _errors(found, (paper.position, paper.rotation))
        rows.append((name, *cells, str(outcome.epochs), *_second(runs, found)))
    for name, found in runs.baselines().items():
        values[name] = found
        rows.append((name, *_errors(found, ("", "")), "", *_second(runs, found)))
    measured = {k: errors for k, one in outcomes.items() if (errors := one.errors()) is not None}
    return Section(
        "table-3",
        "Table III: PoseNet losses",
        ("Loss", *_error_header(runs), "Epochs", *_second_header(runs)),
        tuple(rows),
        (
            UNITS,
            *picked(backbone, "posenet"),
            *conclusions.losses(measured),
            "the paper's NaN are trainings that diverged; here a term that is not finite stops the "
            "training and is printed as NaN with its reason; the gradients of these losses are "
            "finite everywhere. The paper gives no alpha, and no loss for that row",
            *reasons(list(outcomes.values())),
            *judged_notes(runs),
        ),
        values=values,
    )


def table4(runs: Runs, _folder: Path) -> Section:
    """Return Table IV: MapNet on each backbone."""
    outcomes = [runs.run(one) for one in of_backbones(runs.config, "mapnet")]
    errors = _errors_of(outcomes)
    counts = {name: parameter_counts("mapnet", name)[0] for name in errors}
    epochs = {one.training.backbone: one.epochs for one in outcomes}
    notes = [*conclusions.size_matters_not(errors, counts, epochs)]
    made = [runs.made(one) for one in of_backbones(runs.config, "posenet")]
    posenets = [one for one in made if one is not None]
    for part in runs.parts:
        notes += conclusions.against_posenet(
            _errors_of(outcomes, part), _errors_of(posenets, part), _frames(part)
        )
    notes += _against_baselines(runs, outcomes)
    return _backbone_table(runs, "mapnet", outcomes, MAPNET, notes)


def published_accuracy(backbone: str) -> tuple[float, float] | None:
    """Return torchvision's (top-1, top-5) percent on ImageNet; None where it publishes none."""
    from sightline.learning.torchvision_compat import import_torchvision

    models = import_torchvision().models
    if backbone not in models.list_models(module=models):
        return None
    known = models.get_model_weights(backbone).__members__
    if not known:
        return None
    # V1 are the weights the paper used, and the ones that `--weights imagenet` loads.
    chosen = known.get("IMAGENET1K_V1", next(iter(known.values())))
    metrics = chosen.meta["_metrics"]["ImageNet-1K"]
    return float(metrics["acc@1"]), float(metrics["acc@5"])


@cache
def parameter_counts(model: Model, backbone: str) -> tuple[int, int]:
    """Return how many parameters there are, and how many of them a frozen backbone leaves to train.

    The network is made without memory for its weights.
    """
    import torch

    from sightline.tasks.absolute.model import create_model

    config = AbsoluteConfig(model=model, backbone=backbone, weights="none", freeze=True)
    with torch.device("meta"):
        network = create_model(config)
    return network.total_parameters(), network.trainable_parameters()


UNITS = (
    "errors are means over frames and coordinates (position) or quaternion components (rotation, q "
    "and -q being one); the paper names no unit"
)


def judged_notes(runs: Runs) -> tuple[str, ...]:
    """Return what any score must be read with: the split, the second walk, the settings."""
    second = (
        "the second walk is another path that nothing was trained on: that is localisation; its "
        "true poses are rendered or given, those of the test frames are the map's own",
    )
    return (
        leak_note(runs),
        *(second if SECOND in runs.parts else ()),
        *runs.notes,
        settings_note(runs),
    )


def settings_note(runs: Runs) -> str:
    """Return how the trainings were made, in one line."""
    config = runs.config
    weights = (
        f"weights {config.weights}, backbones frozen"
        if config.frozen
        else "no pretrained weights (the paper has ImageNet's): whole networks trained from scratch"
    )
    one = config.run_config("posenet", config.names[0], "l1")
    length = f"{one.epochs} epochs" if one.epochs else "as many epochs as fit"
    budget = ""
    if one.max_seconds:
        budget = f" within {one.max_seconds:g} s each (fewer on a busy machine)"
    return (
        f"{weights}; {length}{budget}, {one.width}x{one.height} pixels, seed {config.seed}, one "
        f"training each (another seed moves it too); {runs.counts}"
    )


def leak_note(runs: Runs) -> str:
    """Return what the split means for the scores."""
    if runs.leaks:
        return (
            "a leak, as in the paper: test frames lie between training frames of one walk (mod 3), "
            "so the row 'nearest training frame' shows what copying a pose gives"
        )
    return (
        "test frames do not lie between training frames, so errors are larger than on the paper's "
        f"split; `sightline split {runs.place.root} mod3` makes that one"
    )


def reasons(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Return why trainings came to nothing, a line each."""
    return tuple(f"NaN ({o.directory.name}): {o.reason}" for o in outcomes if o.test is None)


def picked(backbone: str, model: Model) -> tuple[str, ...]:
    """Return a line where another backbone than the paper's stands in for it."""
    papers = OWN_BACKBONE[model]
    if backbone == papers:
        return ()
    return (f"{MODELS[model]} on {label(backbone)} here, on {label(papers)} in the paper",)


def _backbone_table(
    runs: Runs,
    model: Model,
    outcomes: Sequence[Outcome],
    published: Mapping[str, BackboneRow],
    notes: Sequence[str],
) -> Section:
    trained = {one.training.backbone: one for one in outcomes}
    rows, values = [], {}
    for name in _rows_of(runs.config):
        total, trainable = parameter_counts(model, name)
        paper = published.get(name, BackboneRow(_NONE, _NONE, _NONE, _NONE))
        counts = (f"{total:,}", paper.total, f"{trainable:,}", paper.trainable)
        found = trained[name].scores() if name in trained else {"not_trained": True}
        epochs = str(trained[name].epochs) if name in trained else _NONE
        cells = _errors(found, (paper.position, paper.rotation))
        rows.append((label(name), *cells, *counts, epochs, *_second(runs, found)))
        values[name] = {**found, "total_parameters": total, "trainable_parameters": trainable}
    for name, found in runs.baselines().items():
        values[name] = found
        rows.append((name, *_errors(found, ("", "")), "", "", "", "", "", *_second(runs, found)))
    number, key = ("II", "table-2") if model == "posenet" else ("IV", "table-4")
    slips = [SLIPS[model, name] for name in _rows_of(runs.config) if (model, name) in SLIPS]
    frozen = () if runs.config.frozen else ("trainable parameters are those of a frozen backbone",)
    parameters = ("Total parameters", _PAPER, "Trainable parameters", _PAPER)
    return Section(
        key,
        f"Table {number}: {MODELS[model]} backbones",
        ("Model", *_error_header(runs), *parameters, "Epochs", *_second_header(runs)),
        tuple(rows),
        (UNITS, *notes, *slips, *frozen, *reasons(outcomes), *judged_notes(runs)),
        values=values,
    )


def _rows_of(config: Paper000Config) -> tuple[str, ...]:
    """Return the backbones of a table: those that are trained, then the paper's others."""
    return tuple(dict.fromkeys((*config.names, *PAPERS_BACKBONES)))


def _errors_of(outcomes: Sequence[Outcome], part: str = TEST) -> conclusions.Errors:
    found = {one.training.backbone: one.errors(part) for one in outcomes}
    return {name: errors for name, errors in found.items() if errors is not None}


def _against_baselines(runs: Runs, outcomes: Sequence[Outcome]) -> list[str]:
    said = []
    for part in runs.parts:
        tables = runs.baselines().items()
        limits = {
            name: (table if part == TEST else table["second_walk"])["position_mae"]
            for name, table in tables
        }
        said += conclusions.against_baselines(_errors_of(outcomes, part), limits, _frames(part))
    return said


def _frames(part: str) -> str:
    return "test frames" if part == TEST else "second walk"


def _error_header(runs: Runs) -> tuple[str, ...]:
    return f"Position error ({unit_of(runs)})", _PAPER, "Rotation error", _PAPER


def unit_of(runs: Runs) -> str:
    """Return the unit of lengths, in words."""
    return "m" if runs.place.unit == "m" else "map units"


def _second_header(runs: Runs) -> tuple[str, ...]:
    if SECOND not in runs.parts:
        return ()
    return f"Second walk: position error ({unit_of(runs)})", "Second walk: rotation error"


def _second(runs: Runs, found: Mapping[str, Any]) -> tuple[str, ...]:
    if SECOND not in runs.parts:
        return ()
    return _errors(found.get("second_walk", found), ("", ""))[::2]


def _errors(found: Mapping[str, Any], paper: tuple[str, str]) -> tuple[str, ...]:
    if "not_trained" in found:
        return _NONE, paper[0], _NONE, paper[1]
    if "reason" in found:
        return "NaN", paper[0], "NaN", paper[1]
    return f"{found['position_mae']:.3f}", paper[0], f"{found['rotation_mae']:.4f}", paper[1]
