"""Pictures whose red channel is their disparity, and models that read it off, well or badly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import InputError, SightlineError
from sightline.records.depth import DepthImage, DepthSet, write_depth_set
from sightline.tasks.depth.maps import DepthMap

#: Disparity in 1/m of one step of the red channel: depth is 64 m over red.
STEP = 1 / 64


def make_coded_set(
    root: Path, splits: dict[str, int], *, seed: int = 0, size: tuple[int, int] = (24, 32)
) -> DepthSet:
    """Write pictures and float32 depth; near below, far above, two scenes in turn."""
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    items = []
    for split, count in splits.items():
        for index in range(count):
            name = f"{split or 'any'}_{index}"
            red = np.linspace(10, 120, size[0])[:, None] * rng.uniform(0.8, 1.2, size)
            picture = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
            picture[..., 0] = red.round()
            Image.fromarray(picture).save(root / f"{name}.png")
            np.save(root / f"{name}.npy", (64.0 / picture[..., 0]).astype(np.float32))
            scene = f"scene {index % 2} of {split or 'any'}"
            items.append(
                DepthImage(Path(f"{name}.png"), Path(f"{name}.npy"), split=split, source=scene)
            )
    data = DepthSet(root.name, root, tuple(items))
    write_depth_set(data)
    return data


@dataclass
class CodedModel:
    """Reads the disparity off the red channel; a ``DepthModel``.

    Attributes:
        name: As tables show it.
        unit: ``relative``: disparity times 5 plus 3, ``m``: depth in metres, times ``factor``.
        factor: What metric depth is wrong by.
        noise: Standard deviation of noise on the disparity, in steps of red.
        refuses: Pictures whose first blue value is in it are refused.
        refusal: How.
        calls: How many pictures came.
    """

    name: str = "coded"
    unit: str = "relative"
    factor: float = 1.0
    noise: float = 0.0
    refuses: tuple[int, ...] = ()
    refusal: type[SightlineError] = InputError
    calls: int = field(default=0)

    @property
    def digest(self) -> str:
        return f"{self.name}{self.unit}{self.factor}{self.noise}"

    @property
    def quantity(self) -> str:
        return "depth" if self.unit == "m" else "disparity"

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[DepthMap]:
        if any(int(image[0, 0, 2]) in self.refuses for image in images):
            raise self.refusal("a picture that it likes is wanted")
        self.calls += len(images)
        return [self._map(image) for image in images]

    def _map(self, image: NDArray[np.uint8]) -> DepthMap:
        red = image[..., 0].astype(np.float64)
        red += np.random.default_rng(0).normal(0, 1, red.shape) * self.noise
        values = 5 * red * STEP + 3 if self.unit == "relative" else self.factor * 64 / red
        return DepthMap(values.astype(np.float32), self.quantity, self.unit)
