"""What ``sightline train depth`` can be told; imports without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sightline.learning.config import FitConfig, refuse
from sightline.learning.runs import read_run_config, write_run_config

Stage = Literal["teacher", "label", "student", "metric"]
Architecture = Literal["small", "dpt"]


@dataclass(frozen=True)
class DepthConfig(FitConfig):
    """Depth of every pixel, learned from labelled and unlabelled images (paper 003)."""

    stage: Stage = "teacher"
    """teacher: learn from DATA's depth; label: let a teacher label images; student: learn from
    DATA's depth and those labels; metric: fine-tune a run on DATA's depth in metres."""

    architecture: Architecture = "small"
    """small: a convolutional encoder and decoder that trains on a processor; dpt: a DINOv2 encoder
    and a DPT decoder, as Depth Anything."""
    encoder: str = "resnet18"
    """small: a ResNet of basic blocks (resnet18, resnet34); dpt: tiny, vits, vitb, vitl, vitg."""
    width: float = 0.5
    """small: channels over the encoder's own."""
    weights: str = "none"
    """What the encoder starts from: none; imagenet: torchvision's; a FILE of the same encoder; dpt:
    a hub name or local folder of DINOv2."""
    fine_tune: str = ""
    """Start all weights from this finished run folder, of the same network (metric needs it)."""
    frame_width: int = 192
    """Width of the training frames, in pixels."""
    frame_height: int = 144
    """Height of the training frames, in pixels."""
    max_depth_m: float = 80.0
    """Farther depth counts as this far in disparity; in metres it is neither taught nor said (10
    or 20 are for rooms)."""

    gradient_weight: float = 0.5
    """Weight of the gradient matching term beside the affine-invariant loss; 0 = none."""
    flip: bool = True
    """Also train on mirrored images."""
    crop: float = 0.25
    """Largest share of a training image's sides that a random crop cuts off."""
    colour: float = 0.2
    """Largest relative change of brightness, contrast and saturation of labelled images."""

    teacher: str = ""
    """label: who labels: a run folder, a hub name or local folder of Depth Anything."""
    unlabelled: str = ""
    """label: a folder, a .tar file or folder of them, or a list (.txt) of images; DATA's training
    images without depth where empty."""
    shard: int = 1000
    """label: images a shard; a shard is written whole."""
    ray: bool = False
    """label: on a Ray cluster (`pip install sightline[distributed]`)."""

    labels: str = ""
    """student: folder that the label stage wrote."""
    unlabelled_ratio: float = 2.0
    """student: pseudo-labelled images a labelled one in each batch; 0 = labelled ones only."""
    strong: bool = True
    """student: perturb pseudo-labelled images strongly: colour jitter, blur, CutMix (S)."""
    cutmix: float = 0.5
    """student: probability of CutMix where strong."""
    features: str = ""
    """student: align features with this frozen encoder: a hub name or local folder of DINOv2, or
    NAME:FILE of a ResNet (resnet18@0.5:FILE has half its channels); empty = no alignment."""
    feature_weight: float = 1.0
    """student: weight of the alignment loss (Eq. 1)."""
    feature_margin: float = 0.0
    """student: pixels whose cosine is above this are left alone (0.85 in the method); 0 = none."""

    epochs: int = 20
    """Passes over the labelled training images; with a time budget it only caps them."""
    max_seconds: float = 0.0
    """Time budget in seconds; the learning rate then falls over it. 0 = none: count epochs."""
    batch: int = 16
    """Images a step, labelled and pseudo-labelled together."""
    learning_rate: float = 1e-3
    """Highest learning rate (AdamW)."""
    weight_decay: float = 1e-2
    """Decoupled weight decay of the weight matrices."""
    ema: float = 0.995
    """Decay of the averaged weights that are validated and kept; 0 keeps the raw ones."""
    clip_norm: float = 5.0
    """Largest gradient norm; 0 = no clipping."""

    @property
    def run_name(self) -> str:
        """What a run is called where no name is given."""
        return "labels" if self.stage == "label" else f"{self.stage}-{self.encoder}"

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = {
            "width": 0.05 <= self.width <= 4,
            "frame_width": 32 <= self.frame_width <= 2048,
            "frame_height": 32 <= self.frame_height <= 2048,
            "max_depth_m": self.max_depth_m > 0,
            "gradient_weight": self.gradient_weight >= 0,
            "crop": 0 <= self.crop < 0.9,
            "colour": 0 <= self.colour <= 1,
            "shard": 1 <= self.shard <= 1_000_000,
            "unlabelled_ratio": self.unlabelled_ratio >= 0,
            "cutmix": 0 <= self.cutmix <= 1,
            "feature_weight": self.feature_weight >= 0,
            "feature_margin": 0 <= self.feature_margin <= 1,
        }
        refuse(self, wanted)


def write_config(path: Path, config: DepthConfig, **tables: Mapping[str, Any]) -> None:
    """Write ``config.toml``: the configuration, and tables beside it."""
    write_run_config(path, "depth", config, **tables)


def read_config(path: Path) -> DepthConfig:
    """Return the configuration of a run's ``config.toml``.

    Raises:
        InputError: The file is missing, is of another task, or has an unknown or ill-typed key.
    """
    return read_run_config(path, "depth", DepthConfig)
