"""One HTML file that opens offline: tables and pictures, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from pathlib import Path

from sightline.records.files import write_text

#: A number, or the dash that stands for none.
_NUMBER = re.compile(r"^(-?\d[\d.,]*( ?%| m| s)?|-)$")

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #2563eb; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 72rem;
  padding: 2rem 1rem; }
h1 { font-size: 2rem; margin: 0 0 .25rem; } h2 { margin: 2.5rem 0 .5rem; }
p.lead { font-size: 1.1rem; opacity: .8; margin-top: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .7rem; border-bottom: 1px solid var(--line); text-align: left; }
.number { text-align: right; }
thead th { background: var(--soft); } tbody tr:hover { background: var(--soft); }
figure { margin: 1rem 0; } figure img { max-width: 100%; border-radius: 6px; }
figcaption { opacity: .75; font-size: .92rem; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; } .row figure { flex: 1 1 18rem; }
code { background: var(--soft); padding: .1rem .3rem; border-radius: 4px; }
"""


class Report:
    """Collects sections and writes them as one file."""

    def __init__(self, title: str, lead: str) -> None:
        """Begin with a title and one sentence."""
        self._title = title
        self._parts = [f"<h1>{html.escape(title)}</h1><p class='lead'>{html.escape(lead)}</p>"]

    def heading(self, text: str) -> None:
        """Add a section heading."""
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def paragraph(self, text: str) -> None:
        """Add a paragraph; backquoted words become code."""
        pieces = html.escape(text).split("`")
        body = "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))
        self._parts.append(f"<p>{body}</p>")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table; a column whose cells all begin like numbers is set to the right."""
        numeric = [all(_NUMBER.match(row[i]) for row in rows) for i in range(len(header))]
        kinds = [" class='number'" if n else "" for n in numeric]
        head = "".join(
            f"<th{kind}>{html.escape(h)}</th>" for h, kind in zip(header, kinds, strict=True)
        )
        body = "".join(
            "<tr>"
            + "".join(
                f"<td{kind}>{html.escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)
            )
            + "</tr>"
            for row in rows
        )
        self._parts.append(
            f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
            "</table></div>"
        )

    def pictures(self, pictures: Sequence[tuple[Path, str]]) -> None:
        """Add pictures side by side, each with its caption."""
        figures = "".join(
            f"<figure><img alt='{html.escape(caption, quote=True)}' src='{_data_uri(path)}'>"
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
            for path, caption in pictures
        )
        self._parts.append(f"<div class='row'>{figures}</div>")

    def write(self, path: Path) -> None:
        """Write the report."""
        write_text(
            path,
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
            "<meta name='viewport' content='width=device-width, initial-scale=1'>"
            f"<title>{html.escape(self._title)}</title><style>{_STYLE}</style></head><body>"
            + "\n".join(self._parts)
            + "</body></html>\n",
        )


def _data_uri(path: Path) -> str:
    kind = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}[path.suffix.lower()]
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
