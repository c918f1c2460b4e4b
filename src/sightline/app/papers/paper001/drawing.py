"""Pictures of the tables: Figure 5, bars beside the paper's, and the losses of the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sightline.app.papers.paper001.published import TABLE_3
from sightline.learning.fit import read_history
from sightline.records.figures import new_figure, save_figure
from sightline.records.objects import CATEGORIES

_COLOURS = ("#4c72b0", "#dd8452", "#55a868")
_PAPER = "#b0b0b0"
#: Columns of a history that are losses, and what they are called.
_TERMS = {"train_pose": "pose", "train_category": "category"}


def draw_stages(
    path: Path, measured: Mapping[str, Sequence[float | None]], names: Sequence[str]
) -> Path:
    """Draw Fig. 5: median errors by category and stage, measured left, the paper's right.

    Args:
        path: Of the PNG.
        measured: By stage the errors of the categories and their mean; None where there is none.
        names: Of the categories.
    """
    paper = {stage: [*row.values.values(), float(row.mean)] for stage, row in TABLE_3.items()}
    figure, axes = new_figure(15, 4.5, 2)
    _groups(axes[0], measured, (*names, "mean"), "measured here")
    _groups(axes[1], paper, (*CATEGORIES.values(), "mean"), "the paper, ResNet-50")
    return save_figure(figure, path)


def draw_bars(
    path: Path, bars: Mapping[str, tuple[float, float | None]], label: str, title: str = ""
) -> Path:
    """Draw a measured bar for each name, and the paper's beside it where it has one.

    Args:
        path: Of the PNG.
        bars: By name the measured number and the paper's.
        label: Of the numbers.
        title: Above.
    """
    figure, (axis,) = new_figure(9, 1.2 + 0.5 * len(bars), 1)
    for row, (measured, paper) in enumerate(bars.values()):
        axis.barh(row - 0.2, measured, 0.38, color=_COLOURS[0])
        axis.text(measured, row - 0.2, f" {measured:.4g}", va="center", fontsize=8)
        if paper is not None:
            axis.barh(row + 0.2, paper, 0.38, color=_PAPER)
            axis.text(paper, row + 0.2, f" {paper:.4g} (paper)", va="center", fontsize=8)
    axis.set_yticks(range(len(bars)), list(bars))
    axis.invert_yaxis()
    axis.set_xlabel(label)
    axis.margins(x=0.15)
    axis.grid(axis="x", alpha=0.3)
    if title:
        axis.set_title(title)
    return save_figure(figure, path)


def draw_losses(path: Path, histories: Mapping[str, Path]) -> Path:
    """Draw the losses of a training's steps, one panel each, from their ``history.csv``.

    Args:
        path: Of the PNG.
        histories: The files by the name of the step.
    """
    figure, axes = new_figure(3.6 * len(histories), 3.4, len(histories))
    for axis, (name, file) in zip(axes, histories.items(), strict=True):
        rows = read_history(file)
        for column, label in _TERMS.items():
            epochs = [row["epoch"] for row in rows if column in row]
            values = [row[column] for row in rows if column in row]
            if values:
                axis.plot(epochs, values, marker=".", label=label)
        axis.set_title(name)
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    axes[0].set_ylabel("training loss")
    return save_figure(figure, path)


def _groups(
    axis: Any, groups: Mapping[str, Sequence[float | None]], names: Sequence[str], title: str
) -> None:
    width = 0.8 / len(groups)
    for number, (label, values) in enumerate(groups.items()):
        at = [i + (number - (len(groups) - 1) / 2) * width for i in range(len(names))]
        heights = [0.0 if value is None else value for value in values]
        axis.bar(at, heights, width, label=label.replace("stage", "stage "), color=_COLOURS[number])
    axis.set_xticks(range(len(names)), list(names), rotation=60)
    axis.set_ylabel("median viewpoint error (deg)")
    axis.set_title(title)
    axis.grid(axis="y", alpha=0.3)
    axis.legend()
