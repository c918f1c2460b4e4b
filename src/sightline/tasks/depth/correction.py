"""A smooth correction of depth, learned from sparse points and kept only where it helps.

After scale and shift a network is still off by a few percent here and more there: a wall taken for
too near, a far end too far. What known points say of it, the logarithm of true over said depth, is
spread by a field over the picture and over depth: a grid of nodes with linear interpolation
between them (a bilateral grid, Chen et al. 2007, of corrections), stiff where there are no points.
Over depth too, because a chair is not corrected by the wall behind it.

Whether and how stiff is asked of points that the field has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: With fewer points nothing is corrected.
LEAST_POINTS = 40

#: Nodes across, down and over depth.
_GRIDS = ((8, 6, 1), (8, 6, 4), (12, 9, 4))
#: How stiff a field may be.
_STIFF = (0.01, 0.1, 1.0)
#: Pull of each node towards no correction.
_PULL = 1e-3
_FOLDS = 5
#: A field must leave less than this share of the error on points it has not seen.
_HELPS = 0.9
#: Strongest correction, in log depth: a factor of 4.
_LARGEST = float(np.log(4.0))
#: Residuals beyond this, in log depth, count less and less.
_HUBER = 0.05
_ROUNDS = 4
#: Rows of the map corrected in one go.
_ROWS = 256


@dataclass(frozen=True)
class _Frame:
    """What places are measured by: a picture's size and a range of log depth."""

    width: int
    height: int
    nearest: float
    farthest: float

    def unit(self, xy: Array, log_depth: Array) -> Array:
        """Return (N, 3) places in [0, 1]."""
        span = max(self.farthest - self.nearest, 1e-9)
        x = (xy[:, 0] + 0.5) / self.width
        y = (xy[:, 1] + 0.5) / self.height
        return np.clip(np.stack([x, y, (log_depth - self.nearest) / span], axis=1), 0.0, 1.0)


def correct(
    xy: Array, log_ratio: Array, depth: Array, weight: Array
) -> tuple[Array | float, dict[str, float | bool]]:
    """Return what depth is to be multiplied by, and what is to be said of it.

    Args:
        xy: (N, 2) pixels of known points, inside the map.
        log_ratio: (N,) logarithm of the points' depth over the map's.
        depth: (H, W) the map; NaN where unknown.
        weight: (N,) how far each point is to be believed.

    Returns:
        (H, W) factors, or 1.0 where no field helps; ``held_out_error`` is the mean relative error
        at points left out of the field, ``held_out_before`` without a field.
    """
    if len(xy) < LEAST_POINTS:
        return 1.0, {"corrected": False}
    rows, columns = np.clip(np.round(xy).astype(int), 0, np.array(depth.shape)[::-1] - 1).T[::-1]
    log_depth = np.log(depth[rows, columns])
    known = np.isfinite(log_depth)
    if known.sum() < LEAST_POINTS:
        return 1.0, {"corrected": False}
    xy, log_ratio, weight, log_depth = (a[known] for a in (xy, log_ratio, weight, log_depth))
    nearest, farthest = (float(v) for v in np.quantile(log_depth, (0.02, 0.98)))
    frame = _Frame(depth.shape[1], depth.shape[0], nearest, farthest)
    places = frame.unit(xy, log_depth)
    weight = weight / weight.mean()
    before = float((weight * np.abs(log_ratio)).mean())
    tried = {
        (grid, stiff): _held_out(places, log_ratio, weight, grid, stiff)
        for grid in _GRIDS
        for stiff in _STIFF
    }
    (grid, stiff), error = min(tried.items(), key=lambda item: item[1])
    said: dict[str, float | bool] = {
        "corrected": error < _HELPS * before,
        "held_out_before": round(before, 5),
        "held_out_error": round(min(error, before), 5),
    }
    if not said["corrected"]:
        return 1.0, said
    nodes = _fit(_weights(places, grid), log_ratio, weight, grid, stiff)
    return _factors(nodes, grid, frame, depth), said


def _held_out(
    places: Array, values: Array, weight: Array, grid: tuple[int, int, int], stiff: float
) -> float:
    """Return the weighted mean absolute error at points left out, a fifth at a time.

    Neighbours are left out together: the points of one corner of a chair tell of each other.
    """
    cell = (places[:, :2] * 16).astype(int)
    fold = (cell[:, 0] * 7 + cell[:, 1] * 3) % _FOLDS
    matrix = _weights(places, grid)
    error = np.abs(values)
    for k in range(_FOLDS):
        out = fold == k
        if out.any() and (~out).sum() >= LEAST_POINTS // 2:
            nodes = _fit(matrix[~out], values[~out], weight[~out], grid, stiff)
            error[out] = np.abs(values[out] - np.clip(matrix[out] @ nodes, -_LARGEST, _LARGEST))
    return float((weight * error).mean())


def _fit(
    matrix: Array, values: Array, weight: Array, grid: tuple[int, int, int], stiff: float
) -> Array:
    """Return the field at its nodes: Huber's loss by reweighting, bending and size penalised."""
    penalty = stiff * _roughness(grid) + _PULL * np.eye(matrix.shape[1])
    nodes = np.zeros(matrix.shape[1])
    # weights of sum 1000: the stiffness means the same for few points and for many
    scale = 1000.0 / weight.sum()
    for _ in range(_ROUNDS):
        residual = np.abs(values - matrix @ nodes)
        trust = scale * weight / np.maximum(1.0, residual / _HUBER)
        normal = (matrix * trust[:, None]).T @ matrix
        nodes = np.linalg.solve(normal + penalty, matrix.T @ (trust * values))
    return nodes


def _weights(places: Array, grid: tuple[int, int, int]) -> Array:
    """Return (N, nodes) linear interpolation from the nodes to places in [0, 1]."""
    rows = np.arange(len(places))
    matrix = np.zeros((len(places), int(np.prod(grid))))
    for index, share in _corners(places, grid):
        matrix[rows, index] += share
    return matrix


def _corners(places: Array, grid: tuple[int, int, int]) -> list[tuple[NDArray[np.intp], Array]]:
    """Return, for each of a cell's corners, (N,) node indices and their shares."""
    corners = [(np.zeros(len(places), np.intp), np.ones(len(places)))]
    for axis, count in enumerate(grid):
        if count == 1:
            continue
        along = places[:, axis] * (count - 1)
        low = np.minimum(along.astype(np.intp), count - 2)
        part = along - low
        corners = [
            (index * count + low + step, share * (part if step else 1.0 - part))
            for index, share in corners
            for step in (0, 1)
        ]
    return corners


def _roughness(grid: tuple[int, int, int]) -> Array:
    """Return the matrix of the squared differences of neighbouring nodes."""
    index = np.arange(int(np.prod(grid))).reshape(grid)
    matrix = np.zeros((index.size, index.size))
    for axis, count in enumerate(grid):
        first = np.take(index, range(count - 1), axis).ravel()
        second = np.take(index, range(1, count), axis).ravel()
        np.add.at(matrix, (first, first), 1.0)
        np.add.at(matrix, (second, second), 1.0)
        np.add.at(matrix, (first, second), -1.0)
        np.add.at(matrix, (second, first), -1.0)
    return matrix


def _factors(nodes: Array, grid: tuple[int, int, int], frame: _Frame, depth: Array) -> Array:
    factors = np.empty(depth.shape)
    columns = np.arange(frame.width)
    for top in range(0, frame.height, _ROWS):
        part = depth[top : top + _ROWS]
        x, y = np.meshgrid(columns, np.arange(top, top + len(part)))
        log_depth = np.log(np.where(part > 0, part, 1.0)).ravel()
        places = frame.unit(np.stack([x.ravel(), y.ravel()], axis=1).astype(float), log_depth)
        field = sum((share * nodes[index] for index, share in _corners(places, grid)), np.zeros(1))
        factors[top : top + len(part)] = np.exp(np.clip(field, -_LARGEST, _LARGEST)).reshape(
            part.shape
        )
    return factors
