"""Run folders: what every task's training leaves behind; imports without torch.

``config.toml`` (task, settings, what the run was trained on), ``model.safetensors``, and the files
of :mod:`sightline.learning.fit`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sightline.errors import InputError, TrainingError, WeightsError
from sightline.records.config_file import config_from_table
from sightline.records.files import atomic_path, read_toml, write_toml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from torch import nn

T = TypeVar("T", bound="DataclassInstance")

CONFIG = "config.toml"
WEIGHTS = "model.safetensors"

#: Lightning's checkpoint of a training under way (``learning.fit``, which needs torch, reads it).
LAST = "last.ckpt"


def is_run(path: Path) -> bool:
    """Return whether a folder is a finished training's."""
    return (path / CONFIG).is_file() and (path / WEIGHTS).is_file()


def write_run_config(
    path: Path, task: str, config: DataclassInstance, **tables: Mapping[str, Any]
) -> None:
    """Write ``config.toml``: the task, its configuration, and tables beside it."""
    write_toml(path, {"task": task, "config": dataclasses.asdict(config), **tables})


def read_run_config(path: Path, task: str, config: type[T]) -> T:
    """Return the configuration of a run's ``config.toml``.

    Raises:
        InputError: The file is missing, is of another task, or has an unknown or ill-typed key.
    """
    content = read_toml(path)
    if content.get("task") != task:
        raise InputError(f"{path}: a run of the task {task} is wanted, {content.get('task')} came")
    return config_from_table(config, content.get("config", {}), str(path))


def read_run_table(run_dir: Path) -> dict[str, Any]:
    """Return what ``config.toml`` says of the training itself: its table ``run``."""
    table: dict[str, Any] = read_toml(run_dir / CONFIG).get("run", {})
    return table


def trained_in(run_dir: Path) -> list[Path]:
    """Return the folders that a run's data may lie in: around itself, then where they were."""
    recorded = str(read_run_table(run_dir).get("folder", ""))
    around = run_dir.resolve().parent
    return [around.parent] * (around.name == "runs") + [Path(recorded)] * bool(recorded)


def save_weights(path: Path, network: nn.Module, *, half: bool = False, **metadata: Any) -> None:
    """Write the whole network's weights as safetensors, atomically.

    Args:
        path: The file.
        network: On any device.
        half: Keep floating-point numbers in 16 bits.
        metadata: Written into the file's head, as text.
    """
    from safetensors.torch import save_file

    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    if half:
        state = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    with atomic_path(path) as temporary:
        save_file(state, temporary, {key: str(value) for key, value in metadata.items()})


def load_weights(run_dir: Path, network: nn.Module) -> None:
    """Put a finished run's weights in a network; every name and shape must fit.

    Raises:
        WeightsError: The weights are missing, or do not fit the network exactly.
    """
    from sightline.learning.backbones import read_state

    path = run_dir / WEIGHTS
    if not path.is_file():
        raise WeightsError(
            f"{run_dir} has no {WEIGHTS} (its training did not end); run `sightline train` again, "
            "it resumes"
        )
    try:
        network.load_state_dict(read_state(path), strict=True)
    except RuntimeError as error:
        detail = "; ".join(line.strip() for line in str(error).splitlines()[1:])[:300]
        raise WeightsError(f"{path} does not fit {CONFIG} beside it: {detail}") from error


def is_finished(
    run_dir: Path, config: DataclassInstance, before: DataclassInstance | None, data: str, what: str
) -> bool:
    """Return whether the folder holds this very run, finished.

    Args:
        run_dir: The run folder, there or not.
        config: The run that is wanted.
        before: The configuration that the folder holds; None where it holds none.
        data: Digest of the data that is wanted.
        what: What the data are, for the message: ``poses or splits``.

    Raises:
        InputError: It holds another one.
        TrainingError: It holds a checkpoint that nothing says the origin of.
    """
    if before is None:
        if (run_dir / LAST).is_file():
            raise TrainingError(f"{run_dir} has a checkpoint and no {CONFIG}; choose another name")
        return False
    changed = [
        f.name
        for f in dataclasses.fields(config)
        if getattr(before, f.name) != getattr(config, f.name)
    ]
    if changed:
        raise InputError(
            f"{run_dir} holds a training with another {', '.join(changed)}; choose another run "
            "name, or delete that folder (nothing was changed)"
        )
    if read_run_table(run_dir).get("data") != data:
        raise InputError(
            f"{run_dir} holds a training on other {what}; choose another run name, or "
            "delete that folder (nothing was changed)"
        )
    return (run_dir / WEIGHTS).is_file()
