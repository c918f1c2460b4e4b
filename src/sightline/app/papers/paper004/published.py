"""The values that paper 004 prints, by its tables (Khan et al., EUSIPCO 2022)."""

from __future__ import annotations

from collections.abc import Mapping

TITLE = "Paper 004: Towards an Image Utility Assessment Framework for Machine Perception"

#: Sec. V: what the paper labels and tests with, as torchvision calls them.
CLASSIFIERS = ("inception_v3", "vgg19", "densenet121")
DETECTORS = ("fasterrcnn_resnet50_fpn", "ssd300_vgg16", "ssdlite320_mobilenet_v3_large")
UNSEEN_CLASSIFIERS = ("alexnet", "resnext50_32x4d", "efficientnet_b7")
UNSEEN_DETECTORS = (
    "maskrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
)

#: The row of the common label.
COMMON = "common"

#: Table I (p. 4): accuracy in % of the predictor, by the network that defines utility.
TABLE_1: Mapping[str, str] = {
    "inception_v3": "87.5",
    "vgg19": "84.2",
    "densenet121": "91.2",
    COMMON: "93.3",
}

#: Table II (p. 4), as printed.
TABLE_2: Mapping[str, str] = {
    "fasterrcnn_resnet50_fpn": "84.8",
    "ssd300_vgg16": "81.3",
    "ssdlite320_mobilenet_v3_large": "83.1",
    COMMON: "92.8",
}

#: Table III (p. 5): accuracy in % of unseen classifiers on images that are left, by the task that
#: the predictor was trained for: classification, detection.
TABLE_3: Mapping[str, tuple[str, str]] = {
    "alexnet": ("46.8", "46.0"),
    "resnext50_32x4d": ("66.3", "65.4"),
    "efficientnet_b7": ("65.8", "65.9"),
}

#: Table IV (p. 5): mAP of unseen detectors after replacing: trained for detection, classification.
TABLE_4: Mapping[str, tuple[str, str]] = {
    "maskrcnn_resnet50_fpn": ("0.128", "0.126"),
    "retinanet_resnet50_fpn": ("0.128", "0.125"),
    "fasterrcnn_mobilenet_v3_large_fpn": ("0.164", "0.161"),
}

#: What a reader must know of the paper's own numbers, by section.
NOTES: Mapping[str, tuple[str, ...]] = {
    "table-1": (
        "the paper counts images after balancing (about 200,000 to train and 50,000 to test of "
        "each class); images between T_L and T_H have no label and are in none of its scores",
        "the paper shows no baseline; the JPEG quality alone stands here",
    ),
    "table-2": (
        "the paper's text has 81.8% for SSD-300 (Sec. V-A), its Table II 81.3%",
        "Table II calls SSDLite-320 'SSD-320 Mobilenet-v3'",
    ),
    "figure-1": ("the paper prints no overlap; it calls it large",),
    "figure-2": (
        "the paper prints no number beside Fig. 2; accuracy rises where hard images are left out, "
        "and mAP where any image is replaced: the controls say how much of it",
    ),
    "table-3": ("the paper does not say how many images are left of each",),
    "table-4": (
        "the paper calls 2% or less 'negligible': of its own mAPs, 0.003 of 0.128 is 2.3%",
    ),
}
