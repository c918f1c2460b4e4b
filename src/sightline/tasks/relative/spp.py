"""Spatial pyramid pooling: feature maps of any size to vectors of one length."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.errors import InputError


def bins(size: int, count: int) -> list[tuple[int, int]]:
    """Return (start, end) of the ``count`` bins along an axis of ``size`` cells.

    The paper's rule, windows of ``ceil(a/n)`` at a stride of ``floor(a/n)``, where it gives n bins.
    For some sizes it gives more (a = 19, n = 13: 18 bins), and the first n of them would leave the
    rest of the image unseen. There the bins run from ``floor(i a/n)`` to ``ceil((i+1) a/n)``: n of
    them, over the whole axis, with windows no smaller than the rule's less one and no larger than
    the rule's plus one.

    Args:
        size: Cells of the feature map (a).
        count: Bins (n).

    Raises:
        InputError: Fewer cells than bins.

    Source: Melekhov et al. 2017, section 3.1; He et al. 2014, sections 2.2 and 2.3.
    """
    if size < count:
        raise InputError(
            f"a feature map of {count} cells or more is wanted for {count} pyramid bins, {size} "
            "came; use larger images (227 pixels or more)"
        )
    window, stride = -(-size // count), size // count
    if rule_fits(size, count):
        return [(i * stride, i * stride + window) for i in range(count)]
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def rule_fits(size: int, count: int) -> bool:
    """Return whether windows of ceil(a/n) at a stride of floor(a/n) give exactly n bins."""
    window, stride = -(-size // count), size // count
    return (size - window) // stride + 1 == count


class SpatialPyramid(nn.Module):
    """(N, C, H, W) to (N, C * sum of n^2): the maximum in n x n bins, level by level.

    The map need not be square; each axis has its own windows. Order within a level: channel, row,
    column.
    """

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.levels = levels

    @property
    def cells(self) -> int:
        """Bins of all levels together."""
        return sum(level * level for level in self.levels)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the pooled vectors.

        Raises:
            InputError: The maps are smaller than the finest level.
        """
        height, width = maps.shape[-2:]
        pooled = []
        for level in self.levels:
            bins(height, level)  # refuses what is too small
            bins(width, level)
            # the maximum over a rectangle is that over its rows and then its columns
            rows = _pool_rows(maps, level)
            both = _pool_rows(rows.transpose(-1, -2), level).transpose(-1, -2)
            pooled.append(both.flatten(1))
        return torch.cat(pooled, dim=1)


def _pool_rows(maps: Tensor, count: int) -> Tensor:
    """Return (N, C, count, W)."""
    size = maps.shape[-2]
    if rule_fits(size, count):
        window, stride = -(-size // count), size // count
        return nn.functional.max_pool2d(maps, (window, 1), (stride, 1))
    # torch's adaptive bins are exactly floor(i a/n) .. ceil((i+1) a/n)
    return nn.functional.adaptive_max_pool2d(maps, (count, maps.shape[-1]))
