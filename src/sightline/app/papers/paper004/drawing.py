"""Figures 1 and 2: histograms by utility, and bars of unseen networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper004.overlap import edges
from sightline.records.figures import new_figure, save_figure

_USEFUL, _USELESS = "#4c72b0", "#dd8452"
_COLOURS = ("#937860", "#4c72b0", "#55a868", "#8172b3", "#64b5cd", "#c44e52", "#dd8452", "#8c8c8c")

Values = NDArray[np.float64]


def draw_histograms(path: Path, metrics: Mapping[str, tuple[Values, Values, float]]) -> Path:
    """Draw Fig. 1: a histogram of each metric for useful and for useless images.

    Args:
        path: Of the PNG.
        metrics: By name: the values of useful images, of useless ones, and the overlap.
    """
    figure, axes = new_figure(3.4 * len(metrics), 3.4, len(metrics))
    for axis, (name, (useful, useless, overlap)) in zip(axes, metrics.items(), strict=True):
        bins = edges(useful, useless)
        for values, colour, label in (
            (useful, _USEFUL, "useful"),
            (useless, _USELESS, "not useful"),
        ):
            weights = np.full(len(values), 1 / max(len(values), 1))
            axis.hist(values, bins=bins, weights=weights, color=colour, alpha=0.6, label=label)
        axis.set_title(f"overlap {overlap:.2f}", fontsize=9)
        axis.set_xlabel(name)
        axis.set_ylabel("share of its images")
        axis.legend(fontsize=7)
    return save_figure(figure, path)


def draw_groups(
    path: Path, groups: Mapping[str, Mapping[str, float]], label: str, title: str
) -> Path:
    """Draw one part of Fig. 2: a group of bars for each unseen network.

    Args:
        path: Of the PNG.
        groups: Network -> what was done to its images -> score.
        label: Of the scores.
        title: Above.
    """
    names: Sequence[str] = list(dict.fromkeys(name for bars in groups.values() for name in bars))
    figure, (axis,) = new_figure(3.2 + 2.6 * len(groups), 4.2, 1)
    width = 0.85 / max(len(names), 1)
    for i, name in enumerate(names):
        heights = [bars.get(name, np.nan) for bars in groups.values()]
        at = np.arange(len(groups)) + (i - (len(names) - 1) / 2) * width
        axis.bar(at, heights, width, label=name, color=_COLOURS[i % len(_COLOURS)])
    axis.set_xticks(range(len(groups)), list(groups))
    axis.set_ylabel(label)
    axis.set_title(title, fontsize=10)
    axis.grid(axis="y", alpha=0.3)
    figure.legend(fontsize=7, loc="outside right upper")
    return save_figure(figure, path)
