"""What ``sightline train objects`` can be told; imports without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sightline.learning.config import FitConfig, refuse
from sightline.learning.runs import read_run_config, write_run_config

Architecture = Literal["integrated", "shared", "sequential", "independent"]
Head = Literal["axis_angle", "sixd", "fisher", "bins"]
Fusion = Literal["weighted", "top1", "chordal"]
Protocol = Literal["pose_first", "balanced", "joint"]


@dataclass(frozen=True)
class ObjectsConfig(FitConfig):
    """Category and 3D pose of an object in a box (paper 001)."""

    architecture: Architecture = "integrated"
    """integrated: shared features, a pose network a category (the paper's); shared: shared
    features, one pose network for all; sequential: a second ResNet for the category; independent:
    two ResNets, one pose network for all."""
    tuned: Literal["everything", "fc", "fc_stage5"] = "everything"
    """sequential: what of the category's ResNet is trained."""
    backbone: str = "resnet50"
    """Any ResNet of torchvision (resnet18 ... resnet152, resnext, wide_resnet)."""
    width: float = 1.0
    """Channels over the backbone's own; less than 1 for a small machine (basic blocks only)."""
    weights: str = "imagenet"
    """imagenet: torchvision's; a .pth or .safetensors FILE of the same ResNet; none: the first
    step then trains the ResNet to tell the categories, as ImageNet's weights were."""
    stage: Literal[3, 4, 5] = 4
    """The features are the ResNet's up to this stage; what follows is the category network."""
    pose_sizes: tuple[int, int] = (1000, 500)
    """Sizes of the two hidden layers of each pose network."""
    head: Head = "axis_angle"
    """What a pose network says: axis_angle: a vector in the ball of radius pi (the paper's); sixd:
    two axes; fisher: a distribution over rotations; bins: the nearest of some views, and the rest
    of the turn."""
    bins: int = 48
    """bins: how many views."""
    fusion: Fusion = "weighted"
    """How the categories' poses become one: weighted (Eq. 1), top1 (Eq. 2), or chordal: the mean
    rotation, right near pi too."""
    protocol: Protocol = "pose_first"
    """The order of training (Table 1): pose_first, balanced, or joint: all from the start."""
    category_weight: float = 0.1
    """Lambda: weight of the category loss beside the pose loss in the joint step."""
    symmetric: bool = False
    """Let the pose loss take the nearest of the turns that look the same (bottles, tables)."""
    rendered: str = ""
    """Folder of rendered images that are added in the steps that teach pose alone."""

    crop_px: int = 224
    """Side of the square that a box is scaled to, in pixels."""
    context: float = 0.05
    """What is seen round the box, as a share of its longer side."""
    flip: bool = True
    """Also train on mirrored crops, label and all."""
    jitter_tilt_deg: float = 10.0
    """Largest turn in the picture plane by which training crops are jittered; 0 = none."""
    jitter_turn_deg: float = 4.0
    """Largest turn of the camera out of the picture plane (where the focal length is known)."""
    jitter_box: float = 0.05
    """Largest shift of a box's edges, as a share of its side: detectors' boxes are not exact."""
    colour: float = 0.2
    """Largest relative change of brightness, contrast and channels; 0 = none."""
    fine_tune: str = ""
    """Start from the weights of this finished run folder; only the joint step is then trained."""

    epochs: int = 20
    """Passes over the training objects in each step; with a time budget it only caps them."""
    max_seconds: float = 0.0
    """Time budget in seconds of all steps together; 0 = none: count epochs."""
    batch: int = 48
    """Objects a step, drawn evenly from the categories."""
    learning_rate: float = 1e-4
    """Highest learning rate (AdamW)."""
    weight_decay: float = 1e-5
    """Decoupled weight decay of the weight matrices."""
    warmup: float = 0.02
    """Share of a step in which the learning rate rises from zero."""
    ema: float = 0.99
    """Decay of the averaged weights that are validated and kept; 0 keeps the raw ones."""
    clip_norm: float = 5.0
    """Largest gradient norm; 0 = no clipping."""

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = {
            "width": 0.05 <= self.width <= 4,
            "pose_sizes": min(self.pose_sizes) >= 1,
            "bins": 4 <= self.bins <= 4096,
            "category_weight": self.category_weight >= 0,
            "crop_px": 32 <= self.crop_px <= 1024,
            "context": 0 <= self.context <= 1,
            "jitter_tilt_deg": 0 <= self.jitter_tilt_deg <= 180,
            "jitter_turn_deg": 0 <= self.jitter_turn_deg <= 30,
            "jitter_box": 0 <= self.jitter_box <= 0.5,
            "colour": 0 <= self.colour <= 1,
        }
        refuse(self, wanted)


def scratch_config(max_seconds: float = 1800.0) -> ObjectsConfig:
    """Return settings of a small ResNet that trains from scratch on two processor cores."""
    return ObjectsConfig(
        backbone="resnet18",
        width=0.5,
        weights="none",
        pose_sizes=(256, 128),
        head="fisher",
        protocol="joint",
        category_weight=1.0,
        crop_px=96,
        jitter_turn_deg=0.0,  # small crops: a turn shifts them as an inexact box does
        epochs=0,
        max_seconds=max_seconds,
        batch=48,
        learning_rate=2e-3,
        weight_decay=1e-2,
    )


def write_config(path: Path, config: ObjectsConfig, **tables: Mapping[str, Any]) -> None:
    """Write ``config.toml``: the configuration, and tables beside it."""
    write_run_config(path, "objects", config, **tables)


def read_config(path: Path) -> ObjectsConfig:
    """Return the configuration of a run's ``config.toml``.

    Raises:
        InputError: The file is missing, is of another task, or has an unknown or ill-typed key.
    """
    return read_run_config(path, "objects", ObjectsConfig)
