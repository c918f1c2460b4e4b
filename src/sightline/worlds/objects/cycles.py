"""Bicycles and motorbikes."""

from __future__ import annotations

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.mesh import Vec3
from sightline.worlds.objects.model import Workbench, any_paint, colour
from sightline.worlds.objects.shapes import SIDES, Y, moved

_BLACK: Vec3 = (0.2, 0.2, 0.21)


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
            [low + 0.5 * off, front + off], 0.75 * pipe, plain, paint if kind != "road" else _BLACK
        )
        mesh.tube([crank + 0.5 * off, rear + off], 0.7 * pipe, plain, paint)
        mesh.tube([crank + 0.88 * (seat - crank) + 0.5 * off, rear + off], 0.6 * pipe, plain, paint)
        pedal = moved(crank, side * 0.1, 0.02, -0.16)
        mesh.tube([moved(crank, side * 0.06, 0, 0), pedal], 0.012, metal, sides=6)
        mesh.block(moved(pedal, side * 0.05, 0, 0), (0.09, 0.08, 0.025), bench.layer("dark"))
        mesh.loft(
            [moved(crank, side * 0.03, 0, 0), moved(crank, side * 0.036, 0, 0)],
            np.full((2, 2), 0.085),
            metal,
            across=Y,
            up=(0, 0, 1),
        )
    saddle = seat + 0.22 * (seat - crank)
    mesh.tube([seat, saddle], 0.014, metal, sides=6)
    ends = saddle + np.array([[0, -0.15, 0.0], [0, -0.02, 0.02], [0, 0.08, 0.02], [0, 0.13, 0.02]])
    mesh.loft(
        ends, [[0.02, 0.015], [0.04, 0.03], [0.085, 0.035], [0.06, 0.02]], bench.layer("dark")
    )
    _handlebar(bench, kind, head, front)
    if kind == "city" or bench.chance(0.25):
        _city_parts(bench, (front, rear), radius, paint, seat)


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
        mesh.ball(
            moved(front, 0, -0.03, radius + 0.14), (0.045, 0.05, 0.045), plain, (1.0, 0.97, 0.85)
        )
    mesh.block(moved(rack, 0, 0.19, -0.03), (0.06, 0.02, 0.05), plain, (0.9, 0.08, 0.06))


def build_motorbike(bench: Workbench) -> None:
    """Add a motorbike: naked, sports, cruiser or scooter."""
    kind = bench.pick("naked", "sports", "cruiser", "scooter")
    mesh, plain, metal, dark = (bench.mesh, *(bench.layer(k) for k in ("paint", "metal", "dark")))
    radius = bench.between(0.22, 0.26) if kind == "scooter" else bench.between(0.29, 0.33)
    base = bench.between(1.5, 1.7) if kind == "cruiser" else bench.between(1.28, 1.45)
    paint = any_paint(bench)
    front, rear = np.array([0, -base / 2, radius]), np.array([0, base / 2, radius])
    for hub, wide in ((front, 0.06), (rear, 0.085)):
        mesh.ring(hub, 0.76 * radius, 0.24 * radius, bench.layer("rubber"), wide=wide)
        face = np.full((2, 2), 0.6 * radius)
        mesh.loft(
            [hub - [0.03, 0, 0], moved(hub, 0.03, 0, 0)],
            face,
            dark,
            across=Y,
            up=(0, 0, 1),
            cap_layer=bench.layer("hub"),
        )
    mesh.ring(front, radius + 0.03, 0.012, plain, paint, arc=(0.3 * np.pi, 0.95 * np.pi), wide=0.07)
    rake = {"cruiser": 0.42, "scooter": 0.2}.get(kind, 0.27)
    head = moved(front, 0, rake, bench.between(0.5, 0.6) + (0.08 if kind == "scooter" else 0))
    for side in SIDES:
        off = np.array([side * 0.09, 0, 0])
        mesh.tube([front + off, head + 0.9 * off], 0.03, metal)
    _bars(bench, kind, head)
    lamp = moved(head, 0, -0.1, 0.0 if kind != "scooter" else 0.08)
    mesh.ball(lamp, (0.1, 0.08, 0.1), dark)
    mesh.ball(moved(lamp, 0, -0.05, 0), (0.085, 0.05, 0.085), plain, (1.0, 0.98, 0.9))
    if kind == "scooter":
        _scooter(bench, (front, rear, head), radius, paint)
        return
    engine = np.array([0, 0.02 * base, radius + 0.08])
    mesh.block(engine, (0.3, 0.42, 0.3), metal, (0.6, 0.6, 0.62))
    mesh.block(moved(engine, 0, 0.02, 0.17), (0.24, 0.26, 0.16), dark)
    for z in (0.1, 0.15, 0.2):
        mesh.block(moved(engine, 0, -0.02, z), (0.34, 0.3, 0.02), metal)
    tank_z = head[2] + bench.between(-0.06, 0.03)
    y = np.array([head[1] + 0.05, head[1] + 0.14, head[1] + 0.3, 0.12, 0.2])
    z = tank_z + np.array([0, 0.04, 0.05, -0.02, -0.05])
    mesh.loft(
        np.stack([0 * y, y, z], 1),
        [[0.08, 0.06], [0.15, 0.12], [0.17, 0.13], [0.12, 0.09], [0.08, 0.05]],
        plain,
        paint,
        power=2.6,
    )
    rise = 0.14 if kind == "sports" else 0.03
    ys = np.array([0.14, 0.26, 0.5, rear[1] + 0.12, rear[1] + 0.24])
    zs = tank_z - 0.06 + np.array([0, -0.04, -0.01 + 0.3 * rise, rise, rise + 0.02])
    mesh.loft(
        np.stack([0 * ys, ys, zs], 1),
        [[0.1, 0.04], [0.14, 0.05], [0.15, 0.05], [0.11, 0.04], [0.05, 0.03]],
        dark,
    )
    tail = np.array([0, rear[1] + 0.22, zs[-1] - 0.03])
    mesh.loft([tail - [0, 0.4, 0.06], tail], [[0.12, 0.06], [0.07, 0.05]], plain, paint, power=4)
    mesh.block(moved(tail, 0, 0.03, -0.01), (0.12, 0.05, 0.06), plain, (0.9, 0.08, 0.06))
    mesh.block(moved(tail, 0, 0.1, -0.2), (0.18, 0.03, 0.13), plain)
    mesh.ring(rear, radius + 0.04, 0.012, plain, paint, arc=(0.05 * np.pi, 0.7 * np.pi), wide=0.08)
    for side in SIDES:
        mesh.tube(
            [moved(engine, side * 0.1, 0, -0.05), moved(rear, side * 0.12, 0, 0)], 0.035, dark
        )
        mesh.tube(
            [head, moved(engine, side * 0.12, 0.18, 0.2)],
            0.03,
            plain,
            paint if kind == "naked" else _BLACK,
        )
        mesh.tube(
            [moved(rear, side * 0.13, -0.05, 0.05), np.array([side * 0.12, 0.45, zs[2] - 0.03])],
            0.03,
            metal,
        )
        pipe = [
            moved(engine, side * 0.15, -0.18, 0.05),
            moved(engine, side * 0.17, -0.22, -0.14),
            moved(engine, side * 0.2, 0.2, -0.17),
            moved(rear, side * 0.2, 0.15, -0.04 if kind != "sports" else 0.16),
        ]
        mesh.tube(pipe, [0.03, 0.03, 0.04, 0.055], metal)
    if kind == "sports":
        _fairing(bench, head, engine, paint)
    elif kind == "cruiser" and bench.chance(0.6):
        for side in SIDES:
            mesh.block(moved(rear, side * 0.24, 0.0, 0.16), (0.16, 0.42, 0.28), dark)


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
    mesh.block(
        (0, float(y[1]) - 0.06, float(z[1]) + 0.02), (0.2, 0.06, 0.07), plain, (1.0, 0.98, 0.9)
    )
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
    mesh.block((0, rear[1] + 0.25, radius + 0.3), (0.14, 0.04, 0.07), plain, (0.9, 0.08, 0.06))
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
