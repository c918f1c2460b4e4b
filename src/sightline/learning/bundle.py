"""What every network that comes with the package goes through, and what its card says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sightline.errors import InputError, WeightsError
from sightline.learning.backbones import read_state
from sightline.learning.runs import CONFIG, WEIGHTS, read_run_table, save_weights, write_run_config
from sightline.records.files import write_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CARD = "README.md"


def write_bundle(
    run_dir: Path,
    folder: Path,
    network: nn.Module,
    task: str,
    config: DataclassInstance,
    card: Callable[[dict[str, Any]], str],
    *,
    limit_bytes: int,
    local: Collection[str] = ("folder",),
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Write a finished run's network in 16 bits, its configuration and its card; return the folder.

    Args:
        run_dir: The run.
        folder: Where to.
        network: The run's, loaded.
        task: Whose.
        config: Without paths of the machine it was made on.
        card: Makes the card, in Markdown, of what the run says of itself.
        limit_bytes: The room it may take.
        local: What of that means nothing on another machine.
        about: What is to be said besides, or instead.

    Raises:
        InputError: It takes more room.
        WeightsError: Its weights are missing, or do not fit into 16 bits.
    """
    refuse_unfit(run_dir, sum(p.numel() for p in network.parameters()), limit_bytes)
    table = {k: without_folders(v) for k, v in read_run_table(run_dir).items() if k not in local}
    table |= about or {}
    save_weights(folder / WEIGHTS, network, half=True, task=task)
    write_run_config(folder / CONFIG, task, config, run=table)
    write_text(folder / CARD, card(table))
    return folder


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
