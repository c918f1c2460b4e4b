"""Many files of a place replaced as one: a killed run is finished by the next."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.records import Place
from sightline.records.files import write_json

#: Says what is being moved into place; it exists only when everything new is whole.
JOURNAL = "committing.json"


def commit(
    place: Place, work: Path, moves: Mapping[Path, Path], settings: Mapping[str, Any]
) -> None:
    """Move new files and folders to where the old ones are, then set keys of ``place.toml``.

    Nothing of the old is touched before the journal of all moves is written; from there on every
    call of :func:`finish_commit` goes on to the end.

    Args:
        place: The place.
        work: A folder inside it, removed at last with all that is left in it.
        moves: New file or folder, inside the place -> where it goes, inside the place.
        settings: Keys of ``place.toml``.
    """
    root = place.root
    rows = [[str(a.relative_to(root)), str(b.relative_to(root))] for a, b in moves.items()]
    write_json(
        place.reconstruction_dir / JOURNAL,
        {"work": str(work.relative_to(root)), "moves": rows, "settings": dict(settings)},
    )
    finish_commit(place)


def finish_commit(place: Place) -> bool:
    """Finish a commit that was killed half-way; return whether there was one."""
    journal = place.reconstruction_dir / JOURNAL
    if not journal.is_file():
        return False
    content = json.loads(journal.read_text(encoding="utf-8"))
    work = place.root / content["work"]
    for number, (new, target) in enumerate(content["moves"]):
        source, path = place.root / new, place.root / target
        if not source.exists():  # moved before the kill
            continue
        if path.is_dir():
            path.rename(work / f"old-{number}")
        path.parent.mkdir(parents=True, exist_ok=True)
        source.replace(path)
    place.update(**content["settings"])
    journal.unlink()
    shutil.rmtree(work, ignore_errors=True)
    return True
