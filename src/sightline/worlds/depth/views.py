"""Where photos are taken from: lenses, heights, tilts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.depth.scene import DepthWorkshop, View
from sightline.worlds.mesh import Block

#: How near to things and walls a camera comes.
CLEAR_M, WALL_M = 0.25, 0.3
#: Usual field of view in degrees, and roll's standard deviation.
_USUAL_DEG, _ROLL_DEG = 60.0, 4.0
_TRIES = 40
#: Share of the photos in rooms that are taken over a thing.
_OVER_A_THING = 0.4

Lens = tuple[float, float]


def draw_fov(rng: np.random.Generator, lens: Lens) -> float:
    """Return a horizontal field of view in radians between two in degrees; most are near 60."""
    low, high = lens
    usual = min(max(_USUAL_DEG, low), high)
    degrees = rng.triangular(low, usual, high) if high > low else low
    return float(np.deg2rad(degrees))


def draw_roll(rng: np.random.Generator) -> float:
    """Return a roll in radians; one photo in eight is held carelessly."""
    return float(np.deg2rad(rng.normal(0, _ROLL_DEG * (3 if rng.random() < 0.125 else 1))))


def direction(yaw: float, pitch: float) -> Array:
    """Return the (3,) direction of a heading and a tilt upwards, both in radians."""
    return np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])


def is_free(work: DepthWorkshop, spot: Array) -> bool:
    """Return whether a camera can be in a place: no block is near."""
    return not any(
        (spot > block.low - CLEAR_M).all() and (spot < block.high + CLEAR_M).all()
        for block in work.mesh.blocks
    )


def inside_views(
    work: DepthWorkshop, size: Array, lens: Lens
) -> Callable[[np.random.Generator], View]:
    """Return a photographer who walks about a room of (3,) metres.

    Cameras are held at any height; the higher they are, the more they look down. Most look across
    the room, many over a thing that is near: what people photograph has a foreground.
    """
    middle = size[:2] / 2

    def draw(rng: np.random.Generator) -> View:
        over_a_thing = bool(work.mesh.blocks) and rng.random() < _OVER_A_THING
        spot = np.append(middle, 1.5)
        for _ in range(_TRIES):
            xy, target = _across(rng, size)
            if over_a_thing:
                xy, target = _beside(rng, work.mesh.blocks)
            height = np.clip(rng.normal(1.35, 0.32), 0.4, min(2.2, size[2] - 0.2))
            inside = (xy > WALL_M).all() and (xy < size[:2] - WALL_M).all()
            if inside and is_free(work, np.append(xy, height)):
                spot = np.append(xy, height)
                break
        ahead = target - spot[:2]
        yaw = float(np.arctan2(ahead[1], ahead[0]))
        down = -16 * (spot[2] - 0.9) - 6
        pitch = float(np.deg2rad(np.clip(rng.normal(down, 9), -55, 30)))
        return View(spot, direction(yaw, pitch), draw_roll(rng), draw_fov(rng, lens))

    return draw


def _across(rng: np.random.Generator, size: Array) -> tuple[Array, Array]:
    """Return a (2,) place and one to look at, on the other side of the room's middle."""
    xy = rng.uniform(WALL_M, size[:2] - WALL_M)
    target = size[:2] / 2 + rng.uniform(0.1, 1.0) * (size[:2] / 2 - xy)
    return xy, target + rng.normal(0, 0.15, 2) * size[:2]


def _beside(rng: np.random.Generator, blocks: list[Block]) -> tuple[Array, Array]:
    """Return a (2,) place before one of the blocks, and its middle, roughly."""
    block = blocks[int(rng.integers(len(blocks)))]
    centre, half = (block.low + block.high)[:2] / 2, (block.high - block.low)[:2] / 2
    angle = rng.uniform(0, 2 * np.pi)
    out = np.array([np.cos(angle), np.sin(angle)])
    xy = centre + (np.abs(out) @ half + rng.uniform(0.35, 1.3)) * out
    return xy, centre + rng.normal(0, 0.3, 2)


def target_views(
    work: DepthWorkshop, size: Array, target: Array, lens: Lens, reach: tuple[float, float]
) -> Callable[[np.random.Generator], View]:
    """Return a photographer who looks at a (3,) target from ``reach`` metres, and above it."""

    def draw(rng: np.random.Generator) -> View:
        spot = target
        for _ in range(_TRIES):
            around, above = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(6, 60))
            out = direction(float(around), float(above))
            spot = target + rng.uniform(*reach) * out
            inside = (spot[:2] > WALL_M).all() and (spot[:2] < size[:2] - WALL_M).all()
            if inside and spot[2] < size[2] - 0.2 and is_free(work, spot):
                break
        aim = target + rng.normal(0, 0.2, 3) * np.linalg.norm(spot - target)
        return View(spot, aim - spot, draw_roll(rng), draw_fov(rng, lens))

    return draw
