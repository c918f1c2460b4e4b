"""Batches of training tuples with as many tuples of an unlabelled walk beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import TrainingError
from sightline.records import PosedFrame
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.samples import PoseBatch, PoseBatches
from sightline.tasks.absolute.unlabelled.frames import WalkFrames
from sightline.tasks.absolute.unlabelled.pieces import Piece


@dataclass
class MixedBatch:
    """Tuples of training frames, and tuples of an unlabelled walk.

    Attributes:
        labelled: Frames with their poses.
        walk: Frames with poses in the world of their piece: relative poses within a tuple are
            right, and nothing else is.
        piece: (tuples,) which piece of the walk each tuple is of.
    """

    labelled: PoseBatch
    walk: PoseBatch
    piece: Tensor

    def to(self, device: torch.device) -> MixedBatch:
        """Return the batch on a device."""
        return MixedBatch(self.labelled.to(device), self.walk.to(device), self.piece.to(device))


@dataclass(frozen=True, eq=False)
class WalkTuples:
    """What is drawn from a walk.

    Attributes:
        frames: Those of all pieces, one behind the other, in the worlds of their pieces.
        tuples: (T, s) of them, each within one piece.
        piece: (T,) the number of that piece.
    """

    frames: list[PosedFrame]
    tuples: NDArray[np.int64]
    piece: NDArray[np.int64]

    @classmethod
    def of(cls, walk: WalkFrames, pieces: Sequence[Piece], config: AbsoluteConfig) -> WalkTuples:
        """Return the tuples of ``step`` frames ``unlabelled_skip`` apart.

        Raises:
            TrainingError: No piece is long enough for one.
        """
        span = (config.step - 1) * config.unlabelled_skip
        frames: list[PosedFrame] = []
        tuples, numbers = [], []
        for number, piece in enumerate(pieces):
            first = np.arange(max(len(piece) - span, 0))[:, None]
            within = config.unlabelled_skip * np.arange(config.step)[None, :]
            tuples.append(len(frames) + first + within)
            numbers.append(np.full(len(first), number))
            frames += [
                PosedFrame(walk.images[row], walk.timestamps_s[row], piece.world_from_cam[i])
                for i, row in enumerate(piece.rows.tolist())
            ]
        found = np.concatenate(tuples) if tuples else np.zeros((0, config.step), np.int64)
        if not len(found):
            longest = max((len(piece) for piece in pieces), default=0)
            raise TrainingError(
                f"{walk.source}: the motion of more than {span} frames in a row is wanted (step "
                f"{config.step}, unlabelled skip {config.unlabelled_skip}), it is known of at most "
                f"{longest} of {len(walk.images)}; take more (--unlabelled-fps), or lower "
                "--unlabelled-skip"
            )
        return cls(frames, found, np.concatenate(numbers))


class MixedBatches:
    """Training batches, each with tuples of a walk; a function of the seed and the epoch."""

    def __init__(
        self,
        labelled: PoseBatches,
        walk: PoseBatches,
        piece: NDArray[np.int64],
        config: AbsoluteConfig,
    ) -> None:
        """Put the two together.

        Args:
            labelled: The training frames: drawn as they would be alone.
            walk: The walk's tuples.
            piece: (T,) of which piece each of them is.
            config: How many of them a step takes (its ``batch``), and the seed.
        """
        self._labelled, self._walk, self._piece = labelled, walk, piece
        self._batch, self._seed = config.batch, config.seed

    def __len__(self) -> int:
        """Return the number of batches in an epoch, which is the training frames' own."""
        return len(self._labelled)

    def epoch(self, number: int) -> Iterator[MixedBatch]:
        """Yield the batches of an epoch; the same for the same number."""
        generator = np.random.default_rng([self._seed, number, 1])
        steps, count = len(self), len(self._piece)
        rounds = -(-steps * self._batch // count)
        order = np.concatenate([generator.permutation(count) for _ in range(rounds)])
        rows = order[: steps * self._batch].reshape(steps, self._batch)
        for batch, drawn in zip(self._labelled.epoch(number), rows, strict=True):
            walk = self._walk.batch(drawn, generator)
            yield MixedBatch(batch, walk, torch.from_numpy(self._piece[drawn]))
