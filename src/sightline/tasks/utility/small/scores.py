"""How good a small machine is on pristine images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.learning.torchvision_compat import import_torchvision
from sightline.media import read_photo
from sightline.records.utility import PristineSet
from sightline.tasks.utility.machines.machine import Classified, Detected
from sightline.tasks.utility.small.machine import ClassifierMachine, DetectorMachine

#: A classifier this sure of the truth gives a useful image (the paper's T_H).
_SURE = 0.9

#: Images read together.
_AT_ONCE = 64


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


def score_small(
    machine: ClassifierMachine | DetectorMachine,
    data: PristineSet,
    progress: Callable[[str, float], None] = lambda _stage, _fraction: None,
) -> dict[str, float]:
    """Return a machine's scores on a set's images, all of which must be readable.

    Args:
        machine: That knows the set's categories, in the set's order.
        data: With classes for a classifier, boxes for a detector.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: The set has other categories, or no image.
        MediaError: An image cannot be read.
    """
    if machine.categories != data.categories or not data.images:
        raise InputError(
            f"{data.root}: images of {', '.join(machine.categories)} are wanted to score "
            f"{machine.name}, {len(data)} of {', '.join(data.categories) or 'no classes'} came"
        )
    said: list[Classified] = []
    found: list[Detected] = []
    for start in range(0, len(data), _AT_ONCE):
        part = data.images[start : start + _AT_ONCE]
        photos = [read_photo(data.root / image.image) for image in part]
        if isinstance(machine, ClassifierMachine):
            said.append(machine.classify(photos))
        else:
            found += machine.detect(photos)
        progress(f"{machine.name}: images scored", (start + len(part)) / len(data))
    if isinstance(machine, ClassifierMachine):
        truth = np.array([-1 if i.category is None else i.category for i in data.images])
        whole = Classified(
            np.concatenate([one.probabilities for one in said]),
            np.concatenate([one.energy for one in said]),
        )
        return classifier_scores(whole, truth)
    boxes = [np.array(i.boxes, dtype=np.float32).reshape(-1, 4) for i in data.images]
    labels = [np.array(i.box_categories, dtype=np.int64) for i in data.images]
    return detector_scores(found, boxes, labels)


def _hit(found: Detected, boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> bool:
    from torchvision.ops import box_iou

    overlap = box_iou(torch.from_numpy(found.boxes), torch.from_numpy(boxes)).numpy()
    right = (found.labels[:, None] == labels) & (found.scores[:, None] >= 0.5)
    return bool((right & (overlap >= 0.5)).any())
