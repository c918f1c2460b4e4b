"""Training batches, balanced by category: jittered crops, or features computed once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.geometry.rotation import Array
from sightline.tasks.objects.config import ObjectsConfig
from sightline.tasks.objects.jitter import draw_jitter
from sightline.tasks.objects.samples import Samples


@dataclass
class ObjectBatch:
    """Objects, ready for a network.

    Attributes:
        inputs: (N, 3, S, S) uint8 crops, or (N, d) features.
        category: (N,) indices.
        turn: (N, 3, 3) turn from the front; the identity where it is not known.
        has_pose: (N,) whether it is.
    """

    inputs: Tensor
    category: Tensor
    turn: Tensor
    has_pose: Tensor

    def to(self, device: torch.device) -> ObjectBatch:
        """Return the batch on a device."""
        moved: dict[str, Any] = {key: value.to(device) for key, value in vars(self).items()}
        return ObjectBatch(**moved)


class BalancedOrder:
    """Which samples each batch holds: as many of each category, give or take one (PITFALLS 13).

    Each category's samples come in one endless sequence of permutations, so each is seen as often
    as any other of its category, over epochs too. What a batch holds is a function of the seed,
    the epoch and the batch alone.
    """

    def __init__(self, category: NDArray[np.int64], batch: int, seed: int) -> None:
        """Group the samples.

        Args:
            category: (N,) of each sample; categories without samples are not missed.
            batch: Samples in a batch.
            seed: Of the permutations.
        """
        self._rows = [np.flatnonzero(category == k) for k in np.unique(category)]
        self._batch = batch
        self._seed = seed
        self._count = len(category)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return math.ceil(self._count / self._batch)

    def epoch(self, number: int) -> Iterator[NDArray[np.int64]]:
        """Yield (batch,) sample numbers of each batch of an epoch."""
        for step in range(number * len(self), (number + 1) * len(self)):
            spans = [(self._before(step, k), self._before(step + 1, k)) for k in self._groups]
            yield np.concatenate(
                [self._span(k, *span) for k, span in zip(self._groups, spans, strict=True)]
            )

    @property
    def _groups(self) -> range:
        return range(len(self._rows))

    def _before(self, step: int, group: int) -> int:
        """Return how many samples of a group come before a batch, all epochs counted.

        The samples that do not divide evenly go round the groups.
        """
        each, rest = divmod(self._batch, len(self._rows))
        return step * each + (step * rest + len(self._rows) - 1 - group) // len(self._rows)

    def _span(self, group: int, start: int, stop: int) -> NDArray[np.int64]:
        """Return the samples from place ``start`` to ``stop`` of a group's endless sequence."""
        rows = self._rows[group]
        cycles = range(start // len(rows), -(-stop // len(rows)))
        parts = [self._permuted(group, cycle) for cycle in cycles]
        if not parts:
            return rows[:0]
        first = cycles[0] * len(rows)
        found: NDArray[np.int64] = np.concatenate(parts)[start - first : stop - first]
        return found

    def _permuted(self, group: int, cycle: int) -> NDArray[np.int64]:
        generator = np.random.default_rng([self._seed, group, cycle])
        found: NDArray[np.int64] = generator.permutation(self._rows[group])
        return found


class CropBatches:
    """Batches of jittered crops; a function of the seed and the epoch."""

    def __init__(self, samples: Samples, which: NDArray[np.bool_], config: ObjectsConfig) -> None:
        """Take the samples that are to be seen.

        Args:
            samples: With a margin for the jitter.
            which: (N,) those that are trained on.
            config: Batch size, jitter and seed.
        """
        self._samples = samples
        self._rows = np.flatnonzero(which)
        self._config = config
        self._order = BalancedOrder(samples.category[self._rows], config.batch, config.seed)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._order)

    def epoch(self, number: int) -> Iterator[ObjectBatch]:
        """Yield the batches of an epoch; the same for the same number."""
        generator = np.random.default_rng([self._config.seed, number])
        for part in self._order.epoch(number):
            rows = self._rows[part]
            focal = self._samples.focal[rows]
            jitter = draw_jitter(generator, focal, self._config)
            crops = jitter.apply(self._samples.kept(rows), self._samples.margin, focal)
            turn = jitter.turns(self._samples.turn[rows])
            yield make_batch(to_images(crops), self._samples, rows, turn)


class FeatureBatches:
    """Batches of features that do not change: computed once (PITFALLS 10)."""

    def __init__(self, features: ObjectBatch, config: ObjectsConfig) -> None:
        """Take features of crops, mirrored ones among them where wanted."""
        self._features = features
        category = features.category.numpy().astype(np.int64)
        self._order = BalancedOrder(category, config.batch, config.seed)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._order)

    def epoch(self, number: int) -> Iterator[ObjectBatch]:
        """Yield the batches of an epoch; the same for the same number."""
        for part in self._order.epoch(number):
            rows = torch.from_numpy(part)
            yield ObjectBatch(**{key: value[rows] for key, value in vars(self._features).items()})


def plain_batches(
    samples: Samples, which: NDArray[np.bool_], batch: int, *, flipped: bool = False
) -> Iterator[ObjectBatch]:
    """Yield samples in order as they are, or all of them mirrored; margins are cut off."""
    rows = np.flatnonzero(which)
    mirror = np.diag([-1.0, 1.0, 1.0])
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        crops, turn = samples.plain(part), samples.turn[part]
        if flipped:
            crops, turn = crops[:, :, ::-1], mirror @ turn @ mirror
        yield make_batch(to_images(crops), samples, part, turn)


def to_images(crops: NDArray[np.uint8]) -> Tensor:
    """Return (N, 3, S, S) uint8 of (N, S, S, 3) crops."""
    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2)


def make_batch(
    inputs: Tensor, samples: Samples, rows: NDArray[np.int64], turn: Array
) -> ObjectBatch:
    """Return a batch of inputs and the labels of these rows, turns as given."""
    return ObjectBatch(
        inputs,
        torch.from_numpy(samples.category[rows]),
        torch.from_numpy(turn).float(),
        torch.from_numpy(samples.has_pose[rows]),
    )
