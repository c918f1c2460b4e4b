"""Depth Anything's published networks, V1 and V2, relative and metric, through transformers.

A hub name or a local folder as ``save_pretrained`` leaves it: ``config.json``,
``model.safetensors`` and ``preprocessor_config.json``. Pictures are prepared by the checkpoint's
own image processor, and its answer is enlarged as the authors do it (bicubic).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import GeometryError, InputError, WeightsError
from sightline.learning.backbones import IMAGENET_MEAN, IMAGENET_STD, InputContract, state_digest
from sightline.records.depth import Quantity
from sightline.records.files import digest
from sightline.tasks.depth.hub import load_from_hub, read_from_hub, transformers
from sightline.tasks.depth.maps import DepthMap, Unit
from sightline.tasks.depth.sizes import batches_of_one_size, input_size

Picture = NDArray[np.uint8]

_SIZES = ("Small", "Base", "Large")

#: Names of the published checkpoints that transformers reads.
PUBLISHED = (
    *(f"depth-anything/Depth-Anything-V2-{size}-hf" for size in _SIZES),
    *(
        f"depth-anything/Depth-Anything-V2-Metric-{where}-{size}-hf"
        for where in ("Indoor", "Outdoor")
        for size in _SIZES
    ),
    *(f"LiheYoung/depth-anything-{size.lower()}-hf" for size in _SIZES),
)

#: A picture that the processor would make larger than this many times the square of its size is
#: squeezed instead: nothing is said of strips of 1:50, and the memory is bounded.
_LARGEST = 4.0


@dataclass(frozen=True, eq=False)
class PretrainedModel:
    """A published network, ready to answer.

    Attributes:
        network: Transformers' DepthAnythingForDepthEstimation, in eval mode.
        processor: Its image processor.
        name: Its hub name, or the folder's.
        resolution: Sides of what it sees, over the processor's own (518 pixels).
        batch: Pictures computed together, where they have one size.
    """

    network: Any
    processor: Any
    name: str
    resolution: float = 1.0
    batch: int = 4

    def __post_init__(self) -> None:
        if not 0.1 <= self.resolution <= 16:
            raise InputError(f"a resolution from 0.1 to 16 is wanted, {self.resolution:g} came")

    @property
    def quantity(self) -> Quantity:
        """What it predicts."""
        return "depth" if self.unit == "m" else "disparity"

    @property
    def unit(self) -> Unit:
        """In which unit."""
        return "m" if self.network.config.depth_estimation_type == "metric" else "relative"

    @cached_property
    def digest(self) -> str:
        """A short digest of its weights and settings."""
        return digest(
            state_digest(self.network),
            _settings(self.network.config.to_dict()),
            _settings(self.processor.to_dict()),
            self.resolution,
        )

    @property
    def contract(self) -> InputContract:
        """What images must be after resizing; a square of the processor's size."""
        mean, std = (
            tuple(map(float, values))
            for values in (self.processor.image_mean, self.processor.image_std)
        )
        side = self.processor.size
        return InputContract(side["width"], side["height"], mean, std)  # type: ignore[arg-type]

    @property
    def multiple(self) -> int:
        """What width and height are multiples of."""
        patch: int = self.network.config.patch_size
        return patch

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height at which the network sees a picture: the processor's rule.

        The side that needs the smaller change is brought to the processor's size, the other
        follows. A picture for which that gives nothing, or far more than the square of that size,
        is brought to its area instead.
        """
        contract, multiple = self.contract, self.multiple
        to_width = contract.width * self.resolution / width
        to_height = contract.height * self.resolution / height
        if self.processor.keep_aspect_ratio:
            scale = to_width if abs(1 - to_width) < abs(1 - to_height) else to_height
            to_width = to_height = scale
        seen = (
            round(to_width * width / multiple) * multiple,
            round(to_height * height / multiple) * multiple,
        )
        area = contract.width * contract.height * self.resolution**2
        if min(seen) < multiple or seen[0] * seen[1] > _LARGEST * area:
            return input_size(width, height, area, multiple)
        return seen

    def predict(self, images: Sequence[Picture]) -> list[DepthMap]:
        """Return the maps of upright uint8 (H, W, 3) RGB pictures, of any sizes.

        Raises:
            InputError: One is not such a picture.
            GeometryError: An answer is not finite.
        """
        found: dict[int, DepthMap] = {}
        for size, part in batches_of_one_size(images, self.size_of, self.batch):
            seen = torch.cat([self._pixels(images[i], size) for i in part])
            for index, values in zip(part, self._seen(seen), strict=True):
                found[index] = self._map(values, images[index])
        return [found[index] for index in range(len(images))]

    def _pixels(self, image: Picture, size: tuple[int, int]) -> Tensor:
        """Return (1, 3, h, w) normalised pixels of a picture at a size."""
        pixels: Tensor = self.processor(
            images=np.require(image, requirements="W"),  # torch warns of what Pillow gives
            size={"width": size[0], "height": size[1]},
            keep_aspect_ratio=False,
            input_data_format="channels_last",
            return_tensors="pt",
        )["pixel_values"]
        return pixels

    def _seen(self, pixels: Tensor) -> Tensor:
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            values: Tensor = self.network(pixel_values=pixels.to(device)).predicted_depth
        if not torch.isfinite(values).all():
            raise GeometryError(f"finite depths are wanted; the network {self.name} gave others")
        return values.float().cpu()

    def _map(self, values: Tensor, image: Picture) -> DepthMap:
        # as transformers' post_process_depth_estimation; bicubic may go under 0 beside an edge
        with torch.inference_mode():
            full = torch.nn.functional.interpolate(
                values[None, None], size=image.shape[:2], mode="bicubic", align_corners=False
            ).clamp_(min=0)
        return DepthMap(full[0, 0].numpy(), self.quantity, self.unit)


def load_pretrained(
    source: str | Path, *, resolution: float = 1.0, device: str = "cpu"
) -> PretrainedModel:
    """Return a published network of Depth Anything.

    Args:
        source: A hub name (:data:`PUBLISHED`) or a local folder.
        resolution: Sides of what it sees, over those of its image processor (518 pixels).
        device: As torch names it.

    Raises:
        WeightsError: It is neither here nor to be had, is of another kind, or lacks weights.
    """
    what = "a network of Depth Anything"
    if f"{source}-hf" in PUBLISHED:  # the authors' own repository, which holds a pickle
        raise WeightsError(f"{what} that transformers reads is wanted: it is {source}-hf")
    config = read_from_hub("AutoConfig", source, what)
    if config.model_type != "depth_anything":
        raise WeightsError(
            f"{what} is wanted, {source} holds one of the kind {config.model_type}; "
            f"published are {', '.join(PUBLISHED)}"
        )
    network = load_from_hub("DepthAnythingForDepthEstimation", source, what)
    network.requires_grad_(False)
    network.to(device)
    folder = Path(source).expanduser()
    name = folder.resolve().name if folder.is_dir() else str(source)
    return PretrainedModel(network, _processor(source, what), name, resolution)


def _settings(table: Mapping[str, Any]) -> str:
    """Return a configuration as text, without what depends on the place and the library."""
    own = ("name_or_path", "transformers_version", "dtype", "architectures")

    def kept(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {k: kept(v) for k, v in value.items() if str(k).lstrip("_") not in own}

    return json.dumps(kept(table), sort_keys=True, default=str)


def _processor(source: str | Path, what: str) -> Any:
    """Return the checkpoint's image processor; the published settings where a folder has none."""
    folder = Path(source).expanduser()
    if not folder.is_dir() or (folder / "preprocessor_config.json").is_file():
        return read_from_hub("DPTImageProcessor", source, what)
    return transformers().DPTImageProcessor(
        size={"width": 518, "height": 518},
        keep_aspect_ratio=True,
        ensure_multiple_of=14,
        resample=3,  # bicubic
        image_mean=list(IMAGENET_MEAN),
        image_std=list(IMAGENET_STD),
    )
