"""How a utility network is trained; imports without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sightline.learning.config import FitConfig, refuse
from sightline.learning.runs import read_run_config, write_run_config

#: What a threshold is chosen for.
Aim = Literal["balanced", "accuracy"]


@dataclass(frozen=True)
class UtilityConfig(FitConfig):
    """A network that says whether an image is of use to machines (paper 004)."""

    backbone: str = "resnet18"
    """Any classifier of torchvision (the paper's: resnet18)."""
    width: float = 0.5
    """Its channels over its own; 1 is the paper's; other networks than resnet18 and resnet34 have 1
    alone. 0.125 at 96 pixels costs a tenth of the package's three small classifiers."""
    weights: str = "none"
    """What it starts from: none; imagenet: torchvision's; a FILE of the same network."""
    frame_px: int = 96
    """Width and height of the frames it sees, in pixels; images are stretched to it."""

    targets: Literal["labels", "confidences"] = "labels"
    """labels: useful or useless, images without a label left out (the paper's). confidences: images
    between the thresholds, and those on which machines differ, are learned from too, as useful as
    the machines are still sure."""
    class_weights: Literal["balanced", "none"] = "balanced"
    """balanced: useful and useless images weigh the same in the loss, however many there are."""
    threshold_for: Aim = "balanced"
    """What the threshold, and those of the rules beside it, are chosen for on validation. balanced:
    useful and useless images right alike; accuracy: most images right, where as many are useful as
    there."""
    mirror: bool = True
    """Also train on mirrored images."""
    shift_px: int = 4
    """Largest shift of a training frame, in pixels."""

    epochs: int = 20
    """Passes over the training images; with a time budget it only caps them."""
    batch: int = 64
    """Images a step."""
    learning_rate: float = 2e-3
    """Highest learning rate (the paper's: 1e-4 with sgd)."""
    weight_decay: float = 1e-2
    """Decay of the weight matrices; decoupled in AdamW."""
    ema: float = 0.98
    """Decay of the averaged weights that are validated and kept; 0 keeps the raw ones."""

    @property
    def run_name(self) -> str:
        """What a run is called where no name is given."""
        return self.backbone

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = {
            "width": 0.05 <= self.width <= 4,
            "frame_px": 32 <= self.frame_px <= 1024,
            "shift_px": 0 <= self.shift_px <= self.frame_px // 4,
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
