"""Detectors, whose boxes the pose network reads: joint detection and pose, the paper's outlook.

A detector is anything that finds boxes with COCO's names in a picture. Two kinds come with the
package: any detection network of torchvision by its name, and NanoDet's ONNX files through OpenCV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, WeightsError
from sightline.learning.detectors import BoxFinder, NanoDet, TorchvisionDetector
from sightline.records.objects import Box

Photo = NDArray[np.uint8]

#: What COCO calls PASCAL3D+'s categories, where the names differ.
PASCAL_OF_COCO = {
    "airplane": "aeroplane",
    "couch": "sofa",
    "dining table": "diningtable",
    "motorcycle": "motorbike",
    "tv": "tvmonitor",
}

#: Detections below this score are not shown.
LEAST_SCORE = 0.4


@dataclass(frozen=True)
class Detection:
    """One object found.

    Attributes:
        box: ``x0, y0, x1, y1`` in pixels from edge to edge, inside the picture.
        name: As the detector calls it.
        score: In [0, 1].
    """

    box: Box
    name: str
    score: float

    @property
    def category(self) -> str:
        """PASCAL3D+'s name of it; its own where PASCAL3D+ has none."""
        return PASCAL_OF_COCO.get(self.name, self.name)


class Detector(Protocol):
    """Finds objects."""

    @property
    def name(self) -> str:
        """As messages call it."""

    def detect(self, image: Photo) -> list[Detection]:
        """Return what is found in a uint8 (H, W, 3) RGB picture, by falling score."""


def open_detector(
    which: str, weights: Path | None = None, least_score: float = LEAST_SCORE
) -> Detector:
    """Return a detector.

    Args:
        which: An ONNX FILE of NanoDet, or the name of a detection network of torchvision, such as
            ``ssdlite320_mobilenet_v3_large``.
        weights: torchvision: a .pth or .safetensors file; its own through the cache where None.
        least_score: What scores less is left out.

    Raises:
        CatalogError: No such network.
        InputError: The file is missing or not NanoDet's, or an impossible score.
        WeightsError: torchvision's weights cannot be had, or do not fit.
    """
    if not 0 <= least_score <= 1:
        raise InputError(f"a detector's score from 0 to 1 is wanted, {least_score:g} came")
    if which.lower().endswith(".onnx"):
        if weights is not None:
            raise InputError(f"{which} holds its own weights; leave {weights} out")
        return NamedDetector(NanoDet(Path(which), least_score))
    finder = TorchvisionDetector(which, str(weights) if weights else "coco", least_score)
    if not finder.categories:
        raise WeightsError(f"weights for COCO's names are wanted, {weights} is for others")
    return NamedDetector(finder)


def of_categories(found: Sequence[Detection], categories: Sequence[str]) -> list[Detection]:
    """Return the detections whose category is among some."""
    return [each for each in found if each.category in categories]


class NamedDetector:
    """A network that finds boxes, as a detector that gives them names."""

    def __init__(self, finder: BoxFinder) -> None:
        self._finder = finder
        self.name = finder.name

    def detect(self, image: Photo) -> list[Detection]:
        """Return what is found, by falling score."""
        found, names = self._finder.find(image), self._finder.categories
        return [
            Detection((float(x0), float(y0), float(x1), float(y1)), names[label], float(score))
            for (x0, y0, x1, y1), label, score in zip(
                found.boxes, found.labels, found.scores, strict=True
            )
        ]
