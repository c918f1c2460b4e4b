"""Buses: city buses, coaches, small buses, double-deckers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from sightline.worlds.objects.lamps import BLACK, RED_LIGHT, WHITE_LIGHT
from sightline.worlds.objects.model import Workbench, any_paint, colour
from sightline.worlds.objects.shapes import SIDES, Y, Z


def build_bus(bench: Workbench) -> None:
    """Add a bus: city bus, coach, small bus or double-decker."""
    kind = bench.pick("city", "coach", "small", "double", "school")
    length = bench.between(6, 7.5) if kind == "small" else bench.between(8.5, 12)
    height = {"double": bench.between(4.0, 4.4), "coach": bench.between(3.3, 3.7)}.get(
        kind, bench.between(2.8, 3.2)
    )
    width, under = bench.between(2.3, 2.6), 0.32
    paint = colour(0.125, 0.85, 0.98) if kind == "school" else any_paint(bench)
    body = bench.layer(bench.pick("paint", "print"))
    mesh = bench.mesh
    front, rear = -length / 2, length / 2
    rake = bench.between(0.02, 0.3)
    y = np.array([front, front + 0.06, front + 0.3, 0, rear - 0.15, rear])
    top = height - np.array([rake + 0.1, 0.06, 0.0, 0.0, 0.0, 0.12])
    half = width / 2 * np.array([0.92, 0.98, 1, 1, 1, 0.96])
    low = np.array([under + 0.05, under, under, under, under, under + 0.06])
    centres = np.stack([0 * y, y, (top + low) / 2], axis=1)
    mesh.loft(centres, np.stack([half, (top - low) / 2], axis=1), body, paint, power=14, metres=3)
    decks = ((1.35, 2.0), (2.75, 3.6)) if kind == "double" else ((1.3, height - 0.55),)
    for low_edge, high_edge in decks:
        _bus_windows(bench, (front, rear), (low_edge, high_edge), width)
    _bus_ends(bench, (front, rear), width, decks[0][1], double=kind == "double")
    _bus_lights(bench, (front, rear), width, under)
    twin = kind in ("coach", "double") and bench.chance(0.5)
    _bus_wheels(bench, (front, rear), width, twin=twin)
    if bench.chance(0.5):
        size = (0.7 * width, bench.between(1.2, 3), 0.22)
        mesh.block(
            (0, bench.between(-1, 2), height + 0.1), size, bench.layer("paint"), (0.8, 0.8, 0.8)
        )


def _bus_windows(
    bench: Workbench, ys: tuple[float, float], zs: tuple[float, float], width: float
) -> None:
    """Add a row of windows on both sides."""
    start, end = ys[0] + 0.35, ys[1] - bench.between(0.3, 0.8)
    count = max(3, round((end - start) / bench.between(1.1, 1.7)))
    edges = np.linspace(start, end, count + 1)
    gap = bench.between(0.04, 0.16)
    for side in SIDES:
        for a, b in pairwise(edges):
            middle = (side * (width / 2 + 0.005), (a + b) / 2, sum(zs) / 2)
            size = (0.04, b - a - gap, zs[1] - zs[0])
            bench.mesh.block(middle, size, bench.layer("glass"))


def _bus_lights(bench: Workbench, ys: tuple[float, float], width: float, under: float) -> None:
    """Add lights, bumpers and the mirrors in front."""
    mesh, plain, (front, rear) = bench.mesh, bench.layer("paint"), ys
    for side in SIDES:
        x = side * 0.38 * width
        mesh.block((x, front - 0.01, under + 0.38), (0.4, 0.12, 0.2), plain, WHITE_LIGHT)
        mesh.block((x * 1.05, rear, under + 0.6), (0.22, 0.1, 0.42), plain, RED_LIGHT)
        arm = (side * (width / 2 + 0.16), front - 0.18, 2.05)
        mesh.block(arm, (0.2, 0.14, 0.48), plain, BLACK)
    for y in (front - 0.02, rear + 0.02):
        mesh.block((0, y, under + 0.12), (0.96 * width, 0.12, 0.22), plain, BLACK)


def _bus_ends(
    bench: Workbench, ys: tuple[float, float], width: float, top: float, *, double: bool
) -> None:
    """Add windscreen and sign in front, window and engine cover behind."""
    mesh, glass, (front, rear) = bench.mesh, bench.layer("glass"), ys
    screen_low = bench.between(0.95, 1.25)
    mesh.block(
        (0, front + 0.02, (screen_low + top) / 2 + 0.05),
        (0.88 * width, 0.1, top - screen_low + 0.2),
        glass,
    )
    if double:
        mesh.block((0, front + 0.02, 3.2), (0.88 * width, 0.1, 0.9), glass)
    sign = top + 0.22
    mesh.block((0, front + 0.0, sign), (0.75 * width, 0.12, 0.2), bench.layer("dark"))
    mesh.block(
        (0, front - 0.02, sign), (0.5 * width, 0.12, 0.12), bench.layer("paint"), (1, 0.75, 0.1)
    )
    mesh.block((0, rear - 0.01, top - 0.3), (0.6 * width, 0.08, 0.6), glass)
    mesh.block((0, rear - 0.01, 0.85), (0.6 * width, 0.08, 0.5), bench.layer("dark"))


def _bus_wheels(bench: Workbench, ys: tuple[float, float], width: float, *, twin: bool) -> None:
    """Add two axles, or three."""
    tyre, hub = bench.layer("rubber"), bench.layer("hub")
    radius = bench.between(0.44, 0.52)
    axles = [ys[0] + 0.2 * (ys[1] - ys[0]), ys[1] - 0.26 * (ys[1] - ys[0])]
    if twin:
        axles.append(axles[-1] + 2.2 * radius)
    for side in SIDES:
        for axle in axles:
            x = side * (width / 2 - 0.12)
            rings = [[x - 0.13, axle, radius], [x + 0.135, axle, radius]]
            bench.mesh.loft(
                rings, np.full((2, 2), 1.15 * radius), bench.layer("dark"), across=Y, up=Z
            )
            bench.mesh.disc_wheel((x, axle, radius), radius, 0.3, tyre, hub, 0.6)
