"""What ``sightline train absolute`` can be told; imports without torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sightline.errors import InputError
from sightline.learning.config import FitConfig, refuse
from sightline.records.config_file import config_from_table
from sightline.records.files import read_toml, write_toml

#: Scene coordinates: pixels of the network's image, each way, that share one point.
CELL_PX = 8

_REGRESSORS = ("posenet", "mapnet")
#: Settings of what is learned from frames without poses, where there are such.
_OF_UNLABELLED = tuple(
    f"unlabelled_{name}" for name in ("odometry", "unit", "weight", "fps", "skip")
)
#: Settings that some models alone listen to.
_LISTENERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("backbone", "weights", "freeze", "head", "rotation"), _REGRESSORS),
    **dict.fromkeys(("loss", "alpha", "precision"), _REGRESSORS),
    **dict.fromkeys(("learn_weights", "beta", "gamma", "step", "skip"), ("mapnet",)),
    **dict.fromkeys(("unlabelled", *_OF_UNLABELLED), ("mapnet",)),
    **dict.fromkeys(
        ("regions", "reprojection", "max_error", "min_inliers"), ("scene_coordinates",)
    ),
}


@dataclass(frozen=True)
class AbsoluteConfig(FitConfig):
    """Absolute camera pose: PoseNet, MapNet, scene coordinates."""

    model: Literal["posenet", "mapnet", "scene_coordinates"] = "mapnet"
    """posenet: one frame at a time; mapnet: tuples of frames, relative poses in the loss;
    scene_coordinates: the map's point in each cell of the image, then PnP (has its own network)."""
    backbone: str = "resnet34"
    """Any torchvision classifier (googlenet, resnet34, efficientnet_b7 ...), or compact."""
    weights: str = "imagenet"
    """imagenet (downloaded once), a .pth or .safetensors FILE, another place's RUN folder (its
    backbone), or none: train from scratch."""
    freeze: bool = False
    """Keep the backbone as it is and train the head alone (the paper's trainable counts)."""
    head: Literal["auto", "linear", "mlp"] = "auto"
    """linear: one layer (PoseNet's); mlp: 2048-1024-512 with ReLU before it (MapNet's)."""
    rotation: Literal["quaternion", "logq", "6d"] = "quaternion"
    """How the head gives the rotation: 4, 3 or 6 numbers."""
    dropout: float = 0.0
    """Dropout before the head."""

    loss: Literal["l1", "smooth_l1", "mse", "l2"] = "l1"
    """Distance in the loss; l2 is the norm of the error vector, not squared."""
    alpha: float = 1.0
    """PoseNet: weight of the rotation (Eq. 9). MapNet: weight of the relative poses (Eq. 10)."""
    learn_weights: bool = True
    """MapNet: learn beta and gamma (Eq. 11)."""
    beta: float = 0.0
    """MapNet: log-weight of the translation, e^-beta (Eq. 11); the start value where learned."""
    gamma: float = 0.0
    """MapNet: log-weight of the rotation, e^-gamma (Eq. 11); the start value where learned."""
    step: int = 3
    """MapNet: frames in a tuple (s)."""
    skip: int = 1
    """MapNet: how far apart they are in the part's own frames, in video order (k)."""
    unlabelled: Path | None = None
    """MapNet+: a video or a folder of photos of the place whose poses nobody knows: its relative
    poses are learned beside the training frames' poses."""
    unlabelled_odometry: Path | None = None
    """MapNet+: the trajectory of its camera, a TUM file or a poses.csv (of photos: by name);
    its frames are matched where there is none."""
    unlabelled_unit: Literal["m", "arbitrary"] = "m"
    """MapNet+: unit of that trajectory; arbitrary: its lengths count beside one another alone."""
    unlabelled_weight: float = 1.0
    """MapNet+: weight of its relative poses."""
    unlabelled_fps: float = 2.0
    """MapNet+: frames a second taken of the video; a folder's photos count as so many a second."""
    unlabelled_skip: int = 3
    """MapNet+: how far apart the frames of its tuples are."""
    regions: int = 64
    """Scene coordinates: regions of the place that a cell chooses from before it says where."""
    reprojection: float = 5.0
    """Scene coordinates: weight of the angle between a cell's ray and its point, in radians."""
    max_error: float = 0.03
    """Scene coordinates: largest reprojection error of an inlier, as a share of the longer side."""
    min_inliers: int = 20
    """Scene coordinates: fewest inliers of an answer; below it there is none."""

    width: int = 224
    """Width of the network's image in pixels; scene coordinates: a multiple of 8."""
    height: int = 224
    """Height of the network's image in pixels; scene coordinates: a multiple of 8."""
    crop: Literal["center", "stretch"] = "center"
    """center: cut the largest centred region of that shape; stretch: take the whole picture."""

    augment_colour: float = 0.0
    """Largest relative change of contrast and brightness, overall and per channel; 0 = none."""
    augment_yaw_deg: float = 0.0
    """Largest camera rotation about its vertical axis, by homography, the label turned with it."""
    augment_pitch_deg: float = 0.0
    """The same about the camera's horizontal axis."""
    augment_roll_deg: float = 0.0
    """The same about the optical axis."""
    augment_shift: float = 0.0
    """Largest step of the camera along each of its axes, in the place's unit, the picture warped by
    the depth of the map's points: exact on flat walls, drawn out at edges. 0 = none."""
    augment_resolution: float = 1.5
    """Frames for rotation augmentation are cached this much larger, to stay sharp when warped."""

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = {
            "dropout": 0 <= self.dropout < 1,
            "alpha": 0 <= self.alpha < math.inf,
            "step": self.step >= 2,
            "skip": self.skip >= 1,
            "unlabelled_weight": 0 < self.unlabelled_weight < math.inf,
            "unlabelled_fps": 0 < self.unlabelled_fps <= 1000,
            "unlabelled_skip": self.unlabelled_skip >= 1,
            "regions": 2 <= self.regions <= 4096,
            "reprojection": self.reprojection >= 0,
            "max_error": 0 < self.max_error <= 1,
            "min_inliers": self.min_inliers >= 4,
            "width": 16 <= self.width <= 4096 and self._whole_cells(self.width),
            "height": 16 <= self.height <= 4096 and self._whole_cells(self.height),
            "augment_colour": 0 <= self.augment_colour <= 1,
            "augment_yaw_deg": 0 <= self.augment_yaw_deg <= 60,
            "augment_pitch_deg": 0 <= self.augment_pitch_deg <= 60,
            "augment_roll_deg": 0 <= self.augment_roll_deg <= 180,
            "augment_shift": 0 <= self.augment_shift < math.inf,
            "augment_resolution": 1 <= self.augment_resolution <= 4,
        }
        refuse(self, wanted)
        cells = (self.width // CELL_PX) * (self.height // CELL_PX)
        if self.model == "scene_coordinates" and self.min_inliers > cells:
            raise InputError(
                f"min_inliers of at most {cells} is wanted ({self.width}x{self.height} pixels have "
                f"so many cells), {self.min_inliers} came; lower it, or raise width and height"
            )

    def refuse_ignored(self) -> None:
        """Refuse settings that would change nothing.

        A run that is there is read without this: it may be older than a rule.

        Raises:
            InputError: Names those that were set and that the model does not listen to.
        """
        usual = {f.name: f.default for f in dataclasses.fields(self)}
        deaf = [
            name
            for name, models in _LISTENERS.items()
            if self.model not in models and getattr(self, name) != usual[name]
        ]
        if not deaf:
            self._refuse_alone(usual)
            return
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in deaf)
        models = (*_REGRESSORS, "scene_coordinates")
        able = [m for m in models if all(m in _LISTENERS[name] for name in deaf)]
        others = f", or train --model {' or '.join(able)}" if able else ""
        raise InputError(
            f"settings that --model {self.model} listens to are wanted, {flags} came; "
            f"leave that out{others}"
        )

    def _refuse_alone(self, usual: Mapping[str, Any]) -> None:
        """Refuse settings of unlabelled frames or of a trajectory where there is none."""
        set_ = [name for name in _OF_UNLABELLED if getattr(self, name) != usual[name]]
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in set_)
        if set_ and self.unlabelled is None:
            raise InputError(
                f"--unlabelled VIDEO or FOLDER is wanted with {flags}; add it, or leave that out"
            )
        if "unlabelled_unit" in set_ and self.unlabelled_odometry is None:
            raise InputError(
                "--unlabelled-odometry FILE is wanted with --unlabelled-unit; matched frames "
                "give no unit anyway: leave it out"
            )

    def _whole_cells(self, side: int) -> bool:
        """Return whether a side has no part of a cell left over."""
        return self.model != "scene_coordinates" or side % CELL_PX == 0

    @property
    def run_name(self) -> str:
        """What a run is called where the user gives no name."""
        if self.model == "scene_coordinates":  # its network is no backbone
            return self.model
        model = self.model if self.unlabelled is None else f"{self.model}_plus"
        return f"{model}-{self.backbone}"

    @property
    def augments_pixels(self) -> bool:
        """Whether training changes the images, so that nothing about them can be cached."""
        return self.augments_rotation or self.augment_colour > 0

    @property
    def augments_rotation(self) -> bool:
        """Whether training turns the camera by homography, or moves it by depth."""
        turns = (self.augment_yaw_deg, self.augment_pitch_deg, self.augment_roll_deg)
        return max(*turns, self.augment_shift) > 0

    @property
    def head_kind(self) -> Literal["linear", "mlp"]:
        """The head, ``auto`` resolved: PoseNet's single layer, MapNet's three."""
        if self.head != "auto":
            return self.head
        return "linear" if self.model == "posenet" else "mlp"


def scratch_config(
    model: Literal["posenet", "mapnet", "scene_coordinates"], max_seconds: float
) -> AbsoluteConfig:
    """Return settings that train from scratch on two processor cores within a time budget.

    For portrait frames of one building floor, where no ImageNet weights are at hand. Tuples are
    spread wide: neighbouring frames look alike, and batches of them learn far slower. A step takes
    one core and the next batch the other: two threads in a step of this size wait for each other.
    """
    if model == "scene_coordinates":
        return AbsoluteConfig(
            model=model,
            width=96,
            height=128,
            crop="stretch",
            dropout=0.2,
            batch=8,
            augment_colour=0.25,
            augment_yaw_deg=20.0,
            augment_pitch_deg=6.0,
            augment_roll_deg=4.0,
            epochs=0,
            max_seconds=max_seconds,
            learning_rate=2e-3,
            clip_norm=1.0,
            threads=1,
        )
    config = AbsoluteConfig(
        model=model,
        backbone="compact",
        weights="none",
        width=72,
        height=96,
        crop="stretch",
        rotation="6d",
        loss="l2",
        dropout=0.2,
        augment_colour=0.25,
        augment_yaw_deg=20.0,
        augment_pitch_deg=6.0,
        augment_roll_deg=4.0,
        epochs=0,
        max_seconds=max_seconds,
        learning_rate=2e-3,
        clip_norm=1.0,
        threads=1,
    )
    if model == "posenet":
        return config
    return dataclasses.replace(config, alpha=0.3, skip=8, batch=8, learning_rate=1e-3)


def write_config(path: Path, config: AbsoluteConfig, **tables: Mapping[str, Any]) -> None:
    """Write ``config.toml``: the configuration, and tables beside it."""
    write_toml(path, {"task": "absolute", "config": dataclasses.asdict(config), **tables})


def read_config(path: Path) -> AbsoluteConfig:
    """Return the configuration of a run's ``config.toml``.

    Raises:
        InputError: The file is missing, is of another task, or has an unknown or ill-typed key.
    """
    content = read_toml(path)
    if content.get("task") != "absolute":
        raise InputError(
            f"{path}: a run of the task absolute is wanted, {content.get('task')} came"
        )
    return config_from_table(AbsoluteConfig, content.get("config", {}), str(path))
