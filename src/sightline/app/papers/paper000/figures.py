"""Figures 6 to 9 as sections: what is drawn, and the numbers that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sightline.app.papers.paper000 import conclusions
from sightline.app.papers.paper000.config import Model
from sightline.app.papers.paper000.drawing import draw_losses, draw_trajectories, draw_walkable
from sightline.app.papers.paper000.published import (
    MAPNET,
    POSENET,
    WALKABLE_AFTER,
    WALKABLE_BEFORE,
    distance_range_cm,
)
from sightline.app.papers.paper000.runs import SECOND, TEST, Outcome, Runs
from sightline.app.papers.paper000.tables import (
    judged_notes,
    picked,
    reasons,
    settings_note,
    unit_of,
)
from sightline.app.papers.paper000.trainings import MODELS, of_curves, shown
from sightline.app.papers.results import Section
from sightline.errors import InputError
from sightline.records import FloorPlan, Place
from sightline.tasks.absolute.metrics import Predictions, pose_errors
from sightline.tasks.absolute.walkable import WalkableMap

_FOLDER = "figures"
_SUFFIX = {TEST: "", SECOND: "-second-walk"}


def figure6(runs: Runs, folder: Path) -> Section:
    """Return Figure 6: PoseNet's losses over the epochs."""
    return _losses(runs, folder, 6, "posenet")


def figure8(runs: Runs, folder: Path) -> Section:
    """Return Figure 8: MapNet's losses over the epochs."""
    return _losses(runs, folder, 8, "mapnet")


def figure7(runs: Runs, folder: Path) -> Section:
    """Return Figure 7: PoseNet's and MapNet's predictions, from above, of each part."""
    outcomes = _both(runs)
    pictures = []
    for part in runs.parts:
        drawn = [(f"{o.training.name}, {part}", o.parts[part]) for o in outcomes if o.parts]
        if drawn:
            picture = f"{_FOLDER}/figure-7{_SUFFIX[part]}.png"
            draw_trajectories(folder / picture, drawn, runs.place)
            pictures.append(picture)
    rows, values = [], {}
    scored = [(o.training.name, o.scores()) for o in outcomes]
    for name, found in (*scored, *runs.baselines().items()):
        tables = [found, *([found.get("second_walk", {})] if SECOND in runs.parts else [])]
        cells = [f"{t[k]:.{n}f}" if k in t else "NaN" for t in tables for k, n in _MEASURES]
        rows.append((name, *cells))
        values[name] = found
    unit = unit_of(runs)
    header = [f"median distance ({unit})", f"mean ({unit})", "median deg"]
    second = [f"second walk: {name}" for name in header] if SECOND in runs.parts else []
    return Section(
        "figure-7",
        "Fig. 7: estimated trajectories",
        ("Network", *header, *second),
        tuple(rows),
        (
            *_picked(outcomes),
            *reasons(outcomes),
            "the paper gives no numbers with this figure",
            *_closer(outcomes, runs),
            *judged_notes(runs),
        ),
        tuple(pictures),
        values,
    )


def figure9(runs: Runs, folder: Path) -> Section:
    """Return Figure 9: predictions moved to walkable floor, and the mean error by it.

    Raises:
        InputError: The place has no walkable mask.
    """
    plan = runs.place.plan
    if plan is None or plan.walkable is None:
        raise InputError(missing_mask(runs.place))
    outcomes = _both(runs)
    rows: list[tuple[str, ...]] = []
    pictures, notes = [], []
    values: dict[str, Any] = {}
    for outcome in reversed(outcomes):
        for part, found in outcome.parts.items():
            picture = None
            if outcome.training.model == "mapnet":
                picture = f"{_FOLDER}/figure-9{_SUFFIX[part]}.png"
                pictures.append(picture)
            target = None if picture is None else folder / picture
            moved = _move(found, plan, target, unit_of(runs))
            name = f"{outcome.training.name}, {part}"
            lengths = [_length(moved[key], runs.place) for key in ("before", "after")]
            rows.append((name, f"{moved['moved']} of {len(found)}", *lengths))
            notes.append(_lowers(name, moved))
            values[name] = {"run": outcome.directory.name, **moved}
    rows.append(("the paper (not said which)", "", WALKABLE_BEFORE, WALKABLE_AFTER))
    return Section(
        "figure-9",
        "Fig. 9: predictions moved to the nearest walkable spot",
        ("Predictions of", "moved", "mean error", "after the move"),
        tuple(rows),
        (*notes, *_picked(outcomes), *reasons(outcomes), *_walkable_notes(), *judged_notes(runs)),
        tuple(pictures),
        values,
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


_MEASURES = (("median_position", 3), ("mean_position", 3), ("median_rotation_deg", 2))


def _both(runs: Runs) -> list[Outcome]:
    return [runs.run(shown(runs.config, model)) for model in MODELS]


def _picked(outcomes: Sequence[Outcome]) -> list[str]:
    return [note for o in outcomes for note in picked(o.training.backbone, o.training.model)]


def _closer(outcomes: Sequence[Outcome], runs: Runs) -> list[str]:
    """Return whether MapNet's predictions follow the path more closely, part by part."""
    said = []
    for part in runs.parts:
        posenet, mapnet = (outcome.distances(part) for outcome in outcomes)
        if posenet is not None and mapnet is not None:
            claim = f"MapNet follows the path more closely than PoseNet, {part} (mean distance)"
            said.append(conclusions.lower(claim, mapnet, posenet, "the frames"))
    return said


def _move(found: Predictions, plan: FloorPlan, picture: Path | None, unit: str) -> dict[str, Any]:
    """Return mean errors before and after the move to walkable floor, and draw both."""
    floor = WalkableMap.of_plan(plan)
    corrected = floor.correct(found.predicted)
    if picture is not None:
        draw_walkable(picture, found, corrected, plan, unit)
    off = ~floor.is_walkable(plan.to_px(found.predicted.translation))
    return {
        "moved": int(off.sum()),
        "before": float(pose_errors(found.predicted, found.true).position.mean()),
        "after": float(pose_errors(corrected, found.true).position.mean()),
    }


def _lowers(name: str, moved: dict[str, Any]) -> str:
    if not moved["moved"]:
        return f"{name}: every prediction was walkable already, so nothing moved"
    change = moved["after"] / moved["before"] - 1.0
    holds = "holds here" if change < 0 else "does not hold here"
    return f"the move lowers the mean error, {name}: {holds}: {change:+.1%} (the paper: -15.0%)"


def _walkable_notes() -> tuple[str, ...]:
    mapnet, posenet = distance_range_cm(MAPNET["resnet34"]), distance_range_cm(POSENET["resnet152"])
    return (
        "the paper does not say of which network its 153 and 130 cm are: were its tables in "
        f"metres, MapNet's mean error (ResNet-34, Table IV) would lie between {mapnet[0]:.0f} and "
        f"{mapnet[1]:.0f} cm and PoseNet's (ResNet-152, Table II) between {posenet[0]:.0f} and "
        f"{posenet[1]:.0f} cm",
    )


def _losses(runs: Runs, folder: Path, number: int, model: Model) -> Section:
    outcomes = [runs.run(one) for one in of_curves(runs.config, model)]
    names = ("SmoothL1", "L1")
    histories = [o.history() for o in outcomes]
    picture = f"{_FOLDER}/figure-{number}.png"
    title = f"{outcomes[0].training.name} losses"
    draw_losses(folder / picture, list(zip(names, histories, strict=True)), title)
    rows: list[tuple[str, ...]] = []
    values: dict[str, Any] = {}
    said: list[str] = []
    for name, outcome, history in zip(names, outcomes, histories, strict=True):
        losses = [row["train_loss"] for row in history]
        scored = [row["score"] for row in history if "score" in row]
        ends = (losses[0], losses[-1], scored[-1], min(scored)) if losses and scored else ()
        shown_ends = [f"{value:.3f}" for value in ends] or ["NaN"] * 4
        rows.append((name, str(len(history)), *shown_ends))
        values[name] = {"run": outcome.directory.name, "epochs": len(history), "ends": list(ends)}
        said += conclusions.convergence(name, [row["train_position"] for row in history], scored)
    ends_header = ("training, first", "training, last", "validation, last", "validation, best")
    return Section(
        f"figure-{number}",
        f"Fig. {number}: {title}",
        ("Loss", "epochs", *ends_header),
        tuple(rows),
        (
            *picked(outcomes[0].training.backbone, model),
            *reasons(outcomes),
            *said,
            "validation is not the loss but what picks the weights: median position error in "
            "standard deviations of the place, plus median rotation error in radians",
            *_augmented(runs),
            *runs.notes,
            settings_note(runs),
        ),
        (picture,),
        values,
    )


def _augmented(runs: Runs) -> list[str]:
    config = runs.config.run_config("posenet", runs.config.names[0], "l1")
    if not config.augments_pixels:
        return []
    return ["training losses are of augmented pictures (turned cameras, other colours), validation "
            "is of pictures as they are"]  # fmt: skip


def _length(value: float, place: Place) -> str:
    return f"{100 * value:.1f} cm" if place.unit == "m" else f"{value:.3f} map units"
