"""mAP of a detector where useless images are replaced by the uncompressed ones, with controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.tasks.utility.machines.machine import Detected

Flags = NDArray[np.bool_]
Truth = tuple[NDArray[np.float32], NDArray[np.int64]]


def mean_average_precision(truths: Sequence[Truth], found: Sequence[Detected]) -> float:
    """Return COCO's mAP (IoU 0.50 to 0.95) of boxes ``x0, y0, x1, y1``; NaN without a true box.

    Args:
        truths: Boxes (n, 4) and labels (n,) of each image.
        found: What the detector says of each, labels of the same numbering.
    """
    import torch

    from sightline.learning.torchvision_compat import import_torchvision

    import_torchvision()  # torchmetrics imports it, and it does not load by itself everywhere
    from torchmetrics.detection import MeanAveragePrecision

    if not any(len(labels) for _, labels in truths):
        return float("nan")
    metric = MeanAveragePrecision(iou_type="bbox", backend="faster_coco_eval")
    metric.warn_on_many_detections = False
    metric.update(
        [
            {
                "boxes": torch.from_numpy(np.asarray(one.boxes, np.float32).reshape(-1, 4)),
                "scores": torch.from_numpy(np.asarray(one.scores, np.float32)),
                "labels": torch.from_numpy(np.asarray(one.labels, np.int64)),
            }
            for one in found
        ],
        [
            {
                "boxes": torch.from_numpy(np.asarray(boxes, np.float32).reshape(-1, 4)),
                "labels": torch.from_numpy(np.asarray(labels, np.int64)),
            }
            for boxes, labels in truths
        ],
    )
    return float(metric.compute()["map"])


def replaced(
    distorted: Sequence[Detected], pristine: Sequence[Detected], replace: Flags
) -> list[Detected]:
    """Return the answers where images of no use were replaced by the uncompressed ones."""
    return [
        whole if other else one
        for one, whole, other in zip(distorted, pristine, replace, strict=True)
    ]


def at_random(total: int, count: int, seed: int) -> Flags:
    """Return ``count`` of ``total`` images, drawn at random."""
    chosen = np.zeros(total, dtype=bool)
    chosen[np.random.default_rng(seed).choice(total, count, replace=False)] = True
    return chosen


def lowest(quality: NDArray[np.float64], count: int, seed: int) -> Flags:
    """Return the ``count`` images of lowest quality; of equal ones some, drawn at random."""
    order = np.lexsort((np.random.default_rng(seed).random(len(quality)), quality))
    chosen = np.zeros(len(quality), dtype=bool)
    chosen[order[:count]] = True
    return chosen


@dataclass(frozen=True)
class Replaced:
    """One detector where some pictures were replaced by the uncompressed ones.

    Attributes:
        score: mAP.
        share: Of the pictures that was replaced.
        random: mAP where as many are, drawn at random; None where nothing or everything was.
        by_quality: mAP where as many of the lowest JPEG quality are.
    """

    score: float
    share: float
    random: float | None
    by_quality: float | None

    def to_values(self) -> dict[str, float | None]:
        """Return all numbers for JSON, None for NaN."""
        score = self.score if np.isfinite(self.score) else None
        return {"map": score, "replaced": self.share, "random": self.random,
                "by_quality": self.by_quality}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector finds in distorted pictures and in their pristine ones.

    Attributes:
        truths: Boxes and labels of each picture.
        distorted: What is found in each.
        pristine: What is found in its uncompressed one.
        quality: (N,) JPEG quality.
        seed: Of the draws.
    """

    truths: Sequence[Truth]
    distorted: Sequence[Detected]
    pristine: Sequence[Detected]
    quality: NDArray[np.float64]
    seed: int = 0

    def after(self, gone: Flags) -> float:
        """Return the mAP where some pictures are replaced by the uncompressed ones."""
        found = replaced(self.distorted, self.pristine, gone)
        return mean_average_precision(self.truths, found)

    def controlled(self, gone: Flags) -> Replaced:
        """Return what replacing some pictures gives, and replacing as many others."""
        count, total = int(gone.sum()), len(gone)
        score = self.after(gone)
        if not 0 < count < total:  # there are no others
            return Replaced(score, count / total, None, None)
        return Replaced(
            score,
            count / total,
            self.after(at_random(total, count, self.seed)),
            self.after(lowest(self.quality, count, self.seed)),
        )
