"""The score table, and a report that opens offline, from saved answers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.records.files import write_text
from sightline.records.html_report import Report
from sightline.records.tables import markdown_table

if TYPE_CHECKING:
    from sightline.tasks.utility.evaluate import JudgedUtility

TABLE_MARKDOWN = "table.md"
REPORT = "report.html"

_NONE = "-"

#: Why images have no label, by outcome.
WITHOUT_LABEL = {
    "between": "between the thresholds",
    "disagreeing": "machines disagree",
    "failed": "pristine image failed",
}


def score_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the score table: a header, then each run and the rules beside it, in percent.

    ``ahead`` is how much more often the run is right than a rule. Brackets hold 95% intervals, by
    drawing sources.
    """
    rows: list[tuple[str, ...]] = [
        (
            "data", "model", "images", "accuracy %", "balanced %", "AUC", "useless: precision %",
            "recall %", "ECE", "ahead %",
        )
    ]  # fmt: skip
    for one in metrics["judged"]:
        scores = one["scores"]
        error = f"{scores['calibration_error']:.3f}"
        rows.append((one["set"], one["run"], *_cells(scores, scores["images"]), error, _NONE))
        for name, table in one["baselines"].items():
            ahead = _percent(table["ahead"]["accuracy"], table["ahead"]["interval"])
            rows.append((one["set"], name, *_cells(table, scores["images"]), _NONE, ahead))
    return rows


def distortion_rows(table: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a header and a row for each distortion of one of the metrics' ``judged``."""
    rows: list[tuple[str, ...]] = [
        ("distortion", "images", "without a label", "useful %", "called useful %", "accuracy %")
    ]
    for row in table["scores"]["by_distortion"]:
        shares = (_percent(row[key]) for key in ("useful", "said_useful", "accuracy"))
        rows.append((row["distortion"], str(row["images"]), str(row["without_label"]), *shares))
    return rows


def notes(metrics: Mapping[str, Any]) -> list[str]:
    """Return what a reader of the tables must know: what was not scored, what rules rest on."""
    said = []
    for one in metrics["judged"]:
        scores, where = one["scores"], f"{one['run']} on {one['set']}"
        counts = scores["counts"]
        machines = ", ".join(one["machines"])
        said.append(
            f"{where}: {scores['images']} images of {scores['sources']} sources, "
            f"{counts['useful']} useful and {counts['useless']} useless by {machines} (joined by "
            f"`{one['operator']}`); called useful from {scores['threshold']:.3g} on"
        )
        missing = [f"{counts[key]} ({why})" for key, why in WITHOUT_LABEL.items() if counts[key]]
        if missing:
            said.append(f"{where}: images without a label are not scored: {', '.join(missing)}")
        if one["left_out"]:
            said.append(f"{where}: {one['left_out']} images left out; their photo does not read")
        if one["baselines"]:
            said.append(f"{where}: rules' thresholds are chosen on {one['fitted_on']}")
        else:
            said.append(
                f"{where}: no rules stand beside; useful and useless images to fit them are missing"
            )
    return said


def write_table(out: Path, metrics: Mapping[str, Any]) -> Path:
    """Write ``table.md`` and return its path."""
    parts = [markdown_table(score_rows(metrics)), "\n".join(f"- {n}" for n in notes(metrics))]
    for one in metrics["judged"]:
        parts += [f"{one['run']} on {one['set']}:", markdown_table(distortion_rows(one))]
    write_text(out / TABLE_MARKDOWN, "\n\n".join(parts) + "\n")
    return out / TABLE_MARKDOWN


def write_report(judged: JudgedUtility, table: Mapping[str, Any]) -> Path:
    """Write ``report.html``, its pictures in ``plots``, into the judged folder; return its path.

    Args:
        judged: The saved answers.
        table: Their entry of the metrics' ``judged``.
    """
    from sightline.tasks.utility import plots

    folder, scored = judged.folder / "plots", judged.answers.scored()
    metrics = {"judged": [table]}
    report = Report(
        f"{judged.run} on {judged.name}",
        "Is an image of use to machines? Answers as saved in predictions.csv (paper 004).",
    )
    header, *rows = score_rows(metrics)
    report.table(header, rows)
    for note in notes(metrics):
        report.paragraph(note)
    report.heading("How far answers and rules tell useful from useless")
    curves = plots.draw_curves(folder / "curves.png", scored, judged.baselines, table["scores"])
    report.pictures([(curves, "Left: ROC of the run and of the rules; right: reliability")])
    report.heading("By distortion and level")
    levels = plots.draw_levels(folder / "levels.png", table["scores"]["by_distortion"])
    report.pictures([(levels, "Share of useful images, of those called useful, and accuracy")])
    header, *rows = distortion_rows(table)
    report.table(header, rows)
    report.heading("Other notions of quality, by utility")
    found = plots.draw_histograms(folder / "histograms.png", _shown(scored), scored.useful)
    report.pictures([(found, "Paper 004, Fig. 1: where they overlap, a notion says little")])
    report.heading("The most wrong answers")
    for path, caption in plots.draw_wrong(folder, judged):
        report.pictures([(path, caption)])
    report.write(judged.folder / REPORT)
    return judged.folder / REPORT


def _shown(scored: Any) -> dict[str, Any]:
    return {**scored.measures, "predicted probability": scored.probability}


def _cells(scores: Mapping[str, Any], images: int) -> tuple[str, ...]:
    limits = scores["intervals"]
    area = _NONE if scores["auc"] is None else f"{scores['auc']:.3f}"
    return (
        str(images),
        _percent(scores["accuracy"], limits["accuracy"]),
        _percent(scores["balanced_accuracy"], limits["balanced_accuracy"]),
        area,
        _percent(scores["precision_useless"]),
        _percent(scores["recall_useless"]),
    )


def _percent(share: float | None, limits: Sequence[float] | None = None) -> str:
    if share is None:
        return _NONE
    text = f"{100 * share:.1f}"
    return text if limits is None else f"{text} [{100 * limits[0]:.1f}, {100 * limits[1]:.1f}]"
