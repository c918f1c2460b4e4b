"""Tables and pictures of relative poses, drawn from saved answers and their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array
from sightline.records.figures import new_figure, save_figure
from sightline.records.files import write_text
from sightline.records.tables import markdown_table
from sightline.tasks.relative.judged import JudgedSet
from sightline.tasks.relative.metrics import NEAR_VIEWS_DEG, PairErrors, cumulative_histogram

TABLE_MARKDOWN = "table.md"

_LIMITS_DEG = np.linspace(0.0, 180.0, 361)
_MATCH = "#e8c411"
#: What bins are drawn by: their key in the scores, and the axis.
_BINS = (
    ("by_overlap", "share of the view that both see"),
    ("by_view_angle_deg", "angle between the views (deg)"),
    ("by_baseline_angle_deg", "baseline to the first camera's axis (deg)"),
)


def score_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the score table: a header, then each set's methods; unseen labels apart.

    Angles are medians in degrees; a pair without an answer counts as 180. The area is that of
    max(ROE, RTE), see :func:`sightline.tasks.relative.metrics.auc`. Seconds are medians; features
    of a photo that an earlier pair holds too are taken once, so benchmarks time methods better.
    """
    near = f"<={NEAR_VIEWS_DEG:g} deg"
    header = ("pairs of", "method", "pairs", "answered", "ROE", "RTE", "AUC@5", "AUC@10", "AUC@20")
    rows: list[tuple[str, ...]] = [(*header, f"ROE {near}", f"RTE {near}", "s a pair")]
    for name, table in metrics["sets"].items():
        rows += _set_rows(name, table["methods"])
        apart = {k: m["unseen_labels"] for k, m in table["methods"].items() if "unseen_labels" in m}
        unseen = next(iter(apart.values()))["pairs"] if apart else 0
        if 0 < unseen < table["pairs"]:
            rows += _set_rows(f"{name}, labels unseen in training", apart)
    return rows


def set_notes(metrics: Mapping[str, Any]) -> list[str]:
    """Return what a reader of the table must know of each set: what was left out, what leaks."""
    notes = []
    for name, table in metrics["sets"].items():
        for key, text in (
            ("without_truth", "pairs without a true pose are left out"),
            ("without_translation", "pairs did not move: judged by rotation alone"),
            ("other_parts", "pairs of other parts than test are not judged"),
        ):
            if table[key]:
                notes.append(f"{name}: {table[key]} {text}")
        training = table.get("training")
        if training:
            notes.append(
                f"{name}: of {table['pairs']} pairs {training['seen_labels']} have a label seen in "
                f"training ({training['pairs']} pairs of {training['set']})"
            )
            leak = training["pairs_with_training_images"]
            if leak:
                notes.append(f"{name}: {leak} pairs hold an image of the training (a leak)")
    return notes


def write_report(out: Path, metrics: Mapping[str, Any], judged: Sequence[JudgedSet]) -> list[Path]:
    """Write ``table.md`` and the pictures of every set into ``plots``; return the pictures."""
    notes = "\n".join(f"- {note}" for note in set_notes(metrics))
    write_text(out / TABLE_MARKDOWN, f"{markdown_table(score_rows(metrics))}\n\n{notes}\n")
    made = []
    for number, one in enumerate(judged):
        plots = out / "plots" / f"{number:02d}-{_file_name(one.name)}"
        methods = metrics["sets"][one.name]["methods"]
        made.append(draw_histograms(plots.with_name(f"{plots.name}-errors.png"), one.errors))
        made += [
            draw_bins(plots.with_name(f"{plots.name}-{key}.png"), methods, key, axis)
            for key, axis in _BINS
            if any(len(table[key]) > 1 for table in methods.values())
        ]
        made.append(draw_reliability(plots.with_name(f"{plots.name}-confidence.png"), methods))
    return made


def draw_histograms(path: Path, errors: Mapping[str, PairErrors], title: str = "") -> Path:
    """Draw normalised cumulative histograms, ROE left and RTE right; return the path.

    A curve ends below 1 where pairs have no answer.

    Source: Melekhov et al. 2017, Figs. 5 and 7.
    """
    figure, axes = new_figure(11, _height(len(errors)), 2)
    for number, (name, one) in enumerate(errors.items()):
        style = _style(number)
        for axis, values in zip(axes, (one.roe_deg, one.rte_deg), strict=True):
            axis.plot(_LIMITS_DEG, cumulative_histogram(values, _LIMITS_DEG), label=name, **style)
    for axis, name in zip(axes, ("orientation", "translation"), strict=True):
        axis.set_xlabel(f"relative {name} error (deg)")
        axis.set_ylabel("share of pairs within")
        axis.set_xlim(0, 180)
        axis.set_ylim(0, 1.02)
        axis.grid(alpha=0.3)
    _legend_below(figure, axes[0])
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def draw_bins(path: Path, methods: Mapping[str, Mapping[str, Any]], key: str, axis: str) -> Path:
    """Draw medians of ROE and RTE bin by bin; return the path.

    Args:
        path: Of the PNG.
        methods: Scores by method.
        key: ``by_overlap``, ``by_view_angle_deg`` or ``by_baseline_angle_deg``.
        axis: What the bins are of.
    """
    figure, axes = new_figure(11, _height(len(methods)), 2)
    names = _bin_names(methods, key)
    first = next(iter(methods.values()))[key]
    ticks = [f"{name}\n({first[name]['pairs']})" for name in names]
    for number, (method, table) in enumerate(methods.items()):
        for panel, score in zip(axes, ("median_roe_deg", "median_rte_deg"), strict=True):
            values = [table[key].get(name, {}).get(score) for name in names]
            shown = [np.nan if value is None else value for value in values]
            panel.plot(range(len(names)), shown, marker="o", label=method, **_style(number))
    for panel, name in zip(axes, ("ROE", "RTE"), strict=True):
        panel.set_xticks(range(len(names)), ticks, fontsize=8)
        panel.set_xlabel(f"{axis}; pairs in brackets")
        panel.set_ylabel(f"median {name} (deg)")
        # linear below a degree: a perfect answer has no logarithm
        panel.set_yscale("symlog", linthresh=1.0)
        panel.set_ylim(0, 200)
        panel.grid(alpha=0.3)
    _legend_below(figure, axes[0])
    return save_figure(figure, path)


def draw_reliability(path: Path, methods: Mapping[str, Mapping[str, Any]]) -> Path:
    """Draw how often each confidence came true; return the path."""
    figure, (axis,) = new_figure(8, 1 + _height(len(methods)), 1)
    axis.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    for number, (method, table) in enumerate(methods.items()):
        bins = table["reliability"]["bins"]
        at = [one["mean_confidence"] for one in bins]
        axis.plot(at, [one["true"] for one in bins], marker="o", label=method, **_style(number))
    axis.set_xlabel("confidence")
    axis.set_ylabel("share with ROE and RTE below 10 deg")
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.grid(alpha=0.3)
    _legend_below(figure, axis)
    return save_figure(figure, path)


@dataclass(frozen=True, eq=False)
class MatchPicture:
    """Two photos side by side with lines between matching points.

    Attributes:
        image_a: (H, W, 3) uint8 RGB.
        image_b: The same of the second.
        a_px: (N, 2) points in the first, in pixels.
        b_px: (N, 2) the same points in the second.
        caption: Below the photos, such as the methods' errors.
    """

    image_a: NDArray[np.uint8]
    image_b: NDArray[np.uint8]
    a_px: Array
    b_px: Array
    caption: str


def draw_matches(path: Path, pictures: Sequence[MatchPicture], title: str = "") -> Path:
    """Draw pairs of photos beside each other, matches as yellow lines; return the path.

    Source: Melekhov et al. 2017, Fig. 6.
    """
    figure, axes = new_figure(5.5 * max(len(pictures), 1), 3.4, max(len(pictures), 1))
    for axis in axes:
        axis.set_axis_off()
    for axis, one in zip(axes, pictures, strict=False):
        height = max(one.image_a.shape[0], one.image_b.shape[0])
        both = [_to_height(image, height) for image in (one.image_a, one.image_b)]
        axis.imshow(np.concatenate(both, axis=1))
        right = one.b_px + np.array([one.image_a.shape[1], 0.0])
        for a, b in zip(one.a_px, right, strict=True):
            axis.plot([a[0], b[0]], [a[1], b[1]], color=_MATCH, linewidth=0.7)
        axis.set_title(one.caption, fontsize=8)
    if title:
        figure.suptitle(title, fontsize=9)
    return save_figure(figure, path)


def _set_rows(name: str, methods: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [
        ("" if number else name, method, *_cells(table))
        for number, (method, table) in enumerate(methods.items())
    ]


def _cells(table: Mapping[str, Any]) -> tuple[str, ...]:
    near = table.get("near_views", {})
    return (
        str(table["pairs"]),
        _percent(table.get("share_answered")),
        degrees(table["median_roe_deg"]),
        degrees(table["median_rte_deg"]),
        *(_percent(area) for area in table["auc"].values()),
        degrees(near.get("median_roe_deg")),
        degrees(near.get("median_rte_deg")),
        _number(table.get("median_seconds"), 3),
    )


def degrees(value: float | None) -> str:
    """Return an angle as tables show it; a dash where there is none."""
    return _number(value, 2)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"


def _bin_names(methods: Mapping[str, Mapping[str, Any]], key: str) -> list[str]:
    names = {name for table in methods.values() for name in table[key]}
    return sorted(names, key=lambda name: float(name.split("-", maxsplit=1)[0]))


def _style(number: int) -> dict[str, Any]:
    # ten colours come with the library; then the same again, dashed
    return {"color": f"C{number % 10}", "linestyle": ("-", "--", ":")[number // 10 % 3]}


def _legend_below(figure: Any, axis: Any) -> None:
    # beside the curves, never on them: there may be many methods
    figure.legend(
        *axis.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7
    )


def _height(methods: int) -> float:
    """Return inches of a figure with that many lines in its legend."""
    return 4.2 + 0.16 * ((methods + 1) // 2)


def _to_height(image: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    below = height - image.shape[0]
    return np.pad(image, ((0, below), (0, 0), (0, 0)), constant_values=255)


def _file_name(name: str) -> str:
    kept = "".join(c if c.isalnum() else "-" for c in name.rsplit("/", maxsplit=1)[-1])
    return kept.strip("-")[:60] or "pairs"
