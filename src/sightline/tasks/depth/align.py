"""Bring a depth map to the metres of a truth before it is judged, or of a few known points.

A relative network says disparity up to scale and shift, so nothing can be said of its errors
before both are fitted (MiDaS, Ranftl et al. 2020, Eq. 1-2; Depth Anything is judged the same way).
How it was done is named wherever a figure is: a fit on the truth of every image hides errors of
scale that a user meets.

==============  ====================================================================================
``none``        the map's own metres; a relative map has none
``median``      one factor in depth: median of the truth over median of the prediction
``depth``       scale and shift in depth, least squares
``disparity``   scale and shift in disparity (1/m), least squares, clipped at the depth cap (MiDaS)
==============  ====================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.tasks.depth.maps import DepthMap, Unit

Alignment = Literal["none", "median", "depth", "disparity"]
ALIGNMENTS: tuple[Alignment, ...] = get_args(Alignment)

#: What tables say of an alignment.
ALIGNMENT_NAMES: dict[Alignment, str] = {
    "none": "none (own metres)",
    "median": "median scale per image",
    "depth": "scale + shift per image, in depth",
    "disparity": "scale + shift per image, in disparity",
}

#: Farther than any depth benchmark judges; in metres (KITTI's cap).
MAX_DEPTH_M = 80.0

#: A relative disparity below this share of the map's largest is taken as far away when depth is
#: wanted of it: its zero point is unknown, and its inverse would otherwise be infinite.
_FAR_SHARE = 0.01

#: A spread of the predictions below this share of their size tells no scale.
_NO_SPREAD = 1e-6


@dataclass(frozen=True, eq=False)
class Aligned:
    """A depth map in metres, and how it came to them.

    Attributes:
        depth: (H, W) float32 z-depth in metres; NaN where the map says nothing.
        mode: How it was aligned.
        scale: What the map's values (of the quantity that ``mode`` aligns) were multiplied by.
        shift: What was added to them then.
        clipped: How many of the fitted pixels came out behind the camera or beyond the cap; those
            of a disparity are put at the cap.
    """

    depth: NDArray[np.float32]
    mode: Alignment
    scale: float
    shift: float
    clipped: int


@dataclass(frozen=True, eq=False)
class RobustFit:
    """Scale and shift from points of which some are wrong.

    Attributes:
        scale: Of the prediction.
        shift: Added to the scaled prediction.
        inliers: (N,) bool, of the points as they were given; False where not valid.
        spread: Robust standard deviation of the residuals, in the target's unit.
    """

    scale: float
    shift: float
    inliers: NDArray[np.bool_]
    spread: float


def default_alignments(unit: Unit) -> tuple[Alignment, ...]:
    """Return how maps of a unit are judged: metric ones as they are and aligned, others aligned."""
    return ("none", "disparity") if unit == "m" else ("disparity",)


def fit_scale_shift(
    prediction: NDArray[Any],
    target: NDArray[Any],
    valid: NDArray[np.bool_] | None = None,
    weights: NDArray[Any] | None = None,
) -> tuple[float, float]:
    """Return the least-squares ``scale, shift`` of ``scale * prediction + shift = target``.

    Args:
        prediction: Of any shape.
        target: Of the same shape and quantity.
        valid: What counts, same shape; all where None. Non-finite values never count.
        weights: At least zero, same shape; equal where None.

    Returns:
        Both in float64. Predictions that are all alike tell no scale: 0 and the mean target.

    Raises:
        InputError: Fewer than two values count.
    """
    x, y, w, _ = _counting(prediction, target, valid, weights)
    return _least_squares(x, y, w)


def fit_robust(
    prediction: NDArray[Any],
    target: NDArray[Any],
    valid: NDArray[np.bool_] | None = None,
    weights: NDArray[Any] | None = None,
    *,
    with_shift: bool = True,
    tries: int = 300,
    seed: int = 0,
) -> RobustFit:
    """Return scale and shift from points of which up to nearly half may be wrong.

    Least median of squares over drawn pairs of points (Rousseeuw 1984) finds the points that
    agree; Huber's weights refine on those. The scale of every candidate is positive.

    Args:
        prediction: Of any shape.
        target: Of the same shape and quantity.
        valid: What counts, same shape; all where None. Non-finite values never count.
        weights: How much each point is to be believed, at least zero; equal where None.
        with_shift: Also fit a shift; else it is zero.
        tries: Drawn pairs, or points without a shift.
        seed: Of the draws; the same points give the same fit.

    Raises:
        InputError: Fewer than two points count (one without shift), or no two of them agree on a
            positive scale.
    """
    least = 2 if with_shift else 1
    x, y, w, counts = _counting(prediction, target, valid, weights, least=least)
    scale, shift = _least_median(x, y, w, with_shift, tries, np.random.default_rng(seed))
    for _ in range(10):
        residuals = np.abs(y - scale * x - shift)
        spread = 1.4826 * _weighted_median(residuals, w)
        near = residuals <= max(2.5 * spread, 1e-6 * float(np.abs(y).max()))
        huber = w * near / np.maximum(1.0, residuals / max(1.345 * spread, 1e-12))
        if with_shift and np.ptp(x[near]) > _NO_SPREAD * float(np.abs(x).max()):
            fitted = _least_squares(x[near], y[near], huber[near])
        elif with_shift:
            break
        else:
            fitted = (float((huber * x * y).sum() / (huber * x * x).sum()), 0.0)
        if fitted[0] <= 0 or np.allclose(fitted, (scale, shift), rtol=1e-9, atol=0):
            break
        scale, shift = fitted
    inliers = np.zeros(counts.size, bool)
    inliers[np.flatnonzero(counts)[near]] = True
    return RobustFit(scale, shift, inliers, spread)


def align(
    depth_map: DepthMap,
    target_depth: NDArray[Any],
    mode: Alignment,
    *,
    valid: NDArray[np.bool_] | None = None,
    max_depth_m: float = MAX_DEPTH_M,
) -> NDArray[np.float32]:
    """Return z-depth in metres, (H, W) float32: :func:`align_map` without what it counts."""
    return align_map(depth_map, target_depth, mode, valid=valid, max_depth_m=max_depth_m).depth


def align_map(
    depth_map: DepthMap,
    target_depth: NDArray[Any],
    mode: Alignment,
    *,
    valid: NDArray[np.bool_] | None = None,
    max_depth_m: float = MAX_DEPTH_M,
) -> Aligned:
    """Return a map in metres, fitted to the truth as ``mode`` says.

    Args:
        depth_map: The prediction, (H, W).
        target_depth: True z-depth in metres, (H, W); not above zero or not finite: unknown.
        mode: See the head of this file.
        valid: (H, W), the pixels that the fit uses of those whose truth is known; all where None.
        max_depth_m: The cap: where what comes out of a disparity lies behind the camera or beyond.

    Raises:
        InputError: Other sizes, fewer than two pixels for a fit, or metres wanted of a relative
            map without alignment.
    """
    target = np.asarray(target_depth, np.float64)
    if depth_map.values.shape != target.shape:
        raise InputError(
            f"a map of the truth's size {target.shape} is wanted, {depth_map.values.shape} came"
        )
    if mode == "none":
        return _own_metres(depth_map, max_depth_m)
    known = np.isfinite(target) & (target > 0)
    if valid is not None:
        known &= valid
    if mode == "disparity":
        values = as_disparity(depth_map)
        inverse = 1.0 / np.where(known, target, 1.0)
        scale, shift = fit_scale_shift(values, inverse, known)
        disparity = scale * values + shift
        depth, _ = depth_of_disparity(disparity, max_depth_m)
        _, clipped = depth_of_disparity(disparity[known], max_depth_m)
        return Aligned(depth, mode, scale, shift, clipped)
    values = as_depth(depth_map)
    if mode == "median":
        x, y, _, _ = _counting(values, target, known, None, least=1)
        scale, shift = float(np.median(y) / np.median(x)), 0.0
    elif mode == "depth":
        scale, shift = fit_scale_shift(values, target, known)
    else:
        raise InputError(f"an alignment of {', '.join(ALIGNMENTS)} is wanted, {mode!r} came")
    metres = scale * values + shift
    wrong = known & np.isfinite(metres) & ((metres <= 0) | (metres > max_depth_m))
    metres = np.where(metres > max_depth_m, max_depth_m, metres)
    return Aligned(metres.astype(np.float32), mode, scale, shift, int(wrong.sum()))


def as_disparity(depth_map: DepthMap) -> NDArray[np.float64]:
    """Return a map as disparity, (H, W): 1/z of depth; NaN where unknown."""
    values = np.asarray(depth_map.values, np.float64)
    if depth_map.quantity == "disparity":
        return np.where(np.isfinite(values), values, np.nan)
    known = np.isfinite(values) & (values > 0)
    return np.where(known, 1.0 / np.where(known, values, 1.0), np.nan)


def as_depth(depth_map: DepthMap) -> NDArray[np.float64]:
    """Return a map as depth, (H, W), in the map's unit; NaN where unknown.

    The zero of a relative disparity is unknown; it is taken as it stands, and values below a
    hundredth of the map's largest as that hundredth.
    """
    values = np.asarray(depth_map.values, np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    if depth_map.quantity == "depth":
        return np.where(values > 0, values, np.nan)
    if depth_map.unit == "m":
        return np.where(values > 0, 1.0 / np.where(values > 0, values, 1.0), np.nan)
    largest = float(np.nanmax(values, initial=0.0))
    if largest <= 0:
        return np.where(np.isnan(values), np.nan, 1.0)  # nothing tells near from far
    return 1.0 / np.maximum(values, _FAR_SHARE * largest)


def depth_of_disparity(
    disparity: NDArray[Any], max_depth_m: float
) -> tuple[NDArray[np.float32], int]:
    """Return z-depth in metres of disparity in 1/m, and how many values were put at the cap.

    Disparity of zero or below is behind the camera: it, and all beyond the cap, is put there
    (MiDaS's protocol). NaN stays NaN.
    """
    values = np.asarray(disparity, np.float64)
    least = 1.0 / max_depth_m
    below = values < least
    depth = 1.0 / np.where(below, least, values)
    return depth.astype(np.float32), int(below.sum())


def _own_metres(depth_map: DepthMap, max_depth_m: float) -> Aligned:
    if depth_map.unit != "m":
        raise InputError(
            "a map in metres is wanted where nothing is aligned, a relative one came; "
            "align by median, depth or disparity"
        )
    if depth_map.quantity == "depth":
        return Aligned(depth_map.values.astype(np.float32, copy=False), "none", 1.0, 0.0, 0)
    depth, clipped = depth_of_disparity(depth_map.values, max_depth_m)
    return Aligned(depth, "none", 1.0, 0.0, clipped)


def _counting(
    prediction: NDArray[Any],
    target: NDArray[Any],
    valid: NDArray[np.bool_] | None,
    weights: NDArray[Any] | None,
    *,
    least: int = 2,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return prediction, target and weights of what counts, and what counts, all flat."""
    x = np.asarray(prediction, np.float64).ravel()
    y = np.asarray(target, np.float64).ravel()
    if x.shape != y.shape:
        raise InputError(f"as many targets as predictions are wanted, {y.size} and {x.size} came")
    counts = np.isfinite(x) & np.isfinite(y)
    if valid is not None:
        counts &= np.asarray(valid, bool).ravel()
    w = np.ones_like(x) if weights is None else np.asarray(weights, np.float64).ravel()
    counts &= w > 0
    if counts.sum() < least:
        raise InputError(
            f"{least} or more known points are wanted to align depth, {int(counts.sum())} came"
        )
    return x[counts], y[counts], w[counts], counts


def _least_squares(
    x: NDArray[np.float64], y: NDArray[np.float64], w: NDArray[np.float64]
) -> tuple[float, float]:
    """Centred first: the usual determinant loses all digits where x hardly varies."""
    total = float(w.sum())
    mean_x, mean_y = float((w * x).sum() / total), float((w * y).sum() / total)
    centred = x - mean_x
    variance = float((w * centred * centred).sum() / total)
    if variance <= (_NO_SPREAD * float(np.abs(x).max())) ** 2:
        return 0.0, mean_y
    scale = float((w * centred * (y - mean_y)).sum() / total) / variance
    return scale, mean_y - scale * mean_x


def _least_median(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    w: NDArray[np.float64],
    with_shift: bool,
    tries: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Return the candidate whose median absolute residual is least."""
    chance = w / w.sum()
    drawn = rng.choice(len(x), (tries, 2), p=chance)
    first, second = drawn.T
    if with_shift:
        run = x[second] - x[first]
        slopes = np.divide(y[second] - y[first], run, out=np.zeros(tries), where=run != 0)
    else:
        slopes = np.divide(y[first], x[first], out=np.zeros(tries), where=x[first] != 0)
    offsets = y[first] - slopes * x[first] if with_shift else np.zeros(tries)
    fits = [(float(s), float(t)) for s, t in zip(slopes, offsets, strict=True) if s > 0]
    if not fits:
        raise InputError(
            "points that agree on a positive scale are wanted to align depth, none do; "
            "the prediction does not follow them"
        )
    some = np.arange(len(x))
    if len(x) > 5000:  # a median of so many is sharp enough
        some = rng.choice(len(x), 5000, replace=False)
    costs = [_weighted_median(np.abs(y[some] - s * x[some] - t), w[some]) for s, t in fits]
    return fits[int(np.argmin(costs))]


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    summed = np.cumsum(weights[order])
    return float(values[order[int(np.searchsorted(summed, 0.5 * summed[-1]))]])
