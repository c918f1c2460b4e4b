"""Depth of a video without flicker: every frame in the scale and shift of the one before.

A relative network chooses scale and shift anew for every frame, and the colours flicker. Each
frame's map is fitted to the last one as it was shown (a robust fit: what moved does not count),
and the fit is then let go by a little towards the network's own, so that small errors of many
frames do not add up to a drift. A new scene starts anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import InputError
from sightline.tasks.depth.align import fit_robust
from sightline.tasks.depth.colour import colour_range
from sightline.tasks.depth.maps import DepthMap

Array = NDArray[np.float64]

#: Longer side of the maps and pictures that neighbours are compared at.
_SIDE = 48
#: Drawn pairs of pixels of a fit.
_TRIES = 100
#: Share of scale and shift that is let go in each frame.
_LET_GO = 0.01
#: Grey pictures of neighbours less alike than this (correlation) may be a cut ...
_UNLIKE = 0.6
#: ... and are, where their colours are spread otherwise too (total variation of histograms).
_RECOLOURED = 0.25
#: Share of the colour range that each frame moves towards its own.
_RANGE_STEP = 0.05


@dataclass(frozen=True, eq=False)
class _Shown:
    """What the next frame is compared with."""

    values: Array
    grey: Array
    colours: Array
    span: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Aligned:
    """One frame's map in its video.

    Attributes:
        depth_map: In the scale and shift of the frames before.
        scale: What the network's values were multiplied by.
        shift: What was added then.
        span: Disparities of the darkest and brightest colour.
        cut: Whether a new scene starts here.
    """

    depth_map: DepthMap
    scale: float
    shift: float
    span: tuple[float, float]
    cut: bool


class TemporalAligner:
    """Takes the frames of one video, in order."""

    def __init__(self) -> None:
        self._last: _Shown | None = None

    def __call__(self, depth_map: DepthMap, image: NDArray[np.uint8]) -> Aligned:
        """Return a frame's map in the scale of the frames before.

        Metric maps are fitted by scale alone: their shift is known.

        Args:
            depth_map: As the network says it.
            image: The frame, uint8 (H, W, 3) RGB.
        """
        grey, colours = _signature(image)
        small = _small(depth_map.values)
        last = self._last
        cut = last is None or _is_cut(last, small, grey, colours)
        scale, shift = 1.0, 0.0
        if last is not None and not cut:
            scale, shift = _fit(small, last.values, with_shift=depth_map.unit == "relative")
            scale, shift = scale ** (1 - _LET_GO), shift * (1 - _LET_GO)
        values = (scale * depth_map.values.astype(np.float64) + shift).astype(np.float32)
        if depth_map.quantity == "depth" or depth_map.unit == "m":
            values = np.where(values > 0, values, np.float32(np.nan))
        shown = DepthMap(values, depth_map.quantity, depth_map.unit)
        span = colour_range(shown)
        if last is not None and not cut:
            low, high = (a + _RANGE_STEP * (b - a) for a, b in zip(last.span, span, strict=True))
            span = (low, high)
        self._last = _Shown(scale * small + shift, grey, colours, span)
        return Aligned(shown, scale, shift, span, cut and last is not None)


def _fit(values: Array, target: Array, *, with_shift: bool) -> tuple[float, float]:
    """Return scale and shift to a target; (1, 0) where the two tell none."""
    try:
        fit = fit_robust(values, target, with_shift=with_shift, tries=_TRIES)
    except InputError:
        return 1.0, 0.0
    return fit.scale, fit.shift


def _is_cut(last: _Shown, values: Array, grey: Array, colours: Array) -> bool:
    """Return whether neither the picture nor its colours go on, or the size changed."""
    if values.shape != last.values.shape:
        return True
    spread = 0.5 * float(np.abs(colours - last.colours).sum())
    return spread > _RECOLOURED and _correlation(grey, last.grey) < _UNLIKE


def _correlation(a: Array, b: Array) -> float:
    x, y = a - a.mean(), b - b.mean()
    size = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / size if size > 1e-9 * x.size else 1.0


def _signature(image: NDArray[np.uint8]) -> tuple[Array, Array]:
    """Return a small grey picture in [0, 1] and the (512,) histogram of its colours."""
    picture = Image.fromarray(image).resize((32, 24), Image.Resampling.BOX)
    pixels = np.asarray(picture, np.float64) / 255.0
    bins = np.minimum((pixels * 8).astype(int), 7).reshape(-1, 3) @ np.array([64, 8, 1])
    return pixels.mean(axis=2), np.bincount(bins, minlength=512) / len(bins)


def _small(values: NDArray[np.float32]) -> Array:
    """Return a map at a side of at most 48 pixels, averaged; NaN where unknown."""
    step = max(1, -(-max(values.shape) // _SIDE))
    rows, columns = (max(1, n // step) for n in values.shape)
    if min(values.shape) < step:
        return values.astype(np.float64)
    cut = values[: rows * step, : columns * step].astype(np.float64)
    averaged: Array = cut.reshape(rows, step, columns, step).mean(axis=(1, 3))
    return averaged
