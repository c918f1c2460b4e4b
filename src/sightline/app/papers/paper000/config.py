"""What ``sightline reproduce 000`` can be told; imports without torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sightline.errors import InputError
from sightline.learning.config import refuse
from sightline.tasks.absolute.config import AbsoluteConfig, scratch_config

Model = Literal["posenet", "mapnet"]
Loss = Literal["l1", "smooth_l1", "mse"]

#: The paper's, in its order.
PAPERS_BACKBONES = (
    "googlenet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet152",
    "efficientnet_b7",
)
#: Ours, which learns most from scratch in little time.
_COMPACT = "compact"
_BATCH = 16
_QUICK_SECONDS, _QUICK_PX = 10.0, 64
#: Of each training from scratch: eighteen of them and the map take about an hour on two cores.
_SCRATCH_SECONDS, _SCRATCH_PX = 150.0, 96
#: What training from scratch takes from the settings that are known to do it on this floor.
_FROM_SCRATCH = (
    "dropout",
    "augment_colour",
    "augment_yaw_deg",
    "augment_pitch_deg",
    "augment_roll_deg",
    "learning_rate",
    "clip_norm",
)


@dataclass(frozen=True)
class Paper000Config:
    """Camera pose: PoseNet and MapNet compared; one table, one figure, or all of them."""

    table: Literal[1, 2, 3, 4] | None = None
    """1: the backbones on ImageNet; 2: PoseNet's backbones; 3: its losses; 4: MapNet's backbones"""
    figure: Literal[2, 3, 6, 7, 8, 9] | None = None
    """2, 3: the map's path and points; 6, 8: losses of PoseNet and MapNet; 7: trajectories; 9:
    predictions moved to walkable floor"""
    quick: bool = False
    """Everything at a size of five minutes: a check that it runs, not a measurement."""
    walk: Path | None = None
    """Another walk in the same place, never trained on: a folder with poses.csv and images. The
    rendered floor brings its own."""
    backbones: str = ""
    """Names with commas between, see `sightline train absolute --help`; not given: the paper's six,
    and from scratch compact before them."""
    weights: str = "auto"
    """imagenet (frozen, as in the paper), a FILE (frozen), or none: all is trained from scratch;
    auto: imagenet where it is at hand or can be downloaded for every backbone, else none."""
    epochs: int | None = None
    """Passes over the training frames; the paper gives no number. Not given: 300 where backbones
    are frozen, and as many as fit --max-seconds from scratch."""
    max_seconds: float | None = None
    """Time budget of each training in seconds, 0 = none; not given: none where backbones are frozen
    or --epochs is given, else 150."""
    alpha: float = 10.0
    """Weight of the rotation in Table III's row "alpha != 1"; the paper gives no number."""
    size: int | None = None
    """Width and height of the network's image in pixels; not given: 224, and 96 from scratch."""
    batch: int | None = None
    """Samples a step; the paper gives no number. Not given: 16, and for MapNet from scratch 8."""
    seed: int = 0
    """Seed of weights and order."""

    def __post_init__(self) -> None:
        if self.backbones and not self.given:
            raise InputError(
                "backbones with commas between them are wanted, such as "
                f"resnet18,resnet34; {self.backbones!r} came"
            )
        refuse(self, {"alpha": self.alpha >= 0 and self.alpha != 1})
        self.run_config("posenet", PAPERS_BACKBONES[0], "l1")  # its checks of the shared settings

    @property
    def given(self) -> tuple[str, ...]:
        """The backbones asked for by name, each once."""
        names = (name.strip() for name in self.backbones.split(","))
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def names(self) -> tuple[str, ...]:
        """The backbones that are trained."""
        if self.given:
            return self.given
        return PAPERS_BACKBONES if self.frozen else (_COMPACT, *PAPERS_BACKBONES)

    @property
    def frozen(self) -> bool:
        """Whether backbones stay as they are: as in the paper, unless they start from nothing."""
        return self.weights != "none"

    @property
    def effective(self) -> Paper000Config:
        """The settings as they are used: those of ``--quick`` are small."""
        if not self.quick:
            return self
        weights = "none" if self.weights == "auto" else self.weights
        few = "resnet18" if weights != "none" else f"{_COMPACT},resnet18"
        return dataclasses.replace(
            self,
            quick=False,
            backbones=self.backbones or few,
            weights=weights,
            max_seconds=min(self.max_seconds or _QUICK_SECONDS, _QUICK_SECONDS),
            size=min(self.size or _QUICK_PX, _QUICK_PX),
        )

    def pick(self, wanted: str) -> str:
        """Return the backbone of a figure, or of Table III.

        The paper's where it is among those asked for; from scratch, if none was named, the first:
        in the same time the deep ones do not get far enough to compare anything by them.
        """
        if not self.frozen and not self.given:
            return self.names[0]
        return wanted if wanted in self.names else self.names[0]

    def run_config(
        self, model: Model, backbone: str, loss: Loss, alpha: float = 1.0, *, frames: int = 0
    ) -> AbsoluteConfig:
        """Return one training's settings.

        Args:
            model: PoseNet (Eq. 9) or MapNet (Eq. 10-11).
            backbone: One name.
            loss: Distance in the loss.
            alpha: Weight of the rotation (PoseNet) or of the relative poses (MapNet).
            frames: How many frames there are to train on; they limit how far apart MapNet's are.
        """
        paper = AbsoluteConfig(
            model=model,
            backbone=backbone,
            weights=self.weights,
            freeze=self.frozen,
            loss=loss,
            alpha=alpha,
            width=self._size,
            height=self._size,
            epochs=self._epochs,
            max_seconds=self._seconds,
            batch=_BATCH if self.batch is None else self.batch,
            seed=self.seed,
            # The usual choice, as often as time allows, would keep another epoch on each machine.
            validate_every=0 if self._seconds else 5,
        )
        if self.frozen:
            return paper
        known = scratch_config(model, self._seconds or 1.0)
        changed = {name: getattr(known, name) for name in _FROM_SCRATCH}
        if model == "mapnet":
            changed["skip"] = max(1, min(known.skip, (frames - 1) // (2 * known.step)))
        if self.batch is None:
            changed["batch"] = known.batch
        if backbone == _COMPACT:
            changed["threads"] = known.threads
        else:
            changed["checkpoint_every_s"] = 60.0  # of the deep ones a checkpoint has 1 GB
        return dataclasses.replace(paper, **changed)

    @property
    def _epochs(self) -> int:
        if self.epochs is not None:
            return self.epochs
        return 0 if self._seconds and not self.frozen else 300

    @property
    def _seconds(self) -> float:
        if self.max_seconds is not None:
            return self.max_seconds
        return 0.0 if self.frozen or self.epochs is not None else _SCRATCH_SECONDS

    @property
    def _size(self) -> int:
        if self.size is not None:
            return self.size
        return 224 if self.frozen else _SCRATCH_PX
