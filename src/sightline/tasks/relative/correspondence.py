"""Where each cell of one image is seen in the other, from known depth: what matching learns from.

A pose alone says on which line a match lies; depth says where, and whether the other camera sees it
at all. Depth is never needed to answer, and never wanted of a data set that has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.tasks.relative.loss import rotation_matrix

#: A point counts as seen where the other view's depth agrees to this share.
_SAME_DEPTH = 0.05


@dataclass
class DepthView:
    """One side of a batch.

    Attributes:
        depth: (N, H, W) z-depth of the images' pixels, 0 where unknown.
        camera: (N, 4) fx, fy, cx, cy in pixels.
    """

    depth: Tensor
    camera: Tensor


def seen_cells(
    a: DepthView, b: DepthView, rotation: Tensor, translation: Tensor, grid: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Return which cells of b hold each cell of a.

    Args:
        a: The views that are asked about.
        b: The views that may see it.
        rotation: (N, 3, 3) of b_from_a.
        translation: (N, 3) of b_from_a, in the unit of the depths.
        grid: Rows and columns of cells in either image.

    Returns:
        (N, A, 4) indices of b's cells and (N, A, 4) their bilinear weights; all zero where the
        cell is not seen in b (outside, occluded, or of unknown depth).
    """
    rows, columns = grid
    height, width = a.depth.shape[1:]
    step_y, step_x = height // rows, width // columns
    y = torch.arange(rows) * step_y + step_y // 2
    x = torch.arange(columns) * step_x + step_x // 2
    z = a.depth[:, y][:, :, x].flatten(1)
    pixel = torch.stack([x.repeat(rows), y.repeat_interleave(columns)], dim=1).to(a.camera)
    rays = (pixel - a.camera[:, None, 2:]) / a.camera[:, None, :2]
    points = torch.cat([rays, torch.ones_like(rays[..., :1])], dim=2) * z[..., None]
    moved = points @ rotation.transpose(1, 2) + translation[:, None]
    depth_b = moved[..., 2].clamp(min=1e-6)
    u = moved[..., 0] / depth_b * b.camera[:, None, 0] + b.camera[:, None, 2]
    v = moved[..., 1] / depth_b * b.camera[:, None, 1] + b.camera[:, None, 3]
    inside = (u > -0.5) & (u < width - 0.5) & (v > -0.5) & (v < height - 0.5)
    nearest = v.round().clamp(0, height - 1) * width + u.round().clamp(0, width - 1)
    found = torch.gather(b.depth.flatten(1), 1, nearest.long())
    agrees = (found - moved[..., 2]).abs() < _SAME_DEPTH * moved[..., 2]
    seen = (z > 0) & (found > 0) & (moved[..., 2] > 0) & inside & agrees
    return _bilinear((u + 0.5) / step_x - 0.5, (v + 0.5) / step_y - 0.5, seen, grid)


def _bilinear(
    column: Tensor, row: Tensor, seen: Tensor, grid: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    rows, columns = grid
    left = column.floor().clamp(0, columns - 2)
    top = row.floor().clamp(0, rows - 2)
    right, down = (column - left).clamp(0, 1), (row - top).clamp(0, 1)
    first = (top * columns + left).long()
    index = torch.stack([first, first + 1, first + columns, first + columns + 1], dim=-1)
    weight = torch.stack(
        [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], dim=-1
    )
    return index * seen[..., None], weight * seen[..., None]


def correspondence_loss(
    b_of_a: Tensor,
    a_of_b: Tensor,
    a: DepthView,
    b: DepthView,
    q_wxyz: Tensor,
    translation: Tensor,
    grid: tuple[int, int],
) -> Tensor:
    """Return the mean negative log-likelihood of the true matches, over cells that both see.

    Args:
        b_of_a: (N, A, B) probability that a cell of a is seen in a cell of b.
        a_of_b: (N, A, B) the same the other way round: sums to one over A.
        a: The first images' depth and cameras.
        b: The second images'.
        q_wxyz: (N, 4) of b_from_a.
        translation: (N, 3) of b_from_a, in the unit of the depths.
        grid: Rows and columns of cells.
    """
    rotation = rotation_matrix(q_wxyz)
    back = rotation.transpose(1, 2)
    start = -(back @ translation[..., None])[..., 0]
    forward = _likely(b_of_a, *seen_cells(a, b, rotation, translation, grid))
    backward = _likely(a_of_b.transpose(1, 2), *seen_cells(b, a, back, start, grid))
    log = torch.cat([forward, backward])
    return -log.mean() if len(log) else b_of_a.sum() * 0.0


def _likely(probability: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Return the logarithm of the probability near the true place, of seen cells alone."""
    near = (torch.gather(probability, 2, index) * weight).sum(dim=2)
    return (near[weight.sum(dim=2) > 0] + 1e-4).log()
