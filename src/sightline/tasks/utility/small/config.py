"""How a small machine is trained; imports without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.learning.config import FitConfig, refuse
from sightline.learning.runs import read_run_config, write_run_config

#: What ``config.toml`` calls the task: a machine is no utility predictor.
TASK = "utility-machine"


@dataclass(frozen=True)
class SmallConfig(FitConfig):
    """A small classifier or detector, trained on pristine images alone."""

    architecture: str = "resnet"
    """Of ``SMALL_CLASSIFIERS`` or ``SMALL_DETECTORS``."""
    frame_px: int = 64
    """Width and height of the frames it sees, in pixels."""
    start: str = "none"
    """none: random weights; or a FILE of weights with the same first layers in it: of another small
    machine, or (resnet, fcos) of a run of the objects task. Of a bundled machine, in words."""
    flip: bool = True
    """Also train on mirrored images."""
    zoom: float = 0.15
    """Largest relative change of size, by crops and by edges drawn out; 0 = none."""
    shift: float = 0.08
    """Largest shift of the picture, as a share of the frame's side."""
    colour: float = 0.15
    """Largest relative change of brightness, contrast and channels; 0 = none."""

    epochs: int = 12
    """Passes over the training images; with a time budget it only caps them (0 = no cap)."""
    batch: int = 64
    """Images a step, drawn evenly from the categories."""
    learning_rate: float = 3e-3
    """Highest learning rate (AdamW)."""
    weight_decay: float = 2e-2
    """Decoupled weight decay of the weight matrices."""
    clip_norm: float = 5.0
    """Largest gradient norm; 0 = no clipping."""

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = {
            "architecture": bool(self.architecture),
            "frame_px": 32 <= self.frame_px <= 1024,
            "zoom": 0 <= self.zoom < 1,
            "shift": 0 <= self.shift <= 0.5,
            "colour": 0 <= self.colour < 1,
        }
        refuse(self, wanted)


def write_config(path: Path, config: SmallConfig, **tables: Mapping[str, Any]) -> None:
    """Write ``config.toml``: the configuration, and tables beside it."""
    write_run_config(path, TASK, config, **tables)


def read_config(path: Path) -> SmallConfig:
    """Return the configuration of a machine's ``config.toml``.

    Raises:
        InputError: The file is missing, is of another task, or has an unknown or ill-typed key.
    """
    return read_run_config(path, TASK, SmallConfig)
