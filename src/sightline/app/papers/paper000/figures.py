"""Figures 6 to 9 as sections: what is drawn, and the numbers that go with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sightline.app.papers.paper000.drawing import draw_losses, draw_trajectories, draw_walkable
from sightline.app.papers.paper000.published import WALKABLE_AFTER, WALKABLE_BEFORE
from sightline.app.papers.paper000.runs import Model, Outcome, Runs
from sightline.app.papers.paper000.tables import BASELINE, leak_note, picked, reasons, settings_note
from sightline.app.papers.results import Section
from sightline.errors import InputError
from sightline.records import Place
from sightline.tasks.absolute.metrics import Predictions, pose_errors

_FOLDER = "figures"


def figure6(runs: Runs, folder: Path) -> Section:
    """Return Figure 6: PoseNet's losses over the epochs."""
    return _losses(runs, folder, 6, "posenet", "resnet152")


def figure8(runs: Runs, folder: Path) -> Section:
    """Return Figure 8: MapNet's losses over the epochs."""
    return _losses(runs, folder, 8, "mapnet", "resnet34")


def figure7(runs: Runs, folder: Path) -> Section:
    """Return Figure 7: PoseNet's and MapNet's predictions of the test frames, from above."""
    outcomes = [_posenet(runs), _mapnet(runs)]
    drawn = [(o.name, o.test) for o in outcomes if o.test is not None]
    picture = f"{_FOLDER}/figure-7.png"
    if drawn:
        draw_trajectories(folder / picture, drawn, runs.place)
    base = runs.baseline()
    rows, values = [], {}
    for name, found in (*((o.name, o.scores()) for o in outcomes), (BASELINE, base)):
        cells = [f"{found[k]:.3f}" if k in found else "NaN" for k in _DISTANCES]
        rows.append((name, *cells))
        values[name] = found
    unit = _unit(runs.place)
    return Section(
        "figure-7",
        "Fig. 7: estimated trajectories",
        ("Network", f"median distance ({unit})", f"mean ({unit})"),
        tuple(rows),
        (
            *picked(outcomes[0].config.backbone, "resnet152", "PoseNet"),
            *picked(outcomes[1].config.backbone, "resnet34", "MapNet"),
            *reasons(outcomes),
            "the paper gives no numbers with this figure",
            leak_note(runs),
            settings_note(runs),
        ),
        (picture,) if drawn else (),
        values,
    )


def figure9(runs: Runs, folder: Path) -> Section:
    """Return Figure 9: MapNet's predictions moved to walkable floor, and the mean error by it.

    Raises:
        InputError: The place has no walkable mask.
    """
    from sightline.tasks.absolute.walkable import WalkableMap

    plan = runs.place.plan
    if plan is None or plan.walkable is None:
        raise InputError(missing_mask(runs.place))
    outcome = _mapnet(runs)
    title = "Fig. 9: predictions moved to the nearest walkable spot"
    notes = (*picked(outcome.config.backbone, "resnet34", "MapNet"), *reasons([outcome]))
    if outcome.test is None:
        return Section("figure-9", title, notes=notes)
    part = outcome.test
    floor = WalkableMap.of_plan(plan)
    corrected = floor.correct(part.predicted)
    moved = int((~floor.is_walkable(plan.to_px(part.predicted.translation))).sum())
    before, after = _mean_error(part), float(pose_errors(corrected, part.true).position.mean())
    picture = f"{_FOLDER}/figure-9.png"
    draw_walkable(folder / picture, part, corrected, plan, _unit(runs.place))
    rows = (
        ("as predicted", _length(before, runs.place), WALKABLE_BEFORE),
        ("moved to walkable floor", _length(after, runs.place), WALKABLE_AFTER),
    )
    return Section(
        "figure-9",
        title,
        ("MapNet's predictions", "mean error", "paper"),
        rows,
        (
            f"{moved} of {len(part)} predictions were off the walkable floor",
            "the paper does not say of which network its 153 and 130 cm are",
            *notes,
            leak_note(runs),
            settings_note(runs),
        ),
        (picture,),
        {"run": outcome.directory.name, "before": before, "after": after, "moved": moved},
    )


def without_figure9(runs: Runs, _folder: Path) -> Section:
    """Return what stands in Figure 9's place where all is asked for and there is no mask."""
    return Section("figure-9", "Fig. 9: not made", notes=(missing_mask(runs.place),))


def missing_mask(place: Place) -> str:
    """Return what to do where a place has no walkable mask."""
    return (
        f"a floor plan with a walkable mask is wanted, {place.root} has none; attach one with "
        f"`sightline align {place.root} --plan PLAN --walkable MASK`"
    )


_DISTANCES = ("median_position", "mean_position")


def _losses(runs: Runs, folder: Path, number: int, model: Model, wanted: str) -> Section:
    backbone = runs.config.pick(wanted)
    outcomes = [runs.run(model, backbone, loss) for loss in ("smooth_l1", "l1")]
    names = ("SmoothL1", "L1")
    histories = [o.history() for o in outcomes]
    picture = f"{_FOLDER}/figure-{number}.png"
    title = f"{outcomes[0].name} losses"
    draw_losses(folder / picture, list(zip(names, histories, strict=True)), title)
    rows: list[tuple[str, ...]] = []
    values: dict[str, Any] = {}
    for name, outcome, history in zip(names, outcomes, histories, strict=True):
        losses = [row["train_loss"] for row in history]
        scored = [row["score"] for row in history if "score" in row]
        ends = (losses[0], losses[-1], scored[-1]) if losses and scored else ()
        shown = [f"{value:.3f}" for value in ends] or ["NaN"] * 3
        rows.append((name, str(len(history)), *shown))
        values[name] = {"run": outcome.directory.name, "epochs": len(history), "ends": list(ends)}
    return Section(
        f"figure-{number}",
        f"Fig. {number}: {title}",
        ("Loss", "epochs", "training, first", "training, last", "validation, last"),
        tuple(rows),
        (
            *picked(backbone, wanted, "PoseNet" if model == "posenet" else "MapNet"),
            *reasons(outcomes),
            "validation is not the loss but what picks the weights: median position error in "
            "standard deviations of the place, plus median rotation error in radians",
            settings_note(runs),
        ),
        (picture,),
        values,
    )


def _posenet(runs: Runs) -> Outcome:
    return runs.run("posenet", runs.config.pick("resnet152"), "smooth_l1")


def _mapnet(runs: Runs) -> Outcome:
    return runs.run("mapnet", runs.config.pick("resnet34"), "l1")


def _mean_error(part: Predictions) -> float:
    return float(np.mean(pose_errors(part.predicted, part.true).position))


def _unit(place: Place) -> str:
    return "m" if place.unit == "m" else "map units"


def _length(value: float, place: Place) -> str:
    return f"{100 * value:.1f} cm" if place.unit == "m" else f"{value:.3f} map units"
