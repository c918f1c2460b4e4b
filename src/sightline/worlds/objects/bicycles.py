"""Bicycles: racing, mountain, city and children's."""

from __future__ import annotations

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.mesh import Vec3
from sightline.worlds.objects.lamps import BLACK, RED_LIGHT, WHITE_LIGHT
from sightline.worlds.objects.model import Workbench, any_paint, colour
from sightline.worlds.objects.shapes import SIDES, Y, Z, moved


def build_bicycle(bench: Workbench) -> None:
    """Add a bicycle: racing, mountain, city or child's."""
    kind = bench.pick("road", "mountain", "city", "child")
    mesh, plain, metal = bench.mesh, bench.layer("paint"), bench.layer("metal")
    radius = bench.between(0.25, 0.28) if kind == "child" else bench.between(0.32, 0.36)
    thick = {"road": 0.017, "mountain": 0.032}.get(kind, 0.024)
    base = bench.between(0.98, 1.1) * (0.8 if kind == "child" else 1)
    paint = any_paint(bench)
    front, rear = np.array([0, -base / 2, radius]), np.array([0, base / 2, radius])
    for hub in (front, rear):
        _spoked(bench, hub, radius, thick)
    crank = np.array([0, rear[1] - 0.42 * base / 1.05, radius - 0.06])
    seat = moved(crank, 0, 0.17, bench.between(0.44, 0.56) * (0.8 if kind == "child" else 1))
    head = moved(
        front,
        0,
        bench.between(0.2, 0.27),
        bench.between(0.42, 0.52) * (0.8 if kind == "child" else 1),
    )
    pipe = bench.between(0.017, 0.026)
    low = head + 0.3 * (front - head)
    mesh.tube([crank, seat], pipe, plain, paint)
    mesh.tube([low, crank], 1.15 * pipe, plain, paint)
    top_end = crank + (0.42 if kind == "city" and bench.chance(0.6) else 0.92) * (seat - crank)
    mesh.tube([head, top_end], pipe, plain, paint)
    mesh.tube([head + 0.1 * (head - front), low], 1.2 * pipe, plain, paint)
    for side in SIDES:
        off = np.array([side * 0.055, 0, 0])
        mesh.tube(
            [low + 0.5 * off, front + off], 0.75 * pipe, plain, paint if kind != "road" else BLACK
        )
        mesh.tube([crank + 0.5 * off, rear + off], 0.7 * pipe, plain, paint)
        mesh.tube([crank + 0.88 * (seat - crank) + 0.5 * off, rear + off], 0.6 * pipe, plain, paint)
        _pedal(bench, crank, side, metal)
    _saddle(bench, crank, seat, metal)
    _handlebar(bench, kind, head, front)
    if kind == "city" or bench.chance(0.25):
        _city_parts(bench, (front, rear), radius, paint, seat)


def _pedal(bench: Workbench, crank: Array, side: float, metal: int) -> None:
    """Add a chain ring, arm and pedal; both hang down, so that left and right are alike."""
    mesh = bench.mesh
    pedal = moved(crank, side * 0.1, 0.02, -0.16)
    mesh.tube([moved(crank, side * 0.06, 0, 0), pedal], 0.012, metal, sides=6)
    mesh.block(moved(pedal, side * 0.05, 0, 0), (0.09, 0.08, 0.025), bench.layer("dark"))
    mesh.loft(
        [moved(crank, side * 0.03, 0, 0), moved(crank, side * 0.036, 0, 0)],
        np.full((2, 2), 0.085),
        metal,
        across=Y,
        up=Z,
    )


def _saddle(bench: Workbench, crank: Array, seat: Array, metal: int) -> None:
    mesh = bench.mesh
    saddle = seat + 0.22 * (seat - crank)
    mesh.tube([seat, saddle], 0.014, metal, sides=6)
    ends = saddle + np.array([[0, -0.15, 0.0], [0, -0.02, 0.02], [0, 0.08, 0.02], [0, 0.13, 0.02]])
    mesh.loft(
        ends, [[0.02, 0.015], [0.04, 0.03], [0.085, 0.035], [0.06, 0.02]], bench.layer("dark")
    )


def _spoked(bench: Workbench, hub: Array, radius: float, thick: float) -> None:
    mesh, metal = bench.mesh, bench.layer("metal")
    mesh.ring(hub, radius - thick, thick, bench.layer("rubber"))
    mesh.ring(hub, radius - 2.3 * thick, 0.5 * thick, metal, wide=0.7 * thick)
    mesh.tube([moved(hub, -0.06, 0, 0), moved(hub, 0.06, 0, 0)], 0.02, metal)
    for angle in np.linspace(0, 2 * np.pi, 14, endpoint=False):
        rim = hub + (radius - 2 * thick) * np.array([0, np.cos(angle), np.sin(angle)])
        mesh.tube([hub, rim], 0.0035, metal, sides=4, caps=False)


def _handlebar(bench: Workbench, kind: str, head: Array, front: Array) -> None:
    """Add stem, bar and grips."""
    mesh, metal, dark = bench.mesh, bench.layer("metal"), bench.layer("dark")
    way = (head - front) / np.linalg.norm(head - front)
    top = head + bench.between(0.1, 0.18) * way
    mesh.tube([head, top], 0.016, metal)
    for side in SIDES:
        if kind == "road":
            path = [
                moved(top, 0, -0.06, 0),
                moved(top, side * 0.2, -0.07, 0),
                moved(top, side * 0.21, -0.17, 0.01),
                moved(top, side * 0.21, -0.18, -0.09),
                moved(top, side * 0.21, -0.08, -0.13),
            ]
            mesh.tube(path, 0.016, dark)
            mesh.tube([top, path[0]], 0.016, metal)
        else:
            back = 0.12 if kind == "city" else 0.02
            path = [top, moved(top, side * 0.12, -0.03, 0.03), moved(top, side * 0.28, back, 0.04)]
            mesh.tube(path, 0.014, metal)
            mesh.tube([path[-1], path[-1] + [side * 0.06, 0.6 * back + 0.01, 0]], 0.02, dark)


def _city_parts(
    bench: Workbench, hubs: tuple[Array, Array], radius: float, paint: Vec3, seat: Array
) -> None:
    """Add mudguards, a carrier, and by chance a basket in front and a lamp."""
    mesh, plain, metal = bench.mesh, bench.layer("paint"), bench.layer("metal")
    front, rear = hubs
    mesh.ring(
        front, radius + 0.025, 0.006, plain, paint, arc=(0.35 * np.pi, 1.0 * np.pi), wide=0.03
    )
    mesh.ring(
        rear, radius + 0.025, 0.006, plain, paint, arc=(-0.1 * np.pi, 0.75 * np.pi), wide=0.03
    )
    rack = moved(rear, 0, 0.04, radius + 0.08)
    mesh.block(rack, (0.13, 0.36, 0.015), metal)
    for side in SIDES:
        mesh.tube(
            [moved(rear, side * 0.06, 0, 0), moved(rack, side * 0.06, 0.1, 0)],
            0.008,
            metal,
            sides=5,
        )
    if bench.chance(0.5):
        brown = colour(0.08, 0.5, 0.6)
        low = moved(front, 0, -0.08, radius + 0.12)
        mesh.loft(
            [low, moved(low, 0, 0, 0.2)],
            [[0.13, 0.1], [0.17, 0.14]],
            bench.layer("cloth"),
            brown,
            up=Y,
            power=6,
            caps=(True, False),
        )
    else:
        mesh.ball(moved(front, 0, -0.03, radius + 0.14), (0.045, 0.05, 0.045), plain, WHITE_LIGHT)
    mesh.block(moved(rack, 0, 0.19, -0.03), (0.06, 0.02, 0.05), plain, RED_LIGHT)
