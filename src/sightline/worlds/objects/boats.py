"""Boats: sailing, motor and rowing boats, cutters, ships."""

from __future__ import annotations

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.mesh import Vec3
from sightline.worlds.objects.model import Workbench, any_paint, colour
from sightline.worlds.objects.shapes import SIDES, Y


def build_boat(bench: Workbench) -> None:
    """Add a boat: sailing boat, motor boat, rowing boat, cutter or ship."""
    kind = bench.pick("sail", "sail", "motor", "rowing", "cutter", "ship")
    length = {"ship": bench.between(11, 14)}.get(kind, bench.between(7.5, 9))
    wide = length * {"ship": bench.between(0.17, 0.22), "rowing": bench.between(0.26, 0.32)}.get(
        kind, bench.between(0.26, 0.36)
    )
    deep = length * (0.09 if kind == "rowing" else bench.between(0.1, 0.14))
    paint, low = any_paint(bench), any_paint(bench)
    t = np.linspace(0, 1, 15)
    y = length * (t - 0.5)
    transom = bench.between(0.55, 0.9)
    half = wide / 2 * np.minimum(np.sin(np.clip(t / 0.55, 0, 1) * np.pi / 2) ** 0.8, 1)
    half *= 1 - (1 - transom) * np.clip((t - 0.55) / 0.45, 0, 1) ** 2
    half = np.maximum(half, 0.01)
    sheer = deep * (0.75 + bench.between(0.4, 0.8) * (1 - t) ** 2 + 0.1 * t**2)
    keel = -deep * 0.35 * np.sin(np.clip(t / 0.3, 0, 1) * np.pi / 2)
    keel = np.where(t < 0.3, sheer + (keel - sheer) * np.sqrt(t / 0.3), keel)
    _hull(bench, (y, half, sheer, keel), (paint, low), open_=kind == "rowing")
    deck = float(np.interp(0.5, t, sheer))
    if kind == "sail":
        _sails(bench, length, wide, deck)
    elif kind == "rowing":
        _benches(bench, (length, wide, deck), np.interp([0.38, 0.6, 0.8], t, half))
    else:
        _deckhouse(bench, kind, length, wide, deck)
    if kind in ("motor", "rowing") and bench.chance(0.8 if kind == "motor" else 0.4):
        bench.mesh.block(
            (0, length / 2 + 0.2, 0.9 * deck),
            (0.42, 0.45, 0.8),
            bench.layer("paint"),
            (0.2, 0.2, 0.22),
        )
        bench.mesh.block((0, length / 2 + 0.22, 0.1 * deck), (0.16, 0.3, 1.0), bench.layer("dark"))


def _benches(bench: Workbench, size: tuple[float, float, float], halves: Array) -> None:
    """Add a rowing boat's benches and oars."""
    length, wide, deck = size
    for at, half in zip((-0.12, 0.1, 0.3), halves, strict=True):
        across = 1.9 * float(half)
        bench.mesh.block(
            (0, at * length, 0.7 * deck),
            (across, 0.3, 0.06),
            bench.layer("wood"),
            (0.7, 0.5, 0.32),
        )
    for side in SIDES:
        bench.mesh.tube(
            [(side * 0.3 * wide, 0.5, deck), (side * 0.95 * wide, -0.8, 0.6 * deck)],
            0.05,
            bench.layer("wood"),
            (0.8, 0.62, 0.4),
            sides=6,
        )


def _hull(
    bench: Workbench, lines: tuple[Array, ...], paints: tuple[Vec3, Vec3], *, open_: bool
) -> None:
    """Add the hull, its other colour below the water line, deck and transom."""
    mesh, plain, (y, half, sheer, keel) = bench.mesh, bench.layer("paint"), lines
    angle = np.linspace(-np.pi / 2, np.pi / 2, 17)
    x = half[:, None] * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.7
    z = sheer[:, None] + (keel - sheer)[:, None] * np.abs(np.cos(angle)) ** 0.6
    x[:, 8] = 0.0
    points = np.stack([x, np.broadcast_to(y[:, None], x.shape), z], axis=-1)
    for part, tint in (
        (slice(0, 5), paints[0]),
        (slice(4, 13), paints[1]),
        (slice(12, 17), paints[0]),
    ):
        way = ((-1, 0, -0.2), (0, 0, -1), (1, 0, -0.2))[(part.start + 4) // 8]
        mesh.surface(points[:, part], plain, tint, outward=way)
    rim = points[:, [0, -1]]
    wood, brown = (
        bench.layer("wood"),
        colour(bench.between(0.05, 0.12), 0.45, bench.between(0.6, 0.95)),
    )
    if open_:
        inner = points * [0.93, 0.98, 1.0] + [0, 0, 0.06]
        mesh.surface(inner, wood, brown)
    else:
        mesh.surface(rim - [0, 0, 0.04], wood, brown)
    for edge in (0, -1):
        mesh.tube(points[:, edge], 0.05, plain, paints[1], sides=6, caps=False)
    middle = np.broadcast_to(points[-1].mean(axis=0) * [0, 1, 1], points[-1].shape)
    mesh.surface(np.stack([points[-1], middle]), plain, paints[0], outward=Y)


def _sails(bench: Workbench, length: float, wide: float, deck: float) -> None:
    """Add a mast, the main sail behind it and a foresail, a cabin and a keel."""
    mesh, plain = bench.mesh, bench.layer("paint")
    mast, tall = bench.between(-0.12, -0.02) * length, bench.between(0.95, 1.3) * length
    sail = (0.97, 0.96, 0.92) if bench.chance(0.7) else any_paint(bench)
    mesh.tube([(0, mast, deck), (0, mast, deck + tall)], 0.07, bench.layer("metal"))
    foot = deck + 0.12 * length
    end = bench.between(0.36, 0.46) * length
    mesh.tube([(0, mast, foot), (0, end, foot)], 0.06, bench.layer("metal"))
    bow = -0.47 * length
    for corners in (
        ((mast + 0.1, foot + 0.1), (end, foot + 0.1), (mast + 0.1, deck + 0.97 * tall)),
        (
            (bow, deck + 0.3),
            (mast - 0.15, foot),
            (mast - 0.1, deck + bench.between(0.7, 0.9) * tall),
        ),
    ):
        (ya, za), (yb, zb), (yc, zc) = corners
        for side in SIDES:
            x = 0.02 * side
            mesh.panel(
                [(x, yc, zc), (x, yc, zc), (x, ya, za), (x, yb, zb)],
                plain,
                sail,
                outward=(side, 0, 0),
            )
    for y in (bow, 0.48 * length):
        mesh.tube([(0, y, deck), (0, mast, deck + tall)], 0.02, bench.layer("dark"), sides=4)
    size = (0.45 * wide, 0.26 * length, 0.07 * length)
    mesh.block((0, mast + 0.14 * length, deck + size[2] / 2), size, plain)
    for side in SIDES:
        mesh.block(
            (side * 0.46 * size[0] * 1.1, mast + 0.14 * length, deck + size[2] * 0.6),
            (0.03, 0.2 * length, 0.02 * length),
            bench.layer("dark"),
        )


def _deckhouse(bench: Workbench, kind: str, length: float, wide: float, deck: float) -> None:
    """Add a cabin with windows, and a ship's decks, funnel and mast."""
    mesh, plain, glass = bench.mesh, bench.layer("paint"), bench.layer("glass")
    if kind == "ship":
        levels, at, long, tall = int(bench.rng.integers(2, 4)), 0.1, 0.5, 0.75
    elif kind == "cutter":
        levels, at, long, tall = 1, bench.between(-0.15, 0.15), 0.22, 1.5
    else:
        levels, at, long, tall = 1, bench.between(-0.05, 0.08), bench.between(0.28, 0.4), 0.9
    z, half = deck - 0.08, 0.36 * wide
    y0, y1 = (at - long / 2) * length, (at + long / 2) * length
    for _ in range(levels):
        _cabin(bench, (y0, y1), z, (half, tall), 0.9 * tall if kind == "motor" else 0.15, glass)
        z, half, y0, y1 = z + tall, 0.86 * half, y0 + 0.04 * length, y1 - 0.06 * length
    if kind == "ship":
        funnel = [(0, y1 - 0.8, z), (0, y1 - 0.7, z + 1.4)]
        mesh.loft(funnel, [[0.4, 0.55], [0.34, 0.45]], plain, any_paint(bench), up=Y)
    if kind != "motor" or bench.chance(0.4):
        at_mast = y0 + 0.5 if kind == "ship" else bench.between(-0.25, -0.2) * length
        base = z if kind == "ship" else deck
        top = base + bench.between(0.2, 0.35) * length
        mesh.tube([(0, at_mast, base), (0, at_mast, top)], 0.06, bench.layer("metal"), sides=6)
    for side in SIDES:
        rail = [
            (side * 0.04 * wide, -0.49 * length, deck + 0.95),
            (side * 0.36 * wide, -0.3 * length, deck + 0.85),
        ]
        mesh.tube(rail, 0.03, bench.layer("metal"), sides=5)


def _cabin(
    bench: Workbench,
    ys: tuple[float, float],
    z: float,
    size: tuple[float, float],
    lean: float,
    glass: int,
) -> None:
    """Add one deck of a cabin, its front sloping by ``lean``, with a band of windows."""
    (y0, y1), (half, tall) = ys, size

    def ring(share: float, slope: float) -> tuple[tuple[float, float, float], float]:
        """Return the middle and half length at shares of the height and of the slope."""
        front = y0 + slope * lean
        return (0.0, (front + y1) / 2, z + share * tall), (y1 - front) / 2

    (low, long), (high, short) = ring(0.0, 0.0), ring(1.0, 1.0)
    halves = [[half, long], [0.9 * half, short]]
    bench.mesh.loft([low, high], halves, bench.layer("paint"), up=Y, power=8)
    (low, long), (high, short) = ring(0.42, 0.4), ring(0.84, 0.85)
    halves = [[0.98 * half, long + 0.02], [0.935 * half, short + 0.02]]
    bench.mesh.loft([low, high], halves, glass, up=Y, power=8)
