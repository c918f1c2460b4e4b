"""What paper 000 prints, as it stands there, and where that is not what it means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

TITLE = "Paper 000: A Deep Learning Approach to Camera Pose Estimation"

#: The paper's names of torchvision's backbones.
LABELS = {
    "googlenet": "GoogLeNet",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "resnet50": "ResNet-50",
    "resnet152": "ResNet-152",
    "efficientnet_b7": "EfficientNet-B7",
}

#: Table I: top-1 and top-5 accuracy on ImageNet in percent.
IMAGENET_ACCURACY = {
    "googlenet": ("69.778", "89.530"),
    "resnet18": ("69.758", "89.078"),
    "resnet34": ("73.314", "91.420"),
    "resnet50": ("76.130", "92.862"),
    "resnet152": ("78.312", "94.046"),
    "efficientnet_b7": ("84.122", "96.908"),
}

#: What must be said with Table I.
IMAGENET_NOTES = (
    "not measured: the left numbers are those that torchvision publishes with its weights "
    "(IMAGENET1K_V1), and so are the paper's, though it calls them its backends' performance",
    "EfficientNet-B7's are for pictures of 600x600 pixels, the others' for 224x224; the paper "
    "feeds 224x224 to all",
    "the paper speaks of almost 3.2 million pictures; these weights have seen the 1.28 million of "
    "ILSVRC 2012",
)


@dataclass(frozen=True)
class BackboneRow:
    """One row of Table II or IV; a number with * is a slip that the notes correct."""

    position: str = ""
    rotation: str = ""
    total: str = ""
    trainable: str = ""


#: Table II.
POSENET = {
    "googlenet": BackboneRow("0.781", "0.119", "~7,000,000*", "3,591*"),
    "resnet18": BackboneRow("0.635", "0.288", "11,180,103", "3,591"),
    "resnet34": BackboneRow("0.632", "0.223", "21,288,263", "3,591"),
    "resnet50": BackboneRow("0.707", "0.191", "23,522,375", "14,343"),
    "resnet152": BackboneRow("0.594", "0.139", "58,158,151", "14,343"),
    "efficientnet_b7": BackboneRow("0.817", "0.132", "63,804,887", "17,927"),
}

#: Table IV.
MAPNET = {
    "googlenet": BackboneRow("0.225", "0.0876", "~7,000,000*", "3,677,191*"),
    "resnet18": BackboneRow("0.202", "0.0658", "14,853,703", "3,677,191"),
    "resnet34": BackboneRow("0.187", "0.0757", "24,961,863", "3,677,191"),
    "resnet50": BackboneRow("0.220", "0.0969", "30,330,951", "6,822,919"),
    "resnet152": BackboneRow("0.233", "0.0869", "64,966,727", "3,677,191*"),
    "efficientnet_b7": BackboneRow("0.210", "0.0848", "71,658,455", "7,871,495"),
}

#: Corrections of starred numbers: (model, backbone) -> note.
SLIPS = {
    ("posenet", "googlenet"): (
        "* GoogLeNet: 1024 features into 7 outputs are 7,175 trained parameters; the paper repeats "
        "ResNet-18's 3,591, and its ~7,000,000 is about the whole classifier's 6,624,904"
    ),
    ("mapnet", "googlenet"): (
        "* GoogLeNet: MapNet's four layers on 1024 features are 4,725,767 trained parameters; the "
        "paper repeats ResNet-18's 3,677,191, and PoseNet's rough total"
    ),
    ("mapnet", "resnet152"): (
        "* ResNet-152: as ResNet-50 it has 2048 features, so 6,822,919 parameters are trained "
        "(the paper's own total says so too), not ResNet-18's 3,677,191"
    ),
}


@dataclass(frozen=True)
class LossRow:
    """One row of Table III."""

    name: str
    loss: Literal["l1", "smooth_l1", "mse"]
    position: str
    rotation: str
    weighted: bool = False
    """Whether the rotation's weight alpha is not 1; the paper names no loss for it."""


#: Table III: PoseNet on ResNet-152.
LOSSES = {
    "smooth_l1": LossRow("SmoothedL1Loss", "smooth_l1", "0.594", "0.139"),
    "l1": LossRow("L1Loss", "l1", "0.906", "0.226"),
    "mse": LossRow("MSE", "mse", "NaN", "NaN"),
    "alpha": LossRow("alpha != 1", "smooth_l1", "NaN", "NaN", weighted=True),
}

#: Section V.C: mean distance of predictions to the truth, before and after the correction.
WALKABLE_BEFORE, WALKABLE_AFTER = "153 cm", "130 cm"

#: Section V.A: frames that were taken, at 10 a second.
FRAMES = "1,462"


def distance_range_cm(row: BackboneRow) -> tuple[float, float]:
    """Return between which limits the mean distance of a table's row lies, were its unit metres.

    A mean absolute error over three coordinates is a third of the sum of their absolute values,
    and that sum is 1 to sqrt(3) times the distance.
    """
    total_cm = 300.0 * float(row.position)
    return total_cm / math.sqrt(3.0), total_cm
