"""Pictures of the report: learning curves, example predictions, perturbations, confusions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper003.mlp import MlpResult
from sightline.learning.fit import read_history
from sightline.records.figures import new_figure, save_figure

_COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#8172b3", "#937860")


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of a grid: (H, W, 3) or (H, W) uint8, and the words over it."""

    picture: NDArray[np.uint8]
    title: str = ""


def draw_curves(path: Path, results: Mapping[str, Sequence[MlpResult]]) -> Path:
    """Draw Fig. 9: loss and accuracy by epoch of each experiment, training and validation.

    Args:
        path: Of the PNG.
        results: The trainings by the name of the experiment; their range is shaded.
    """
    figure, axes = new_figure(12, 4.2, 2)
    for axis, score in zip(axes, ("loss", "accuracy"), strict=True):
        for colour, (name, many) in zip(_COLOURS, results.items(), strict=False):
            for part, style in (("train", ":"), ("val", "-")):
                values = np.array([getattr(one, f"{part}_{score}") for one in many])
                epochs = np.arange(1, values.shape[1] + 1)
                label = name if part == "val" else None
                axis.plot(epochs, values.mean(axis=0), style, color=colour, label=label)
                axis.fill_between(
                    epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0
                )
        axis.set_xlabel("epoch")
        axis.set_ylabel(f"{score} (dotted: training)")
        axis.grid(alpha=0.3)
        axis.legend()
    return save_figure(figure, path)


def draw_confusion(
    path: Path, matrix: NDArray[np.int64], classes: Sequence[str], title: str
) -> Path:
    """Draw a confusion matrix as shares of each true class; counts stand in it where they fit.

    Args:
        path: Of the PNG.
        matrix: (C, C) counts, rows are true classes.
        classes: Their names.
        title: Above.
    """
    size = min(16.0, 3.5 + 0.35 * len(classes))
    figure, (axis,) = new_figure(size + 1, size, 1)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    shown = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axis, label="share of the true class", shrink=0.8)
    ticks = range(len(classes))
    axis.set_xticks(ticks, classes, rotation=90, fontsize=7)
    axis.set_yticks(ticks, classes, fontsize=7)
    axis.set_xlabel("answer")
    axis.set_ylabel("true class")
    axis.set_title(title)
    if len(classes) <= 20:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axis.text(
                    column, row, str(count), ha="center", va="center", fontsize=7, color=colour
                )
    return save_figure(figure, path)


def draw_histories(path: Path, histories: Mapping[str, Path]) -> Path:
    """Draw the trainings of the ablation: loss on labelled images, and the validation's AbsRel.

    Args:
        path: Of the PNG.
        histories: ``history.csv`` of each training, by name.
    """
    figure, axes = new_figure(12, 4.2, 2)
    columns = (("train_labelled", "loss on labelled images"), ("score", "AbsRel of validation"))
    for axis, (column, label) in zip(axes, columns, strict=True):
        for colour, (name, file) in zip(_COLOURS, histories.items(), strict=False):
            history = read_history(file)
            rows = [row for row in history if column in row]
            share = [row["epoch"] / history[-1]["epoch"] for row in rows]
            marker = "." if len(rows) < 20 else None
            values = [row[column] for row in rows]
            axis.plot(share, values, marker=marker, label=name, color=colour)
        axis.set_xlabel("share of the training")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    return save_figure(figure, path)


def draw_grid(path: Path, rows: Sequence[Sequence[Panel]], title: str = "") -> Path:
    """Draw pictures in rows, one under the other.

    Args:
        path: Of the PNG.
        rows: Of as many pictures each.
        title: Above.
    """
    columns = max(len(row) for row in rows)
    tall = max(p.picture.shape[0] / p.picture.shape[1] for row in rows for p in row)
    words = 0.25 * sum(any(p.title for p in row) for row in rows) + (0.4 if title else 0.0)
    figure, _ = new_figure(2.2 * columns, 2.15 * tall * len(rows) + words, 0)
    for i, row in enumerate(rows):
        for j, panel in enumerate(row):
            axis: Any = figure.add_subplot(len(rows), columns, i * columns + j + 1)
            grey = panel.picture.ndim == 2
            axis.imshow(panel.picture, cmap="gray" if grey else None, vmin=0, vmax=255)
            axis.set_title(panel.title, fontsize=8)
            axis.set_axis_off()
    if title:
        figure.suptitle(title, fontsize=10)
    return save_figure(figure, path)
