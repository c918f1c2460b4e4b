"""What a calibration is worth: tables, pictures, the answers themselves."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sightline.app.calibration.asking import Asked
from sightline.app.place_confidence import SavedAnswers
from sightline.geometry.rotation import Array
from sightline.records import Place
from sightline.records.files import write_text
from sightline.records.html_report import Report
from sightline.tasks.absolute.confidence import NAMES, ConfidenceModel
from sightline.tasks.absolute.confidence_plots import draw_confidence

_LABELS = {
    "answers": "all",
    "refined": "by the map",
    "regressed": "by the network, where the map has none",
    "network": "the network alone",
}


def score_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the table of a calibration's scores: a header, then each kind of answer."""
    radius = f"{metrics['radius']:.3g} {metrics['unit']}"
    header = (
        "answers", "number", f"over {radius}", "without the least sure 10%", "calibration error",
        "area under risk", "best possible",
    )  # fmt: skip
    names = ("wrong", "wrong_without_10", "calibration_error", "area_under_risk", "best_area")
    rows: list[tuple[str, ...]] = [header]
    for kind, label in _LABELS.items():
        if kind in metrics:
            scores = metrics[kind]
            cells = ["-" if scores[n] is None else f"{scores[n]:.4f}" for n in names]
            rows.append((label, str(scores["answers"]), *cells))
    return rows


def threshold_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the table of thresholds: a header, then each share of wrong answers."""
    rows: list[tuple[str, ...]] = [("--max-wrong", "confidence from", "photos answered")]
    for row in metrics["thresholds"]:
        # rounded up: a photo just below the threshold must stay below what is printed
        least = f"{math.ceil(row['min_confidence'] * 1e4) / 1e4:.4f}"
        answered = f"{row['answered']:.1%}"
        rows.append((f"{row['max_wrong']:g}", least, answered))
    return rows


def write_answers(path: Path, asked: Sequence[Asked], confidence: Array) -> None:
    """Write ``image,distortion,source,status,confidence,error``, one row a photo asked.

    A network's answers to photos that it was trained on count as wrong: nobody knows how good they
    would be otherwise, and thresholds must not promise what was not seen.
    """
    rows = [
        (
            one,
            one.status,
            float(likely),
            math.inf if one.trained_on and one.status == "regressed" else one.answer_error,
        )
        for one, likely in zip(asked, confidence, strict=True)
    ]
    _write_rows(path, rows)


def write_network_answers(path: Path, asked: Sequence[Asked], confidence: Array) -> None:
    """Write the same of a network alone, for photos that it was not trained on."""
    rows = [
        (one, "regressed", float(likely), one.network_error)
        for one, likely in zip(asked, confidence, strict=True)
        if not one.trained_on and one.network_error is not None
    ]
    _write_rows(path, rows)


def _write_rows(path: Path, rows: Sequence[tuple[Asked, str, float, float | None]]) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["image", "distortion", "source", "status", "confidence", "error"])
    for one, status, likely, error in rows:
        off = "" if error is None else f"{error:.6f}"
        writer.writerow([one.image, one.distortion, one.source, status, repr(likely), off])
    write_text(path, stream.getvalue())


def write_report(
    folder: Path,
    place: Place,
    model: ConfidenceModel,
    answers: Mapping[str, SavedAnswers],
    metrics: Mapping[str, Any],
) -> None:
    """Write ``report.html`` and its pictures; that of a network goes into its run's plots too."""
    report = Report(
        f"Confidence of {place.name}",
        f"How likely an answer is within {model.radius:.3g} {place.unit} of the truth; all figures "
        "are of confidences fitted without the photo's own part of the walk.",
    )
    (header, *rows), (columns, *thresholds) = score_rows(metrics), threshold_rows(metrics)
    report.table(header, rows)
    drawn = {"answers": answers["answers"].of("refined", "regressed")}
    drawn["refined"] = answers["answers"].of("refined")
    paths = {name: folder / f"{name}.png" for name in drawn}
    if "network" in answers:
        drawn["network"] = answers["network"]
        paths["network"] = place.runs_dir / model.about["run"] / "plots" / "confidence.png"
    pictures = []
    for name, some in drawn.items():
        if len(some):
            draw_confidence(paths[name], some.confidence, some.error, model.radius, place.unit)
            pictures.append((paths[name], f"{_LABELS[name]}: risk, reliability, errors"))
    report.pictures(pictures)
    report.heading("From which confidence on to answer")
    report.paragraph(
        "`sightline localize --max-wrong X` answers from the confidence on that keeps wrong "
        "answers to photos like these under that share; `--min-confidence` sets it by hand."
    )
    report.table(columns, thresholds)
    report.heading("What it was calibrated on")
    report.table(("what", "value"), [(k, str(v)) for k, v in model.about.items()])
    parts = (("refined", model.refined, NAMES["refined"]),
             ("regressed", model.regressed, NAMES["regressed"]))  # fmt: skip
    for kind, weights, names in parts:
        named = zip(("constant", *names), weights.values, strict=True)
        report.heading(f"Weights, {kind} ({weights.origin})")
        report.table(("of", "weight"), [(name, f"{value:.3f}") for name, value in named])
    report.write(folder / "report.html")
