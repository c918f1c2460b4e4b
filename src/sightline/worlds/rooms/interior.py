"""A furnished room, seen by somebody who stands in it, turns and takes a few steps."""

from __future__ import annotations

import numpy as np

from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.worlds.rooms.scene import RoomScene, Workshop
from sightline.worlds.rooms.shell import add_shell, hang_lamps
from sightline.worlds.rooms.viewpoints import look_along, up

#: The camera's middle moves inside a disk of this radius, and turns this far to each side.
ROAM_M, TURN_DEG = 0.75, 24.0
PITCH_DEG, ROLL_DEG = 14.0, 10.0
#: How near to things and walls a camera comes.
CLEAR_M, WALL_M = 0.3, 0.4


def build_interior(work: Workshop, views: int) -> RoomScene:
    """Return a room of 3 to 6 m."""
    rng = work.rng
    size = np.array([rng.uniform(3, 6), rng.uniform(3, 6), rng.uniform(2.4, 3.2)])
    add_shell(work, size, pictures=(1, 4))
    books = work.picture("books", 0.8)
    for wall in range(4):
        _furnish_wall(work, size, wall, books)
    _furnish_middle(work, size)
    lamps = hang_lamps(rng, size)
    return work.finish(size, lamps, _viewpoints(work, size, views))


def _furnish_wall(work: Workshop, size: Array, wall: int, books: int) -> None:
    """Stand things along one wall, from its start to its end."""
    rng, mesh = work.rng, work.mesh
    axis = wall % 2
    length, depth_of_room = float(size[axis]), float(size[1 - axis])
    at = float(rng.uniform(0.0, 0.7))
    for _ in range(3):
        width, depth = float(rng.uniform(0.4, 1.5)), float(rng.uniform(0.25, 0.6))
        if at + width > length - 0.05:
            return
        across = depth / 2 + 0.02
        spot = np.array([at + width / 2, across if wall < 2 else depth_of_room - across])
        centre = np.array([*(spot if axis == 0 else spot[::-1]), 0.0])
        extent = np.array([width, depth] if axis == 0 else [depth, width])
        tall = float(rng.choice((0.45, 0.75, 0.9, 1.4, 1.9)) * rng.uniform(0.9, 1.1))
        side = books if tall > 1.2 else work.stocked()
        mesh.box(centre, (*extent, tall), side, top=work.stocked())
        _crowd(work, centre + up(tall), 0.8 * extent, int(rng.integers(0, 4)))
        at += width + float(rng.uniform(0.1, 0.9))


def _furnish_middle(work: Workshop, size: Array) -> None:
    """Lay a rug and stand a table, a stool or a column somewhere."""
    rng, mesh = work.rng, work.mesh
    if rng.random() < 0.6 and not work.is_plain:
        wide, long = (float(v) for v in rng.uniform(0.3, 0.6, 2) * size[:2])
        x, y = (float(v) for v in size[:2] / 2)
        rug = work.picture("rug", wide / long)
        mesh.quad((x - wide / 2, y + long / 2, 0.006), (wide, 0, 0), (0, -long, 0), rug)
    for _ in range(int(rng.integers(1, 4))):
        spot = np.array([*(rng.uniform(0.2, 0.8, 2) * size[:2]), 0.0])
        turn = float(rng.uniform(0, np.pi))
        if rng.random() < 0.5:
            tall = float(rng.uniform(0.4, 0.8))
            extent = rng.uniform(0.4, 1.0, 2)
            layer = work.stocked()
            mesh.box(spot + up(tall - 0.06), (*extent, 0.06), layer, turn=turn)
            mesh.box(spot, (0.12, 0.12, tall - 0.06), layer, turn=turn)
            _crowd(work, spot + up(tall), 0.6 * extent, int(rng.integers(1, 4)))
        else:
            tall, radius = float(rng.uniform(0.3, 1.0)), float(rng.uniform(0.1, 0.3))
            mesh.turned(spot, vase_profile(rng, radius, tall), work.stocked())


def _crowd(work: Workshop, centre: Array, extent: Array, count: int) -> None:
    """Put small things on a top."""
    rng = work.rng
    layer = work.stocked() if count else 0
    for _ in range(count):
        spot = centre + np.array([*(rng.uniform(-0.4, 0.4, 2) * extent), 0.0])
        add_thing(work, spot, float(rng.uniform(0.06, 0.16)), layer)


def add_thing(work: Workshop, spot: Array, scale: float, layer: int) -> None:
    """Add a box, a vase or a lump about twice ``scale`` high."""
    rng = work.rng
    red, green, blue = (float(v) for v in rng.uniform(0.6, 1.1, 3))
    tint = (red, green, blue)
    kind = int(rng.integers(3))
    if kind == 0:
        size, turn = scale * rng.uniform(0.8, 2.2, 3), float(rng.uniform(0, np.pi))
        work.mesh.box(spot, size, layer, turn=turn, tint=tint, metres=4 * scale)
    elif kind == 1:
        profile = vase_profile(rng, scale * rng.uniform(0.5, 1), scale * rng.uniform(1.2, 2.5))
        work.mesh.turned(spot, profile, layer, tint=tint, sides=20)
    else:
        work.mesh.lump(spot, scale * rng.uniform(0.7, 1.3, 3), layer, rng, tint=tint)


def vase_profile(rng: np.random.Generator, radius: float, tall: float) -> Array:
    """Return the (N, 2) outline of a vase, can or bottle from the top down, closed above."""
    knots = rng.uniform(0.5, 1.0, 5)
    s = np.linspace(0, 1, 13)
    swell = np.interp(s, np.linspace(0, 1, 5), knots / knots.max())
    body = np.stack([radius * swell, tall * (1 - s)], axis=1)
    lid: Array = np.array([[1e-4, tall]])
    return np.concatenate([lid, body])


def _viewpoints(work: Workshop, size: Array, views: int) -> Pose:
    """Return poses around one place, looking about in one direction."""
    rng = work.rng
    heading = float(rng.uniform(0, 2 * np.pi))
    ahead = np.array([np.cos(heading), np.sin(heading)])
    # Half a step back from the middle, so that there is something before the camera.
    middle = size[:2] / 2 - 0.15 * size[:2].min() * ahead
    height, tilt = float(rng.uniform(1.1, 1.7)), float(rng.uniform(-16, 4))
    chosen: list[Array] = []
    for _ in range(4000):
        radius, angle = ROAM_M * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        xy = middle + radius * np.array([np.cos(angle), np.sin(angle)])
        spot = np.array([*xy, height + rng.uniform(-0.35, 0.35)])
        if len(chosen) < views and _is_free(work, size, spot):
            chosen.append(spot)
    while len(chosen) < views:
        # A crowded room: from above all things.
        chosen.append(np.array([*(middle + rng.uniform(-0.3, 0.3, 2)), size[2] - 0.3]))
    # Arcsine-distributed: often near both ends, so that pairs differ by much.
    turn = np.deg2rad(TURN_DEG) * np.sin(rng.uniform(-np.pi, np.pi, views))
    pitch = np.deg2rad(tilt + PITCH_DEG * np.sin(rng.uniform(-np.pi, np.pi, views)))
    roll = np.deg2rad(ROLL_DEG * rng.uniform(-1, 1, views))
    yaw = heading + turn
    forward = np.stack(
        [np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)], axis=1
    )
    return look_along(np.array(chosen), forward, roll)


def _is_free(work: Workshop, size: Array, spot: Array) -> bool:
    if (spot[:2] < WALL_M).any() or (spot[:2] > size[:2] - WALL_M).any():
        return False
    if spot[2] > size[2] - 0.2:
        return False
    near = (
        (spot > block.low - CLEAR_M).all() and (spot < block.high + CLEAR_M).all()
        for block in work.mesh.blocks
    )
    return not any(near)
