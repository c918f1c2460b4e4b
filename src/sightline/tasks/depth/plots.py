"""Plots of depth scores, and pictures of the best and the worst maps, from saved predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import InputError
from sightline.records.figures import new_figure, save_figure
from sightline.tasks.depth.judging import JOINT_EDGES, RATIO_EDGES, Tally, aligned_map
from sightline.tasks.depth.metrics import clamp_depth
from sightline.tasks.depth.predictions import file_stem

if TYPE_CHECKING:
    from sightline.tasks.depth.evaluate import JudgedSet

#: Relative error that is drawn at the end of the colours.
_WORST_SHOWN = 0.5


def draw_distances(path: Path, table: Mapping[str, Any]) -> Path:
    """Draw AbsRel by true distance, a line a model and alignment; return the path.

    Args:
        path: Of the PNG.
        table: One of the metrics' ``judged``.
    """
    figure, (axis,) = new_figure(9, 4.2, 1)
    for scores in table["scores"]:
        bins = scores["by_distance"]
        names = [f"{one['from_m']:g}+" for one in bins]
        line = "--" if scores["kind"] == "baseline" else "-"
        label = f"{scores['model']}, {scores['alignment']}"
        axis.plot(names, [one["abs_rel"] for one in bins], f"o{line}", label=label)
    axis.set_xlabel("true depth (m)")
    axis.set_ylabel("mean |predicted - true| / true")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return save_figure(figure, path)


def draw_ratios(path: Path, tallies: Sequence[Tally]) -> Path:
    """Draw histograms of predicted over true depth; return the path."""
    figure, (axis,) = new_figure(9, 4.2, 1)
    middle = (RATIO_EDGES[1:] + RATIO_EDGES[:-1]) / 2
    for tally in tallies:
        line = "--" if tally.maps.kind == "baseline" else "-"
        share = tally.ratios / max(int(tally.ratios.sum()), 1)
        axis.plot(2.0**middle, share, line, label=f"{tally.maps.name}, {tally.alignment}")
    axis.set_xscale("log", base=2)
    axis.axvspan(1 / 1.25, 1.25, alpha=0.1, label="within 1.25")
    axis.set_xlabel("predicted / true depth")
    axis.set_ylabel("share of pixels")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return save_figure(figure, path)


def draw_joint(path: Path, tallies: Sequence[Tally]) -> Path:
    """Draw true against predicted depth of all pixels, a panel a model and alignment."""
    figure, axes = new_figure(4 * len(tallies), 4, len(tallies))
    edges = 10.0**JOINT_EDGES
    for axis, tally in zip(axes, tallies, strict=True):
        shown = np.ma.masked_equal(tally.joint.T, 0)
        axis.pcolormesh(edges, edges, np.ma.log10(shown), cmap="viridis")
        filled = np.flatnonzero(tally.joint.sum(axis=0) + tally.joint.sum(axis=1))
        if filled.size:
            limits = (edges[filled[0]], edges[filled[-1] + 1])
            axis.plot(limits, limits, color="red", linewidth=0.8)
            axis.set_xlim(limits)
            axis.set_ylim(limits)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(f"{tally.maps.name}, {tally.alignment}", fontsize=9)
        axis.set_xlabel("true depth (m)")
    axes[0].set_ylabel("predicted depth (m)")
    return save_figure(figure, path)


def draw_images(
    folder: Path, judged: JudgedSet, tally: Tally, count: int
) -> list[tuple[Path, str]]:
    """Draw a model's worst and best images: photo, truth, aligned map, error.

    Args:
        folder: Of the PNGs.
        judged: The set.
        tally: The model's scores under one alignment.
        count: So many worst, and so many best; none is drawn twice.

    Returns:
        Paths and captions.
    """
    ranked = tally.ranked()
    worst = ranked[::-1][:count]
    best = [row for row in ranked[:count] if row not in worst]
    made = []
    for kind, rows in (("worst", worst), ("best", best)):
        for number, row in enumerate(rows, 1):
            name = f"{file_stem(tally.maps.name)}-{tally.alignment}-{kind}-{number}.png"
            try:
                path = _draw_image(folder / name, judged, tally, row)
            except InputError:
                continue  # the file went away since it was judged; the scores stand
            caption = f"{kind} {number}: {row['image']}, AbsRel {row['abs_rel']:.3f}"
            made.append((path, f"{caption}, a1 {row['a1']:.3f}"))
    return made


def _draw_image(path: Path, judged: JudgedSet, tally: Tally, row: Mapping[str, Any]) -> Path:
    item = next(one for one in judged.data.items if one.image.as_posix() == row["image"])
    truth = judged.protocol.truth(judged.data, item)
    found = tally.maps.read(item, (truth.depth.shape[0], truth.depth.shape[1]))
    aligned = aligned_map(found, truth, tally.alignment)
    depth = clamp_depth(aligned.depth, truth.min_depth_m, truth.max_depth_m)
    true = np.where(truth.judged, truth.depth, np.nan)
    error = np.abs(depth - true) / true
    low, high = (float(v) for v in np.nanpercentile(true, (1, 99)))
    figure, axes = new_figure(15, 3.4, 4)
    axes[0].imshow(judged.data.read_image(item))
    shown = {"vmin": low, "vmax": max(high, low + 1e-3), "cmap": "Spectral"}
    axes[1].imshow(true, **shown)
    bar = axes[2].imshow(depth, **shown)
    figure.colorbar(bar, ax=axes[2], label="m")
    off = axes[3].imshow(error, vmin=0, vmax=_WORST_SHOWN, cmap="magma")
    figure.colorbar(off, ax=axes[3], label="relative error")
    titles = ("photo", "true depth", f"aligned: {tally.alignment}", "error")
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    return save_figure(figure, path)
