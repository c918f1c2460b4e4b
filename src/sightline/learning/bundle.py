"""What every network that comes with the package goes through, and what its card says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch

from sightline.errors import InputError, WeightsError
from sightline.learning.backbones import read_state
from sightline.learning.runs import WEIGHTS


def refuse_unfit(run_dir: Path, parameters: int, limit_bytes: int) -> None:
    """Refuse a run that is too large for the package, or loses numbers in 16 bits.

    Args:
        run_dir: A finished run.
        parameters: How many its network has.
        limit_bytes: The room it may take.

    Raises:
        InputError: It takes more room.
        WeightsError: Its weights are missing, or do not fit into 16 bits.
    """
    size = 2 * parameters
    if size > limit_bytes:
        raise InputError(
            f"a model of {limit_bytes // 2**20} MB or less is wanted for the package, "
            f"{run_dir} takes {size / 2**20:.1f} MB in 16 bits; train a smaller one"
        )
    for key, value in read_state(run_dir / WEIGHTS).items():
        if value.is_floating_point() and not torch.isfinite(value.half()).all():
            raise WeightsError(f"{run_dir / WEIGHTS}: {key} has numbers too large for 16 bits")


def without_folders(value: Any) -> Any:
    """Return a value with only the names of the paths in it: folders mean nothing elsewhere."""
    if isinstance(value, str):
        return " ".join(map(_name, value.split(" ")))
    if isinstance(value, Mapping):
        return {key: without_folders(inner) for key, inner in value.items()}
    return [without_folders(inner) for inner in value] if isinstance(value, list) else value


def training_time(table: Mapping[str, Any]) -> str:
    """Return in words how long a run took, by what it says of itself."""
    seconds = float(table.get("seconds", 0.0))
    if not seconds:
        return "for an unknown time"
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


def _name(word: str) -> str:
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(word).is_absolute():
            return kind(word).name
    return word
