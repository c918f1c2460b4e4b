"""What ``sightline reproduce 000`` can be told; imports without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sightline.errors import InputError
from sightline.learning.config import refuse
from sightline.tasks.absolute.config import AbsoluteConfig


@dataclass(frozen=True)
class Paper000Config:
    """Camera pose: PoseNet and MapNet compared; one table, one figure, or all of them."""

    table: Literal[1, 2, 3, 4] | None = None
    """1: the backbones on ImageNet; 2: PoseNet's backbones; 3: its losses; 4: MapNet's backbones"""
    figure: Literal[6, 7, 8, 9] | None = None
    """6 and 8: losses of PoseNet and MapNet; 7: trajectories; 9: predictions moved to walkable"""
    backbones: str = "googlenet,resnet18,resnet34,resnet50,resnet152,efficientnet_b7"
    """Names with commas between; see `sightline train absolute --help`."""
    weights: str = "imagenet"
    """imagenet (frozen, as in the paper), a FILE (frozen), or none: all is trained from scratch."""
    epochs: int = 300
    """Passes over the training frames; the paper gives no number."""
    max_seconds: float = 0.0
    """Time budget of each training in seconds; 0 = none."""
    alpha: float = 10.0
    """Weight of the rotation in Table III's row "alpha != 1"; the paper gives no number."""
    size: int = 224
    """Width and height of the network's image in pixels."""
    batch: int = 16
    """Samples a step; the paper gives no number."""
    seed: int = 0
    """Seed of weights and order."""

    def __post_init__(self) -> None:
        if not self.names:
            raise InputError(
                "backbones with commas between them are wanted, such as "
                f"resnet18,resnet34; {self.backbones!r} came"
            )
        refuse(self, {"alpha": self.alpha >= 0 and self.alpha != 1})
        self.run_config("posenet", self.names[0], "l1")  # its own checks of the shared settings

    @property
    def names(self) -> tuple[str, ...]:
        """The backbones, each once."""
        names = (name.strip() for name in self.backbones.split(","))
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def frozen(self) -> bool:
        """Whether backbones stay as they are: as in the paper, unless they start from nothing."""
        return self.weights != "none"

    def pick(self, wanted: str) -> str:
        """Return a backbone where it is among those asked for, else the first of them."""
        return wanted if wanted in self.names else self.names[0]

    def run_config(
        self,
        model: Literal["posenet", "mapnet"],
        backbone: str,
        loss: Literal["l1", "smooth_l1", "mse"],
        alpha: float = 1.0,
    ) -> AbsoluteConfig:
        """Return one training's settings.

        Args:
            model: PoseNet (Eq. 9) or MapNet (Eq. 10-11).
            backbone: One name.
            loss: Distance in the loss.
            alpha: Weight of the rotation (PoseNet) or of the relative poses (MapNet).
        """
        return AbsoluteConfig(
            model=model,
            backbone=backbone,
            weights=self.weights,
            freeze=self.frozen,
            loss=loss,
            alpha=alpha,
            width=self.size,
            height=self.size,
            epochs=self.epochs,
            max_seconds=self.max_seconds,
            batch=self.batch,
            seed=self.seed,
            # The usual choice, as often as time allows, would keep another epoch on each machine.
            validate_every=5,
        )
