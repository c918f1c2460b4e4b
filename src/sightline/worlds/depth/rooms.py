"""Rooms, corridors and desks."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.depth.furniture import (
    Frame,
    add_papers,
    add_small,
    add_table,
    crowd,
    furnish_middle,
    furnish_wall,
)
from sightline.worlds.depth.scene import DepthScene, DepthWorkshop, View
from sightline.worlds.depth.views import Lens, inside_views, target_views
from sightline.worlds.rooms.light import Lamp, bake_light
from sightline.worlds.rooms.shell import SEAM_M, add_skirting, hang_pictures

_GROUPS = ("dining", "dining", "dining", "sofas", "sofas", "chair", "chair", "heap", "machine")


def build_room(work: DepthWorkshop, lens: Lens) -> DepthScene:
    """Return a furnished room of 2.5 to 9 m."""
    rng = work.rng
    # Small and middle-sized ones are most usual.
    sides = 2.5 + 6.5 * rng.beta(1.5, 2.5, 2)
    size = np.array([*sides, rng.uniform(2.3, 3.4)])
    enclose(work, size, pictures=(0, 5))
    share = rng.uniform(0.5, 1.0)
    for a, b in _walls(size):
        if rng.random() < share:
            _furnish(work, a, b, float(size[2]))
    for _ in range(int(rng.poisson(0.7 + 0.1 * sides[0] * sides[1]))):
        spot = np.array([*(rng.uniform(0.18, 0.82, 2) * size[:2]), 0.0])
        furnish_middle(work, spot, group=str(rng.choice((*_GROUPS, "column"))))
    if rng.random() < 0.3:
        _add_partition(work, size)
    return finish(work, size, inside_views(work, size, lens), (0.9, 9.0))


def build_corridor(work: DepthWorkshop, lens: Lens) -> DepthScene:
    """Return a corridor of 5 to 20 m with doors, cupboards and chairs."""
    rng = work.rng
    size = np.array([rng.uniform(1.5, 3.5), rng.uniform(5, 20), rng.uniform(2.3, 3.5)])
    if rng.random() < 0.5:
        size = size[[1, 0, 2]]
    enclose(work, size, pictures=(1, 5))
    layer, wide, tall = work.picture("door", 0.45), float(rng.uniform(0.8, 1.0)), 2.05
    for a, b in _walls(size):
        length = float(np.linalg.norm(b - a))
        along = (b - a) / length
        turn = float(np.arctan2(along[1], along[0]))
        for x in np.arange(rng.uniform(0.8, 2.5), length - 0.8, rng.uniform(2.0, 4.5)):
            foot = np.array([*(a + float(x) * along), 0.0])
            work.mesh.box(foot, (wide, 0.09, tall), layer, turn=turn, solid=False)
        if length > 4 and rng.random() < 0.5:
            inward = np.array([along[1], -along[0]])
            foot = np.array([*(a + float(rng.uniform(1, length - 1)) * along + 0.3 * inward), 0.0])
            work.place("chair", foot, float(np.arctan2(inward[0], -inward[1])))
    for _ in range(int(rng.integers(0, 3))):
        spot = np.array([*(rng.uniform(0.1, 0.9, 2) * size[:2]), 0.0])
        furnish_middle(work, spot, group=str(rng.choice(("chair", "column", "heap"))))
    return finish(work, size, inside_views(work, size, lens), (1.0, 12.0))


def build_desk(work: DepthWorkshop, lens: Lens) -> DepthScene:
    """Return a desk or a table with things on it, seen from near."""
    rng = work.rng
    size = np.array([rng.uniform(2.6, 6), rng.uniform(2.6, 6), rng.uniform(2.3, 3.0)])
    enclose(work, size, pictures=(0, 3))
    for a, b in _walls(size):
        if rng.random() < 0.6:
            _furnish(work, a, b, float(size[2]))
    turn = float(rng.uniform(0, 2 * np.pi))
    spot = np.array([*(rng.uniform(0.35, 0.65, 2) * size[:2]), 0.0])
    board = (float(rng.uniform(0.7, 2.0)), float(rng.uniform(0.55, 1.2)))
    tall = add_table(work, spot, turn, (*board, float(rng.uniform(0.55, 0.95))))
    frame = Frame(spot, turn)
    if rng.random() < 0.4:
        work.place("tvmonitor", frame.at(0, 0.3 * board[1], tall), turn, scale=0.6)
    crowd(work, frame, board, tall, int(rng.integers(2, 14)))
    add_papers(work, frame, board, tall)
    for _ in range(int(rng.integers(0, 3))):
        x, y = (float(v) for v in rng.uniform(-0.3, 0.3, 2))
        add_small(work, frame.at(x, y, tall), float(rng.uniform(0.1, 0.2)))
    for side in (-1, 1):
        if rng.random() < 0.5:
            seat = frame.at(float(rng.normal(0, 0.2)), side * (board[1] / 2 + 0.25))
            work.place("chair", seat, turn + (np.pi if side < 0 else 0.0))
    target = frame.at(0, 0, tall + 0.1)
    views = target_views(work, size, target, (min(lens[0], 45.0), min(70.0, lens[1])), (0.5, 1.8))
    return finish(work, size, views, (0.45, 4.0))


def _walls(size: Array) -> list[tuple[Array, Array]]:
    """Return both (2,) corners of each wall, clockwise from above: the room is on the right."""
    w, d = float(size[0]), float(size[1])
    corners = [np.array(c) for c in ((0.0, 0.0), (0.0, d), (w, d), (w, 0.0), (0.0, 0.0))]
    return list(itertools.pairwise(corners))


def _furnish(work: DepthWorkshop, a: Array, b: Array, height: float) -> None:
    length = float(np.linalg.norm(b - a))
    along = (b - a) / length
    furnish_wall(work, a, along, np.array([along[1], -along[0]]), length, height)


def enclose(work: DepthWorkshop, size: Array, *, pictures: tuple[int, int]) -> None:
    """Add floor, ceiling and walls of a room, and what hangs on the walls."""
    w, d, h = (float(v) for v in size)
    rng, mesh, e = work.rng, work.mesh, SEAM_M
    mesh.quad(
        (-e, d + e, 0), (w + 2 * e, 0, 0), (0, -d - 2 * e, 0), work.of("floor"),
        metres=float(rng.uniform(0.8, 3.0)), offset=work.shift(), step_m=0.3,
    )  # fmt: skip
    mesh.quad(
        (-e, -e, h), (w + 2 * e, 0, 0), (0, d + 2 * e, 0), work.of("ceiling"),
        metres=float(rng.uniform(1.2, 3.0)), offset=work.shift(),
    )  # fmt: skip
    papers = [work.of("wall") for _ in range(2)]
    for a, b in _walls(size):
        along = (b - a) / np.linalg.norm(b - a)
        start, right = a - e * along, b - a + 2 * e * along
        paper = papers[int(rng.random() < 0.3)]
        mesh.quad(
            (*start, h + e), (*right, 0.0), (0, 0, -h - 2 * e), paper,
            metres=float(rng.uniform(1.6, 3.2)), offset=work.shift(),
        )  # fmt: skip
        hang_pictures(work, a, b, h, int(rng.integers(pictures[0], pictures[1] + 1)))
    if rng.random() < 0.6:
        add_skirting(work, w, d)
    if rng.random() < 0.35:
        wide, long = (float(v) for v in rng.uniform(0.25, 0.6, 2) * size[:2])
        x, y = (float(v) for v in rng.uniform(0.3, 0.7, 2) * size[:2])
        rug = work.picture("rug", 1.0) if rng.random() < 0.5 else work.of("cloth")
        mesh.quad((x - wide / 2, y + long / 2, 0.006), (wide, 0, 0), (0, -long, 0), rug)


def _add_partition(work: DepthWorkshop, size: Array) -> None:
    """Stand a wall or a half-high one into the room, from one of its sides."""
    rng, axis = work.rng, int(work.rng.integers(2))
    reach = float(rng.uniform(0.25, 0.6)) * float(size[axis])
    tall = float(size[2]) + SEAM_M if rng.random() < 0.6 else float(rng.uniform(0.9, 1.3))
    across = float(rng.uniform(0.25, 0.75)) * float(size[1 - axis])
    centre = np.array([reach / 2, across] if axis == 0 else [across, reach / 2])
    extent = (reach, 0.12) if axis == 0 else (0.12, reach)
    work.mesh.box((*centre, 0.0), (*extent, tall), work.of("wall"), metres=2.2)


def finish(
    work: DepthWorkshop,
    size: Array,
    draw_view: Callable[[np.random.Generator], View],
    typical_m: tuple[float, float],
) -> DepthScene:
    """Return the scene in the light of its lamps."""
    rng = work.rng
    points, normals, rest, triangles = work.mesh.arrays()
    big = [b for b in work.mesh.blocks if np.linalg.norm(b.high - b.low) > 0.3]
    light = bake_light(points, normals, _lamps(rng, size), big, size)
    glow = rest[:, 6:7]
    vertices = np.concatenate(
        [points, rest[:, :3], np.where(glow > 0, glow, light) * rest[:, 3:6]], axis=1
    )
    return DepthScene(
        vertices.astype(np.float32), triangles, np.stack(work.textures), draw_view, typical_m
    )


def _lamps(rng: np.random.Generator, size: Array) -> list[Lamp]:
    """Return one lamp to four of one warmth: on the ceiling, standing, or a window's light."""
    warmth = float(rng.uniform(-0.1, 0.2))
    colour = np.array([1 + warmth, 1.0, 1 - 1.3 * warmth])
    lamps = []
    for _ in range(int(rng.integers(1, 4)) + int(size[:2].max() > 6)):
        spot = rng.uniform(0.05, 0.95, 2) * size[:2]
        tall = size[2] - rng.uniform(0.05, 0.7) if rng.random() < 0.75 else rng.uniform(0.8, 1.9)
        lamps.append(Lamp(np.array([*spot, tall]), colour * rng.uniform(0.4, 1.3)))
    return lamps
