"""What ``sightline reproduce 003`` can be told; imports without torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sightline.app.papers.objects_resnet import OBJECTS
from sightline.learning.config import refuse
from sightline.tasks.depth.config import DepthConfig

Table = Literal["ablation", "metrics", "classification"]
Picture = Literal["colour", "grey"]


@dataclass(frozen=True)
class Paper003Config:
    """Depth from labelled and unlabelled images, and depth as an input for classification."""

    table: Table | None = None
    """ablation: Table 9, L_l; + L_u; + S; + L_feat; metrics: the table of Fig. 5; classification:
    Table 1 and Fig. 9 (needs --images)."""
    figure: Literal[1, 3] | None = None
    """1: predictions of the ablation's networks; 3: the strong perturbations."""
    quick: bool = False
    """Everything at a size of two or three minutes: a check that it runs, not a measurement."""

    scenes: int = 0
    """Rendered scenes where no DATA is given; 0 = the world's own number."""
    labelled: float = 0.25
    """Share of the training scenes whose depth is used; the depth of the others is hidden."""
    epochs: int = 5
    """Passes of each row over the labelled images, in the same number of steps."""
    max_seconds: float = 0.0
    """Time budget of each training in seconds; --epochs then only caps them (0 = no cap)."""
    ratio: float = 2.0
    """Pseudo-labelled images a labelled one; so many more images the teacher sees too."""
    encoder: str = "resnet18"
    """Encoder of all the networks, see `sightline train depth --help`."""
    width: float = 0.5
    """Its channels over its own."""
    encoder_weights: str = OBJECTS
    """What the encoder starts from, as the method's starts from DINOv2: objects: the ResNet of the
    package's objects network (resnet18 at 0.5); none; imagenet; or a FILE."""
    frame_width: int = 128
    """Width of the training frames, in pixels."""
    frame_height: int = 96
    """Height of the training frames, in pixels."""
    batch: int = 24
    """Images a step, labelled and pseudo-labelled together."""
    learning_rate: float = 1e-3
    """Highest learning rate."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the networks; auto takes bfloat16 where the processor has it built in."""
    features: str = ""
    """Frozen encoder that features are aligned with: a hub name or local folder of DINOv2, or
    NAME:FILE of a ResNet; empty = the ResNet of the package's objects network."""
    feature_margin: float = 0.0
    """Pixels whose cosine is above this are left alone (0.85 in the method); 0 = none."""

    extra: tuple[Path, ...] = ()
    """More depth sets, to be judged on only."""
    weights: tuple[str, ...] = ()
    """Depth models: all of them for the metrics, the first for the depth pictures of the
    classification; run folders, files, hub names. Not given: the network of the package."""

    images: Path | None = None
    """Images to classify: a folder a class, or such folders in train/ and val/."""
    classifier: str = "resnet50"
    """Any classifier of torchvision: its outputs are the features."""
    classifier_weights: str = "imagenet"
    """imagenet: torchvision's; none: random features; or a FILE (.pth, .safetensors, .npz)."""
    picture: Picture = "colour"
    """How depth maps are drawn for the classifier."""
    validation: float = 0.25
    """Share of the images that are for validation where the folder has no parts."""
    hidden: tuple[int, int] = (512, 256)
    """Sizes of the classifying network's two hidden layers."""
    dropout: float = 0.5
    """Share of its hidden units that is dropped in training."""
    mlp_epochs: int = 30
    """Passes of its training, as in the report."""
    mlp_learning_rate: float = 1e-3
    """Learning rate of its training (Adam)."""
    mlp_batch: int = 64
    """Images a step of its training."""
    seeds: int = 5
    """Trainings of each experiment, each with its own seed."""
    seed: int = 0
    """Seed of weights, order, rendered scenes and splits."""

    def __post_init__(self) -> None:
        wanted = {
            "scenes": self.scenes >= 0,
            "labelled": 0 < self.labelled < 1,
            "ratio": 0 < self.ratio <= 16,
            "batch": self.batch >= 2,
            "validation": 0 < self.validation < 1,
            "hidden": all(size >= 1 for size in self.hidden),
            "dropout": 0 <= self.dropout < 1,
            "mlp_epochs": self.mlp_epochs >= 1,
            "mlp_learning_rate": self.mlp_learning_rate > 0,
            "mlp_batch": self.mlp_batch >= 2,
            "seeds": self.seeds >= 1,
        }
        refuse(self, wanted)
        self.training()  # its own checks of the shared settings

    def training(self, **changes: Any) -> DepthConfig:
        """Return one training's settings: the student of the ablation but for what is changed."""
        return dataclasses.replace(
            DepthConfig(),
            **{
                "encoder": self.encoder,
                "width": self.width,
                "frame_width": self.frame_width,
                "frame_height": self.frame_height,
                "epochs": self.epochs,
                "max_seconds": self.max_seconds,
                "batch": self.batch,
                "unlabelled_ratio": self.ratio,
                "learning_rate": self.learning_rate,
                "precision": self.precision,
                "feature_margin": self.feature_margin,
                "seed": self.seed,
                **changes,
            },
        )

    @property
    def labelled_batch(self) -> int:
        """Labelled images a step, beside which pseudo-labelled ones fill the batch."""
        return max(1, round(self.batch / (1.0 + self.ratio)))

    @property
    def effective(self) -> Paper003Config:
        """The settings as they are used: with ``quick``, small ones."""
        if not self.quick:
            return self
        return dataclasses.replace(
            self,
            quick=False,
            scenes=self.scenes or 60,
            width=0.25,
            encoder_weights="none",
            frame_width=96,
            frame_height=64,
            epochs=min(self.epochs, 4),
            batch=12,
            mlp_epochs=min(self.mlp_epochs, 10),
            seeds=min(self.seeds, 2),
        )
