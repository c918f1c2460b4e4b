"""What a reproduction found: printed, and kept as Markdown and JSON beside its pictures."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from sightline.app.tables import text_table
from sightline.errors import InputError
from sightline.records.files import write_json, write_text
from sightline.records.html_report import Report
from sightline.records.tables import markdown_table

RESULTS_JSON = "results.json"
RESULTS_MARKDOWN = "results.md"
REPORT = "report.html"
#: Under the title of ``report.html``.
LEAD = "Measured here, the paper's printed values beside."


@dataclass(frozen=True)
class Section:
    """One table or figure of a paper.

    Attributes:
        key: ``table-2``, ``figure-6``: one section a key is kept.
        title: As the paper calls it.
        header: Names of the columns.
        rows: Cells as they are printed, the paper's values beside the measured ones.
        notes: What a reader must know: the paper's slips, the split's leak, the settings.
        pictures: Relative to the folder of the results.
        values: The measured numbers unrounded; None for NaN, which JSON has not.
    """

    key: str
    title: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the section for a terminal."""
        lines = [self.title]
        if self.rows:
            lines.append(text_table([self.header, *self.rows]))
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"picture: {picture}" for picture in self.pictures]
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """Return the section as Markdown."""
        parts = [f"## {self.title}"]
        if self.rows:
            parts.append(markdown_table([self.header, *self.rows]))
        if self.notes:
            parts.append("\n".join(f"- {note}" for note in self.notes))
        parts += [f"![{self.title}]({picture})" for picture in self.pictures]
        return "\n\n".join(parts)

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> Section:
        """Return a section read back from JSON."""
        return cls(
            key=str(table["key"]),
            title=str(table["title"]),
            header=tuple(table["header"]),
            rows=tuple(tuple(row) for row in table["rows"]),
            notes=tuple(table["notes"]),
            pictures=tuple(table["pictures"]),
            values=table["values"],
        )


@dataclass(frozen=True)
class Reproduction:
    """What was reproduced now.

    Attributes:
        folder: Where the runs, pictures, ``results.md`` and ``results.json`` lie.
        sections: Those asked for, in the paper's order.
    """

    folder: Path
    sections: tuple[Section, ...]

    def to_text(self) -> str:
        """Return all sections for a terminal."""
        return "\n\n".join(section.to_text() for section in self.sections)


def write_results(folder: Path, title: str, sections: Sequence[Section], lead: str = LEAD) -> None:
    """Write sections for programs, for spreadsheets and for readers; those of earlier calls stay.

    ``results.json`` has all that was measured, ``results.md`` and ``report.html`` (which opens
    offline) show it, and each table stands in a CSV file named by its key.

    Args:
        folder: Of the results; the sections' pictures are in it.
        title: Of the paper.
        sections: Those of this call so far.
        lead: The sentence under the report's title.

    Raises:
        InputError: The folder's ``results.json`` is not one of ours.
    """
    kept = _read_sections(folder / RESULTS_JSON)
    kept |= {section.key: section for section in sections}
    ordered = [kept[key] for key in sorted(kept, key=_place)]
    write_json(
        folder / RESULTS_JSON,
        {"paper": title, "sections": [asdict(section) for section in ordered]},
    )
    body = "\n\n".join(section.to_markdown() for section in ordered)
    write_text(folder / RESULTS_MARKDOWN, f"# {title}\n\n{body}\n")
    for section in sections:
        _write_csv(folder / f"{section.key}.csv", section)
    _write_report(folder, title, lead, ordered)


def _write_csv(path: Path, section: Section) -> None:
    if not section.rows:
        return
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([section.header, *section.rows])
    write_text(path, stream.getvalue())


def _write_report(folder: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    report = Report(title, lead)
    for section in sections:
        report.heading(section.title)
        if section.rows:
            report.table(section.header, section.rows)
        # a picture of an earlier call may have been moved away since
        there = [folder / name for name in section.pictures if (folder / name).is_file()]
        report.pictures([(picture, section.title) for picture in there])
        for note in section.notes:
            report.paragraph(note)
    report.write(folder / REPORT)


def _place(key: str) -> tuple[bool, int, str]:
    """Return what sections are sorted by: tables first, then figures, each by its number."""
    name = key.partition("-")[2]
    digits = "".join(takewhile(str.isdigit, name))
    return not key.startswith("table"), int(digits) if digits else sys.maxsize, name


def _read_sections(path: Path) -> dict[str, Section]:
    if not path.is_file():
        return {}
    try:
        tables = json.loads(path.read_text(encoding="utf-8"))["sections"]
        return {str(table["key"]): Section.from_json(table) for table in tables}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not a table of results ({error!r}); delete it, or choose another --out"
        ) from error
