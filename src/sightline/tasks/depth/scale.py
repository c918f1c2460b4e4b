"""Metres for a relative depth map, from what is known: a distance, a length, or sparse points.

A relative network says disparity up to scale and shift: ``1/z = scale * d + shift``. One known
distance or length fixes the scale only; the shift is then taken as zero, and said so. Known points
fix both (:func:`by_points`). Nothing is guessed: without any of these a map stays relative.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import GeometryError, InputError
from sightline.geometry import Camera
from sightline.tasks.depth.align import as_depth, as_disparity, fit_robust
from sightline.tasks.depth.correction import correct
from sightline.tasks.depth.maps import DepthMap, Unit

#: Fewer points than this say too little of scale and shift.
LEAST_POINTS = 8

#: Nothing is said to be farther than so many times the farthest known point.
_BEYOND = 3.0

#: Points farther off than this after the fit, in log depth (a factor of 4.5), are taken as wrong.
#: Nearer ones tell where a weak network is wrong, more often than they are hidden or wrong
#: themselves; what they say is judged by points left out.
_CORRECTED = 1.5


@dataclass(frozen=True, eq=False)
class Scaled:
    """A depth map, and where its scale comes from.

    Attributes:
        depth_map: As good as it can be had.
        source: In words: ``none``, ``checkpoint``, ``known distance`` ...
        scale: What the model's disparity was multiplied by; None where it was left alone.
        shift: What was then added to it.
        details: What else a file should say of it.
        notes: What the user should know.
    """

    depth_map: DepthMap
    source: str
    scale: float | None = None
    shift: float | None = None
    details: dict[str, float | int | bool | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SparsePoints:
    """Points of a scene whose depth is known.

    Attributes:
        xy: (N, 2) pixels, (0, 0) the middle of the first.
        depth: (N,) z-depth.
        weight: (N,) how far each is to be believed.
        unit: Of the depth: ``m``, or ``relative`` where it is a world's own.
        source: Where they come from, in words.
    """

    xy: NDArray[np.float64]
    depth: NDArray[np.float64]
    weight: NDArray[np.float64]
    unit: Unit
    source: str

    def __len__(self) -> int:
        return len(self.depth)


def own_scale(depth_map: DepthMap) -> Scaled:
    """Return a map as its model said it: metric depth, or relative."""
    if depth_map.unit == "relative":
        return Scaled(depth_map, "none")
    return Scaled(_depth_map(as_depth(depth_map), "m"), "checkpoint")


def by_factor(depth_map: DepthMap, factor: float, source: str) -> Scaled:
    """Return a map whose disparity is multiplied; its shift is taken as zero."""
    note = "the shift of the disparity is not known and is taken as zero: trust depths near the"
    notes = (f"{note} known one most",) if depth_map.unit == "relative" else ()
    disparity = factor * as_disparity(depth_map)
    depth = np.where(disparity > 0, 1.0 / np.where(disparity > 0, disparity, 1.0), np.nan)
    return Scaled(_depth_map(depth, "m"), source, factor, 0.0, notes=notes)


def factor_of_distance(depth_map: DepthMap, xy: ArrayLike, metres: float) -> float:
    """Return what disparity is multiplied by where the z-depth of one pixel is known.

    Args:
        depth_map: The map.
        xy: The pixel, of the map.
        metres: Its z-depth.

    Raises:
        InputError: A pixel outside, or a distance that is not above zero.
        GeometryError: The map says nothing there.
    """
    _check_metres(metres)
    return 1.0 / (metres * _disparity_at(depth_map, xy))


def factor_of_length(
    depth_map: DepthMap, a: ArrayLike, b: ArrayLike, metres: float, camera: Camera
) -> float:
    """Return what disparity is multiplied by where the distance of two points is known.

    Args:
        depth_map: The map.
        a: One pixel, of the map.
        b: Another.
        metres: How far apart in space the points are that they show.
        camera: Intrinsics for the map's size.

    Raises:
        InputError: A pixel outside, twice the same, or a length that is not above zero.
        GeometryError: The map says nothing there.
    """
    _check_metres(metres)
    ends = [camera.unproject(np.asarray(p, float)) / _disparity_at(depth_map, p) for p in (a, b)]
    apart = float(np.linalg.norm(ends[0] - ends[1]))
    if not apart > 0:
        raise InputError("two pixels are wanted for a known length, one came twice")
    return apart / metres


def by_points(depth_map: DepthMap, points: SparsePoints) -> Scaled:
    """Return a map brought to the depth of known points.

    Scale and shift in disparity by a robust fit (some points are wrong, or hidden from here); then
    a smooth correction of what is left, where points that it has not seen say that it helps
    (:func:`sightline.tasks.depth.correction.correct`).

    Args:
        depth_map: Of any quantity and unit.
        points: In the map's pixels.

    Raises:
        GeometryError: Too few points, or the map does not follow them.
    """
    said = sample(as_disparity(depth_map), points.xy)
    known = np.isfinite(said) & (points.depth > 0)
    if known.sum() < LEAST_POINTS:
        raise GeometryError(
            f"{LEAST_POINTS} or more known points are wanted for the scale, "
            f"{int(known.sum())} came from {points.source}"
        )
    try:
        fit = fit_robust(said, 1.0 / np.where(known, points.depth, 1.0), known, points.weight)
    except InputError as error:
        raise GeometryError(f"the depth does not follow {points.source}: {error}") from error
    least = 1.0 / (_BEYOND * float(points.depth[fit.inliers].max()))
    disparity = fit.scale * as_disparity(depth_map) + fit.shift
    clipped = float((disparity < least).mean())
    depth = 1.0 / np.where(disparity < least, least, disparity)
    fitted = 1.0 / np.maximum(fit.scale * said + fit.shift, least)
    off = np.log(np.where(known, points.depth, 1.0) / np.where(known, fitted, 1.0))
    near = known & (np.abs(off) < _CORRECTED)
    factor, correction = correct(points.xy[near], off[near], depth, points.weight[near])
    details: dict[str, float | int | bool | str] = {
        "points": int(known.sum()),
        "points_agreeing": int(fit.inliers.sum()),
        "clipped_share": round(clipped, 6),
        **correction,
    }
    notes = () if points.unit == "m" else (f"{points.source} has no scale in metres",)
    corrected = _depth_map(depth * factor, points.unit)
    return Scaled(corrected, points.source, fit.scale, fit.shift, details, notes)


def sample(values: NDArray[np.float64], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N,) bilinear values of a map (H, W) at (N, 2) pixels; NaN outside or by unknown."""
    height, width = values.shape
    x, y = np.asarray(xy, float).reshape(-1, 2).T
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    x = np.where(inside, x, 0.0)
    y = np.where(inside, y, 0.0)
    left = np.minimum(x.astype(int), max(width - 2, 0))
    top = np.minimum(y.astype(int), max(height - 2, 0))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    u, v = x - left, y - top
    upper = (1 - u) * values[top, left] + u * values[top, right]
    lower = (1 - u) * values[bottom, left] + u * values[bottom, right]
    found: NDArray[np.float64] = np.where(inside, (1 - v) * upper + v * lower, np.nan)
    return found


def _disparity_at(depth_map: DepthMap, xy: ArrayLike) -> float:
    height, width = depth_map.values.shape
    x, y = (float(v) for v in np.asarray(xy, float))
    if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
        raise InputError("a pixel inside the picture is wanted for a known distance")
    value = float(sample(as_disparity(depth_map), np.array([[x, y]]))[0])
    if not value > 0:
        raise GeometryError("the network says nothing of the depth of that pixel; take another")
    return value


def _check_metres(metres: float) -> None:
    if not (np.isfinite(metres) and metres > 0):
        raise InputError(f"a distance above 0 m is wanted, {metres:g} came")


def _depth_map(depth: NDArray[np.float64], unit: Unit) -> DepthMap:
    return DepthMap(depth.astype(np.float32), "depth", unit)
