"""What ``sightline reproduce 001`` can be told; imports without torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sightline.errors import InputError
from sightline.learning.config import refuse
from sightline.tasks.objects.config import ObjectsConfig, scratch_config

Table = Literal["2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "heads", "fusion",
                "cars"]  # fmt: skip


@dataclass(frozen=True)
class Paper001Config:
    """Category and 3D pose of objects: Tables 2 to 13, Figure 5, and three tables beyond them."""

    table: Table | None = None
    """2 to 13: the paper's; heads: what a pose network says, symmetry granted or not; fusion: how
    the categories' poses become one; cars: real cars, with and without rendered ones."""
    figure: Literal[5] | None = None
    """5: pose error by the stage of the features (Table 3, drawn)."""
    minutes: float = 2.0
    """Time budget of one whole training, all its steps together; 0 = none, then --epochs counts."""
    epochs: int = 0
    """Passes over the training objects in each step; with a time budget it only caps them."""
    instances: int = 80
    """Shapes of each category that are rendered where no DATA is given."""
    views: int = 10
    """Pictures of each shape."""
    rendered_images: int = 9600
    """So many more that only teach pose, for Table 5, where --rendered is not given."""
    rendered: Path | None = None
    """Images that only teach pose (Table 5), as the paper has Su et al.'s; in any layout."""
    cars: Path | None = None
    """Real cars (Stanford's, with azimuth and elevation) for --table cars."""
    backbone: str = "resnet18"
    """Any ResNet of torchvision; the paper's is resnet50."""
    width: float = 0.5
    """Channels over the backbone's own (basic blocks only); the paper's 1."""
    weights: str = "none"
    """none: one ResNet is first trained to tell the categories, all start from it; imagenet:
    torchvision's, as the paper; or a FILE of the same ResNet."""
    pose_sizes: tuple[int, int] = (256, 128)
    """Sizes of the two hidden layers of each pose network; the paper's 1000 500."""
    crop_px: int = 64
    """Side of the square that a box is scaled to, in pixels; the paper's 224."""
    batch: int = 48
    """Objects a step."""
    learning_rate: float = 2e-3
    """Highest learning rate."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the ResNets; auto takes bfloat16 where the processor has it built in."""
    seed: int = 0
    """Seed of weights, order and rendered objects."""

    def __post_init__(self) -> None:
        wanted = {
            "minutes": self.minutes >= 0,
            "instances": self.instances >= 1,
            "views": self.views >= 1,
            "rendered_images": self.rendered_images >= 1,
        }
        refuse(self, wanted)
        if self.table == "cars" and self.cars is None:
            raise InputError("--table cars wants real cars: pass their folder with --cars FOLDER")
        self.training()  # its own checks of the shared settings

    def training(self, **changes: Any) -> ObjectsConfig:
        """Return one training's settings, the paper's but for what is changed."""
        return dataclasses.replace(
            paper_config(self.minutes, self.epochs),
            **{
                "backbone": self.backbone,
                "width": self.width,
                "weights": self.weights,
                "pose_sizes": self.pose_sizes,
                "crop_px": self.crop_px,
                "batch": self.batch,
                "learning_rate": self.learning_rate,
                "precision": self.precision,
                "seed": self.seed,
                **changes,
            },
        )


def paper_config(minutes: float, epochs: int = 0) -> ObjectsConfig:
    """Return the paper's network and training at the size of a small machine.

    Axis-angle vectors, no symmetry granted, weighted fusion, pose-first, lambda 0.1.

    Args:
        minutes: Budget of all steps together; 0 = none: ``epochs`` count.
        epochs: Passes in each step; with a budget they only cap.
    """
    return dataclasses.replace(
        scratch_config(),
        epochs=epochs,
        max_seconds=60.0 * minutes,
        crop_px=64,  # twice as many passes in the same time as with 96
        head="axis_angle",
        symmetric=False,
        fusion="weighted",
        protocol="pose_first",
        category_weight=0.1,
    )
