"""Trains: fast ones, locomotives, diesels with a bonnet, commuter coaches."""

from __future__ import annotations

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.objects.lamps import RED_LIGHT, WHITE_LIGHT
from sightline.worlds.objects.model import Workbench, any_paint, colour
from sightline.worlds.objects.shapes import SIDES


def build_train(bench: Workbench) -> None:
    """Add a train's head: a fast train, a locomotive, a tram-like or a commuter coach."""
    kind = bench.pick("fast", "loco", "commuter", "diesel")
    width, height, under = bench.between(2.8, 3.1), bench.between(3.5, 4.1), 0.75
    length = bench.between(8, 11) if kind in ("loco", "diesel") else bench.between(9, 14)
    front, rear = -length / 2, length / 2
    paint, body = any_paint(bench), bench.layer(bench.pick("paint", "print"))
    nose = {"fast": bench.between(2.2, 3.6), "commuter": bench.between(0.2, 0.7)}.get(
        kind, bench.between(0.3, 0.9)
    )
    y, top, half = _train_outline(kind, (front, rear), (under, height), width, nose)
    centres = np.stack([0 * y, y, (top + under) / 2], axis=1)
    halves = np.stack([half, (top - under) / 2], axis=1)
    power = 5.0 if kind == "fast" else 10.0
    bench.mesh.loft(centres, halves, body, paint, power=power, metres=3)
    _train_front(bench, kind, (front, nose), (under, height), width)
    start = front + nose + (1.3 if kind != "diesel" else 2.0)
    _train_windows(bench, kind, (start, rear - 0.5), (under, height), width)
    _train_below(bench, (front, rear), under, width)
    mesh, dark = bench.mesh, bench.layer("dark")
    mesh.block(
        (0, rear + 0.04, (under + height) / 2 - 0.2), (0.9, 0.16, 0.72 * (height - under)), dark
    )
    for side in SIDES:
        mesh.block(
            (side * 0.36 * width, rear, under + 0.4),
            (0.25, 0.1, 0.2),
            bench.layer("paint"),
            RED_LIGHT,
        )
    if kind in ("loco", "commuter") and bench.chance(0.7):
        _pantograph(bench, bench.between(0.1, 0.3) * length, height)
    for y_box in np.linspace(front + nose + 1, rear - 1, int(bench.rng.integers(2, 5))):
        mesh.block(
            (0, float(y_box), height + 0.04), (0.5 * width, 0.9, 0.22), dark, (2.5, 2.5, 2.5)
        )


def _train_outline(
    kind: str, ys: tuple[float, float], zs: tuple[float, float], width: float, nose: float
) -> tuple[Array, Array, Array]:
    """Return y, roof and half width of the body's rings."""
    (front, rear), (under, height) = ys, zs
    if kind == "fast":
        t = np.linspace(0, 1, 7)
        y = np.r_[front + nose * t, rear - 0.05, rear]
        rise = 0.28 + 0.72 * np.sin(t * np.pi / 2) ** 0.9
        top = np.r_[under + (height - under) * rise, height, height - 0.1]
        half = np.r_[width / 2 * (0.45 + 0.55 * np.sqrt(t)), width / 2, 0.97 * width / 2]
    elif kind == "diesel":
        hood = front + nose + 1.6
        y = np.array([front, front + 0.1, front + nose, hood - 0.4, hood, rear - 0.1, rear])
        low = under + 0.58 * (height - under)
        top = np.array([low - 0.1, low, low, low, height, height, height - 0.1])
        half = width / 2 * np.array([0.75, 0.8, 0.8, 0.8, 1, 1, 0.97])
    else:
        y = np.array([front, front + 0.35 * nose, front + nose, rear - 0.1, rear])
        top = height - np.array([0.9 * nose + 0.15, 0.3 * nose, 0, 0, 0.1])
        half = width / 2 * np.array([0.84, 0.94, 1, 1, 0.97])
    return y, top, half


def _train_front(
    bench: Workbench, kind: str, ys: tuple[float, float], zs: tuple[float, float], width: float
) -> None:
    """Add windscreen, lights, a coloured front and the coupling."""
    mesh, (front, nose), (under, height) = bench.mesh, ys, zs
    glass, plain, tall = bench.layer("glass"), bench.layer("paint"), height - under
    if kind == "fast":
        _slanted_screen(bench, (front, nose), under, tall, width)
        lamp_y, lamp_z = front + 0.12 * nose, under + 0.2 * tall
    else:
        at = front + nose + 1.6 if kind == "diesel" else front
        sill = under + (0.66 if kind == "diesel" else 0.52) * tall
        head = height - (0.25 if kind == "diesel" else 0.5 * nose + 0.4)
        lean = 0.0 if kind == "diesel" else 0.2 * nose
        for side in SIDES:
            inner, outer = side * 0.06, side * 0.41 * width
            mesh.panel(
                [
                    (outer, at - 0.03 + lean, head),
                    (inner, at - 0.03 + lean, head),
                    (outer, at - 0.05, sill),
                    (inner, at - 0.05, sill),
                ],
                glass,
                outward=(0, -1, 0.2),
            )
        low, high = under + 0.12 * tall, sill - 0.1 if kind != "diesel" else under + 0.5 * tall
        bright = colour(bench.between(0, 0.17), 0.85, 0.95)
        mesh.block(
            (0, front - 0.005, (low + high) / 2), (0.66 * width, 0.06, high - low), plain, bright
        )
        lamp_y, lamp_z = front - 0.04, under + 0.22 * tall
    for side in SIDES:
        mesh.block((side * 0.3 * width, lamp_y, lamp_z), (0.42, 0.14, 0.26), plain, WHITE_LIGHT)
        mesh.block(
            (side * 0.32 * width, front - 0.15, under), (0.34, 0.4, 0.34), bench.layer("dark")
        )
    mesh.block((0, front - 0.1, under - 0.1), (0.3, 0.6, 0.24), bench.layer("dark"))
    mesh.block((0, front + 0.3, under - 0.3), (0.8 * width, 0.3, 0.5), bench.layer("dark"))


def _train_windows(
    bench: Workbench, kind: str, ys: tuple[float, float], zs: tuple[float, float], width: float
) -> None:
    """Add windows or a locomotive's grilles, and doors, on both sides."""
    mesh, (start, end), (under, height) = bench.mesh, ys, zs
    tall = height - under
    count = max(3, round((end - start) / bench.between(1.0, 1.8)))
    step = (end - start) / count
    layer = bench.layer("dark" if kind in ("loco", "diesel") else "glass")
    share = bench.between(0.6, 0.92)
    for side in SIDES:
        for k in range(count):
            y = start + (k + 0.5) * step
            mesh.block(
                (side * (width / 2 + 0.005), y, under + 0.62 * tall),
                (0.05, share * step, 0.26 * tall),
                layer,
            )
        for y in (start - 0.55, end):
            mesh.block(
                (side * width / 2, y, under + 0.46 * tall),
                (0.04, 0.7, 0.74 * tall),
                bench.layer("paint"),
                (0.5, 0.5, 0.54),
            )


def _train_below(bench: Workbench, ys: tuple[float, float], under: float, width: float) -> None:
    """Add the bogies with their wheels and what hangs between them."""
    mesh, (front, rear) = bench.mesh, ys
    dark, length = bench.layer("dark"), rear - front
    for centre in (front + 0.2 * length, rear - 0.2 * length):
        mesh.block((0, centre, 0.6), (0.86 * width, 2.6, 0.4), dark)
        for y in (centre - 0.9, centre + 0.9):
            for side in SIDES:
                x = side * 0.4 * width
                mesh.disc_wheel((x, y, 0.42), 0.42, 0.14, dark, bench.layer("metal"), 0.6)
    mesh.block((0, 0, 0.62), (0.84 * width, 0.3 * length, 0.5), dark)


def _pantograph(bench: Workbench, y: float, height: float) -> None:
    """Add a pantograph on the roof."""
    dark, tall = bench.layer("dark"), bench.between(0.5, 0.9)
    for side in SIDES:
        path = [
            (side * 0.5, y + 0.7, height),
            (side * 0.45, y - 0.4, height + tall / 2),
            (side * 0.35, y + 0.3, height + tall),
        ]
        bench.mesh.tube(path, 0.05, dark, sides=6)
    bench.mesh.block((0, y + 0.3, height + tall), (1.7, 0.18, 0.07), dark)


def _slanted_screen(
    bench: Workbench, ys: tuple[float, float], under: float, tall: float, width: float
) -> None:
    """Add a fast train's windscreen, along its nose."""
    front, nose = ys
    a, b = 0.36, 0.72
    rise = [0.28 + 0.72 * np.sin(t * np.pi / 2) ** 0.9 for t in (a, b)]
    zs_ = [under + tall * r + 0.05 for r in rise]
    ya, yb = front + nose * a, front + nose * b
    wide = 0.3 * width
    bench.mesh.panel(
        [(-wide, yb, zs_[1]), (wide, yb, zs_[1]), (-wide, ya, zs_[0]), (wide, ya, zs_[0])],
        bench.layer("glass"),
        outward=(0, -1, 1),
    )
