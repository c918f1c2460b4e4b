"""Light of a few lamps on every vertex, with shadows of what stands around and darker corners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.mesh import Block

#: What the rest of the room throws back.
AMBIENT = 0.42
#: The brightness the mean vertex gets, of 1.
MEAN_LIGHT = 0.82
#: No place gets brighter than this; what comes near is compressed, as by a camera.
MOST_LIGHT = 1.25
REACH_M = 2.5


@dataclass(frozen=True, eq=False)
class Lamp:
    """A small lamp.

    Attributes:
        position: (3,) metres.
        colour: (3,) red, green, blue strength.
    """

    position: Array
    colour: Array


def bake_light(
    points: Array, normals: Array, lamps: Sequence[Lamp], blocks: Sequence[Block], size: Array
) -> Array:
    """Return (V, 3) light at points with normals.

    Args:
        points: (V, 3) metres.
        normals: (V, 3), unit length.
        lamps: What shines.
        blocks: What throws shadows.
        size: (3,) the room from the origin, for the darker corners.
    """
    light = np.full((len(points), 3), AMBIENT)
    seen_from = points + 0.04 * normals
    for lamp in lamps:
        towards = lamp.position - seen_from
        distance = np.linalg.norm(towards, axis=1)
        cosine = np.einsum("ij,ij->i", towards, normals) / np.maximum(distance, 1e-6)
        strength = np.clip(0.25 + 0.75 * cosine, 0, None) / (1 + (distance / REACH_M) ** 2)
        strength *= 1 - 0.65 * blocked(seen_from, towards, blocks)
        light += strength[:, None] * lamp.colour
    gaps = np.concatenate([points, size - points], axis=1)
    gaps[np.abs(np.c_[normals, normals]) > 0.7] = np.inf
    shade = 1 - 0.3 * np.exp(-np.clip(gaps.min(axis=1), 0, None) / 0.2)
    lit: Array = light * shade[:, None]
    compressed: Array = MOST_LIGHT * np.tanh(lit * (MEAN_LIGHT / lit.mean()) / MOST_LIGHT)
    return compressed


def blocked(points: Array, towards: Array, blocks: Sequence[Block]) -> Array:
    """Return (V,) 1 where a block stands between point and lamp, else 0 (slab test).

    Args:
        points: (V, 3) metres.
        towards: (V, 3) ways from the points to the lamp.
        blocks: What throws shadows.
    """
    hidden = np.zeros(len(points), dtype=bool)
    starts = np.ascontiguousarray(points.T)
    # One axis after the other: NumPy reduces along three columns many times slower.
    inverse = 1.0 / np.where(np.abs(towards) < 1e-9, 1e-9, towards).T
    for block in blocks:
        enter, leave = np.full(len(points), -np.inf), np.full(len(points), np.inf)
        for axis in range(3):
            near = (block.low[axis] - starts[axis]) * inverse[axis]
            far = (block.high[axis] - starts[axis]) * inverse[axis]
            np.maximum(enter, np.minimum(near, far), out=enter)
            np.minimum(leave, np.maximum(near, far), out=leave)
        hidden |= (enter < leave) & (leave > 0.01) & (enter < 1) & (enter > -0.01)
    return hidden.astype(np.float64)
