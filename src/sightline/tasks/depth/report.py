"""Tables of depth scores, and a report that opens offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.records.files import write_text
from sightline.records.html_report import Report
from sightline.records.tables import markdown_table
from sightline.tasks.depth.metrics import METRICS

if TYPE_CHECKING:
    from sightline.tasks.depth.evaluate import JudgedSet

TABLE_MARKDOWN = "table.md"
REPORT = "report.html"

#: Digits that tables show of each score; the report prints three, and one more tells rows apart.
DIGITS = dict.fromkeys(METRICS, 4) | {"silog": 2}

#: More scenes than this are not worth a table.
_MOST_SOURCES = 25

#: Panels side by side.
_PANELS = 4


def score_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the score table: a header, then each model under each alignment, set by set.

    Columns are the depth report's: a1, a2, a3 (delta), abs_rel, rmse, log_10, rmse_log, silog,
    sq_rel: means over images. Where only labels came there are none to score, and the table says
    what the label folders hold.
    """
    if not metrics["judged"]:
        return label_rows(metrics)
    rows: list[tuple[str, ...]] = [("data", "model", "alignment", "images", *METRICS)]
    for one in metrics["judged"]:
        for scores in one["scores"]:
            rows.append(
                (
                    one["set"],
                    scores["model"],
                    scores["alignment_name"],
                    str(scores["images"]),
                    *(_number(scores["mean"][name], DIGITS[name]) for name in METRICS),
                )
            )
    return rows


def label_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return what folders of labels hold: a header, then a row a folder."""
    rows: list[tuple[str, ...]] = [
        ("labels", "labelled", "skipped", "images/s", "quantity", "labelled by")
    ]
    for one in metrics["labels"]:
        rows.append(
            (
                one["set"],
                str(one["labelled"]),
                str(one["skipped"]),
                _number(one["images_per_second"], 2),
                one["quantity"],
                ", ".join(one["labelled_by"]),
            )
        )
    return rows


def source_rows(table: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return AbsRel and a1 scene by scene, for one set; no rows where it names no scenes."""
    sources: dict[str, int] = {}
    for scores in table["scores"]:
        sources |= {name: part["images"] for name, part in scores["by_source"].items()}
    if not 1 < len(sources) <= _MOST_SOURCES:
        return []
    heads = [f"{s['model']}, {s['alignment']}" for s in table["scores"]]
    rows: list[tuple[str, ...]] = [("abs_rel / a1 of scene", "images", *heads)]
    for source, images in sources.items():
        cells = []
        for scores in table["scores"]:
            part = scores["by_source"][source]
            cells.append(f"{_number(part['abs_rel'], 4)} / {_number(part['a1'], 3)}")
        rows.append((source, str(images), *cells))
    return rows


def distance_rows(table: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return AbsRel by true distance, over the pixels of all images, for one set."""
    heads = [f"{s['model']}, {s['alignment']}" for s in table["scores"]]
    rows: list[tuple[str, ...]] = [("abs_rel at distance (m)", "pixels", *heads)]
    for bins in zip(*(scores["by_distance"] for scores in table["scores"]), strict=True):
        first = bins[0]
        end = "more" if first["to_m"] is None else f"{first['to_m']:g}"
        cells = (_number(one["abs_rel"], 4) for one in bins)
        rows.append((f"{first['from_m']:g} to {end}", str(first["pixels"]), *cells))
    return rows


def notes(metrics: Mapping[str, Any]) -> list[str]:
    """Return what a reader of the tables must know: the summary, and what is to say of scores."""
    said = summary(metrics)
    for one in metrics["judged"]:
        for scores in one["scores"]:
            said += [
                f"{one['set']}: {scores['model']} ({scores['alignment']}): {note}"
                for note in _score_notes(scores)
            ]
    return said


def summary(metrics: Mapping[str, Any]) -> list[str]:
    """Return what was judged, how, and what was left out, for under the table on a terminal."""
    said = []
    for one in metrics["judged"]:
        where = one["set"]
        said.append(
            f"{where}: {one['images']} images (split: {one['split']}), each score the mean over "
            f"images, rmse and sq_rel in metres, silog times 100; {one['protocol']['said']}"
        )
        said += [
            f"{where}: {count} left out: {reason}" for reason, count in one["left_out"].items()
        ]
        said += [
            f"{where}: {file['image']} left out: {file['reason']}"
            for file in one["left_out_files"][:5]
        ]
        said += [f"{where}: {note}" for note in one["notes"]]
    for one in metrics["labels"]:
        said.append(
            f"{one['set']}: {one['labelled']} images labelled by {', '.join(one['labelled_by'])}, "
            f"{one['skipped']} skipped"
        )
        said += [
            f"{one['set']}: {count} skipped: {reason}"
            for reason, count in (one["skipped_reasons"] | one["left_out"]).items()
        ]
        said += [f"{one['set']}: {note}" for note in one["notes"]]
    return said


def write_table(out: Path, metrics: Mapping[str, Any]) -> Path:
    """Write ``table.md`` and return its path."""
    tables = [markdown_table(score_rows(metrics))]
    if metrics["judged"] and metrics["labels"]:
        tables.append(markdown_table(label_rows(metrics)))
    for one in metrics["judged"]:
        more = (distance_rows(one), source_rows(one))
        tables += [f"{one['set']}:\n\n{markdown_table(rows)}" for rows in more if rows]
    listed = "\n".join(f"- {note}" for note in notes(metrics))
    write_text(out / TABLE_MARKDOWN, "\n\n".join([*tables, listed]) + "\n")
    return out / TABLE_MARKDOWN


def write_report(judged: JudgedSet, table: Mapping[str, Any], pictures: int) -> Path:
    """Write ``report.html``, its pictures in ``plots``, into the set's folder; return its path.

    Args:
        judged: What was added up.
        table: Its entry of the metrics' ``judged``.
        pictures: Best and worst images of each model, so many of each.
    """
    from sightline.tasks.depth import plots

    folder = judged.folder / "plots"
    metrics = {"judged": [table], "labels": []}
    report = Report(
        f"Depth of {judged.name}", "Computed from saved predictions; the alignment is named."
    )
    header, *rows = score_rows(metrics)
    report.table(header, rows)
    for note in notes(metrics):
        report.paragraph(note)
    report.heading("By distance")
    header, *rows = distance_rows(table)
    report.table(header, rows)
    bars = plots.draw_distances(folder / "distances.png", table)
    report.pictures([(bars, "Relative error by true distance, all pixels together")])
    scenes = source_rows(table)
    if scenes:
        report.heading("By scene")
        report.table(scenes[0], scenes[1:])
    report.heading("True and predicted depth")
    ratios = plots.draw_ratios(folder / "ratios.png", judged.tallies)
    report.pictures([(ratios, "How far off pixels are: predicted over true depth")])
    for first in range(0, len(judged.tallies), _PANELS):
        shown = judged.tallies[first : first + _PANELS]
        joint = plots.draw_joint(folder / f"joint-{first // _PANELS + 1}.png", shown)
        report.pictures([(joint, "True against predicted depth of all judged pixels")])
    for tally in judged.tallies:
        if tally.maps.kind == "baseline" or not pictures:
            continue
        report.heading(f"Images of {tally.maps.name}, aligned: {tally.alignment}")
        for path, caption in plots.draw_images(folder, judged, tally, pictures):
            report.pictures([(path, caption)])
    report.write(judged.folder / REPORT)
    return judged.folder / REPORT


def _score_notes(scores: Mapping[str, Any]) -> list[str]:
    said = []
    if "fitted_on" in scores:
        said.append(f"never looks at a picture; fitted on {scores['fitted_on']}")
    if "labelled_by" in scores:
        said.append(f"labels of {scores['labelled_by']}")
    if scores["clipped"]:
        said.append(f"{scores['clipped']} pixels behind the camera or beyond the cap, put at a cap")
    if scores["unanswered"]:
        said.append(f"{scores['unanswered']} judged pixels without an answer count as wrong")
    if scores["negative_scale"]:
        said.append(f"{scores['negative_scale']} images fit best with near and far exchanged")
    if scores.get("seconds_per_image"):
        said.append(f"{scores['seconds_per_image']:.3f} s an image, reading included")
    return said


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
