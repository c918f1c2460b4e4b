"""Detectors, whose boxes the pose network reads: joint detection and pose, the paper's outlook.

A detector is anything that finds boxes with COCO's names in a picture. Two kinds come with the
package: any detection network of torchvision by its name, and NanoDet's ONNX files through OpenCV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import CatalogError, InputError, WeightsError
from sightline.geometry.rotation import Array
from sightline.learning.backbones import read_state
from sightline.learning.torchvision_compat import import_torchvision
from sightline.records.objects import Box

Photo = NDArray[np.uint8]

_NAMES = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,"
    "stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,"
    "backpack,umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,"
    "baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,"
    "banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,"
    "oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,hair drier,"
    "toothbrush"
)
#: COCO's 80 names, in the order of detectors' outputs.
COCO = tuple(_NAMES.split(","))

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

#: Of boxes of one name that overlap by more than this, the best is kept.
_OVERLAP = 0.6


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
        return NanoDet(Path(which), least_score)
    return TorchvisionDetector(which, weights, least_score)


def of_categories(found: Sequence[Detection], categories: Sequence[str]) -> list[Detection]:
    """Return the detections whose category is among some."""
    return [each for each in found if each.category in categories]


class NanoDet:
    """NanoDet's plain ONNX export, run by OpenCV.

    Input: 416 x 416 BGR, the whole picture without regard to its shape. Output, for each stride:
    a score a name, and for each of the four sides of the box a distribution over 8 distances from
    the cell's centre, in strides.

    Source: github.com/RangiLyu/nanodet; Li et al. 2020, Generalized Focal Loss.
    """

    name = "nanodet"
    _side = 416
    _strides = (8, 16, 32)
    _bins = 8
    _mean = np.array([103.53, 116.28, 123.675], dtype=np.float32)
    _std = np.array([57.375, 57.12, 58.395], dtype=np.float32)

    def __init__(self, path: Path, least_score: float = LEAST_SCORE) -> None:
        """Read the network.

        Raises:
            InputError: The file is missing, is no ONNX network, or not NanoDet's.
        """
        if not path.is_file():
            raise InputError(f"an ONNX file of a detector is wanted, {path} does not exist")
        self._path = path
        self._least = least_score
        try:
            self._net = cv2.dnn.readNetFromONNX(str(path))
            self._forward(np.zeros((1, 3, self._side, self._side), dtype=np.float32))
        except cv2.error as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"{path}: an ONNX detector is wanted, OpenCV says: {reason}"
            ) from error

    def detect(self, image: Photo) -> list[Detection]:
        """Return what is found, by falling score."""
        small = cv2.resize(image, (self._side, self._side), interpolation=cv2.INTER_LINEAR)
        bgr = (small[:, :, ::-1].astype(np.float32) - self._mean) / self._std
        scores, distances = self._forward(bgr.transpose(2, 0, 1)[None])
        best = scores.argmax(axis=1)
        kept = scores[np.arange(len(best)), best] >= self._least
        boxes = _boxes(self._centres()[kept], distances[kept])
        height, width = image.shape[:2]
        boxes *= np.array([width, height, width, height]) / self._side
        return _without_doubles(boxes, best[kept], scores[kept].max(axis=1, initial=0), image)

    def _forward(self, blob: Array | NDArray[np.float32]) -> tuple[Array, Array]:
        """Return (M, 80) scores and (M, 4) distances to the box's sides, in pixels, of M cells."""
        self._net.setInput(blob.astype(np.float32))
        outs = [np.asarray(o) for o in self._net.forward(self._net.getUnconnectedOutLayersNames())]
        scores, sides = [], []
        for stride in self._strides:
            cells = (self._side // stride) ** 2
            pair = {
                o.shape[-1]: o.reshape(cells, -1)
                for o in outs
                if o.size and o.shape[-2:][0] == cells
            }
            if set(pair) != {len(COCO), 4 * self._bins}:
                shapes = ", ".join(str(o.shape) for o in outs)
                raise InputError(
                    f"{self._path}: NanoDet's outputs are wanted ({cells} cells of {len(COCO)} "
                    f"scores and {4 * self._bins} distances at stride {stride}), {shapes} came"
                )
            bins = pair[4 * self._bins].reshape(cells, 4, self._bins).astype(np.float64)
            likely = np.exp(bins - bins.max(axis=2, keepdims=True))
            likely /= likely.sum(axis=2, keepdims=True)
            scores.append(pair[len(COCO)].astype(np.float64))
            sides.append(likely @ np.arange(self._bins) * stride)
        return np.concatenate(scores), np.concatenate(sides)

    def _centres(self) -> Array:
        """Return (M, 2) x, y of the cells, from the network's picture's edge."""
        found = []
        for stride in self._strides:
            at = (np.arange(self._side // stride) + 0.5) * stride
            y, x = np.meshgrid(at, at, indexing="ij")
            found.append(np.stack([x.ravel(), y.ravel()], axis=1))
        return np.concatenate(found)


class TorchvisionDetector:
    """A detection network of torchvision, on the processor or wherever torch's default is."""

    def __init__(
        self, name: str, weights: Path | None = None, least_score: float = LEAST_SCORE
    ) -> None:
        """Build the network with its weights.

        Raises:
            CatalogError: No such network.
            WeightsError: The weights cannot be had, or do not fit.
        """
        models: Any = import_torchvision().models
        known = [n for n in models.list_models(models.detection) if "keypoint" not in n]
        if name not in known:
            raise CatalogError(
                f"no detector {name!r}; an ONNX FILE of NanoDet or one of {', '.join(known)} "
                "is wanted"
            )
        chosen = models.get_model_weights(name).DEFAULT
        state = read_state(weights) if weights else _hub_state(name, chosen)
        self.name = name
        self._least = least_score
        self._names: list[str] = chosen.meta["categories"]
        self._net = models.get_model(
            name, weights=None, weights_backbone=None, num_classes=len(self._names)
        )
        try:
            self._net.load_state_dict(state, strict=True)
        except RuntimeError as error:
            detail = "; ".join(line.strip() for line in str(error).splitlines()[1:])[:300]
            raise WeightsError(f"{weights or chosen.url} does not fit {name}: {detail}") from error
        self._net.eval().requires_grad_(False)

    def detect(self, image: Photo) -> list[Detection]:
        """Return what is found, by falling score."""
        tensor = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255.0
        with torch.inference_mode():
            (found,) = self._net([tensor])
        kept = (found["scores"] >= self._least).numpy()
        boxes = found["boxes"].double().numpy()[kept]
        scores = found["scores"].double().numpy()[kept]
        names = [self._names[label] for label in found["labels"].numpy()[kept]]
        return _detections(boxes, names, scores, image)


def _hub_state(name: str, chosen: Any) -> dict[str, torch.Tensor]:
    try:
        state: dict[str, torch.Tensor] = chosen.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"weights of {name} cannot be downloaded from {chosen.url} ({first}); "
            "pass `--detector-weights FILE` with a copy"
        ) from error
    return state


def _boxes(centres: Array, distances: Array) -> Array:
    """Return (M, 4) boxes from centres and distances to the left, top, right and bottom."""
    return np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)


def _without_doubles(
    boxes: Array, labels: NDArray[np.int64], scores: Array, image: Photo
) -> list[Detection]:
    # boxes of different names never meet: far apart, they do not overlap
    corners = torch.from_numpy(boxes + 2.0 * max(image.shape[:2]) * labels[:, None])
    nms = import_torchvision().ops.nms
    kept = nms(corners, torch.from_numpy(scores), _OVERLAP).numpy()
    return _detections(boxes[kept], [COCO[labels[i]] for i in kept], scores[kept], image)


def _detections(boxes: Array, names: list[str], scores: Array, image: Photo) -> list[Detection]:
    height, width = image.shape[:2]
    inside = np.clip(boxes, 0.0, [width, height, width, height])
    found = []
    for i in np.argsort(-scores, kind="stable"):
        x0, y0, x1, y1 = (float(v) for v in inside[i])
        if x1 - x0 >= 1 and y1 - y0 >= 1:
            found.append(Detection((x0, y0, x1, y1), names[i], float(scores[i])))
    return found
