"""Light of the lamps on every vertex: smooth falloff, walls that block, darker corners."""

from __future__ import annotations

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.floor.layout import FloorLayout, Rect

_WARM, _COOL = np.array([1.05, 0.99, 0.88]), np.array([0.95, 1.0, 1.06])


def bake_light(points: Array, normals: Array, layout: FloorLayout) -> Array:
    """Return (V, 3) red, green, blue light at points with normals (both (V, 3)).

    Each lamp shines with falloff ``1 / (1 + d^2 / r^2)`` and a wrapped cosine, so that ceilings
    and undersides are lit as if by the light that floors throw back. A wall between lamp and
    point blocks; seen from above, as every wall reaches the ceiling. (Lintels let light pass.)
    """
    reach, height = 1.9, layout.config.height_m - 0.1
    starts, ends = _blockers(layout)
    # A point on a wall is moved off it, or its own wall would block it.
    seen_from = points[:, :2] + 0.03 * normals[:, :2]
    light = np.full((len(points), 3), 0.26)
    for lamp in layout.lamps:
        towards = np.array([lamp.x, lamp.y, height]) - points
        distance = np.linalg.norm(towards, axis=1)
        cosine = np.einsum("ij,ij->i", towards, normals) / distance
        wrapped = 0.45 + 0.55 * cosine
        strength = 0.69 * lamp.power * np.clip(wrapped, 0, None) / (1 + (distance / reach) ** 2)
        strength *= 1 - _blocked(seen_from, np.array([lamp.x, lamp.y]), starts, ends)
        colour = lamp.warmth * _WARM + (1 - lamp.warmth) * _COOL
        light += strength[:, None] * colour
    dark = _corner_shade(points, normals, layout.config.height_m)
    dark *= _furniture_shade(points, normals, [f.rect for f in layout.furniture])
    return light * dark[:, None]


def _blockers(layout: FloorLayout) -> tuple[Array, Array]:
    """Return the ends (S, 2) of segments along the middle of the inner walls."""
    starts, ends = [], []
    for r in layout.walls[4:]:
        cx, cy = r.centre
        if r.x1 - r.x0 > r.y1 - r.y0:
            starts.append((r.x0, cy))
            ends.append((r.x1, cy))
        else:
            starts.append((cx, r.y0))
            ends.append((cx, r.y1))
    return np.array(starts), np.array(ends)


def _blocked(points: Array, lamp: Array, starts: Array, ends: Array) -> Array:
    """Return (V,) 1 where a segment crosses the way from the point to the lamp, else 0."""
    way = lamp - points
    blocked = np.zeros(len(points), dtype=bool)
    for a, b in zip(starts, ends, strict=True):
        wall = b - a
        side_a, side_b = _cross(way, a - points), _cross(way, b - points)
        side_p, side_l = _cross(wall, points - a), _cross(wall, lamp - a)
        blocked |= (side_a * side_b < 0) & (side_p * side_l < 0)
    return blocked.astype(np.float64)


def _cross(a: Array, b: Array) -> Array:
    product: Array = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return product


def _corner_shade(points: Array, normals: Array, height: float) -> Array:
    upright = np.abs(normals[:, 2]) < 0.5
    z = points[:, 2]
    shade = 1 - 0.22 * np.exp(-np.clip(z, 0, None) / 0.18) - 0.12 * np.exp(-(height - z) / 0.25)
    return np.where(upright, shade, 1.0)


def _furniture_shade(points: Array, normals: Array, rects: list[Rect]) -> Array:
    on_floor = (points[:, 2] < 0.02) & (normals[:, 2] > 0.5)
    shade = np.ones(len(points))
    for r in rects:
        dx = np.maximum(np.maximum(r.x0 - points[:, 0], points[:, 0] - r.x1), 0)
        dy = np.maximum(np.maximum(r.y0 - points[:, 1], points[:, 1] - r.y1), 0)
        near = np.exp(-np.hypot(dx, dy) / 0.18)
        shade *= np.where(on_floor, 1 - 0.4 * near, 1.0)
    return shade
