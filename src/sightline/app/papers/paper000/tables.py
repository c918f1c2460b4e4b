"""Tables I to IV, each measured value followed by the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sightline.app.papers.paper000.published import (
    IMAGENET_ACCURACY,
    LOSSES,
    MAPNET,
    POSENET,
    SLIPS,
    BackboneRow,
)
from sightline.app.papers.paper000.runs import Loss, Model, Outcome, Runs, label
from sightline.app.papers.results import Section
from sightline.tasks.absolute.config import AbsoluteConfig

BASELINE = "nearest training frame"
_PAPER = "paper"


def table1(runs: Runs, _folder: Path) -> Section:
    """Return Table I: accuracies that torchvision publishes with its weights; none is measured."""
    rows, values = [], {}
    for name in runs.config.names:
        found = published_accuracy(name)
        paper = IMAGENET_ACCURACY.get(name, ("-", "-"))
        cells = ("-", "-") if found is None else tuple(f"{value:.3f}" for value in found)
        rows.append((label(name), cells[0], paper[0], cells[1], paper[1]))
        values[name] = found
    return Section(
        "table-1",
        "Table I: backbones on ImageNet",
        ("Model", "Acc@1 %", _PAPER, "Acc@5 %", _PAPER),
        tuple(rows),
        (
            "not measured: the left numbers are those that torchvision publishes with its weights "
            "(IMAGENET1K_V1)",
        ),
        values={"accuracy_percent": values},
    )


def table2(runs: Runs, _folder: Path) -> Section:
    """Return Table II: PoseNet on each backbone."""
    section = _backbone_table(runs, "posenet", "smooth_l1", POSENET)
    slips = (
        "the paper's text names ResNet-152 and EfficientNet-B7 the best; by its own table "
        "EfficientNet-B7 has the largest position error",
    )
    return _section(runs, "table-2", "Table II: PoseNet backbones", section, slips)


def table3(runs: Runs, _folder: Path) -> Section:
    """Return Table III: PoseNet with each loss."""
    backbone = runs.config.pick("resnet152")
    rows, values, outcomes = [], {}, []
    for key, paper in LOSSES.items():
        alpha = runs.config.alpha if paper.weighted else 1.0
        outcome = runs.run("posenet", backbone, paper.loss, alpha)
        outcomes.append(outcome)
        found = values[key] = outcome.scores()
        name = f"{paper.name} ({alpha:g}, SmoothL1)" if paper.weighted else paper.name
        rows.append((name, *_errors(found, (paper.position, paper.rotation))))
    base = values["nearest_frame"] = runs.baseline()
    rows.append((BASELINE, *_errors(base, ("", ""))))
    header = ("Loss", *_error_header(runs))
    notes = (
        *picked(backbone, "resnet152", "PoseNet"),
        "the paper's NaN are trainings that diverged; here a term that is not finite stops the "
        "training and is printed as NaN with its reason; the gradients of these losses are finite "
        "everywhere. The paper gives no alpha, and no loss for that row",
        *reasons(outcomes),
    )
    table = (header, tuple(rows), notes, values)
    return _section(runs, "table-3", "Table III: PoseNet losses", table, ())


def table4(runs: Runs, _folder: Path) -> Section:
    """Return Table IV: MapNet on each backbone."""
    section = _backbone_table(runs, "mapnet", "l1", MAPNET)
    return _section(runs, "table-4", "Table IV: MapNet backbones", section, ())


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


def settings_note(runs: Runs) -> str:
    """Return how the trainings were made, in one line."""
    config = runs.config
    weights = (
        f"weights {config.weights}, backbones frozen"
        if config.frozen
        else "no pretrained weights (the paper has ImageNet's): whole networks trained from scratch"
    )
    length = f"{config.epochs} epochs" if config.epochs else "as many epochs as fit"
    budget = f" within {config.max_seconds:g} s" if config.max_seconds else ""
    return (
        f"{weights}; {length}{budget}, {config.size}x{config.size} pixels, seed {config.seed}; "
        f"{runs.counts}"
    )


def leak_note(runs: Runs) -> str:
    """Return what the split means for the scores."""
    if runs.leaks:
        return (
            "a leak, as in the paper: test frames lie between training frames of one walk (mod 3), "
            f"so the row '{BASELINE}' shows what copying a pose gives"
        )
    return (
        "test frames do not lie between training frames, so errors are larger than on the paper's "
        f"split; `sightline split {runs.place.root} mod3` makes that one"
    )


Table = tuple[
    tuple[str, ...], tuple[tuple[str, ...], ...], tuple[str, ...], dict[str, dict[str, Any]]
]


def _backbone_table(
    runs: Runs, model: Model, loss: Loss, published: Mapping[str, BackboneRow]
) -> Table:
    rows, values, outcomes = [], {}, []
    for name in runs.config.names:
        outcome = runs.run(model, name, loss)
        outcomes.append(outcome)
        total, trainable = parameter_counts(model, name)
        paper = published.get(name, BackboneRow("-", "-", "-", "-"))
        counts = (f"{total:,}", paper.total, f"{trainable:,}", paper.trainable)
        found = outcome.scores()
        rows.append((label(name), *_errors(found, (paper.position, paper.rotation)), *counts))
        values[name] = {**found, "total_parameters": total, "trainable_parameters": trainable}
    base = values["nearest_frame"] = runs.baseline()
    rows.append((BASELINE, *_errors(base, ("", "")), "", "", "", ""))
    header = (
        "Model",
        *_error_header(runs),
        "Total parameters",
        _PAPER,
        "Trainable parameters",
        _PAPER,
    )
    slips = [SLIPS[model, name] for name in runs.config.names if (model, name) in SLIPS]
    frozen = () if runs.config.frozen else ("trainable parameters are those of a frozen backbone",)
    return header, tuple(rows), (*slips, *frozen, *reasons(outcomes)), values


def _section(runs: Runs, key: str, title: str, table: Table, slips: Sequence[str]) -> Section:
    header, rows, notes, values = table
    return Section(
        key,
        title,
        header,
        rows,
        (
            "errors are means over frames and coordinates (position) or quaternion components "
            "(rotation, q and -q being one); the paper names no unit",
            *slips,
            *notes,
            leak_note(runs),
            settings_note(runs),
        ),
        values=values,
    )


def _error_header(runs: Runs) -> tuple[str, ...]:
    unit = "m" if runs.place.unit == "m" else "map units"
    return f"Position error ({unit})", _PAPER, "Rotation error", _PAPER


def _errors(found: Mapping[str, Any], paper: tuple[str, str]) -> tuple[str, ...]:
    if "reason" in found:
        return "NaN", paper[0], "NaN", paper[1]
    return f"{found['position_mae']:.3f}", paper[0], f"{found['rotation_mae']:.4f}", paper[1]


def reasons(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Return why trainings came to nothing, a line each."""
    return tuple(f"NaN ({o.directory.name}): {o.reason}" for o in outcomes if o.test is None)


def picked(backbone: str, papers: str, model: str) -> tuple[str, ...]:
    """Return a line where another backbone than the paper's stands in for it."""
    if backbone == papers:
        return ()
    return (f"{model} on {label(backbone)} here, on {label(papers)} in the paper",)
