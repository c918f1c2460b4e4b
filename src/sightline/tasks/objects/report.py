"""Tables in the paper's order of columns, and a report that opens offline, from scores alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.records.files import write_text
from sightline.records.html_report import Report
from sightline.records.objects import CATEGORIES, SYMMETRY
from sightline.records.tables import markdown_table

if TYPE_CHECKING:
    from sightline.tasks.objects.evaluate import JudgedObjects

TABLE_MARKDOWN = "table.md"
REPORT = "report.html"

#: Rules whose poses are compared, and their names in tables; the constant has the same keys.
RULE_NAMES = {
    "weighted": "weighted",
    "top1": "top1",
    "chordal": "chordal",
    "oracle": "category known",
}

#: Rows of median errors by every rule, and how they are taken; then those by the run's own.
_POSE_ROWS = (("pose-err", "rotation"), ("pose-err, symmetric", "rotation_symmetric"))
_AZIMUTH_ROWS = (("azimuth-err", "azimuth"), ("azimuth-err, symmetric", "azimuth_symmetric"))
#: Rows of shares: how the error is taken, and what is said of it.
_SHARE_ROWS = tuple(
    (f"{name}{of}", kind, key)
    for kind, of in (("rotation", ""), ("azimuth", " azimuth"))
    for name, key in (
        ("acc pi/6", "accuracy_pi_6"),
        ("acc pi/18", "accuracy_pi_18"),
        ("P%(<22.5)", "within_22_5_deg"),
        ("P%(<45)", "within_45_deg"),
        ("AAAI", "aaai"),
    )
)


def score_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the score table: a header, then errors, category accuracy and shares.

    Columns are the paper's: metric, data, model, the categories that have objects, their mean;
    then ``all``, the same over all objects alike (the "percentage of images" of Table 7). Errors
    are medians in degrees, of all images, the category right or wrong; ``symmetric``: a bottle's
    azimuth and a table's half turn forgiven, where there are such objects. Shares are by the run's
    own rule; the constant predictor stands beside.
    """
    categories = _shown_categories(metrics)
    heads = [CATEGORIES.get(name, name) for name in categories]
    rows = [("metric", "data", "model", *heads, "mean", "all")]
    judged = metrics["judged"]
    several = len({one["run"] for one in judged}) > 1
    kinds = len(_POSE_ROWS) if any(name in SYMMETRY for name in categories) else 1
    for name, kind in _POSE_ROWS[:kinds]:
        for one in judged:
            for model, table in _rules(one, several):
                cells = _cells(table[kind]["median_deg"], categories, 1, 2)
                rows.append((name, one["set"], model, *cells))
    for one in judged:
        for model, scores in _models(one, several):
            cells = _cells(scores["category"]["accuracy"], categories, 2, 4)
            rows.append(("cat-acc", one["set"], model, *cells))
    medians = [(name, kind, "median_deg", 1, 2) for name, kind in _AZIMUTH_ROWS[:kinds]]
    for name, kind, key, *digits in medians + [(*row, 2, 4) for row in _SHARE_ROWS]:
        for one in judged:
            for model, scores in _models(one, several):
                cells = _cells(scores["rules"][scores["rule"]][kind][key], categories, *digits)
                rows.append((name, one["set"], model, *cells))
    return rows


def top_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return Table 13: category accuracy and pose error where k categories may be named."""
    rows: list[tuple[str, ...]] = [
        ("data", "model", "categories", "cat-acc", "pose-err", "pose-err, symmetric")
    ]
    for one in metrics["judged"]:
        for key, table in one["scores"]["top_k"].items():
            accuracy = None if table["accuracy"] is None else table["accuracy"]["mean"]
            errors = [table[kind]["mean"] for kind in ("rotation", "rotation_symmetric")]
            name = "the true one" if key == "GT" else f"top {key}"
            known = "1" if key == "GT" else _number(accuracy, 4)
            rows.append((one["set"], one["run"], name, known, *(_number(e, 2) for e in errors)))
    return rows


def notes(metrics: Mapping[str, Any]) -> list[str]:
    """Return what a reader of the tables must know: what was left out, who the constant is."""
    said = []
    for one in metrics["judged"]:
        scores, where = one["scores"], f"{one['run']} on {one['set']}"
        said.append(f"{where}: {scores['objects']} objects")
        if scores["without_pose"]:
            said.append(f"{where}: {scores['without_pose']} objects have no true pose")
        for category, count in one["unknown"].items():
            said.append(f"{where}: {count} of {category} are left out; the run does not know it")
        for reason, count in one["left_out"].items():
            said.append(f"{one['set']}: {count} left out when it was read: {reason}")
        said += [f"{one['set']}: {note}" for note in one["notes"]]
        joint = scores["rules"][scores["rule"]]["joint"]
        if joint["mean"] is not None:
            said.append(
                f"{where}: category right and pose within 30 deg (symmetry granted): "
                f"{joint['mean']:.4f} (mean over the categories), {joint['all']:.4f} (all objects)"
            )
        if one["constant"] is None:
            said.append(f"{where}: no training objects are at hand for a constant predictor")
        else:
            said.append(
                f"{where}: the constant predictor always gives the most usual view and category "
                f"of the training part of {one['constant']['of']}"
            )
    return said


def write_table(out: Path, metrics: Mapping[str, Any]) -> Path:
    """Write ``table.md`` and return its path."""
    tables = [markdown_table(score_rows(metrics)), markdown_table(top_rows(metrics))]
    listed = "\n".join(f"- {note}" for note in notes(metrics))
    write_text(out / TABLE_MARKDOWN, "\n\n".join([*tables, listed]) + "\n")
    return out / TABLE_MARKDOWN


def write_report(judged: JudgedObjects, table: Mapping[str, Any]) -> Path:
    """Write ``report.html``, its pictures in ``plots``, into the judged folder; return its path.

    Args:
        judged: The saved answers.
        table: Their entry of the metrics' ``judged``.
    """
    from sightline.tasks.objects import plots
    from sightline.tasks.objects.contact_sheet import draw_sheets

    folder = judged.folder / "plots"
    metrics = {"judged": [table]}
    report = Report(
        f"{judged.run} on {judged.name}",
        "Category and 3D pose of objects in given boxes, as saved in predictions.csv.",
    )
    header, *rows = score_rows(metrics)
    report.table(header, rows)
    for note in notes(metrics):
        report.paragraph(note)
    report.heading("How far off the poses are")
    curves = plots.draw_errors(folder / "errors.png", judged.predictions, judged.constant)
    report.pictures([(curves, "Share of objects within an error; right: symmetry granted")])
    bars = plots.draw_categories(folder / "categories.png", table)
    report.pictures([(bars, "By category")])
    found = plots.draw_azimuths(folder / "azimuths.png", judged.predictions)
    report.pictures([(found, "True azimuth and what was found")])
    report.heading("Categories")
    matrix = plots.draw_confusion(folder / "confusion.png", table["scores"])
    report.pictures([(matrix, "Rows: the true category; columns: what was found")])
    top_header, *top = top_rows(metrics)
    report.table(top_header, top)
    report.heading("Confidence")
    sure = plots.draw_confidence(folder / "confidence.png", table["scores"]["confidence"])
    report.pictures([(sure, "How often each confidence came true; errors of the most confident")])
    steps = plots.step_histories(judged.run_dir)
    if steps:
        report.heading("Training, step by step")
        report.pictures([(plots.draw_losses(folder / "losses.png", steps), "Losses and scores")])
    report.heading("What was said of single objects")
    for path, caption in draw_sheets(folder, judged):
        report.pictures([(path, caption)])
    report.write(judged.folder / REPORT)
    return judged.folder / REPORT


def _shown_categories(metrics: Mapping[str, Any]) -> list[str]:
    """Return the categories that have objects: the paper's in its order, then the others."""
    there = {
        name: None
        for one in metrics["judged"]
        for name, count in one["scores"]["counts"].items()
        if count
    }
    own = [name for name in CATEGORIES if name in there]
    return own + [name for name in there if name not in CATEGORIES]


def _models(one: Mapping[str, Any], several: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    name = f"{one['run']}, {one['scores']['rule']}" if several else one["scores"]["rule"]
    yield name, one["scores"]
    if one["constant"] is not None:
        yield "constant", one["constant"]


def _rules(one: Mapping[str, Any], several: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    own = one["scores"]["rules"][one["scores"]["rule"]]["rotation"]
    for rule, shown in RULE_NAMES.items():
        table = one["scores"]["rules"][rule]
        # one pose network for all categories: every rule gives the same
        if rule == one["scores"]["rule"] or table["rotation"] != own:
            yield (f"{one['run']}, {shown}" if several else shown), table
    if one["constant"] is not None:
        table, told = (one["constant"]["rules"][rule] for rule in ("top1", "oracle"))
        yield "constant", table
        if told["rotation"] != table["rotation"]:
            yield f"constant, {RULE_NAMES['oracle']}", told


def _cells(
    score: Mapping[str, Any], categories: Sequence[str], digits: int, mean_digits: int
) -> tuple[str, ...]:
    each = [_number(score["by_category"].get(name), digits) for name in categories]
    return (*each, _number(score["mean"], mean_digits), _number(score["all"], mean_digits))


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
