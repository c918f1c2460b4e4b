"""How a utility network is trained; imports without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.learning.config import FitConfig, refuse
from sightline.learning.runs import read_run_config, write_run_config


@dataclass(frozen=True)
class UtilityConfig(FitConfig):
    """A network that says whether an image is of use to machines."""

    backbone: str = "resnet18"
    """Any classifier of torchvision."""
    width: float = 1.0
    """Its channels over its own (ResNets)."""
    weights: str = "none"
    """What it starts from: none, imagenet, or a FILE."""
    frame_px: int = 128
    """Width and height of the frames it sees, in pixels."""

    epochs: int = 10
    """Passes over the training images; with a time budget it only caps them."""
    batch: int = 64
    """Images a step."""

    @property
    def run_name(self) -> str:
        """What a run is called where no name is given."""
        return self.backbone

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = {
            "width": 0.05 <= self.width <= 4,
            "frame_px": 32 <= self.frame_px <= 1024,
        }
        refuse(self, wanted)


def write_config(path: Path, config: UtilityConfig, **tables: Mapping[str, Any]) -> None:
    """Write ``config.toml``: the configuration, and tables beside it."""
    write_run_config(path, "utility", config, **tables)


def read_config(path: Path) -> UtilityConfig:
    """Return the configuration of a run's ``config.toml``.

    Raises:
        InputError: The file is missing, is of another task, or has an unknown or ill-typed key.
    """
    return read_run_config(path, "utility", UtilityConfig)
