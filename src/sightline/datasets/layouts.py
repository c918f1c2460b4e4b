"""What lies at a path, for messages that wanted a known layout there."""

from __future__ import annotations

from pathlib import Path


def what_is_there(path: Path) -> str:
    """Return a few words on a file or on the first things in a folder."""
    if path.is_file():
        return f"a file {path.name!r} of another kind"
    names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{', '.join(names[:8])}{more}" if names else "nothing in it"
