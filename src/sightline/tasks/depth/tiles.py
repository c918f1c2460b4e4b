"""Depth finer than a network sees: tiles laid over the picture, brought to its whole, blended.

A relative network gives every tile a scale and shift of its own, and cannot know from a patch of
wall how far it is. The whole picture, coarse, can: each tile is fitted to it (robustly, in the
quantity that the network predicts) before windows that fall smoothly to the tile's borders add
them up (as BoostingMonocularDepth, Miangoleh et al. 2021, and PatchFusion, Li et al. 2024, do with
networks).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.tasks.depth.align import fit_robust
from sightline.tasks.depth.maps import DepthMap, DepthModel

Tiles = int | Literal["auto"]

#: Tiles overlap by this share of their side.
_OVERLAP = 0.5
#: More along a side are refused: the coarse whole has nothing left to fit them to.
MOST_TILES = 16
#: The side at which Depth Anything is trained, taken where a model does not say its own.
_USUAL_SIDE = 518
#: Pixels of a tile that its fit is made on.
_FITTED = 2048
#: A tile that follows the whole less than this is left to the whole.
_LEAST_CORRELATION = 0.3


def tiles_for(model: DepthModel, width: int, height: int, tiles: Tiles) -> int:
    """Return how many tiles lie along the longer side; 1: the whole picture alone.

    ``auto`` takes as many as give every tile about the size that the network sees, or 4 at most.

    Raises:
        InputError: Less than 1, or more than 16.
    """
    if tiles == "auto":
        size_of = getattr(model, "size_of", None)
        side = max(size_of(width, height)) if callable(size_of) else _USUAL_SIDE
        return int(np.clip(round(max(width, height) / side), 1, 4))
    if not 1 <= tiles <= MOST_TILES:
        raise InputError(f"1 to {MOST_TILES} tiles along the longer side are wanted, {tiles} came")
    return tiles


def predict_tiled(model: DepthModel, image: NDArray[np.uint8], tiles: Tiles) -> DepthMap:
    """Return the map of one picture, with the detail of its tiles.

    Args:
        model: Any.
        image: uint8 (H, W, 3) RGB.
        tiles: Along the longer side, or ``auto``.

    Raises:
        InputError: Less than 1 tile, or more than 16.
    """
    height, width = image.shape[:2]
    whole = model.predict([image])[0]
    count = tiles_for(model, width, height, tiles)
    side = int(np.ceil(max(width, height) / (1 + (count - 1) * (1 - _OVERLAP))))
    if count == 1 or side < 2:
        return whole
    total = np.zeros(whole.values.shape)
    weights = np.zeros(whole.values.shape)
    for top, bottom in _spans(height, side):
        for left, right in _spans(width, side):
            part = (slice(top, bottom), slice(left, right))
            window = np.outer(_window(top, bottom, height), _window(left, right, width))
            tile = model.predict([np.ascontiguousarray(image[part])])[0].values
            fitted = _fitted(tile, whole.values[part])
            known = np.isfinite(fitted)
            total[part] += np.where(known, fitted, 0.0) * window
            weights[part] += np.where(known, window, 0.0)
    values = np.where(weights > 0, total / np.where(weights > 0, weights, 1.0), whole.values)
    return DepthMap(values.astype(np.float32), whole.quantity, whole.unit)


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    """Return starts and ends of even tiles that cover a side."""
    if length <= side:
        return [(0, length)]
    count = int(np.ceil((length - side) / (side * (1 - _OVERLAP)))) + 1
    starts = np.linspace(0, length - side, count).round().astype(int)
    return [(int(start), int(start) + side) for start in starts]


def _window(start: int, end: int, length: int) -> NDArray[np.float64]:
    """Return a tile's weights: a raised cosine that does not fall at the picture's own border."""
    ramp = max(1, round((end - start) * _OVERLAP))
    places = np.arange(start, end) + 0.5
    rise = np.clip((places - start) / ramp, 0, 1) if start > 0 else np.ones(end - start)
    fall = np.clip((end - places) / ramp, 0, 1) if end < length else np.ones(end - start)
    window: NDArray[np.float64] = np.sin(0.5 * np.pi * np.minimum(rise, fall)) ** 2 + 1e-6
    return window


def _fitted(tile: NDArray[np.float32], whole: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a tile in the whole's scale; the whole itself where the tile does not follow it."""
    step = max(1, int(np.sqrt(tile.size / _FITTED)))
    some, coarse = tile[::step, ::step].ravel(), whole[::step, ::step].ravel()
    known = np.isfinite(some) & np.isfinite(coarse)
    if known.sum() < 16 or _correlation(some[known], coarse[known]) < _LEAST_CORRELATION:
        return whole.astype(np.float64)
    try:
        fit = fit_robust(some, coarse, known)
    except InputError:  # no positive scale: the tile sees it the other way round
        return whole.astype(np.float64)
    return fit.scale * tile.astype(np.float64) + fit.shift


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return Pearson's correlation, 0 where one does not vary."""
    x, y = a.astype(np.float64) - a.mean(), b.astype(np.float64) - b.mean()
    size = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / size if size > 1e-12 * x.size else 0.0
