"""Plots of what a predictor said, from saved answers and their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.records.figures import new_figure, save_figure
from sightline.tasks.utility.answers import Answers
from sightline.tasks.utility.baselines import MAJORITY, Decided
from sightline.tasks.utility.evaluate import JudgedUtility
from sightline.tasks.utility.metrics import roc_curve
from sightline.tasks.utility.samples import Copies

Values = NDArray[np.float64]

_GREY = "#999999"

#: As the paper's Fig. 1: useful blue, useless orange.
_COLOURS = {"useful": "C0", "useless": "C1"}

#: What measures are called on axes.
AXES = {
    "quality": "JPEG quality",
    "bytes_per_pixel": "bytes a pixel",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "sharpness": "sharpness (variance of the Laplacian)",
    "energy": "energy score",
}

_BINS = 30

#: Outliers beyond these percentiles stand in the outermost bins.
_SHOWN_PERCENT = (1.0, 99.0)

#: Pictures of a row of wrong answers.
_WRONG = 6


def draw_curves(
    path: Path, scored: Answers, baselines: Mapping[str, Decided], scores: Mapping[str, Any]
) -> Path:
    """Draw ROC curves, and how often each probability came true; return the path."""
    figure, (left, right) = new_figure(11, 4.8, 2)
    useful = scored.useful
    if useful.any() and not useful.all():
        left.plot(*roc_curve(scored.probability, useful), label="predictor", linewidth=2)
        for k, (name, decided) in enumerate(baselines.items()):
            if name != MAJORITY:
                curve = roc_curve(decided.score, useful)
                left.plot(*curve, label=name, linewidth=1, color=f"C{k + 1}")
        left.legend(fontsize=7, loc="lower right")
    left.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8)
    left.set_xlabel("useless images called useful")
    left.set_ylabel("useful images called useful")
    curve = scores["reliability"]
    right.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8)
    at = [row["mean_probability"] for row in curve]
    right.plot(at, [row["useful"] for row in curve], marker="o")
    right.axvline(scores["threshold"], color=_GREY, linestyle="--", linewidth=0.8)
    right.set_xlabel("predicted probability (dashed: threshold)")
    right.set_ylabel("share that is useful")
    right.set_title(f"expected calibration error {scores['calibration_error']:.3f}", fontsize=9)
    for axis in (left, right):
        axis.set_xlim(-0.01, 1.01)
        axis.set_ylim(-0.01, 1.01)
        axis.grid(alpha=0.3)
    return save_figure(figure, path)


def draw_levels(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Draw usefulness and accuracy over the levels of each kind of distortion; return the path.

    Args:
        path: Of the PNG.
        rows: The scores' ``by_distortion``.
    """
    kinds: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for row in rows:
        kind, _, level = row["distortion"].partition(":")
        if row["images"]:
            kinds.setdefault(kind, []).append((level or kind, row))
    figure, axes = new_figure(max(5.0, 3.2 * len(kinds)), 3.8, max(len(kinds), 1))
    lines = (("useful", "useful"), ("said_useful", "called useful"), ("accuracy", "accuracy"))
    for axis, (kind, found) in zip(axes, kinds.items(), strict=False):
        at = range(len(found))
        for key, label in lines:
            style = {"linestyle": "--"} if key == "said_useful" else {}
            axis.plot(at, [row[key] for _, row in found], marker="o", label=label, **style)
        axis.set_xticks(list(at), [level for level, _ in found])
        axis.set_xlabel(f"{kind}: level")
        axis.set_ylim(-0.02, 1.02)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("share of images")
    if kinds:
        axes[0].legend(fontsize=7)
    return save_figure(figure, path)


def draw_histograms(path: Path, values: Mapping[str, Values], useful: NDArray[np.bool_]) -> Path:
    """Draw a histogram of each measure for useful and for useless images; return the path.

    Args:
        path: Of the PNG.
        values: By name, (N,); NaN where unknown.
        useful: (N,).

    Source: paper 004, Fig. 1.
    """
    known = {name: one for name, one in values.items() if np.isfinite(one).any()}
    figure, axes = new_figure(max(4.0, 3.0 * len(known)), 3.4, max(len(known), 1))
    for axis, (name, one) in zip(axes, known.items(), strict=False):
        there = np.isfinite(one)
        low, high = np.percentile(one[there], _SHOWN_PERCENT)
        edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
        for label, part in (("useful", useful), ("useless", ~useful)):
            shown = np.clip(one[there & part], edges[0], edges[-1])
            axis.hist(shown, edges, alpha=0.55, color=_COLOURS[label], label=label)
        axis.set_xlabel(AXES.get(name, name))
    axes[0].set_ylabel("images")
    axes[0].legend(fontsize=7)
    return save_figure(figure, path)


def draw_wrong(folder: Path, judged: JudgedUtility) -> list[tuple[Path, str]]:
    """Draw the images whose answer is farthest off, and return the pictures with captions."""
    answers = judged.answers
    made = []
    for called, wrong in (("useful", ~answers.useful), ("useless", answers.useful)):
        sign = 1.0 if called == "useful" else -1.0
        decided = (answers.probability >= judged.threshold) == (called == "useful")
        rows = np.flatnonzero(answers.labelled & wrong & decided)
        worst = rows[np.argsort(-sign * answers.probability[rows], kind="stable")][:_WRONG]
        if not len(worst):
            continue
        path = _draw_images(folder / f"wrongly-{called}.png", judged, worst.tolist())
        made.append((path, f"Called {called}, most surely first: {len(rows)} in all"))
    return made


def _draw_images(path: Path, judged: JudgedUtility, rows: Sequence[int]) -> Path:
    images = Copies(judged.data.images_root, judged.data.items)
    figure, axes = new_figure(2.1 * _WRONG, 2.7, _WRONG)
    for axis in axes:
        axis.set_axis_off()
    for axis, row in zip(axes, rows, strict=False):
        item = judged.data.items[row]
        try:
            axis.imshow(images(row)[1])
        except SightlineError:  # gone since it was judged
            axis.text(0.5, 0.5, "not there", ha="center")
        said = f"{judged.answers.probability[row]:.2f}"
        axis.set_title(f"{item.image.name[-22:]}\n{item.distortion}, {said}", fontsize=7)
    return save_figure(figure, path)
