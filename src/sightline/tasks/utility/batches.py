"""Training batches of utility: frames mirrored and shifted, which leaves their label true.

Nothing blurs, resizes or recolours a frame: that is what utility depends on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.tasks.utility.config import UtilityConfig
from sightline.tasks.utility.samples import Samples


@dataclass
class UtilityBatch:
    """Frames and what they are.

    Attributes:
        frames: (N, 3, H, W) uint8.
        target: (N,) how useful they are: 1 useful, 0 useless.
    """

    frames: Tensor
    target: Tensor

    def to(self, device: torch.device) -> UtilityBatch:
        """Return the batch on a device."""
        return UtilityBatch(self.frames.to(device), self.target.to(device))


class UtilityBatches:
    """Batches of one epoch: once over the samples, in an order of its own."""

    def __init__(self, samples: Samples, config: UtilityConfig) -> None:
        """Take samples; nothing is read yet."""
        self._samples, self._config = samples, config

    def __len__(self) -> int:
        return math.ceil(len(self._samples) / self._config.batch)

    def epoch(self, number: int) -> Iterator[UtilityBatch]:
        """Yield the batches of an epoch, a function of the seed and its number alone."""
        rng = np.random.default_rng([self._config.seed, number])
        order = rng.permutation(len(self._samples))
        for part in np.array_split(order, len(self)):
            frames = weak_views(self._samples.frames(part), self._config, rng)
            images = torch.from_numpy(frames).permute(0, 3, 1, 2)
            yield UtilityBatch(images, torch.from_numpy(self._samples.target[part]))


def weak_views(
    frames: NDArray[np.uint8], config: UtilityConfig, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return (N, H, W, 3) frames mirrored and shifted by whole pixels; edges are reflected.

    Args:
        frames: (N, H, W, 3).
        config: Whether to mirror, and how far to shift.
        rng: Where the draws come from.
    """
    most, (height, width) = config.shift_px, frames.shape[1:3]
    mirrored = rng.random(len(frames)) < (0.5 if config.mirror else 0.0)
    corners = rng.integers(0, 2 * most + 1, size=(len(frames), 2))
    padded = np.pad(frames, ((0, 0), (most, most), (most, most), (0, 0)), mode="reflect")
    views = np.empty_like(frames)
    for k, (top, left) in enumerate(corners):
        view = padded[k, top : top + height, left : left + width]
        views[k] = view[:, ::-1] if mirrored[k] else view
    return views
