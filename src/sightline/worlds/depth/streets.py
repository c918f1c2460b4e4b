"""Streets, squares and gardens: ground, houses, trees, cars, a sun and a sky."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.depth.scene import DepthScene, DepthWorkshop, View
from sightline.worlds.depth.views import Lens, direction, draw_fov, draw_roll, is_free
from sightline.worlds.mesh import Block
from sightline.worlds.rooms.light import blocked

#: The ground reaches so far; the renderer sees as far.
FAR_M = 260.0
_PARKED = ("car", "car", "car", "car", "car", "bus", "motorbike", "bicycle")


def build_street(work: DepthWorkshop, lens: Lens) -> DepthScene:
    """Return a street along y between houses, trees and cars, or a place with things about."""
    rng = work.rng
    wide = float(rng.uniform(5, 14))
    pavement = float(rng.uniform(1.0, 5.0))
    _add_ground(work, wide, pavement)
    for side in (-1.0, 1.0):
        _add_row(work, side, wide / 2 + pavement)
        _add_kerb(work, side, wide, pavement)
    for _ in range(int(rng.integers(0, 5))):
        spot = np.array([rng.uniform(-0.4, 0.4) * wide, rng.uniform(-50, 50), 0.0])
        lane = 0.0 if rng.random() < 0.5 else np.pi
        work.place(str(rng.choice(("car", "car", "bus"))), spot, lane + float(rng.normal(0, 0.05)))
    if rng.random() < 0.3:
        _scatter(work, wide)
    points, normals, rest, triangles = work.mesh.arrays()
    light = sun_light(rng, points, normals, work.mesh.blocks)
    vertices = np.concatenate([points, rest[:, :3], light * rest[:, 3:6]], axis=1)
    return DepthScene(
        vertices.astype(np.float32), triangles, np.stack(work.textures),
        _walker(work, wide, pavement, lens), (3.0, 60.0),
    )  # fmt: skip


def _add_ground(work: DepthWorkshop, wide: float, pavement: float) -> None:
    """Add road, pavements and what is beside; vertices are close where shadows are seen."""
    rng = work.rng
    y = np.concatenate(
        [-np.geomspace(FAR_M, 42, 8), np.arange(-40, 41, 1.0), np.geomspace(42, FAR_M, 8)]
    )
    edge = wide / 2
    rise = float(rng.choice((0.0, 0.06, 0.14)))
    beside = work.of("grass") if rng.random() < 0.5 else work.of("road")
    strips = [
        (-edge, edge, 0.0, work.of("road")),
        (edge, edge + pavement, rise, work.of("floor")),
        (edge + pavement, FAR_M, rise, beside),
    ]
    metres = rng.uniform(1.5, 6.0, 3)
    for k, (x0, x1, z, layer) in enumerate(strips):
        for side in (1.0,) if k == 0 else (-1.0, 1.0):
            reach = x1 - x0
            x = x0 + (
                np.linspace(0, reach, max(2, int(reach) + 1))
                if reach < 20
                else np.r_[np.linspace(0, 20, 14), np.geomspace(30, reach, 6)]
            )
            xx, yy = np.meshgrid(np.sort(side * x), y)
            points = np.stack([xx, yy, np.full_like(xx, z)], axis=-1)
            uv = points[..., :2] / metres[k]
            work.mesh.grid(points, np.array([0.0, 0.0, 1.0]), uv, layer)
    if rise:
        for x in (-edge, edge):
            work.mesh.quad(
                (x, -FAR_M, rise), (0, 2 * FAR_M, 0), (0, 0, -rise), work.of("road"), metres=2.0,
                step_m=20.0,
            )  # fmt: skip
    if rng.random() < 0.6:
        paint = work.material("plain")
        dash, gap = float(rng.uniform(1.5, 4)), float(rng.uniform(0, 5))
        for at in np.arange(-60, 60, dash + gap):
            work.mesh.quad(
                (-0.07, float(at), 0.006), (0.14, 0, 0), (0, dash, 0), paint, tint=(1.3, 1.3, 1.3),
                step_m=10.0,
            )  # fmt: skip


def _add_row(work: DepthWorkshop, side: float, start: float) -> None:
    """Add one side's houses, or hedges and trees; far ones close the view."""
    rng = work.rng
    at, back = -80.0, start + float(rng.uniform(0, 6))
    built = rng.random() < 0.75
    while at < 120.0:
        length = float(rng.uniform(5, 22))
        if built and rng.random() < 0.85:
            deep, tall = float(rng.uniform(6, 12)), float(rng.uniform(3, 16))
            x = side * (back + deep / 2 + float(rng.uniform(0, 2)))
            work.mesh.box(
                (x, at + length / 2, 0.0), (deep, length, tall), work.of("facade"),
                metres=float(rng.uniform(5, 10)), step_m=6.0, offset=work.shift(),
            )  # fmt: skip
        elif rng.random() < 0.7:
            add_tree(work, np.array([side * (back + rng.uniform(0, 8)), at, 0.0]))
        at += length + (0.0 if built and rng.random() < 0.7 else float(rng.uniform(1, 14)))
    if rng.random() < 0.3:
        long = float(rng.uniform(20, 100))
        work.mesh.box(
            (side * (start + 0.2), float(rng.uniform(-20, 20)), 0.0),
            (float(rng.uniform(0.1, 1.0)), long, float(rng.uniform(0.6, 2.0))),
            work.of(str(rng.choice(("leaves", "wood", "thing")))), metres=2.0, step_m=3.0,
        )  # fmt: skip
    # The street's end: something stands across it.
    if side > 0 and rng.random() < 0.6:
        for end in (-1, 1):
            foot = (0.0, end * float(rng.uniform(45, 140)), 0.0)
            work.mesh.box(
                foot, (60.0, 10.0, float(rng.uniform(5, 16))),
                work.of(str(rng.choice(("facade", "leaves")))), metres=8.0, step_m=6.0,
            )  # fmt: skip


def _add_kerb(work: DepthWorkshop, side: float, wide: float, pavement: float) -> None:
    """Add what stands along a pavement: parked cars, trees, posts, people."""
    rng = work.rng
    if rng.random() < 0.75:
        at, gap = -35.0, float(rng.uniform(0.3, 6))
        turn = 0.0 if side > 0 else np.pi
        while at < 45:
            if rng.random() < 0.7:
                category = str(rng.choice(_PARKED))
                spot = np.array([side * (wide / 2 - 1.1), at, 0.0])
                work.place(category, spot, turn + float(rng.normal(0, 0.04)))
                at += 6.0 if category == "bus" else 0.0
            at += 5.6 + gap * float(rng.uniform(0.3, 1.5))
    spacing = float(rng.uniform(5, 16))
    trees, posts = rng.random() < 0.5, rng.random() < 0.6
    for at in np.arange(-40, 70, spacing):
        spot = np.array([side * (wide / 2 + rng.uniform(0.3, 0.9)), at + rng.uniform(-1, 1), 0.0])
        if trees and rng.random() < 0.8:
            add_tree(work, spot)
        elif posts:
            tall, thick = float(rng.uniform(0.8, 7)), float(rng.uniform(0.04, 0.15))
            profile = np.array([[1e-4, tall], [thick, tall], [thick, 0.0]])
            work.mesh.turned(spot, profile, work.stocked(), sides=8)
    for _ in range(int(rng.poisson(1.5))):
        x = side * (wide / 2 + float(rng.uniform(0.2, pavement)))
        add_person(work, np.array([x, float(rng.uniform(-25, 25)), 0.0]))


def _scatter(work: DepthWorkshop, wide: float) -> None:
    """Put big boxes and things anywhere, as on a building site or a market."""
    rng = work.rng
    for _ in range(int(rng.integers(4, 14))):
        spot = np.array([*rng.uniform(-1.5, 1.5, 1) * wide, rng.uniform(-30, 30), 0.0])
        size = rng.uniform(0.4, 3.0, 3)
        work.mesh.box(
            spot, size, work.stocked(), turn=float(rng.uniform(0, np.pi)), metres=2.0, step_m=2.0
        )


def add_tree(work: DepthWorkshop, spot: Array) -> None:
    """Add a trunk and one to three lumps of leaves."""
    rng = work.rng
    tall, reach = float(rng.uniform(3, 12)), float(rng.uniform(0.9, 3.2))
    trunk, thick = float(rng.uniform(0.2, 0.5)) * tall, 0.03 * tall
    profile = np.array([[0.7 * thick, trunk + 0.3], [thick, 0.0]])
    work.mesh.turned(spot, profile, work.material("planks", "plaster"), sides=8)
    leaves = work.of("leaves")
    for _ in range(int(rng.integers(1, 4))):
        off = np.array([*rng.normal(0, 0.25 * reach, 2), trunk + rng.uniform(0, 0.15) * tall])
        radii = np.array([reach, reach, 0.5 * (tall - trunk)]) * rng.uniform(0.6, 1.0, 3)
        work.mesh.lump(spot + off, radii, leaves, rng, bumps=0.22, turns=5.0)


def add_person(work: DepthWorkshop, spot: Array) -> None:
    """Add somebody who stands: legs, a coat, a head."""
    tall = float(work.rng.uniform(1.2, 1.9))
    legs, coat = work.stocked(), work.stocked()
    lower = tall * np.array([[0.09, 0.5], [0.08, 0.0]])
    upper = tall * np.array([[0.03, 0.86], [0.11, 0.8], [0.13, 0.6], [0.11, 0.45]])
    head = tall * np.array([[1e-4, 1.0], [0.05, 0.98], [0.06, 0.92], [0.03, 0.85]])
    skin = work.layer(np.full_like(work.textures[0], (200, 160, 130)))
    for profile, layer in ((lower, legs), (upper, coat), (head, skin)):
        work.mesh.turned(spot, profile, layer, sides=12, solid=layer == coat)


def sun_light(
    rng: np.random.Generator, points: Array, normals: Array, blocks: list[Block]
) -> Array:
    """Return (V, 3) light of a sky and, under a clear one, of a sun with shadows."""
    overcast = rng.random() < 0.35
    sky = rng.uniform(0.6, 0.9) if overcast else rng.uniform(0.35, 0.6)
    light = sky * (0.65 + 0.35 * normals[:, 2:]) * np.array([[0.97, 1.0, 1.04]])
    if overcast:
        even: Array = np.minimum(light * 1.3, 1.3)
        return even
    way = direction(float(rng.uniform(0, 2 * np.pi)), float(np.deg2rad(rng.uniform(18, 70))))
    cosine = np.clip(normals @ way, 0, None)
    near = np.linalg.norm(points[:, :2], axis=1) < 70
    lit = np.ones(len(points))
    start = points[near] + 0.05 * normals[near]
    lit[near] = 1 - 0.9 * blocked(start, np.broadcast_to(60 * way, start.shape), blocks)
    warm = float(rng.uniform(0, 0.12))
    sun = rng.uniform(0.6, 1.0) * np.array([1 + warm, 1.0, 1 - warm])
    sunny: Array = np.minimum(light + (lit * cosine)[:, None] * sun, 1.35)
    return sunny


def _walker(
    work: DepthWorkshop, wide: float, pavement: float, lens: Lens
) -> Callable[[np.random.Generator], View]:
    """Return a photographer in the street or on a pavement who looks mostly along it."""

    def draw(rng: np.random.Generator) -> View:
        spot = np.zeros(3)
        for _ in range(40):
            x = rng.uniform(-wide / 2 - 0.8 * pavement, wide / 2 + 0.8 * pavement)
            spot = np.array([x, rng.uniform(-25, 25), rng.uniform(1.0, 2.4)])
            if is_free(work, spot):
                break
        along = np.pi / 2 if rng.random() < 0.5 else -np.pi / 2
        yaw = float(along + np.deg2rad(rng.normal(0, 12 if rng.random() < 0.6 else 50)))
        pitch = float(np.deg2rad(rng.normal(-3, 5)))
        return View(spot, direction(yaw, pitch), 0.6 * draw_roll(rng), draw_fov(rng, lens))

    return draw
