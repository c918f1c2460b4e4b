"""Networks that find the pixels of people, vehicles and the like, for masks.

Semantic and instance segmentation networks and box detectors of torchvision, and NanoDet's ONNX
files. A box masks all that is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import CatalogError, InputError
from sightline.learning.backbones import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    hub_state,
    load_strictly,
    read_state,
    state_digest,
)
from sightline.learning.detectors import (
    BoxFinder,
    FoundBoxes,
    NanoDet,
    Photo,
    TorchvisionDetector,
    detector_names,
)
from sightline.learning.torchvision_compat import import_torchvision
from sightline.records.files import digest, digest_files

#: What a detector is less sure of is not masked. Low: a person left in harms a map, a chair left
#: out does not.
LEAST_SCORE = 0.3
#: Pixels of an instance are those of this probability.
_INSTANCE = 0.5
#: What is found grows by this share of the longer side: edges are found a little inside.
_MARGIN = 0.01
#: Shorter side of pictures as torchvision's segmentation networks were trained on.
_SEGMENTATION_SIZE = 520
#: Shorter side of pictures for detectors on a CPU, where torchvision's own 800 takes seconds.
_CPU_MIN_SIZE = 480


class MaskFinder(Protocol):
    """A network that finds pixels to ignore."""

    @property
    def name(self) -> str:
        """As messages call it."""

    @property
    def digest(self) -> str:
        """Of everything its masks depend on."""

    def find(self, image: Photo) -> NDArray[np.bool_]:
        """Return (H, W) where one of the wanted classes is, of a uint8 (H, W, 3) RGB picture."""


def open_mask_finder(weights: str, classes: Sequence[str]) -> MaskFinder:
    """Return what finds the pixels of some classes.

    Args:
        weights: An ONNX FILE of NanoDet; a name of torchvision's segmentation and detection
            networks (its COCO weights, through the torch cache); ``NAME:FILE`` for a copy of them,
            or ``NAME:none`` for random ones.
        classes: Names as the network has them.

    Raises:
        CatalogError: No such network, or no such class.
        InputError: The ONNX file is missing or not NanoDet's.
        WeightsError: The weights cannot be had, or do not fit.
    """
    if weights.endswith(".onnx"):
        path = Path(weights)
        boxes = NanoDet(path, LEAST_SCORE)
        return _BoxMasks(boxes, classes, digest_files([path], names=False))
    name, _, source = weights.partition(":")
    if name in _segmentation_names():
        return _SemanticMasks(name, source, classes)
    if name in detector_names():
        size = None if torch.cuda.is_available() or name.endswith("_320_fpn") else _CPU_MIN_SIZE
        detector = TorchvisionDetector(
            name, source or "coco", LEAST_SCORE, min_size=size, advice=_advice(name)
        )
        made_of = digest(state_digest(detector.net), size)
        if torch.cuda.is_available():
            detector.net.cuda()
        if name.startswith("maskrcnn"):
            return _InstanceMasks(detector, classes, made_of)
        return _BoxMasks(detector, classes, made_of)
    raise CatalogError(
        f"no network {name!r} for masks; an ONNX FILE of NanoDet or one of "
        f"{', '.join([*_segmentation_names(), *detector_names()])} is wanted for --mask-weights"
    )


class _BoxMasks:
    """All that is in the boxes of the wanted classes."""

    def __init__(self, finder: BoxFinder, classes: Sequence[str], made_of: str) -> None:
        self.name = finder.name
        self._wanted = _indices(finder.name, finder.categories, classes)
        self._finder = finder
        self.digest = digest("box-masks-1", made_of, self._wanted, LEAST_SCORE, _MARGIN)

    def find(self, image: Photo) -> NDArray[np.bool_]:
        found: FoundBoxes = self._finder.find(image)
        mask = np.zeros(image.shape[:2], dtype=bool)
        for x0, y0, x1, y1 in found.boxes[np.isin(found.labels, self._wanted)]:
            mask[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
        return _grown(mask)


class _InstanceMasks:
    """The pixels of Mask R-CNN's instances of the wanted classes."""

    def __init__(self, detector: TorchvisionDetector, classes: Sequence[str], made_of: str) -> None:
        self.name = detector.name
        self._wanted = _indices(detector.name, detector.categories, classes)
        self._net = detector.net
        self.digest = digest("instance-masks-1", made_of, self._wanted, LEAST_SCORE, _MARGIN)

    def find(self, image: Photo) -> NDArray[np.bool_]:
        with torch.inference_mode():
            (found,) = self._net([_tensor(image, self._net)])
        labels = found["labels"].cpu().numpy()
        chosen = np.isin(labels, self._wanted) & (found["scores"].cpu().numpy() >= LEAST_SCORE)
        masks = found["masks"][torch.from_numpy(chosen)].cpu().numpy()  # (n, 1, H, W)
        return _grown((masks[:, 0] >= _INSTANCE).any(axis=0))


class _SemanticMasks:
    """The pixels that a semantic segmentation network gives to the wanted classes."""

    def __init__(self, name: str, source: str, classes: Sequence[str]) -> None:
        models: Any = import_torchvision().models
        chosen = models.get_model_weights(name).DEFAULT
        categories: list[str] = chosen.meta["categories"]
        self.name = name
        self._wanted = _indices(name, categories, classes)
        state = None
        if source != "none":
            state = read_state(Path(source)) if source else hub_state(name, chosen, _advice(name))
        options: dict[str, Any] = {"weights_backbone": None, "num_classes": len(categories)}
        if not name.startswith("lraspp"):  # the only one without auxiliary heads
            options["aux_loss"] = any(key.startswith("aux_classifier.") for key in state or ())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            net = models.get_model(name, weights=None, **options)
        if state is not None:
            load_strictly(net, name, state, source or chosen.url)
        self._net = net.eval().requires_grad_(False)
        self.digest = digest("semantic-masks-1", state_digest(net), self._wanted, _MARGIN)
        if torch.cuda.is_available():
            self._net.cuda()

    def find(self, image: Photo) -> NDArray[np.bool_]:
        height, width = image.shape[:2]
        factor = _SEGMENTATION_SIZE / min(height, width)
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        tensor = _tensor(image, self._net)
        mean, std = (tensor.new_tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
        resize = torch.nn.functional.interpolate
        with torch.inference_mode():
            small = resize(tensor[None], size, mode="bilinear", antialias=True)
            scores = self._net((small - mean) / std)["out"]
            best = resize(scores, (height, width), mode="bilinear").argmax(dim=1)[0]
        return _grown(np.isin(best.cpu().numpy(), self._wanted))


def _segmentation_names() -> list[str]:
    models: Any = import_torchvision().models
    names: list[str] = models.list_models(models.segmentation)
    return names


def _indices(name: str, categories: Sequence[str], classes: Sequence[str]) -> list[int]:
    if not categories:
        raise InputError(f"weights of {name} for COCO's classes are wanted, other ones came")
    unknown = [c for c in classes if c not in categories]
    if unknown:
        there = ", ".join(c for c in categories if c not in ("N/A", "__background__"))
        raise CatalogError(f"{name} knows no class {unknown[0]!r}; there are {there}")
    return sorted(i for i, c in enumerate(categories) if c in classes)


def _tensor(image: Photo, net: torch.nn.Module) -> torch.Tensor:
    """Return a picture as (3, H, W) in 0..1, where the network is."""
    device = next(net.parameters()).device
    return torch.tensor(image).permute(2, 0, 1).float().div_(255.0).to(device)


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    reach = round(_MARGIN * max(mask.shape))
    if not reach or not mask.any():
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)


def _advice(name: str) -> str:
    return (
        f"pass `--mask-weights {name}:FILE` with a copy, an ONNX FILE of NanoDet, or masks of your "
        "own with `--masks FOLDER`"
    )
