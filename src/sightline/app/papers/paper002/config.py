"""What ``sightline reproduce 002`` can be told; imports without torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sightline.errors import InputError
from sightline.learning.config import refuse
from sightline.tasks.relative.config import CROP_PX, RelativeConfig, small_paper_config

PaperModel = Literal["cnnA", "cnnB", "cnnAspp", "cnnBspp"]
MODELS: tuple[PaperModel, ...] = ("cnnA", "cnnB", "cnnAspp", "cnnBspp")


@dataclass(frozen=True)
class Paper002Config:
    """Relative pose: four networks, and the best of them against local features."""

    table: Literal[1] | None = None
    """1: the pair counts of sections 3.4 and 4.1."""
    figure: Literal[5, 6, 7] | None = None
    """5: the four networks; 6: example pairs with their matches; 7: against local features."""
    target: Path | None = None
    """Pairs to fine-tune and to judge Figures 6 and 7 on, as the paper has DTU (without parts,
    every second scene is for the test); not given: the object scenes of the rooms."""
    methods: str = "surf+opencv,orb+opencv,sift+opencv,sift"
    """Local features with commas between; one that this machine lacks is left out and noted."""
    minutes: float = 6.0
    """Time budget of each of the seven trainings; 0 = none, then --epochs counts."""
    epochs: int = 0
    """Passes over the training pairs; with a time budget it only caps them (0 = no cap)."""
    weights: str = "none"
    """none: from scratch; imagenet: torchvision's AlexNet; or a FILE (Hybrid-CNN or AlexNet)."""
    width: float = 0.25
    """Channels over the paper's; 1 is the paper's network."""
    batch: int = 32
    """Pairs a step; the paper's is 128."""
    learning_rate: float = 5e-4
    """Highest learning rate; the paper's is 1e-4, with pretrained weights and 60 hours."""
    high_px: int = 323
    """Side of the high-resolution crops in Figure 7; the paper's images are 1600x1200."""
    max_pairs: int = 300
    """Test pairs judged in each figure, chosen by the seed."""
    hard_share: float = 0.25
    """Share of the test pairs with the least texture that count as hard in Figures 7b and 7c."""
    rooms: int = 240
    """Scenes of the rendered pairs, where no data are given."""
    seed: int = 0
    """Seed of weights, order and choice of pairs."""

    def __post_init__(self) -> None:
        if not self.names:
            raise InputError(
                "methods with commas between them are wanted, such as sift+opencv,orb+opencv; "
                f"{self.methods!r} came"
            )
        wanted = {
            "minutes": self.minutes >= 0,
            "high_px": self.high_px >= CROP_PX,
            "max_pairs": self.max_pairs >= 1,
            "hard_share": 0 < self.hard_share <= 1,
            "rooms": self.rooms >= 1,
        }
        refuse(self, wanted)
        self.run_config("cnnA")  # its own checks of the shared settings

    @property
    def names(self) -> tuple[str, ...]:
        """The local features' names, each once."""
        names = (name.strip() for name in self.methods.split(","))
        return tuple(dict.fromkeys(name for name in names if name))

    def run_config(
        self, model: PaperModel, *, size: int = 0, fine_tune: Path | None = None
    ) -> RelativeConfig:
        """Return one training's settings; the budget is the same for all.

        Args:
            model: One of the paper's.
            size: Images are scaled to this shorter side and crops have it; 0 = the paper's own
                sizes of Fig. 5 (323, crops of 227 or 323).
            fine_tune: Run folder to start from.
        """
        settings = dataclasses.replace(
            small_paper_config(model),
            width=self.width,
            weights=self.weights,
            epochs=self.epochs,
            max_seconds=60.0 * self.minutes,
            batch=self.batch,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )
        if size:
            settings = dataclasses.replace(
                settings, short_side=size, train_size=size, test_size=size
            )
        if fine_tune is not None:
            settings = dataclasses.replace(settings, fine_tune=str(fine_tune), weights="none")
        return settings
