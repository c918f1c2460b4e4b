"""Depth as a picture for the eye: near is bright and warm, far is dark, unknown is grey."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.tasks.depth.align import as_disparity
from sightline.tasks.depth.maps import DepthMap

#: Shares of the pixels that are farther than the darkest and than the brightest colour.
_QUANTILES = (0.02, 0.98)

#: A map whose disparity varies by less than this share of itself is flat.
FLAT = 1e-4

_UNKNOWN = (128, 128, 128)

#: Pixels that a quantile is taken of; more do not change it.
_SAMPLED = 200_000


def colour_range(depth_map: DepthMap) -> tuple[float, float]:
    """Return the disparities of the darkest and the brightest colour; outliers do not stretch it.

    Both are 0 where nothing is known.
    """
    values = as_disparity(depth_map)
    step = max(1, int(np.sqrt(values.size / _SAMPLED)))
    some = values[::step, ::step]
    some = some[np.isfinite(some)]
    if not some.size:
        return 0.0, 0.0
    low, high = np.quantile(some, _QUANTILES)
    return float(low), float(high)


def is_flat(depth_map: DepthMap) -> bool:
    """Return whether all of a map is equally far, or unknown."""
    low, high = colour_range(depth_map)
    return high - low <= FLAT * max(abs(low), abs(high))


def colour_map(depth_map: DepthMap, span: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB: matplotlib's ``inferno``, even to the eye, over disparity.

    Args:
        depth_map: The map.
        span: Disparities of the darkest and the brightest colour; the map's own where None.
    """
    from matplotlib import colormaps

    low, high = colour_range(depth_map) if span is None else span
    values = as_disparity(depth_map)
    known = np.isfinite(values)
    width = high - low
    if width <= FLAT * max(abs(low), abs(high)):
        share = np.full(values.shape, 0.5)
    else:
        share = np.clip((np.where(known, values, low) - low) / width, 0.0, 1.0)
    table = (colormaps["inferno"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    picture: NDArray[np.uint8] = table[(share * 255).round().astype(np.uint8)]
    picture[~known] = _UNKNOWN
    return picture
