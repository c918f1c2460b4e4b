"""How far a network's relative poses on an unlabelled walk are from those of its odometry."""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.loss import distance, pairs_in_tuples, relative_poses, rotation_ops
from sightline.tasks.absolute.samples import PoseBatch

#: Added to squared lengths, which are in standard deviations of the place: no root is of zero.
_TINY = 1e-12


class RelativeLoss:
    """MapNet+'s self-supervised term: ``h`` of relative poses within tuples.

    Brahmbhatt et al. 2018, Sec. 3.2, with this model's own rotations and distance (``loss.py``). It
    is zero wherever the network's world lies and however it is turned: what is absolute comes from
    the training frames alone.
    """

    def __init__(self, config: AbsoluteConfig, *, metric: bool) -> None:
        """Compare lengths in the unit of the place where they are ``metric``."""
        self._ops, self._kind = rotation_ops(config.rotation), config.loss
        self._step, self._metric = config.step, metric

    def __call__(self, raw: Tensor, walk: PoseBatch, piece: Tensor) -> tuple[Tensor, Tensor]:
        """Return the terms of the translations and of the rotations.

        Args:
            raw: (tuples * step, 3 + R) head outputs, the frames of a tuple side by side.
            walk: The same frames' poses in the world of their piece.
            piece: (tuples,) of which piece each tuple is.
        """
        ops = self._ops
        pairs = pairs_in_tuples(len(raw), self._step, raw.device)
        estimated = relative_poses(ops, ops.predicted(raw[:, 3:]), raw[:, :3], pairs)
        measured = relative_poses(ops, ops.true(walk.q_wxyz), walk.translation, pairs)
        of_pair = piece.repeat_interleave(len(pairs[0]) // len(piece))
        difference = (
            estimated[1] - measured[1]
            if self._metric
            else free_length_difference(estimated[1], measured[1], of_pair)
        )
        rotation = ops.difference(estimated[0], measured[0])
        return distance(difference, self._kind), distance(rotation, self._kind)


def free_length_difference(estimated: Tensor, measured: Tensor, piece: Tensor) -> Tensor:
    """Return (P, 3) differences of translations whose unit, one for each piece, nobody knows.

    The measured ones are sized by the estimated ones of their piece: by the root of the sums of
    squares, so that neither noise nor wrong rotations make them shorter. Directions count, and
    lengths beside one another. The common length counts neither way: the gradient is at right
    angles to the estimated translations of a piece together, so that nothing is gained by drawing
    them all in, which a unit that is fitted or learned would reward.

    Args:
        estimated: (P, 3) of the network.
        measured: (P, 3) of odometry.
        piece: (P,) which piece's unit each is in.
    """
    _, number = torch.unique(piece, return_inverse=True)

    def size(translation: Tensor) -> Tensor:
        squares = torch.zeros_like(translation[:, 0]).index_add(
            0, number, translation.square().sum(dim=-1)
        )
        root: Tensor = (squares + _TINY).sqrt()[number][:, None]
        return root

    own = size(estimated)
    return own.detach() * (estimated / own - measured / size(measured))
