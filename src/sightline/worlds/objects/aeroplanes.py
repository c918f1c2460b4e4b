"""Aeroplanes: airliners, small propeller planes, business jets, fighters."""

from __future__ import annotations

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.mesh import Vec3
from sightline.worlds.objects.model import Workbench, any_paint
from sightline.worlds.objects.shapes import SIDES, X, Y, Z, moved

_GREY: Vec3 = (0.55, 0.56, 0.6)


def build_aeroplane(bench: Workbench) -> None:
    """Add an aeroplane: airliner, small propeller plane, business jet or fighter."""
    kind = bench.pick("airliner", "airliner", "propeller", "business", "fighter", "turboprop")
    white = bench.chance(0.55) and kind != "fighter"
    paint = (0.97, 0.97, 0.98) if white else any_paint(bench)
    accent = any_paint(bench)
    length = 10.0
    radius = {
        "airliner": bench.between(0.5, 0.68),
        "propeller": bench.between(0.55, 0.72),
        "business": bench.between(0.48, 0.6),
        "fighter": bench.between(0.42, 0.55),
        "turboprop": bench.between(0.5, 0.62),
    }[kind]
    nose = 0.0 if kind == "propeller" else 1.0
    t = np.array([0.0, 0.02, 0.06, 0.12, 0.2, 0.4, 0.62, 0.8, 0.93, 1.0])
    if kind == "propeller":
        r = np.array([0.45, 0.6, 0.68, 0.75, 0.85, 1.0, 0.7, 0.42, 0.25, 0.12])
        tall = r * np.array([1, 1, 1, 1, 1, 1.15, 1.1, 1.1, 1.1, 1.1])
    else:
        r = np.array([0.02, 0.3, 0.62, 0.88, 1, 1, 1, 0.72, 0.36, 0.1])
        tall = r
    y = length * (t - 0.5)
    lift = radius * np.array([-0.2, -0.15, -0.08, 0, 0, 0, 0, 0.22, 0.5, 0.7]) * (0.4 + 0.6 * nose)
    centres, halves = np.stack([0 * y, y, lift], 1), radius * np.stack([r, tall], 1)
    bench.mesh.loft(centres, halves, bench.layer("paint"), paint)
    _cockpit(bench, kind, length, radius)
    _wings(bench, kind, length, radius, (paint, accent))
    _tail(bench, kind, length, radius, (paint, accent))
    if kind in ("airliner", "business", "turboprop"):
        _windows(bench, length, radius, accent)
    if bench.chance(0.4):
        _gear(bench, length, radius)


def _windows(bench: Workbench, length: float, radius: float, accent: Vec3) -> None:
    """Add rows of windows and, by chance, a band below them."""
    size, step = 0.13 * radius + 0.04, bench.between(0.3, 0.42)
    for side in SIDES:
        for at in np.arange(-0.34 * length, 0.24 * length, step):
            bench.mesh.block(
                (side * 0.96 * radius, at, 0.22 * radius),
                (0.1, 0.17, size * 1.4),
                bench.layer("dark"),
            )
    if bench.chance(0.5):
        bench.mesh.loft(
            [[0, -0.3 * length, -0.12 * radius], [0, 0.22 * length, -0.12 * radius]],
            np.full((2, 2), radius) * [1.012, 0.1],
            bench.layer("paint"),
            accent,
        )


def _cockpit(bench: Workbench, kind: str, length: float, radius: float) -> None:
    mesh, glass = bench.mesh, bench.layer("glass")
    if kind == "fighter":
        mesh.ball((0, -0.28 * length, 0.85 * radius), (0.5 * radius, 1.1, 0.5 * radius), glass)
    elif kind == "propeller":
        mesh.loft(
            [
                [0, -0.24 * length, 0.9 * radius],
                [0, -0.2 * length, 1.2 * radius],
                [0, 0, 1.25 * radius],
                [0, 0.14 * length, 0.85 * radius],
            ],
            radius * np.array([[0.7, 0.2], [0.72, 0.55], [0.72, 0.55], [0.5, 0.2]]),
            glass,
            power=4,
        )
    else:
        for side in SIDES:
            inner, outer = side * 0.04 * radius, side * 0.62 * radius
            y = -length / 2 + 0.08 * length
            mesh.panel(
                [
                    (inner, y + 0.42, 0.92 * radius),
                    (outer, y + 0.5, 0.72 * radius),
                    (inner, y - 0.12, 0.62 * radius),
                    (outer, y + 0.12, 0.42 * radius),
                ],
                bench.layer("dark"),
                outward=(0, -1, 1),
            )


def _wings(
    bench: Workbench, kind: str, length: float, radius: float, paints: tuple[Vec3, Vec3]
) -> None:
    """Add wings and what hangs on them."""
    mesh, plain = bench.mesh, bench.layer("paint")
    span = length * {"fighter": 0.32, "propeller": 0.62}.get(kind, bench.between(0.44, 0.56))
    sweep = {"fighter": 3.0, "propeller": 0.1, "turboprop": 0.25}.get(kind, bench.between(1.8, 3.0))
    root = {"fighter": 4.4, "propeller": 1.7, "turboprop": 1.5}.get(kind, bench.between(1.9, 2.6))
    tip = {"propeller": 1.2, "fighter": 0.9}.get(kind, bench.between(0.5, 0.8))
    high = kind in ("propeller", "turboprop") and bench.chance(0.6)
    z = (1.35 if kind == "propeller" else 0.85) * radius if high else -0.45 * radius
    rise = span * (0.02 if high else bench.between(0.04, 0.12))
    at = {"fighter": 1.2, "propeller": -1.3, "turboprop": -0.6}.get(kind, bench.between(-0.6, 0.1))
    colour_ = paints[0] if bench.chance(0.5) else _GREY
    winglets = kind == "airliner" and bench.chance(0.5)
    for side in SIDES:
        ends = np.array([[0, at, z], [side * span, at + sweep, z + rise]])
        ends[:, 1] += [0, (root - tip) / 2 * (-0.4)]
        mesh.loft(ends, [[root / 2, 0.12], [tip / 2, 0.05]], plain, colour_, across=Y, up=Z)
        if winglets:
            end = ends[1] + [side * 0.05, 0.1, 0.35]
            mesh.loft(
                [ends[1], end], [[tip / 2, 0.05], [tip / 4, 0.04]], plain, paints[1], across=Y, up=X
            )
    _engines(bench, kind, (span, at, z, sweep, rise), radius, paints)
    if kind == "propeller" and high:
        for side in SIDES:
            mesh.tube(
                [(side * 0.5 * span, at, z), (side * 0.5 * radius, at, -0.4 * radius)],
                0.05,
                plain,
                colour_,
                sides=6,
            )


def _engines(
    bench: Workbench,
    kind: str,
    wing: tuple[float, float, float, float, float],
    radius: float,
    paints: tuple[Vec3, Vec3],
) -> None:
    """Add what drives it, in the nose, at the tail or on the wings."""
    mesh, dark, plain = bench.mesh, bench.layer("dark"), bench.layer("paint")
    shell = paints[1] if bench.chance(0.5) else (0.8, 0.8, 0.82)
    way = np.array(Z) if bench.chance(0.5) else np.array(X)
    if kind == "propeller":
        _propeller(bench, (0, -5.0, -0.05), 1.25 * way, paints[1])
    elif kind == "fighter":
        for side in SIDES:
            ends = [(side * 0.75 * radius, -1.6, -0.1), (side * 0.8 * radius, 4.6, 0.1)]
            halves = [[0.26, 0.34], [0.3, 0.32]]
            mesh.loft(ends, halves, plain, paints[0], power=4, cap_layer=dark)
    elif kind == "business":
        y, r = np.array([2.1, 2.3, 3.2, 3.9]), np.array([0.3, 0.36, 0.33, 0.2])
        for side in SIDES:
            spot = (side * 1.5 * radius, 0.0, 0.5 * radius)
            _nacelle(bench, spot, y, r, shell)
            mesh.block((side * radius, 3.0, 0.45 * radius), (radius, 0.8, 0.1), plain, paints[0])
    else:
        _wing_engines(bench, wing, (shell, paints[1]), way if kind == "turboprop" else None)


def _wing_engines(
    bench: Workbench,
    wing: tuple[float, float, float, float, float],
    tints: tuple[Vec3, Vec3],
    way: Array | None,
) -> None:
    """Add two or four engines: in front of the wings with propellers, or else below them."""
    span, at, z, sweep, rise = wing
    thick = bench.between(0.36, 0.4)
    for share in (0.33, 0.62) if bench.chance(0.35) else (0.36,):
        for side in SIDES:
            x, y0, height = side * share * span, at + share * sweep, z + share * rise
            if way is not None:
                y, r = np.array([-1.5, -1.3, 0.2, 1.2]), np.array([0.16, 0.27, 0.27, 0.1])
                _propeller(bench, (x, y0 - 1.55, height), 0.95 * way, tints[1])
            else:
                y = np.array([-1.55, -1.35, -0.5, 0.1])
                r, height = thick * np.array([0.9, 1.0, 0.95, 0.55]), height - 0.42
            _nacelle(bench, (x, y0, height), y, r, tints[0])


def _nacelle(
    bench: Workbench, spot: tuple[float, float, float], y: Array, r: Array, tint: Vec3
) -> None:
    """Add an engine's case, dark where the air goes in and out."""
    centres = np.asarray(spot) + np.stack([0 * y, y, 0 * y], 1)
    dark, plain = bench.layer("dark"), bench.layer("paint")
    bench.mesh.loft(
        centres, np.stack([r, r], 1), plain, tint, cap_layer=dark, cap_tint=(1.0, 1.0, 1.0)
    )


def _propeller(bench: Workbench, hub: tuple[float, float, float], reach: Array, tint: Vec3) -> None:
    """Add a propeller that stands upright or level, so that left and right are alike."""
    bench.mesh.ball(hub, (0.2, 0.35, 0.2), bench.layer("paint"), tint)
    ends = moved(hub, 0, -0.08, 0) + np.array([-1, 1])[:, None] * reach
    across = np.cross(reach, Y) / np.linalg.norm(reach)
    bench.mesh.loft(ends, [[0.13, 0.03], [0.13, 0.03]], bench.layer("dark"), across=across, up=Y)


def _tail(
    bench: Workbench, kind: str, length: float, radius: float, paints: tuple[Vec3, Vec3]
) -> None:
    """Add fin and tailplane."""
    mesh, plain, rear = bench.mesh, bench.layer("paint"), length / 2
    tall = {"fighter": 1.2, "propeller": 1.4}.get(kind, bench.between(1.6, 2.1))
    lean, base = bench.between(0.7, 1.5), 0.4 * radius
    xs = (-0.75 * radius, 0.75 * radius) if kind == "fighter" and bench.chance(0.5) else (0.0,)
    for x in xs:
        mesh.loft(
            [(x, rear - 1.3, base), (1.4 * x, rear - 1.3 + lean, base + tall)],
            [[0.95, 0.07], [0.45, 0.04]],
            plain,
            paints[1],
            across=Y,
            up=X,
        )
    high = kind in ("business", "turboprop") or (kind == "airliner" and bench.chance(0.2))
    z = base + tall if high else base
    at = rear - 1.0 + (lean if high else 0)
    half = bench.between(1.5, 2.0)
    for side in SIDES:
        mesh.loft(
            [(0, at - 0.2, z), (side * half, at + 0.4, z + 0.05)],
            [[0.6, 0.06], [0.3, 0.04]],
            plain,
            paints[0],
            across=Y,
            up=Z,
        )


def _gear(bench: Workbench, length: float, radius: float) -> None:
    """Add the landing gear."""
    for x, y in ((0.0, -0.36 * length), (-0.9, 0.04 * length), (0.9, 0.04 * length)):
        bench.mesh.tube(
            [(x, y, -0.4 * radius), (x, y, -1.7 * radius)], 0.06, bench.layer("metal"), sides=6
        )
        bench.mesh.disc_wheel(
            (x, y, -1.7 * radius), 0.24, 0.22, bench.layer("rubber"), bench.layer("metal"), 0.5
        )
