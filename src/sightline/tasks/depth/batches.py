"""Training batches of depth: labelled images perturbed weakly, pseudo-labelled ones strongly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.tasks.depth.config import DepthConfig
from sightline.tasks.depth.perturb import draw_colours, perturb_strongly
from sightline.tasks.depth.samples import Samples

#: Streams of random numbers, so that what is drawn of one does not move another.
_LABELLED, _PSEUDO = 0, 1


@dataclass
class DepthBatch:
    """Images with their targets, labelled ones first.

    Attributes:
        images: (N, 3, H, W) float32 of 0 to 255.
        targets: (N, H, W) float32; 0 where unknown.
        valid: (N, H, W) whether it is known.
        cut: (P, H, W) of the last P, the pseudo-labelled images: where another image was cut in.
    """

    images: Tensor
    targets: Tensor
    valid: Tensor
    cut: Tensor

    @property
    def labelled(self) -> int:
        """How many of the images have measured depth."""
        return len(self.images) - len(self.cut)

    def to(self, device: torch.device) -> DepthBatch:
        """Return the batch on a device."""
        moved: dict[str, Any] = {key: value.to(device) for key, value in vars(self).items()}
        return DepthBatch(**moved)


class Order:
    """Which samples are drawn: permutations of all of them, one after the other without end.

    So each is drawn as often as any other, over epochs too, and what is drawn is a function of the
    seed and the place in the sequence alone.
    """

    def __init__(self, count: int, seed: int, stream: int) -> None:
        self._count = count
        self._seed = (seed, stream)
        self._last: tuple[int, NDArray[np.int64]] | None = None

    def draw(self, start: int, length: int) -> list[int]:
        """Return the samples at ``length`` places from ``start``."""
        return [
            int(self._pass(k // self._count)[k % self._count]) for k in range(start, start + length)
        ]

    def _pass(self, number: int) -> NDArray[np.int64]:
        if self._last is None or self._last[0] != number:
            rng = np.random.default_rng([*self._seed, number])
            self._last = number, rng.permutation(self._count)
        return self._last[1]


class DepthBatches:
    """Batches of one epoch: once over the labelled images, with pseudo-labelled ones beside."""

    def __init__(self, labelled: Samples, pseudo: Samples | None, config: DepthConfig) -> None:
        """Take samples; nothing is read yet.

        Args:
            labelled: Images with measured depth.
            pseudo: Images that a teacher labelled, or None.
            config: Sizes, perturbations, seed.
        """
        self._labelled, self._pseudo, self._config = labelled, pseudo, config
        self.labelled_count, self.pseudo_count = split_batch(config, pseudo is not None)
        self._order = Order(len(labelled), config.seed, _LABELLED)
        self._pseudo_order = Order(0 if pseudo is None else len(pseudo), config.seed, _PSEUDO)

    def __len__(self) -> int:
        return math.ceil(len(self._labelled) / self.labelled_count)

    def epoch(self, number: int) -> Iterator[DepthBatch]:
        """Yield the batches of an epoch, a function of its number alone."""
        for step in range(number * len(self), (number + 1) * len(self)):
            yield self._batch(step)

    def _batch(self, step: int) -> DepthBatch:
        config = self._config
        rng = np.random.default_rng([config.seed, _LABELLED, step])
        count = self.labelled_count
        images, targets = weak_views(
            self._labelled, self._order.draw(step * count, count), config, rng
        )
        images = draw_colours(rng, count, (config.colour,) * 3 + (0.0,)).apply(images)
        valid = ~targets.isnan()
        cut = torch.zeros(0, *targets.shape[1:], dtype=torch.bool)
        if self._pseudo is None or self.pseudo_count == 0:
            return DepthBatch(images, targets.nan_to_num(0.0), valid, cut)
        rng = np.random.default_rng([config.seed, _PSEUDO, step])
        more, labels, known, cut = self._pseudo_part(self._pseudo, step, rng)
        return DepthBatch(
            torch.cat([images, more]),
            torch.cat([targets, labels]).nan_to_num(0.0),
            torch.cat([valid, known]),
            cut,
        )

    def _pseudo_part(
        self, pseudo: Samples, step: int, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        config, count = self._config, self.pseudo_count
        rows = self._pseudo_order.draw(step * count, count)
        images, labels = weak_views(pseudo, rows, config, rng)
        known = ~labels.isnan()
        if config.strong:
            return perturb_strongly(images, labels, known, rng, config.cutmix)
        images = draw_colours(rng, count, (config.colour,) * 3 + (0.0,)).apply(images)
        return images, labels, known, torch.zeros_like(known)


def split_batch(config: DepthConfig, pseudo: bool) -> tuple[int, int]:
    """Return how many labelled and pseudo-labelled images a batch has; one labelled at least."""
    if not pseudo or config.unlabelled_ratio == 0:
        return config.batch, 0
    labelled = max(round(config.batch / (1.0 + config.unlabelled_ratio)), 1)
    return labelled, max(config.batch - labelled, 1)


def weak_views(
    samples: Samples, rows: list[int], config: DepthConfig, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return images (n, 3, H, W) of 0 to 255 and targets (n, H, W), cropped and mirrored.

    A crop is enlarged to the frame. Depth in metres shrinks with it: the frame is then what the
    same camera sees from nearer.

    Args:
        samples: The kept images.
        rows: Which of them.
        config: Frame size, largest crop, flips.
        rng: Where the draws come from.
    """
    width, height = config.frame_width, config.frame_height
    kept = samples.shape
    images = np.empty((len(rows), height, width, 3), dtype=np.uint8)
    targets = np.empty((len(rows), height, width), dtype=np.float32)
    sides = 1.0 - config.crop * rng.random(len(rows))
    corners = rng.random((len(rows), 2))
    mirrored = rng.random(len(rows)) < (0.5 if config.flip else 0.0)
    for k, row in enumerate(rows):
        wide, tall = round(sides[k] * kept.width), round(sides[k] * kept.height)
        left = round(corners[k, 0] * (kept.width - wide))
        top = round(corners[k, 1] * (kept.height - tall))
        part = slice(top, top + tall), slice(left, left + wide)
        image = cv2.resize(samples.image(row)[part], (width, height))
        # nearest: known never mixes with unknown, nor near with far
        target = cv2.resize(
            samples.target(row)[part].astype(np.float32),
            (width, height),
            interpolation=cv2.INTER_NEAREST_EXACT,
        )
        if samples.target_kind == "depth":
            target = target * np.float32(wide / kept.width)
        step = -1 if mirrored[k] else 1
        images[k], targets[k] = image[:, ::step], target[:, ::step]
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous(), torch.from_numpy(
        targets
    )
