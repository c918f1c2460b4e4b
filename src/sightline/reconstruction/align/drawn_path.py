"""Alignment by a path drawn on the plan: where the walk went is all the user needs to know.

The camera path and the drawn line are one curve at two scales. Arc length pairs them up first;
then closest points, both ways, settle what a drawing gets wrong (speed, corners, where it ends).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.errors import GeometryError
from sightline.geometry.rotation import Array
from sightline.reconstruction.align.planar import PlanarSimilarity, fit_planar

_SAMPLES = 160
_WINDOW = 0.12  # of the length: how far along a closest point may be looked for
_CLOSED_GAP = 0.06  # of the length: ends nearer than this make a loop
_SHIFTS = 24
_PREFERENCE = 0.6  # another start or direction must fit this much better than the path as drawn
_END_WEIGHT = 0.05  # of all the weight, for each end of an open path


@dataclass(frozen=True, eq=False)
class DrawnPathFit:
    """What :func:`fit_drawn_path` found.

    Attributes:
        plane_from_level: The alignment.
        residuals: (N,) distance of each camera from the drawn path, in the plane's unit.
        vertex_residuals: (K,) distance of each drawn vertex from the walk.
        reversed: The path was drawn end to start.
        start_shift: For loops, where on the drawn loop the walk starts, as a share in [0, 1).
        ambiguous: Another start or direction fits about as well.
    """

    plane_from_level: PlanarSimilarity
    residuals: Array
    vertex_residuals: Array
    reversed: bool
    start_shift: float
    ambiguous: bool


@dataclass(frozen=True, eq=False)
class _Curve:
    """A polyline resampled to equal steps."""

    points: Array  # (M + 1, 2); for a loop the last is the first
    closed: bool

    @property
    def share(self) -> Array:
        return np.linspace(0.0, 1.0, len(self.points))

    def coarse(self) -> _Curve:
        """Return every fourth point: enough to tell readings of the drawing apart."""
        return _Curve(self.points[::4], self.closed)


@dataclass(frozen=True, eq=False)
class _Candidate:
    fit: PlanarSimilarity
    cost: float
    reversed: bool
    shift: float


def fit_drawn_path(level_xy: Array, drawn: Array) -> DrawnPathFit:
    """Return the floor similarity that lays the camera path on a drawn path.

    Both directions are tried, and for loops other starting points; the path is taken as drawn
    unless another reading fits clearly better.

    Args:
        level_xy: (N, 2) camera centres in the upright map, in the order they were taken.
        drawn: (K, 2) the drawn vertices in a right-handed plane (v flipped), K >= 2.

    Raises:
        GeometryError: Either path has no length.
    """
    drawn = _without_repeats(drawn)
    walk = _resample(_thinned(level_xy), closed=None)
    line = _resample(drawn, closed=walk.closed and None)
    walk = _Curve(walk.points, walk.closed and line.closed)
    shifts = np.arange(_SHIFTS) / _SHIFTS if line.closed else np.zeros(1)
    candidates = [
        _refine(walk.coarse(), line.coarse(), backwards, float(shift), iterations=8)
        for backwards in (False, True)
        for shift in shifts
    ]
    as_drawn = candidates[0]
    best = min(candidates, key=lambda c: c.cost)
    floor = 1e-9 * float(np.ptp(drawn, axis=0).max())
    chosen = best if best.cost < _PREFERENCE * as_drawn.cost - floor else as_drawn
    final = _refine(walk, line, chosen.reversed, chosen.shift, iterations=100)
    length = float(np.linalg.norm(np.diff(line.points, axis=0), axis=1).sum())
    rivals = [
        c
        for c in candidates
        if _disagreement(c.fit, final.fit, walk.points) > 0.05 * length
        and c.cost < final.cost / _PREFERENCE + 0.002 * length
    ]
    return DrawnPathFit(
        final.fit,
        _distance_to(final.fit.apply(level_xy), drawn),
        _distance_to(drawn, final.fit.apply(walk.points)),
        final.reversed,
        final.shift,
        bool(rivals),
    )


def _refine(
    walk: _Curve, line: _Curve, backwards: bool, shift: float, iterations: int
) -> _Candidate:
    line = _Curve(line.points[::-1] if backwards else line.points, line.closed)
    share = walk.share
    partner = (share + shift) % 1.0 if line.closed else share
    fit = fit_planar(walk.points, _at(line, partner))
    back = (line.share - shift) % 1.0 if line.closed else line.share
    for _ in range(iterations):
        moved = _Curve(fit.apply(walk.points), walk.closed)
        feet, partner = _closest(moved, line, partner)
        feet_back, back = _closest(line, moved, back)
        # Where the drawn points' feet lie on the walk, in the walk's own frame.
        source = np.concatenate([walk.points, (feet_back - fit.translation) @ _inverse(fit).T])
        target = np.concatenate([feet, line.points])
        weights = _robust_weights(fit.apply(source) - target)
        if not line.closed:
            source = np.concatenate([source, walk.points[[0, -1]]])
            target = np.concatenate([target, line.points[[0, -1]]])
            weights = np.append(weights, [_END_WEIGHT * weights.sum()] * 2)
        previous, fit = fit, fit_planar(source, target, weights)
        if _disagreement(previous, fit, walk.points) < 1e-7 * np.abs(line.points).max():
            break
    distances = np.linalg.norm(fit.apply(source) - target, axis=1)
    return _Candidate(fit, float(distances.mean()), backwards, shift)


def _closest(points: _Curve, line: _Curve, partner: Array) -> tuple[Array, Array]:
    """Return each point's foot on a line, near its last partner and going the same way."""
    start, step = line.points[:-1], np.diff(line.points, axis=0)
    offset = points.points[:, None] - start[None]
    along = np.clip((offset * step).sum(-1) / np.maximum((step**2).sum(-1), 1e-300), 0.0, 1.0)
    feet = start + along[..., None] * step
    distances = np.linalg.norm(points.points[:, None] - feet, axis=-1)
    position = (np.arange(len(step)) + along) / len(step)
    gap = np.abs(position - partner[:, None])
    gap = np.minimum(gap, 1.0 - gap) if line.closed else gap
    direction = np.gradient(points.points, axis=0)
    opposed = direction @ step.T < 0
    distances = np.where(opposed & (gap > 1.5 / len(step)), np.inf, distances)
    distances = np.where(gap > _WINDOW, np.inf, distances)
    rows = np.arange(len(distances))
    nearest = distances.argmin(axis=1)
    found = np.isfinite(distances[rows, nearest])
    fallback = _at(line, partner)
    return (
        np.where(found[:, None], feet[rows, nearest], fallback),
        np.where(found, position[rows, nearest], partner),
    )


def _robust_weights(errors: Array) -> Array:
    distances = np.linalg.norm(errors, axis=1)
    sigma = 1.4826 * float(np.median(distances))
    if sigma <= 0:
        return np.ones(len(distances))
    weights: Array = 1.0 / (1.0 + (distances / (2 * sigma)) ** 2)
    return weights


def _inverse(fit: PlanarSimilarity) -> Array:
    inverse: Array = np.linalg.inv(fit.matrix).astype(np.float64)
    return inverse


def _at(line: _Curve, share: Array) -> Array:
    return np.stack([np.interp(share, line.share, line.points[:, i]) for i in range(2)], axis=1)


def _disagreement(a: PlanarSimilarity, b: PlanarSimilarity, points: Array) -> float:
    return float(np.linalg.norm(a.apply(points) - b.apply(points), axis=1).max())


def _without_repeats(points: Array) -> Array:
    points = np.asarray(points, dtype=np.float64)
    keep = np.r_[True, np.linalg.norm(np.diff(points, axis=0), axis=1) > 0]
    return points[keep]


def _thinned(points: Array) -> Array:
    """Return the walk without standing still: jitter on the spot is no length walked."""
    step = 0.004 * float(np.linalg.norm(np.ptp(points, axis=0)))
    kept = [points[0]]
    for point in points[1:]:
        if np.linalg.norm(point - kept[-1]) > step:
            kept.append(point)
    if np.linalg.norm(points[-1] - kept[-1]) > 0:
        kept.append(points[-1])
    return np.array(kept)


def _resample(points: Array, *, closed: bool | None) -> _Curve:
    """Return equal steps along a polyline; ``closed`` None asks the ends."""
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    total = float(lengths.sum())
    if len(points) < 2 or total <= 0:
        raise GeometryError(
            "a path with length is wanted for `--path`, one that stays on a spot came; draw two "
            "or more points, and align standing cameras with `--control`"
        )
    gap = float(np.linalg.norm(points[-1] - points[0]))
    loop = gap < _CLOSED_GAP * total and len(points) > 3 if closed is None else closed
    if loop and gap > 0:
        points = np.concatenate([points, points[:1]])
        lengths = np.append(lengths, gap)
    along = np.r_[0.0, np.cumsum(lengths)]
    wanted = np.linspace(0.0, along[-1], _SAMPLES + 1)
    even = np.stack([np.interp(wanted, along, points[:, i]) for i in range(2)], axis=1)
    return _Curve(even, bool(loop))


def _distance_to(points: Array, line: NDArray[np.float64]) -> Array:
    start, step = line[:-1], np.diff(line, axis=0)
    offset = points[:, None] - start[None]
    along = np.clip((offset * step).sum(-1) / np.maximum((step**2).sum(-1), 1e-300), 0.0, 1.0)
    nearest: Array = np.linalg.norm(offset - along[..., None] * step, axis=-1).min(axis=1)
    return nearest
