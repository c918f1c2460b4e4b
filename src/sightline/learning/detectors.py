"""Networks that find objects: boxes, labels and scores of whole pictures.

Any detection network of torchvision by its name, and NanoDet's ONNX files through OpenCV.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sightline.errors import CatalogError, InputError
from sightline.geometry.rotation import Array
from sightline.learning.backbones import hub_state, load_strictly, read_state
from sightline.learning.torchvision_compat import import_torchvision

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

#: Of boxes of one name that overlap by more than this, the best is kept.
OVERLAP = 0.6

#: Boxes narrower or lower than this, in pixels, are of no object.
_LEAST_SIDE = 1.0


@dataclass(frozen=True, eq=False)
class FoundBoxes:
    """What is found in one picture, by falling score.

    Attributes:
        boxes: (n, 4) ``x0, y0, x1, y1`` in pixels from edge to edge, inside the picture.
        labels: (n,) indices of the network's ``categories``.
        scores: (n,) in [0, 1].
    """

    boxes: Array
    labels: NDArray[np.int64]
    scores: Array

    def __len__(self) -> int:
        return len(self.scores)


class BoxFinder(Protocol):
    """A network that finds objects."""

    @property
    def name(self) -> str:
        """As messages call it."""

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of what it finds, by index."""

    def find(self, image: Photo) -> FoundBoxes:
        """Return what is found in a uint8 (H, W, 3) RGB picture."""


class NanoDet:
    """NanoDet's plain ONNX export, run by OpenCV.

    Input: 416 x 416 BGR, the whole picture without regard to its shape. Output, for each stride:
    a score a name, and for each of the four sides of the box a distribution over 8 distances from
    the cell's centre, in strides.

    Source: github.com/RangiLyu/nanodet; Li et al. 2020, Generalized Focal Loss.
    """

    name = "nanodet"
    categories = COCO
    _side = 416
    _strides = (8, 16, 32)
    _bins = 8
    _mean = np.array([103.53, 116.28, 123.675], dtype=np.float32)
    _std = np.array([57.375, 57.12, 58.395], dtype=np.float32)

    def __init__(self, path: Path, least_score: float) -> None:
        """Read the network.

        Args:
            path: The ONNX file.
            least_score: What scores less is left out.

        Raises:
            InputError: The file is missing, is no ONNX network, or not NanoDet's.
        """
        if not path.is_file():
            raise InputError(f"an ONNX file of a detector is wanted, {path} does not exist")
        self._path = path
        self._least = least_score
        self._lock = threading.Lock()  # OpenCV's networks keep their input
        try:
            self._net = cv2.dnn.readNetFromONNX(str(path))
            self._forward(np.zeros((1, 3, self._side, self._side), dtype=np.float32))
        except cv2.error as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"{path}: an ONNX detector is wanted, OpenCV says: {reason}"
            ) from error

    def find(self, image: Photo) -> FoundBoxes:
        """Return what is found in a uint8 (H, W, 3) RGB picture."""
        small = cv2.resize(image, (self._side, self._side), interpolation=cv2.INTER_LINEAR)
        bgr = (small[:, :, ::-1].astype(np.float32) - self._mean) / self._std
        scores, distances = self._forward(bgr.transpose(2, 0, 1)[None])
        best = scores.argmax(axis=1)
        kept = scores[np.arange(len(best)), best] >= self._least
        boxes = _boxes(self._centres()[kept], distances[kept])
        height, width = image.shape[:2]
        boxes *= np.array([width, height, width, height]) / self._side
        found = without_doubles(boxes, best[kept], scores[kept].max(axis=1, initial=0), OVERLAP)
        return inside(found, width, height)

    def _forward(self, blob: Array | NDArray[np.float32]) -> tuple[Array, Array]:
        """Return (M, 80) scores and (M, 4) distances to the box's sides, in pixels, of M cells."""
        with self._lock:
            self._net.setInput(blob.astype(np.float32))
            given = self._net.forward(self._net.getUnconnectedOutLayersNames())
            outs = [np.array(o) for o in given]
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
    """A detection network of torchvision."""

    def __init__(
        self,
        name: str,
        weights: str = "coco",
        least_score: float = 0.0,
        *,
        min_size: int | None = None,
        seed: int = 0,
        advice: str = "pass `--detector-weights FILE` with a copy",
    ) -> None:
        """Build the network with its weights.

        Args:
            name: As torchvision has it.
            weights: ``coco`` (torchvision's, through the torch cache); ``none``: random ones, drawn
                by the seed; or a ``.pth`` or ``.safetensors`` file of the same network, for any
                number of names.
            least_score: What scores less is left out.
            min_size: Pixels that the shorter side of pictures is brought to; the network's own
                where None. The SSDs have a fixed size and know none.
            seed: Of random weights.
            advice: What to do where they cannot be downloaded.

        Raises:
            CatalogError: No such network.
            WeightsError: The weights cannot be had, or do not fit.
        """
        models: Any = import_torchvision().models
        if name not in detector_names():
            raise CatalogError(
                f"no detector {name!r}; an ONNX FILE of NanoDet or one of "
                f"{', '.join(detector_names())} is wanted"
            )
        chosen = models.get_model_weights(name).DEFAULT
        own: list[str] = chosen.meta["categories"]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net, classes = _network(name, len(own), min_size), len(own)
        if weights != "none":
            coco = weights == "coco"
            state = hub_state(name, chosen, advice) if coco else read_state(Path(weights))
            if (found := _classes(net, state, classes)) != classes:
                net, classes = _network(name, found, min_size), found
            load_strictly(net, name, state, chosen.url if coco else weights)
        self.name = name
        #: Names of what it finds, by the index it gives; none where they are not COCO's.
        self.categories = tuple(own) if classes == len(own) else ()
        self.classes = classes
        self.net = net.eval().requires_grad_(False)
        self._least = least_score

    def find(self, image: Photo) -> FoundBoxes:
        """Return what is found in a uint8 (H, W, 3) RGB picture."""
        tensor = torch.tensor(image).permute(2, 0, 1).float() / 255.0
        device = next(self.net.parameters()).device
        with torch.inference_mode():
            (found,) = self.net([tensor.to(device)])
        scores = found["scores"].double().cpu().numpy()
        kept = scores >= self._least
        boxes = found["boxes"].double().cpu().numpy()[kept]
        labels = found["labels"].cpu().numpy()[kept]
        height, width = image.shape[:2]
        return inside(FoundBoxes(boxes, labels, scores[kept]), width, height)


def detector_names() -> list[str]:
    """Return the detection networks of torchvision."""
    models: Any = import_torchvision().models
    return [n for n in models.list_models(models.detection) if "keypoint" not in n]


def inside(found: FoundBoxes, width: int, height: int) -> FoundBoxes:
    """Return boxes cut to a picture, by falling score; what is left of no pixel is dropped."""
    boxes = np.clip(found.boxes, 0.0, [width, height, width, height])
    order = np.argsort(-found.scores, kind="stable")
    sides = boxes[order, 2:] - boxes[order, :2]
    kept = order[(sides >= _LEAST_SIDE).all(axis=1)]
    return FoundBoxes(boxes[kept], found.labels[kept], found.scores[kept])


def without_doubles(
    boxes: Array, labels: NDArray[np.int64], scores: Array, overlap: float
) -> FoundBoxes:
    """Return the boxes that no better one of the same label covers, by falling score.

    Args:
        boxes: (n, 4) ``x0, y0, x1, y1``.
        labels: (n,).
        scores: (n,).
        overlap: Intersection over union above which a box is covered.
    """
    # boxes of different names never meet: far apart, they do not overlap
    apart = 2.0 * (1.0 + np.abs(boxes).max(initial=0.0)) * labels[:, None]
    nms = import_torchvision().ops.nms
    kept = nms(torch.from_numpy(boxes + apart), torch.from_numpy(scores), overlap).numpy()
    return FoundBoxes(boxes[kept], labels[kept], scores[kept])


def _network(name: str, classes: int, min_size: int | None) -> nn.Module:
    options = {} if min_size is None or name.startswith("ssd") else {"min_size": min_size}
    net: nn.Module = import_torchvision().models.get_model(
        name, weights=None, weights_backbone=None, num_classes=classes, **options
    )
    return net


def _classes(net: nn.Module, state: dict[str, torch.Tensor], classes: int) -> int:
    """Return how many classes a state is of, by how much longer its heads are than a network's."""
    lengths = {
        (len(state[key]) * classes, len(value))
        for key, value in net.state_dict().items()
        if value.ndim and key in state and state[key].ndim == value.ndim
        and len(state[key]) != len(value)
    }  # fmt: skip
    found = {there / here for there, here in lengths}
    only = found.pop() if len(found) == 1 else float(classes)
    return int(only) if only >= 1 and only.is_integer() else classes


def _boxes(centres: Array, distances: Array) -> Array:
    """Return (M, 4) boxes from centres and distances to the left, top, right and bottom."""
    return np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)
