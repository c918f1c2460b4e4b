"""What ``sightline reproduce 004`` can be told; imports without torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sightline.app.papers.objects_resnet import OBJECTS
from sightline.errors import InputError
from sightline.learning.config import refuse
from sightline.media.distortions import Distortion, parse_distortion
from sightline.tasks.utility.config import Aim, UtilityConfig

#: What the package's objects network is: backbone and share of its channels.
_OBJECTS = ("resnet18", 0.5)


@dataclass(frozen=True)
class Paper004Config:
    """Utility of images for classifiers and detectors: Tables I to IV, Figures 1 and 2."""

    table: Literal[1, 2, 3, 4] | None = None
    """1, 2: accuracy of predictors for classifiers, for detectors; 3, 4: each used for the other
    task."""
    figure: Literal[1, 2] | None = None
    """1: other metrics by utility; 2: unseen networks before and after."""
    quick: bool = False
    """Everything at a size of two or three minutes: a check that it runs, not a measurement."""

    detection_data: Path | None = None
    """Images with boxes for the detectors (the paper's COCO), where DATA has none."""
    images: int = 0
    """Pristine pictures that are labelled, all parts together, drawn at random; 0 = as many as fit
    the hour where they are rendered, and all where DATA is given."""
    qualities: str = "1,3,5,6,8,10,14,20,35"
    """JPEG qualities that the predictors learn from and are judged at, with commas between; the
    paper's are 9."""
    test_qualities: str = "2,4,7,12"
    """JPEG qualities of Figure 2 and Tables III and IV: others, as in the paper."""
    distort: str = (
        "blur:0.7,blur:1.5,noise:20,noise:60,downscale:2,webp:5,lowlight:0.1,lowlight:0.02"
    )
    """What else is done to images in the rows of mixed distortions, KIND:LEVEL with commas between;
    empty: no such rows."""

    classifiers: str = ""
    """Classifiers that say what is of use, with commas between, as `sightline label utility
    --models` takes them; not given: the three of the package."""
    detectors: str = ""
    """Detectors that do; not given: the two of the package."""
    unseen_classifiers: str = ""
    """Classifiers of Figure 2 and Table III; not given: trained here on DATA's training part."""
    unseen_detectors: str = ""
    """Detectors of Figure 2 and Table IV; not given: trained here too."""
    machine_minutes: float = 1.5
    """Time budget of each classifier and detector that is trained here."""

    epochs: int = 5
    """Each predictor's passes over its training images; 0 = no limit, then --minutes counts."""
    minutes: float = 0.0
    """Time budget of each predictor; 0 = none. A busy machine learns less in it."""
    backbone: str = "resnet18"
    """Predictor: any classifier of torchvision; the paper's is resnet18."""
    width: float = 0.5
    """Its channels over its own; the paper's 1."""
    weights: str = OBJECTS
    """What it starts from, as the paper's from ImageNet's weights: objects: the ResNet of the
    package's objects network (resnet18 at 0.5); none; imagenet; or a FILE."""
    targets: Literal["labels", "confidences"] = "confidences"
    """labels: predictors learn from images with a label alone, as the paper's; confidences: from
    those between the thresholds too, see `sightline train utility --help`."""
    threshold_for: Aim = "accuracy"
    """What thresholds of predictors and rules are chosen for on validation: accuracy, which the
    paper's tables give, or balanced."""
    frame_px: int = 64
    """Side of the frames it sees, in pixels; the paper's 224."""
    batch: int = 64
    """Images a step."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """How weights follow their gradients; the paper's is sgd."""
    learning_rate: float = 1e-3
    """Highest learning rate; the paper's 1e-4 is for sgd from ImageNet weights."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the networks; auto takes bfloat16 where the processor has it built in."""
    seed: int = 0
    """Seed of weights, order, rendered pictures and splits."""

    def __post_init__(self) -> None:
        wanted = {
            "images": self.images >= 0,
            "minutes": self.minutes >= 0,
            "machine_minutes": self.machine_minutes > 0,
        }
        refuse(self, wanted)
        both = set(self.compressed()) & set(self.compressed_for_test())
        if both:
            raise InputError(
                "--test-qualities other than --qualities are wanted, both have "
                f"{min(both, key=lambda one: one.level).level:g}"
            )
        self.others()
        self.training()  # their own checks
        if self.weights == OBJECTS and not self.quick and (self.backbone, self.width) != _OBJECTS:
            raise InputError(
                f"--backbone {_OBJECTS[0]} at --width {_OBJECTS[1]:g} starts from the package's "
                f"objects network, {self.backbone} at {self.width:g} came; pass --weights none, "
                "imagenet or a FILE"
            )

    def training(self, **changes: Any) -> UtilityConfig:
        """Return one predictor's settings."""
        settings = {
            "backbone": self.backbone,
            "width": self.width,
            "weights": self.weights,
            "targets": self.targets,
            "threshold_for": self.threshold_for,
            "frame_px": self.frame_px,
            "epochs": self.epochs,
            "max_seconds": 60.0 * self.minutes,
            "batch": self.batch,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "precision": self.precision,
            "seed": self.seed,
        }
        return dataclasses.replace(UtilityConfig(), **{**settings, **changes})

    def compressed(self) -> tuple[Distortion, ...]:
        """Return the distortions that the tables' predictors learn from."""
        return _levels("qualities", self.qualities)

    def compressed_for_test(self) -> tuple[Distortion, ...]:
        """Return the distortions that unseen networks are judged at."""
        return _levels("test-qualities", self.test_qualities)

    def others(self) -> tuple[Distortion, ...]:
        """Return what else is done to images in the rows of mixed distortions."""
        return tuple(parse_distortion(text) for text in listed(self.distort))

    @property
    def effective(self) -> Paper004Config:
        """The settings as they are used: those of ``--quick`` are small."""
        if not self.quick:
            return self
        return dataclasses.replace(
            self,
            quick=False,
            images=min(self.images or 240, 240),
            qualities=",".join(listed(self.qualities)[:3]),
            test_qualities=",".join(listed(self.test_qualities)[:2]),
            distort=",".join(listed(self.distort)[1::4]),
            machine_minutes=min(self.machine_minutes, 0.1),
            minutes=0.0,
            epochs=min(self.epochs or 2, 2),
            width=min(self.width, 0.25),
            weights="none" if self.weights == OBJECTS else self.weights,
            frame_px=min(self.frame_px, 64),
        )


def listed(text: str) -> tuple[str, ...]:
    """Return what commas divide, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _levels(flag: str, text: str) -> tuple[Distortion, ...]:
    try:
        found = tuple(Distortion("jpeg", float(part)) for part in listed(text))
    except ValueError:
        found = ()
    if not found:
        raise InputError(f"--{flag} such as 5,10 are wanted, {text!r} came")
    return found
