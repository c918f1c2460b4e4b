"""What ``sightline train relative`` can be told; imports without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sightline.learning.config import FitConfig, refuse
from sightline.learning.runs import read_run_config, write_run_config

ModelName = Literal["cnnA", "cnnB", "cnnAspp", "cnnBspp", "menet", "siamese"]

#: The side of the paper's square crops: without and with spatial pyramid pooling.
CROP_PX, SPP_CROP_PX = 227, 323


@dataclass(frozen=True)
class RelativeConfig(FitConfig):
    """Relative camera pose of two images: cnnA, cnnB, with SPP, MeNet, and Siamese networks."""

    model: ModelName = "cnnBspp"
    """cnnA, cnnB, cnnAspp, cnnBspp: paper 002; menet: paper 000; siamese: any backbone."""
    weights: str = "none"
    """none: from scratch; imagenet: torchvision's (cnn*: AlexNet's); or a .pth/.safetensors FILE
    (cnn*: Hybrid-CNN or AlexNet)."""
    width: float = 1.0
    """cnn*, menet: channels over the paper's; less than 1 for a small machine."""
    groups: Literal[1, 2] = 1
    """cnn*: groups of the 2nd, 4th and 5th convolution; 2 is the original AlexNet and Hybrid-CNN,
    1 is what the paper's notation says."""
    colours: Literal["torchvision", "caffe"] = "torchvision"
    """How images are normalised; caffe (BGR, 0..255 minus the mean) is Hybrid-CNN's own."""
    backbone: str = "compact"
    """siamese: any torchvision classifier (resnet18, mobilenet_v2 ...), or compact."""
    head: Literal["correlation", "concat"] = "correlation"
    """siamese: correlation compares every part of one image with every part of the other; concat
    puts the two feature vectors side by side."""
    stride: Literal[4, 8, 16] = 8
    """siamese, correlation: pixels a cell of the compared feature maps; 4 is finer and slower."""
    matching: float = 1.0
    """siamese, correlation: weight of the epipolar term, which teaches matching; 0 = none."""

    polish: int = 8
    """siamese, correlation: Gauss-Newton steps that make the pose agree with the matches; 0 = the
    head's answer as it is."""

    loss: Literal["norm", "squared"] = "norm"
    """norm: Eq. 1 of paper 002, norms; squared: Eq. 9 of paper 000 (MeNet's)."""
    beta: float = 10.0
    """Weight of the rotation in the loss (alpha in Eq. 9)."""

    short_side: int = 323
    """Images are scaled to this shorter side in pixels, once."""
    train_size: int = 0
    """Height of the training crops; 0 = 227, or 323 for the models with SPP."""
    test_size: int = 0
    """Height of the centre crop that is judged; 0 = 227, whatever the model."""
    aspect: float = 1.0
    """Width over height of the crops; 1 is the paper's."""
    crop: Literal["random", "independent", "centre"] = "random"
    """Training crops: random, at the same place in both images of a pair; independent of each
    other; or the centre."""

    swap: bool = True
    """Train on pairs in either order, with the inverse pose."""
    mirror: bool = False
    """Mirror half of the pairs left to right, pose and all."""
    colour: float = 0.0
    """Largest relative change of brightness, contrast and channels of each image; 0 = none."""
    fine_tune: str = ""
    """Start from the weights of this finished run folder."""

    epochs: int = 15
    """Passes over the training pairs; with a time budget it only caps them (0 = no cap)."""
    batch: int = 128
    """Pairs a step."""
    learning_rate: float = 1e-4
    """Highest learning rate (AdamW)."""
    weight_decay: float = 1e-5
    """Decoupled weight decay of the weight matrices (not of biases or norms)."""
    warmup: float = 0.0
    """Share of the training in which the learning rate rises from zero."""
    schedule: Literal["cosine", "constant"] = "constant"
    """How the learning rate goes on after the warm-up."""
    ema: float = 0.0
    """Decay of the averaged weights that are validated and kept; 0 keeps the raw ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        least = 32 if self.model == "siamese" else CROP_PX
        wanted = {
            "width": 0.01 <= self.width <= 4,
            "beta": self.beta >= 0,
            "matching": self.matching >= 0,
            "polish": 0 <= self.polish <= 100,
            "aspect": 0.25 <= self.aspect <= 4,
            "colour": 0 <= self.colour <= 1,
            "train_size": self.train_size == 0 or self.train_size >= least,
            "test_size": self.test_size == 0 or self.test_size >= least,
            "short_side": max(self.crop_px) <= self.short_side <= 4096,
        }
        refuse(self, wanted)

    @property
    def crop_px(self) -> tuple[int, int]:
        """Heights of the crops in training and at the test."""
        spp = self.model.endswith("spp")
        return (
            self.train_size or (SPP_CROP_PX if spp else CROP_PX),
            self.test_size or CROP_PX,
        )

    def crop_size(self, *, training: bool) -> tuple[int, int]:
        """Return width and height of the crops."""
        height = self.crop_px[0 if training else 1]
        return round(height * self.aspect), height

    @property
    def matches(self) -> bool:
        """Whether the network compares feature maps."""
        return self.model == "siamese" and self.head == "correlation"


def scratch_config(max_seconds: float = 1080.0) -> RelativeConfig:
    """Return settings of the Siamese network that train from scratch on two processor cores.

    It sees the whole picture, small, and generalises to rooms it was not trained on.
    """
    return RelativeConfig(
        model="siamese",
        matching=5.0,
        short_side=96,
        train_size=96,
        test_size=96,
        aspect=4 / 3,
        crop="centre",
        mirror=True,
        colour=0.2,
        epochs=0,
        max_seconds=max_seconds,
        batch=32,
        learning_rate=2e-3,
        weight_decay=1e-2,
        warmup=0.05,
        schedule="cosine",
        ema=0.99,
        clip_norm=1.0,
    )


def small_paper_config(
    model: Literal["cnnA", "cnnB", "cnnAspp", "cnnBspp"], max_seconds: float = 360.0
) -> RelativeConfig:
    """Return the paper's networks at a quarter of their channels, for two processor cores."""
    return RelativeConfig(
        model=model,
        width=0.25,
        epochs=0,
        max_seconds=max_seconds,
        batch=32,
        learning_rate=5e-4,
        warmup=0.05,
        schedule="cosine",
        ema=0.99,
        clip_norm=5.0,
    )


def write_config(path: Path, config: RelativeConfig, **tables: Mapping[str, Any]) -> None:
    """Write ``config.toml``: the configuration, and tables beside it."""
    write_run_config(path, "relative", config, **tables)


def read_config(path: Path) -> RelativeConfig:
    """Return the configuration of a run's ``config.toml``.

    Raises:
        InputError: The file is missing, is of another task, or has an unknown or ill-typed key.
    """
    return read_run_config(path, "relative", RelativeConfig)


def scaled_channels(channels: int, width: float) -> int:
    """Return a layer's channels at a width: even, so that two groups divide them; 8 or more."""
    return channels if math.isclose(width, 1.0) else max(8, 2 * round(channels * width / 2))
