"""Motorbikes: naked ones, sports bikes, cruisers, scooters."""

from __future__ import annotations

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.mesh import Vec3
from sightline.worlds.objects.lamps import BLACK, RED_LIGHT, WHITE_LIGHT
from sightline.worlds.objects.model import Workbench, any_paint
from sightline.worlds.objects.shapes import SIDES, Y, Z, moved


def build_motorbike(bench: Workbench) -> None:
    """Add a motorbike: naked, sports, cruiser or scooter."""
    kind = bench.pick("naked", "sports", "cruiser", "scooter")
    mesh, plain, metal, dark = (bench.mesh, *(bench.layer(k) for k in ("paint", "metal", "dark")))
    radius = bench.between(0.22, 0.26) if kind == "scooter" else bench.between(0.29, 0.33)
    base = bench.between(1.5, 1.7) if kind == "cruiser" else bench.between(1.28, 1.45)
    paint = any_paint(bench)
    front, rear = np.array([0, -base / 2, radius]), np.array([0, base / 2, radius])
    _wheels(bench, (front, rear), radius)
    mesh.ring(front, radius + 0.03, 0.012, plain, paint, arc=(0.3 * np.pi, 0.95 * np.pi), wide=0.07)
    rake = {"cruiser": 0.42, "scooter": 0.2}.get(kind, 0.27)
    head = moved(front, 0, rake, bench.between(0.5, 0.6) + (0.08 if kind == "scooter" else 0))
    for side in SIDES:
        off = np.array([side * 0.09, 0, 0])
        mesh.tube([front + off, head + 0.9 * off], 0.03, metal)
    _bars(bench, kind, head)
    lamp = moved(head, 0, -0.1, 0.0 if kind != "scooter" else 0.08)
    mesh.ball(lamp, (0.1, 0.08, 0.1), dark)
    mesh.ball(moved(lamp, 0, -0.05, 0), (0.085, 0.05, 0.085), plain, WHITE_LIGHT)
    if kind == "scooter":
        _scooter(bench, (front, rear, head), radius, paint)
        return
    engine = np.array([0, 0.02 * base, radius + 0.08])
    seat = _tank_and_seat(bench, kind, head, rear, paint)
    mesh.ring(rear, radius + 0.04, 0.012, plain, paint, arc=(0.05 * np.pi, 0.7 * np.pi), wide=0.08)
    _engine(bench, kind, engine, (head, rear), paint)
    for side in SIDES:
        strut = [moved(rear, side * 0.13, -0.05, 0.05), np.array([side * 0.12, 0.45, seat])]
        mesh.tube(strut, 0.03, metal)
    if kind == "sports":
        _fairing(bench, head, engine, paint)
    elif kind == "cruiser" and bench.chance(0.6):
        for side in SIDES:
            mesh.block(moved(rear, side * 0.24, 0.0, 0.16), (0.16, 0.42, 0.28), dark)


def _wheels(bench: Workbench, hubs: tuple[Array, Array], radius: float) -> None:
    """Add a narrow front wheel and a wider one behind."""
    for hub, wide in zip(hubs, (0.06, 0.085), strict=True):
        bench.mesh.ring(hub, 0.76 * radius, 0.24 * radius, bench.layer("rubber"), wide=wide)
        ends = [moved(hub, -0.03, 0, 0), moved(hub, 0.03, 0, 0)]
        face = np.full((2, 2), 0.6 * radius)
        bench.mesh.loft(
            ends, face, bench.layer("dark"), across=Y, up=Z, cap_layer=bench.layer("hub")
        )


def _tank_and_seat(bench: Workbench, kind: str, head: Array, rear: Array, paint: Vec3) -> float:
    """Add tank, seat, tail and rear light; return the seat's height."""
    mesh, plain = bench.mesh, bench.layer("paint")
    tank_z = head[2] + bench.between(-0.06, 0.03)
    y = np.array([head[1] + 0.05, head[1] + 0.14, head[1] + 0.3, 0.12, 0.2])
    z = tank_z + np.array([0, 0.04, 0.05, -0.02, -0.05])
    halves = [[0.08, 0.06], [0.15, 0.12], [0.17, 0.13], [0.12, 0.09], [0.08, 0.05]]
    mesh.loft(np.stack([0 * y, y, z], 1), halves, plain, paint, power=2.6)
    rise = 0.14 if kind == "sports" else 0.03
    y = np.array([0.14, 0.26, 0.5, rear[1] + 0.12, rear[1] + 0.24])
    z = tank_z - 0.06 + np.array([0, -0.04, -0.01 + 0.3 * rise, rise, rise + 0.02])
    halves = [[0.1, 0.04], [0.14, 0.05], [0.15, 0.05], [0.11, 0.04], [0.05, 0.03]]
    mesh.loft(np.stack([0 * y, y, z], 1), halves, bench.layer("dark"))
    tail = np.array([0, rear[1] + 0.22, z[-1] - 0.03])
    ends = [moved(tail, 0, -0.4, -0.06), tail]
    mesh.loft(ends, [[0.12, 0.06], [0.07, 0.05]], plain, paint, power=4)
    mesh.block(moved(tail, 0, 0.03, -0.01), (0.12, 0.05, 0.06), plain, RED_LIGHT)
    mesh.block(moved(tail, 0, 0.1, -0.2), (0.18, 0.03, 0.13), plain)
    return float(z[2]) - 0.03


def _engine(
    bench: Workbench, kind: str, engine: Array, ends: tuple[Array, Array], paint: Vec3
) -> None:
    """Add the engine with its ribs, the frame round it and a pipe on each side."""
    mesh, metal, dark = bench.mesh, bench.layer("metal"), bench.layer("dark")
    head, rear = ends
    mesh.block(engine, (0.3, 0.42, 0.3), metal, (0.6, 0.6, 0.62))
    mesh.block(moved(engine, 0, 0.02, 0.17), (0.24, 0.26, 0.16), dark)
    for z in (0.1, 0.15, 0.2):
        mesh.block(moved(engine, 0, -0.02, z), (0.34, 0.3, 0.02), metal)
    tint = paint if kind == "naked" else BLACK
    for side in SIDES:
        arm = [moved(engine, side * 0.1, 0, -0.05), moved(rear, side * 0.12, 0, 0)]
        mesh.tube(arm, 0.035, dark)
        frame = [head, moved(engine, side * 0.12, 0.18, 0.2)]
        mesh.tube(frame, 0.03, bench.layer("paint"), tint)
        pipe = [
            moved(engine, side * 0.15, -0.18, 0.05),
            moved(engine, side * 0.17, -0.22, -0.14),
            moved(engine, side * 0.2, 0.2, -0.17),
            moved(rear, side * 0.2, 0.15, -0.04 if kind != "sports" else 0.16),
        ]
        mesh.tube(pipe, [0.03, 0.03, 0.04, 0.055], metal)


def _bars(bench: Workbench, kind: str, head: Array) -> None:
    mesh, metal, dark = bench.mesh, bench.layer("metal"), bench.layer("dark")
    tall = {"cruiser": bench.between(0.16, 0.32), "sports": 0.02}.get(
        kind, bench.between(0.08, 0.16)
    )
    for side in SIDES:
        mid, end = moved(head, side * 0.2, 0.03, tall), moved(head, side * 0.36, 0.14, tall)
        mesh.tube([moved(head, 0, 0, 0.02), mid, end], 0.018, metal)
        mesh.tube([mid + 0.4 * (end - mid), moved(end, side * 0.04, 0.02, 0)], 0.026, dark)
        mirror = moved(mid, side * 0.08, -0.02, 0.17)
        mesh.tube([moved(mid, side * 0.04, 0, 0), mirror], 0.01, metal, sides=5)
        mesh.block(mirror, (0.12, 0.03, 0.08), dark)


def _fairing(bench: Workbench, head: Array, engine: Array, paint: Vec3) -> None:
    """Add a sports bike's fairing and screen."""
    mesh, plain = bench.mesh, bench.layer("paint")
    y = np.array([head[1] - 0.26, head[1] - 0.2, head[1] - 0.05, head[1] + 0.14])
    z = head[2] + np.array([-0.02, -0.01, 0.02, 0.02])
    mesh.loft(
        np.stack([0 * y, y, z], 1),
        [[0.04, 0.04], [0.13, 0.12], [0.19, 0.17], [0.2, 0.15]],
        plain,
        paint,
        power=3,
    )
    mesh.block((0, float(y[1]) - 0.06, float(z[1]) + 0.02), (0.2, 0.06, 0.07), plain, WHITE_LIGHT)
    mesh.panel(
        [
            (-0.1, y[3], z[3] + 0.3),
            (0.1, y[3], z[3] + 0.3),
            (-0.15, y[1] + 0.02, z[1] + 0.1),
            (0.15, y[1] + 0.02, z[1] + 0.1),
        ],
        bench.layer("glass"),
        outward=(0, -1, 1),
    )
    for side in SIDES:
        x = side * 0.2
        mesh.panel(
            [
                (x, y[2], z[2]),
                (x, engine[1] + 0.3, z[2] - 0.1),
                (x * 0.8, y[2] + 0.12, engine[2] - 0.18),
                (x * 0.8, engine[1] + 0.25, engine[2] - 0.2),
            ],
            plain,
            paint,
            outward=(side, 0, 0),
        )


def _scooter(
    bench: Workbench, marks: tuple[Array, Array, Array], radius: float, paint: Vec3
) -> None:
    """Add a scooter's leg shield, floor, body and seat."""
    mesh, plain, dark = bench.mesh, bench.layer("paint"), bench.layer("dark")
    front, rear, head = marks
    foot = np.array([0, front[1] + 0.38, radius + 0.02])
    mesh.loft(
        [foot, moved((foot + head) / 2, 0, 0.05, 0), moved(head, 0, 0.04, 0.05)],
        [[0.2, 0.04], [0.24, 0.05], [0.14, 0.05]],
        plain,
        paint,
        up=Y,
        power=4,
    )
    mesh.loft(
        [moved(head, 0, 0, 0.0), moved(head, 0, -0.02, 0.16)],
        [[0.12, 0.1], [0.15, 0.08]],
        plain,
        paint,
        up=Y,
    )
    mesh.block((0, 0.02, radius + 0.02), (0.36, 0.5, 0.08), dark)
    y = np.array([0.14, 0.22, 0.5, rear[1] + 0.14, rear[1] + 0.24])
    tall = np.array([0.16, 0.2, 0.2, 0.13, 0.06])
    mesh.loft(
        np.stack([0 * y, y, radius + 0.2 + 0 * y + 0.1 * (y - 0.14)], 1),
        np.stack([[0.14, 0.19, 0.21, 0.16, 0.08], tall], 1),
        plain,
        paint,
        power=3,
    )
    seat = radius + 0.46
    mesh.loft(
        [(0, 0.12, seat), (0, 0.3, seat), (0, rear[1] + 0.2, seat + 0.04)],
        [[0.1, 0.04], [0.15, 0.06], [0.1, 0.05]],
        dark,
    )
    mesh.block((0, rear[1] + 0.25, radius + 0.3), (0.14, 0.04, 0.07), plain, RED_LIGHT)
    if bench.chance(0.3):
        mesh.panel(
            [
                (-0.14, head[1] + 0.05, head[2] + 0.5),
                (0.14, head[1] + 0.05, head[2] + 0.5),
                (-0.16, head[1] - 0.06, head[2] + 0.16),
                (0.16, head[1] - 0.06, head[2] + 0.16),
            ],
            bench.layer("glass"),
            outward=(0, -1, 0.5),
        )
