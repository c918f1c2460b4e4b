"""The small machines that come with the package, by name; imports without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sightline.learning.runs import is_run

#: The folder that holds a folder for each of them.
BUNDLED = Path(__file__).with_name("weights")

#: Their names begin with what they do.
_PREFIX = {"classification": "objects-classifier-", "detection": "objects-detector-"}


def bundled_names(kind: Literal["classification", "detection"] | None = None) -> tuple[str, ...]:
    """Return the names of the bundled small machines, all or those of a kind."""
    wanted = tuple(_PREFIX.values()) if kind is None else (_PREFIX[kind],)
    there = sorted(path.name for path in BUNDLED.glob("objects-*") if is_run(path))
    return tuple(name for name in there if name.startswith(wanted))


def bundled_folder(name: str) -> Path | None:
    """Return the folder of a bundled machine; None where no such machine is bundled."""
    return BUNDLED / name if name in bundled_names() else None
