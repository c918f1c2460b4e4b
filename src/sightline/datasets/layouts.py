"""What lies at a path: for readers of a layout, and for messages that wanted a known one there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path


def what_is_there(path: Path) -> str:
    """Return a few words on a file or on the first things in a folder."""
    if path.is_file():
        return f"a file {path.name!r} of another kind"
    names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{', '.join(names[:8])}{more}" if names else "nothing in it"


def walk(path: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each folder below a path, itself first, with the names of its folders and files.

    Sorted, without hidden ones. Links to folders are followed, unless they lead back up. Names
    that the caller takes out of the list of folders are not gone into.
    """
    for folder, names, files in os.walk(path, followlinks=True):
        names[:] = sorted(n for n in names if not n.startswith(".") and not _leads_up(folder, n))
        yield Path(folder), names, sorted(n for n in files if not n.startswith("."))


def _leads_up(folder: str, name: str) -> bool:
    path = Path(folder, name)
    return path.is_symlink() and Path(folder).resolve().is_relative_to(path.resolve())


def below_one_folder(paths: Sequence[Path]) -> tuple[Path, list[str]]:
    """Return the deepest folder that holds all files, and their names relative to it.

    ``..`` in a path is resolved by its text: links keep their own names.

    Args:
        paths: Files, one or more.
    """
    whole = [Path(os.path.normpath(path.absolute())) for path in paths]
    root = Path(os.path.commonpath([path.parent for path in whole]))
    return root, [path.relative_to(root).as_posix() for path in whole]
