"""Plots of what a run said of a set's objects, from saved predictions and their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sightline.geometry.viewpoint import viewpoint
from sightline.records.figures import new_figure, save_figure
from sightline.records.objects import CATEGORIES
from sightline.tasks.objects.metrics import errors_of
from sightline.tasks.objects.predictions import ObjectPredictions

_LIMITS_DEG = np.linspace(0.0, 180.0, 361)
_GREY = "#999999"

#: Rows of a step's ``history.csv``.
History = list[dict[str, float]]


def draw_errors(
    path: Path, predictions: ObjectPredictions, constant: ObjectPredictions | None
) -> Path:
    """Draw the share of objects within each pose error, by rule; return the path."""
    figure, axes = new_figure(11, 4.6, 2)
    kinds = {"rotation": "pose error", "rotation_symmetric": "pose error, symmetry granted"}
    for axis, (kind, label) in zip(axes, kinds.items(), strict=True):
        for rule in ("weighted", "top1", "chordal", "oracle"):
            name = "category known" if rule == "oracle" else rule
            axis.plot(*_cumulative(errors_of(predictions, rule, kind)), label=name)
        if constant is not None:
            errors = errors_of(constant, None, kind)
            axis.plot(*_cumulative(errors), label="constant", color=_GREY, linestyle="--")
        axis.set_xlabel(f"{label} (deg)")
        axis.set_ylabel("share of objects within")
        axis.set_xlim(0, 180)
        axis.set_ylim(0, 1.02)
        axis.grid(alpha=0.3)
    axes[0].legend(loc="lower right")
    return save_figure(figure, path)


def draw_categories(path: Path, table: Mapping[str, Any]) -> Path:
    """Draw median errors and category accuracy as bars, the constant as lines; return the path.

    Args:
        path: Of the PNG.
        table: One of the metrics' ``judged``.
    """
    scores, constant = table["scores"], table["constant"]
    names = [name for name, count in scores["counts"].items() if count]
    figure, (left, right) = new_figure(13, 4.6, 2)
    at = np.arange(len(names))
    pose = scores["rules"][scores["rule"]]
    bars = (("rotation", "as it is", -0.2), ("rotation_symmetric", "symmetry granted", 0.2))
    for kind, label, shift in bars:
        left.bar(at + shift, _values(pose[kind]["median_deg"], names), 0.4, label=label)
    right.bar(at, _values(scores["category"]["accuracy"], names), 0.6)
    if constant is not None:
        told = constant["rules"]["oracle"]["rotation"]["median_deg"]
        left.plot(
            at, _values(told, names), "_", color="black", markersize=22, label="constant view"
        )
        known = _values(constant["category"]["accuracy"], names)
        right.plot(at, known, "_", color="black", markersize=22)
    left.set_ylabel("median pose error (deg)")
    left.legend(fontsize=8)
    right.set_ylabel("category accuracy")
    right.set_ylim(0, 1.02)
    for axis in (left, right):
        axis.set_xticks(at, [_short(name) for name in names], rotation=45)
        axis.grid(alpha=0.3, axis="y")
    return save_figure(figure, path)


def draw_azimuths(path: Path, predictions: ObjectPredictions) -> Path:
    """Draw true against found azimuths, a colour a category; return the path."""
    figure, (axis,) = new_figure(7.4, 6, 1)
    known = ~np.isnan(predictions.true).any(axis=1)
    for i, name in enumerate(predictions.categories):
        rows = known & (predictions.category == i)
        if not rows.any():
            continue
        true, found = (
            np.rad2deg(viewpoint(q[rows])[0]) for q in (predictions.true, predictions.of())
        )
        style = {"color": f"C{i % 10}", "marker": "o" if i < 10 else "x"}
        axis.scatter(true, found, s=9, alpha=0.6, label=_short(name), linewidths=0.8, **style)
    axis.plot([0, 360], [0, 360], color=_GREY, linewidth=0.8)
    axis.set_xlabel("true azimuth (deg)")
    axis.set_ylabel("found azimuth (deg)")
    for limit, ticks in ((axis.set_xlim, axis.set_xticks), (axis.set_ylim, axis.set_yticks)):
        limit(0, 360)
        ticks(range(0, 361, 90))
    axis.set_aspect("equal")
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return save_figure(figure, path)


def draw_confusion(path: Path, scores: Mapping[str, Any]) -> Path:
    """Draw which category was taken for which, shaded by its share of a row; return the path."""
    counts = np.array(scores["category"]["confusion"])
    names = [_short(name) for name in scores["categories"]]
    rows = counts.sum(axis=1)
    shares = counts / np.maximum(rows, 1)[:, None]
    side = 2.0 + 0.5 * len(names)
    figure, (axis,) = new_figure(side, side, 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[i, j] > 0.5 else "black"
        axis.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=7, color=colour)
    axis.set_xticks(range(len(names)), names, rotation=90)
    axis.set_yticks(range(len(names)), [f"{n} ({r})" for n, r in zip(names, rows, strict=True)])
    axis.set_xlabel("found")
    axis.set_ylabel("true (objects)")
    return save_figure(figure, path)


def draw_confidence(path: Path, scores: Mapping[str, Any]) -> Path:
    """Draw how often each confidence came true, and risk over coverage; return the path."""
    figure, (left, right) = new_figure(11, 4.6, 2)
    bins, coverage = scores["bins"], scores["coverage"]
    left.plot([0, 1], [0, 1], color=_GREY, linewidth=1)
    left.plot([b["mean_confidence"] for b in bins], [b["right"] for b in bins], marker="o")
    left.set_xlabel("confidence")
    left.set_ylabel("share with category and pose right")
    left.set_xlim(0, 1)
    left.set_ylim(0, 1.02)
    if scores["error"] is not None:
        left.set_title(f"mean gap {scores['error']:.3f}", fontsize=9)
    at = [row["coverage"] for row in coverage]
    right.plot(at, [1 - row["right"] for row in coverage], marker=".", label="share wrong")
    right.set_xlabel("share of objects answered, the most confident first")
    right.set_ylabel("share wrong")
    right.set_xlim(0, 1)
    right.set_ylim(bottom=0)
    beside = right.twinx()
    medians = [row["median_deg"] for row in coverage]
    beside.plot(at, medians, marker=".", color="C1", label="median pose error")
    beside.set_ylabel("median pose error, symmetry granted (deg)", color="C1")
    beside.set_ylim(bottom=0)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    return save_figure(figure, path)


def step_histories(run_dir: Path) -> dict[str, History]:
    """Return the histories of a run's training steps, by their names, in their order."""
    from sightline.learning.fit import HISTORY, read_history  # torch, for the losses alone

    steps = sorted((run_dir / "steps").glob(f"*/{HISTORY}"))
    return {path.parent.name: read_history(path) for path in steps}


def draw_losses(path: Path, steps: Mapping[str, History]) -> Path:
    """Draw the loss and the validation's score of each step, side by side; return the path."""
    figure, axes = new_figure(max(5.0, 3.6 * len(steps)), 3.8, len(steps))
    for axis, (name, rows) in zip(axes, steps.items(), strict=True):
        for key, colour in (("train_loss", "C0"), ("score", "C1")):
            shown = [(row["epoch"], row[key]) for row in rows if key in row and "epoch" in row]
            if shown:
                axis.plot(*zip(*shown, strict=True), color=colour, label=key.replace("_", " "))
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(fontsize=7)
    return save_figure(figure, path)


def _cumulative(errors: Any) -> tuple[Any, Any]:
    known = np.sort(np.rad2deg(errors[~np.isnan(errors)]))
    within = np.searchsorted(known, _LIMITS_DEG, side="right")
    return _LIMITS_DEG, within / max(len(known), 1)


def _values(score: Mapping[str, Any], names: Sequence[str]) -> list[float]:
    found = [score["by_category"].get(name) for name in names]
    return [np.nan if value is None else value for value in found]


def _short(name: str) -> str:
    return CATEGORIES.get(name, name)
