"""The doctor's report for a terminal."""

from __future__ import annotations

import textwrap

from sightline.app.doctor.findings import Finding
from sightline.app.doctor.judgement import Diagnosis

_NARROWEST = 60


def text_of(diagnosis: Diagnosis, width: int = 100) -> str:
    """Return the report: a line of what there is, the findings, worst last, and the verdict.

    Commands stand on lines of their own and are never broken, so that they can be pasted.

    Args:
        diagnosis: What was found.
        width: Columns of the terminal.
    """
    lines = [summary_of(diagnosis), ""]
    label = max(len(f.severity) for f in diagnosis.findings)
    check = max(len(f.check) for f in diagnosis.findings)
    for finding in diagnosis.findings:
        lines += _lines(finding, label, check, max(width, _NARROWEST))
    return "\n".join([*lines, "", verdict_of(diagnosis)])


def summary_of(diagnosis: Diagnosis) -> str:
    """Return in one line what the place is."""
    exam = diagnosis.exam
    parts = [f"{len(exam.posed)} of {len(exam.frames)} frames registered"]
    if exam.model is not None:
        parts.append(f"{len(exam.model.points)} points")
        parts.append(f"track length {exam.model.track_lengths.mean():.1f}" if len(
            exam.model.track_lengths) else "no tracks")  # fmt: skip
    parts.append("metres" if exam.place.unit == "m" else "scale unknown")
    return f"{', '.join(parts)} ({exam.place.root})"


def verdict_of(diagnosis: Diagnosis) -> str:
    """Return in one line what all findings come to."""
    counts = diagnosis.counts
    if not counts["problem"] and not counts["warning"]:
        notes = _counted(counts["note"], "note")
        return f"healthy: {notes}" if counts["note"] else "healthy"
    return ", ".join(
        _counted(counts[kind], kind) for kind in ("problem", "warning", "note") if counts[kind]
    )


def _lines(finding: Finding, label: int, check: int, width: int) -> list[str]:
    indent = " " * (label + check + 4)
    bound = f" [{finding.bound}]" if finding.bound else ""
    head = f"{finding.severity:<{label}}  {finding.check:<{check}}  "
    lines = textwrap.wrap(
        finding.measured + bound, width, initial_indent=head, subsequent_indent=indent
    )
    if finding.severity == "good":
        return lines
    if finding.advice:
        lines += textwrap.wrap(
            finding.advice, width, initial_indent=indent, subsequent_indent=indent
        )
    return lines + ([f"{indent}$ {finding.fix}"] if finding.fix else [])


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
