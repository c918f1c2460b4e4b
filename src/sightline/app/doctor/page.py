"""The doctor's report as one page that opens offline."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from sightline.app.doctor.drawings import draw_curves, draw_strip, draw_walk, write_thumbnail
from sightline.app.doctor.judgement import Diagnosis
from sightline.app.doctor.text import summary_of, verdict_of
from sightline.records.html_report import Report

#: Worst frames shown of one finding.
_SHOWN = 4


def write_page(diagnosis: Diagnosis, path: Path) -> Path:
    """Write the report with its pictures into one HTML file; return its path."""
    report = Report(f"The doctor on {diagnosis.exam.place.name}", verdict_of(diagnosis))
    report.paragraph(summary_of(diagnosis))
    report.table(
        ("", "check", "measured", "bound"),
        [(f.severity, f.check, f.measured, f.bound) for f in diagnosis.findings],
    )
    with TemporaryDirectory() as scratch:
        _add_remedies(report, diagnosis)
        _add_drawings(report, diagnosis, Path(scratch))
        _add_worst_frames(report, diagnosis, Path(scratch))
        report.write(path)
    return path


def _add_remedies(report: Report, diagnosis: Diagnosis) -> None:
    ill = [f for f in diagnosis.findings if f.severity != "good" and (f.advice or f.fix)]
    if not ill:
        return
    report.heading("What helps")
    for finding in ill:
        fix = f" `{finding.fix}`" if finding.fix else ""
        report.paragraph(f"{finding.check}: {finding.advice or finding.measured}.{fix}")


def _add_drawings(report: Report, diagnosis: Diagnosis, scratch: Path) -> None:
    exam = diagnosis.exam
    report.heading("Frame by frame")
    drawn = [
        (draw_strip(exam, scratch / "strip.png"), "Which frames are in the map, in their order"),
        (draw_curves(exam, scratch / "curves.png"), "Every frame, in order"),
        (draw_walk(exam, scratch / "walk.png"), "The walk; jumps and turns on the spot marked"),
    ]
    for picture, caption in drawn:
        if picture is not None:
            report.pictures([(picture, caption)])


def _add_worst_frames(report: Report, diagnosis: Diagnosis, scratch: Path) -> None:
    folder = scratch / "frames"
    folder.mkdir()
    for finding in diagnosis.findings:
        # A test frame that leaks looks like any other.
        if finding.severity == "good" or finding.check == "split":
            continue
        shown = [(write_thumbnail(diagnosis.exam, n, folder), n) for n in finding.frames[:_SHOWN]]
        pictures = [(small, name) for small, name in shown if small is not None]
        if pictures:
            report.heading(f"{finding.check}: the worst frames")
            report.pictures(pictures)
