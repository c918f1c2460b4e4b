"""A world's folder: it belongs to one config, and nothing else is written over."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import InputError
from sightline.records.files import digest, read_toml, write_toml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def claim_folder(
    root: Path, config: DataclassInstance, marker: str, version: int, things: str
) -> None:
    """Mark a new or empty folder as this config's, or see that it is.

    Args:
        root: The folder.
        config: What is written there.
        marker: Name of the file that says so.
        version: Of what is written; another one is another config.
        things: What messages call it, in the plural.

    Raises:
        InputError: The folder holds other things, or was made from another config.
    """
    made_from, path = digest(version, asdict(config)), root / marker
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        if not path.is_file():
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
        return
    write_toml(path, {"digest": made_from, "config": asdict(config)})


def _differences(there: dict[str, Any], config: DataclassInstance) -> str:
    old = there.get("config", {})
    differ = [
        f"{name} {old.get(name)} there, {value} wanted"
        for name, value in asdict(config).items()
        if old.get(name) != value
    ]
    return "; ".join(differ) or "written by another version"
