"""What report 003 prints in Table 9, Fig. 5 and Table 1, as it stands there, and its slips.

A slip is kept as printed and said in :data:`NOTES`; nothing here is corrected silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TITLE = "Paper 003: DIP Project: Depth Anything: Unleashing the Power of Large-Scale Unlabeled Data"

#: The data sets of Table 9 as its columns have them, and in full.
TABLE_9_SETS = {
    "KI": "KITTI",
    "NY": "NYUv2",
    "SI": "Sintel",
    "DD": "DDAD",
    "ET": "ETH3D",
    "DI": "DIODE",
}

#: Table 9: AbsRel by row and data set, the cells as printed.
TABLE_9: Mapping[str, tuple[str, ...]] = {
    "labelled": ("0.085", "0.053", "0.492", "0.245", "0.134", "0.070"),
    "unlabelled": ("0.085", "0.054", "0.481", "0.242", "0.138", "0.073"),
    "perturbed": ("0.081", "0.048", "0.469", "0.235", "0.134", "0.068"),
    "aligned": ("0.076", "0.043", "0.458", "0.230", "0.127", "0.066"),
}

#: Fig. 5's columns as the report's terminal prints them, and as the measured scores are called.
FIGURE_5_METRICS = (
    "a1", "a2", "a3", "abs_rel", "rmse", "log_10", "rmse_log", "silog", "sq_rel",
)  # fmt: skip

#: Fig. 5 (NYUv2): delta1-3, AbsRel, RMSE, log10, and for the report's own run also RMSElog, SILog
#: and SqRel; the cells as printed.
FIGURE_5: Mapping[str, tuple[str, ...]] = {
    "ZoeDepth": ("0.951", "0.994", "0.999", "0.077", "0.282", "0.033", "-", "-", "-"),
    "Depth Anything": ("0.984", "0.998", "1.000", "0.056", "0.206", "0.024", "-", "-", "-"),
    "the report's own run": (
        "0.97", "0.992", "0.998", "0.058", "0.26", "0.025", "0.085", "7.12", "0.029",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """A row of Table 1, as printed: losses, and accuracies as shares of 1."""

    train_loss: str
    val_loss: str
    train_accuracy: str
    val_accuracy: str


TABLE_1 = {
    "Depth": Experiment("3.392", "3.114", "0.359", "0.494"),
    "RGB": Experiment("0.857", "0.486", "0.779", "0.860"),
    "Depth+RGB": Experiment("0.074", "0.539", "0.937", "0.897"),
}

#: Sec. 8.2: animals in the wild.
CLASSES, IMAGES, EPOCHS = 90, 5400, 30

#: The report's slips, by section.
NOTES: Mapping[str, tuple[str, ...]] = {
    "table-9": (
        "the report's text points to this table as 'Figure 5.4'; it is the method's own Table 9",
        "the report (4.2) takes 'affine-invariant' for transformations of the image; the loss is "
        "invariant to the scale and shift of the disparity",
        "the report (7.3.2) says that all models were trained on 512x512 images; the method's are "
        "518x518, a multiple of its patches of 14 pixels",
    ),
    "figure-5": (
        "the report judged 653 images, as its own terminal shows; NYUv2's test part has 654",
        "the report sorts images named 2221.png and 4321.png and a garden into inside and outside; "
        "NYUv2 has 1,449 labelled images, all of them indoors",
    ),
    "table-1": (
        f"a random guess over {CLASSES} classes is right in {100 / CLASSES:.1f}%, not in 11% as "
        "the report says",
        "the report says that the head of ResNet-50 was removed, yet its features are 1000-d: "
        "without its head ResNet-50 gives 2048; the 1000 are the outputs of the head, and so here",
        "the report calls both losses of Depth+RGB the lowest; its own validation loss of RGB is "
        "lower (0.486 against 0.539)",
        "the report's text has 49.5% for Depth, its table 0.494",
    ),
}
