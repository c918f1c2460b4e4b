"""How good a small machine is on pristine images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.learning.torchvision_compat import import_torchvision
from sightline.tasks.utility.machines.machine import Classified, Detected

#: A classifier this sure of the truth gives a useful image (the paper's T_H).
_SURE = 0.9


def classifier_scores(said: Classified, truth: NDArray[np.int64]) -> dict[str, float]:
    """Return top-1 accuracy, mean loss, and the share with the true class above 0.9.

    Args:
        said: Of N images.
        truth: (N,) indices.
    """
    own = said.probabilities[np.arange(len(truth)), truth]
    return {
        "accuracy": float((said.probabilities.argmax(axis=1) == truth).mean()),
        "loss": float(-np.log(own.clip(min=1e-7)).mean()),
        "sure": float((own > _SURE).mean()),
    }


def detector_scores(
    found: Sequence[Detected],
    boxes: Sequence[NDArray[np.float32]],
    labels: Sequence[NDArray[np.int64]],
) -> dict[str, float]:
    """Return mean average precision at IoU 0.5 and over 0.5 to 0.95 (COCO), and ``useful``.

    Args:
        found: In N images.
        boxes: N arrays (n, 4) of true boxes, in the same pixels.
        labels: N arrays (n,) of their categories.

    Returns:
        ``ap50``, ``ap``; ``useful``: the share of images with a true box that is found with the
        right label, a score and an IoU of 0.5 or more.
    """
    import_torchvision()
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(backend="faster_coco_eval")
    metric.update(
        [
            {
                "boxes": torch.from_numpy(one.boxes),
                "labels": torch.from_numpy(one.labels),
                "scores": torch.from_numpy(one.scores),
            }
            for one in found
        ],
        [
            {"boxes": torch.from_numpy(at), "labels": torch.from_numpy(label)}
            for at, label in zip(boxes, labels, strict=True)
        ],
    )
    said = metric.compute()
    hits = [_hit(*one) for one in zip(found, boxes, labels, strict=True)]
    return {
        "ap50": float(said["map_50"]),
        "ap": float(said["map"]),
        "useful": float(np.mean(hits)),
    }


def _hit(found: Detected, boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> bool:
    from torchvision.ops import box_iou

    overlap = box_iou(torch.from_numpy(found.boxes), torch.from_numpy(boxes)).numpy()
    right = (found.labels[:, None] == labels) & (found.scores[:, None] >= 0.5)
    return bool((right & (overlap >= 0.5)).any())
