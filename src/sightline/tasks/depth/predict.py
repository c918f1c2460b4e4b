"""A trained depth network as a model that answers for pictures of any size."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import GeometryError, InputError
from sightline.learning.backbones import InputContract, state_digest
from sightline.learning.runs import CONFIG, load_weights, read_run_table
from sightline.records.depth import Quantity
from sightline.records.files import digest
from sightline.tasks.depth.config import DepthConfig, read_config
from sightline.tasks.depth.maps import DepthMap, Unit
from sightline.tasks.depth.model import DepthNet, create_model
from sightline.tasks.depth.sizes import batches_of_one_size, input_size, resized

Picture = NDArray[np.uint8]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, eq=False)
class NetworkModel:
    """A trained network, ready to answer; safe to call from several threads at once.

    Attributes:
        network: In eval mode.
        config: What it was trained with.
        name: Of its run, for tables.
        resolution: Sides of what it sees, over those of the training frames; above 1 it sees more
            detail and less of the whole.
        precision: Arithmetic; bfloat16 is faster where the processor has it, and near to float32.
        batch: Pictures computed together, where they have one size.
    """

    network: DepthNet
    config: DepthConfig
    name: str
    resolution: float = 1.0
    precision: Precision = "float32"
    batch: int = 8

    def __post_init__(self) -> None:
        if not 0.1 <= self.resolution <= 16:
            raise InputError(f"a resolution from 0.1 to 16 is wanted, {self.resolution:g} came")

    @property
    def quantity(self) -> Quantity:
        """What it predicts."""
        return self.network.quantity

    @property
    def unit(self) -> Unit:
        """In which unit."""
        return "m" if self.quantity == "depth" else "relative"

    @property
    def contract(self) -> InputContract:
        """What images must be; its size is that of the training frames."""
        return self.network.contract

    @property
    def multiple(self) -> int:
        """What width and height are multiples of."""
        return self.network.multiple

    @cached_property
    def digest(self) -> str:
        """A short digest of its weights and settings."""
        return digest(
            state_digest(self.network),
            self.quantity,
            self.network.max_depth_m,
            self.contract,
            self.resolution,
            self.precision,
        )

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height at which the network sees a picture."""
        area = self.contract.width * self.contract.height * self.resolution**2
        return input_size(width, height, area, self.multiple)

    def predict(self, images: Sequence[Picture]) -> list[DepthMap]:
        """Return the maps of upright uint8 (H, W, 3) RGB pictures, of any sizes.

        Raises:
            InputError: One is not such a picture.
            GeometryError: An answer is not finite.
        """
        found: dict[int, DepthMap] = {}
        for size, part in batches_of_one_size(images, self.size_of, self.batch):
            seen = np.stack([resized(images[i], size) for i in part])
            for index, values in zip(part, self._seen(seen), strict=True):
                found[index] = self._map(values, images[index])
        return [found[index] for index in range(len(images))]

    def _seen(self, images: Picture) -> Tensor:
        """Return (N, h, w) predictions for (N, h, w, 3) pictures as the network sees them."""
        device = next(self.network.parameters()).device
        with torch.inference_mode(), self._autocast(device):
            pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2)
            values = self.network(self.contract.normalise(pixels)).prediction
        if not torch.isfinite(values).all():
            raise GeometryError(f"finite depths are wanted; the network {self.name} gave others")
        out: Tensor = values.float().cpu()
        return out

    def _map(self, values: Tensor, image: Picture) -> DepthMap:
        return DepthMap(enlarged(values, image.shape[:2]), self.quantity, self.unit)

    def _autocast(self, device: torch.device) -> AbstractContextManager[object]:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16)


def enlarged(values: Tensor, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a (h, w) map at the (H, W) of a picture: bilinear, pixel middles on pixel middles.

    Where the picture is the smaller one, what lies under each of its pixels is averaged.
    """
    with torch.inference_mode():
        out = torch.nn.functional.interpolate(
            values[None, None], size=tuple(shape[:2]), mode="bilinear", antialias=True
        )
    array: NDArray[np.float32] = out[0, 0].numpy()
    return array


def ready(
    network: DepthNet,
    config: DepthConfig,
    name: str,
    *,
    resolution: float = 1.0,
    precision: Precision = "float32",
    device: str = "cpu",
) -> NetworkModel:
    """Return a network in eval mode as a model that answers."""
    network.eval()
    network.requires_grad_(False)
    network.to(device)
    return NetworkModel(network, config, name, resolution, precision)


def load_run(
    run_dir: str | Path,
    *,
    resolution: float = 1.0,
    precision: Precision = "float32",
    device: str = "cpu",
) -> NetworkModel:
    """Return the trained model of a run folder.

    Args:
        run_dir: The folder.
        resolution: Sides of what it sees, over those of the training frames.
        precision: Arithmetic.
        device: As torch names it: ``cpu``, ``cuda``.

    Raises:
        InputError: The folder has no configuration, or one of another task.
        WeightsError: The weights are missing, or do not fit the configuration exactly.
    """
    run_dir = Path(run_dir)
    config = read_config(run_dir / CONFIG)
    network = create_model(config, weights="none")
    load_weights(run_dir, network)
    table = read_run_table(run_dir)
    network.weights_from = str(table.get("weights_from", network.weights_from))
    name = str(table.get("name", run_dir.resolve().name))
    return ready(network, config, name, resolution=resolution, precision=precision, device=device)
