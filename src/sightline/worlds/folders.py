"""A world's folder: it belongs to one config, and nothing else is written over."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import InputError
from sightline.records.files import digest, locked_folder, read_toml, write_toml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@contextmanager
def claimed_folder(
    root: Path, config: DataclassInstance, marker: str, version: int, things: str
) -> Iterator[None]:
    """Hold a folder's lock; a new or empty one is marked as this config's, another one has to be.

    Args:
        root: The folder.
        config: What is written there.
        marker: Name of the file that says so.
        version: Of what is written; another one is another config.
        things: What messages call it, in the plural.

    Raises:
        InputError: The folder holds other things, or was made from another config.
    """
    made_from = digest(version, asdict(config))
    if root.exists():  # refused at once, not when a render that is at work there ends
        _is_marked(root, config, marker, made_from, things)
    root.mkdir(parents=True, exist_ok=True)
    with locked_folder(root):
        if not _is_marked(root, config, marker, made_from, things):
            write_toml(root / marker, {"digest": made_from, "config": asdict(config)})
        yield


def unwritten(folder: Path, names: Sequence[str], marker: str) -> list[int]:
    """Return which of some folders are not there yet; what a killed run left half done is removed.

    Args:
        folder: What they lie in.
        names: Of all of them.
        marker: A file that each holds once it is whole.
    """
    if folder.is_dir():
        for leftover in folder.glob(".*.tmp"):
            shutil.rmtree(leftover)
    return [k for k, name in enumerate(names) if not (folder / name / marker).is_file()]


def _is_marked(
    root: Path, config: DataclassInstance, marker: str, made_from: str, things: str
) -> bool:
    """Return whether the folder is this config's; False where it is empty.

    Raises:
        InputError: It is neither.
    """
    path = root / marker
    # Looked at before the marker, which another process may be about to write; one that was killed
    # then has left its beginning.
    empty = root.is_dir() and all(p.name.startswith(f".{marker}.") for p in root.iterdir())
    if not path.is_file():
        if empty:
            return False
        raise InputError(
            f"a new or empty folder is wanted, {root} holds other things; choose another "
            "(nothing was changed)"
        )
    there = read_toml(path)
    if there.get("digest") != made_from:
        raise InputError(
            f"{root} holds {things} of another config ({_differences(there, config)}); choose "
            "another folder, or the same config to go on (nothing was changed)"
        )
    return True


def _differences(there: dict[str, Any], config: DataclassInstance) -> str:
    old = there.get("config", {})
    # TOML knows no tuples
    wanted = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()}
    differ = [
        f"{name} {old.get(name)} there, {value} wanted"
        for name, value in wanted.items()
        if old.get(name) != value
    ]
    return "; ".join(differ) or "written by another version"
