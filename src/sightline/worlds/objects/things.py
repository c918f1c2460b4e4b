"""Bottles and screens."""

from __future__ import annotations

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.mesh import Vec3
from sightline.worlds.objects.model import Workbench, any_paint, colour
from sightline.worlds.objects.shapes import SIDES, Y

#: Kind -> height, radius, share of the height where the shoulder begins and where the neck does,
#: and the neck's share of the radius.
_BOTTLES = {
    "bordeaux": ((0.28, 0.32), (0.036, 0.041), 0.62, 0.72, 0.38),
    "burgundy": ((0.28, 0.31), (0.041, 0.047), 0.45, 0.74, 0.33),
    "beer": ((0.2, 0.26), (0.03, 0.034), 0.55, 0.74, 0.42),
    "water": ((0.22, 0.33), (0.033, 0.046), 0.68, 0.86, 0.4),
    "jug": ((0.2, 0.28), (0.055, 0.07), 0.6, 0.82, 0.33),
    "spirits": ((0.22, 0.28), (0.042, 0.052), 0.62, 0.7, 0.36),
    "flask": ((0.2, 0.27), (0.033, 0.04), 0.78, 0.88, 0.6),
}


def build_bottle(bench: Workbench) -> None:
    """Add a bottle: a body turned about its axis, a label round it, a cap."""
    kind = bench.pick(*_BOTTLES)
    heights, radii, shoulder, neck, narrow = _BOTTLES[kind]
    tall, radius = bench.between(*heights), bench.between(*radii)
    start, end = (
        (shoulder + bench.between(-0.04, 0.04)) * tall,
        (neck + bench.between(-0.02, 0.02)) * tall,
    )
    thin = narrow * radius * bench.between(0.9, 1.15)
    t = np.linspace(0, 1, 9)
    bend = thin + (radius - thin) * (0.5 + 0.5 * np.cos(np.pi * t)) ** bench.between(0.7, 1.2)
    waist = bench.between(0.84, 0.95) if kind in ("water", "flask") and bench.chance(0.5) else 1.0
    low = np.array(
        [
            [0.001, 0.002],
            [0.82 * radius, 0.0],
            [radius, 0.05 * tall],
            [radius * waist, 0.4 * start],
            [radius, 0.75 * start],
        ]
    )
    side = np.stack([bend, start + (end - start) * t], axis=1)
    top = np.array(
        [[thin, 0.955 * tall], [1.12 * thin, 0.957 * tall], [1.12 * thin, tall], [0.001, tall]]
    )
    profile = np.concatenate([low, side, top])[::-1]
    glass = _bottle_colour(bench, kind)
    mesh, plain = bench.mesh, bench.layer("paint")
    mesh.turned((0, 0, 0), profile, plain, tint=glass, sides=32, solid=False)
    cap = any_paint(bench)
    cap_low = (bench.between(0.84, 0.9) if kind in ("bordeaux", "burgundy") else 0.93) * tall
    lid = np.array([[0.001, 1.004 * tall], [1.18 * thin, 1.003 * tall], [1.2 * thin, cap_low]])
    mesh.turned((0, 0, 0), lid, plain, tint=cap, sides=24, solid=False)
    if bench.chance(0.85):
        a = bench.between(0.1, 0.25) * start + 0.05 * tall
        b = a + bench.between(0.4, 0.75) * (0.95 * start - a)
        ring = 1.012 * radius
        band = np.array([[ring, b], [ring, (a + b) / 2], [ring, a]])
        _label(bench, band)


def _bottle_colour(bench: Workbench, kind: str) -> Vec3:
    if kind == "flask":
        return any_paint(bench)
    hue, value = bench.pick("green", "brown", "clear", "blue", "dark"), bench.between(0.0, 1.0)
    return {
        "green": colour(0.33 + 0.1 * value, 0.6, 0.25 + 0.35 * value),
        "brown": colour(0.06, 0.75, 0.22 + 0.25 * value),
        "clear": colour(0.5, 0.1, 0.75 + 0.2 * value),
        "blue": colour(0.55 + 0.06 * value, 0.5, 0.5 + 0.4 * value),
        "dark": colour(0.3, 0.3, 0.14 + 0.14 * value),
    }[hue]


def _label(bench: Workbench, band: Array) -> None:
    """Add a band of paper, turned by chance, so that nothing tells a bottle's front."""
    angles = np.linspace(0, 2 * np.pi, 33)
    points = np.empty((len(band), 33, 3))
    points[..., 0], points[..., 1] = band[:, :1] * np.cos(angles), band[:, :1] * np.sin(angles)
    points[..., 2] = band[:, 1:]
    normals = np.stack(np.broadcast_arrays(np.cos(angles), np.sin(angles), 0 * angles), -1)
    u = angles / np.pi + bench.between(0, 1)
    uv = np.stack(np.broadcast_arrays(u, np.linspace(0, 1, len(band))[:, None]), -1)
    bench.mesh.grid(points, np.broadcast_to(normals, points.shape), uv, bench.layer("label"))


def build_tvmonitor(bench: Workbench) -> None:
    """Add a television or a monitor: flat on a foot or on two feet, or with a tube."""
    kind = bench.pick("flat", "flat", "flat", "feet", "tube", "tube")
    if kind == "tube":
        _tube_set(bench)
        return
    aspect = bench.pick("wide", "wide", "four-thirds")
    wide = 1.0
    tall = wide / (bench.between(1.55, 1.8) if aspect == "wide" else bench.between(1.25, 1.35))
    rim, thick = bench.between(0.012, 0.05), bench.between(0.025, 0.07)
    grey = bench.between(0.14, 0.34) if bench.chance(0.7) else bench.between(0.7, 0.95)
    case, plain, mesh = (grey, grey, grey), bench.layer("paint"), bench.mesh
    lift = bench.between(0.1, 0.22) if kind == "flat" else bench.between(0.05, 0.09)
    mid = lift + tall / 2
    mesh.block((0, 0, mid), (wide, thick, tall), plain, case)
    chin = bench.between(0, 0.04)
    _picture(
        bench, (0, -thick / 2 - 0.002, mid + chin / 2), (wide - 2 * rim, tall - 2 * rim - chin)
    )
    bulge = bench.between(0.03, 0.1)
    mesh.loft(
        [(0, thick / 2, mid), (0, thick / 2 + bulge, mid)],
        [[0.4 * wide, 0.4 * tall], [0.26 * wide, 0.28 * tall]],
        plain,
        case,
        power=8,
    )
    # Vents, brighter than a dark case, tell the rear from a dark screen.
    vent = (2.6, 2.6, 2.6) if grey < 0.5 else (1.0, 1.0, 1.0)
    for z in np.linspace(-0.12, 0.12, 4):
        size = (0.34 * wide, 0.01, 0.02)
        mesh.block((0, thick / 2 + bulge, mid + z * tall), size, bench.layer("dark"), vent)
    tint = case if bench.chance(0.7) else (0.75, 0.75, 0.78)
    if kind == "flat":
        _foot(bench, mid, thick, tint)
    else:
        for side in SIDES:
            top = (side * 0.34 * wide, 0, lift + 0.02)
            for y in (-0.13, 0.13):
                mesh.tube([top, (side * 0.36 * wide, y, 0)], 0.015, plain, tint, sides=6)


def _foot(bench: Workbench, mid: float, thick: float, tint: Vec3) -> None:
    """Add a neck behind the screen and a round or square foot."""
    mesh, plain = bench.mesh, bench.layer("paint")
    size = (bench.between(0.08, 0.24), 0.04, mid)
    mesh.block((0, 0.5 * thick + 0.01, mid / 2), size, plain, tint)
    halves = [[bench.between(0.17, 0.33), bench.between(0.1, 0.15)]] * 2
    power = 2.0 if bench.chance(0.5) else 8.0
    mesh.loft([(0, 0.02, 0), (0, 0.02, 0.02)], halves, plain, tint, up=Y, power=power)


def _picture(
    bench: Workbench, middle: tuple[float, float, float], size: tuple[float, float]
) -> None:
    """Add what the screen shows, lit by itself."""
    (x, y, z), (wide, tall) = middle, size
    bench.mesh.quad(
        (x - wide / 2, y, z + tall / 2),
        (wide, 0, 0),
        (0, 0, -tall),
        bench.layer("screen"),
        glow=bench.between(0.75, 1.0),
        step_m=10.0,
    )


def _tube_set(bench: Workbench) -> None:
    """Add a set with a picture tube: deep, narrower behind."""
    mesh, plain = bench.mesh, bench.layer("paint")
    wide, tall = 0.62, bench.between(0.48, 0.54)
    deep, front = bench.between(0.36, 0.52), -0.2
    grey = bench.between(0.14, 0.35) if bench.chance(0.5) else bench.between(0.65, 0.92)
    case = (grey, grey, grey * bench.between(0.86, 1.0))
    lift = bench.between(0.0, 0.09)
    mid = lift + tall / 2
    y = front + np.array([0.0, 0.02, 0.28 * deep, 0.34 * deep, deep])
    half = np.array([[0.97, 0.97], [1, 1], [1, 1], [0.86, 0.88], [0.52, 0.58]]) * [
        wide / 2,
        tall / 2,
    ]
    z = mid + tall * np.array([0, 0, 0, 0.01, -0.06])
    mesh.loft(np.stack([0 * y, y, z], 1), half, plain, case, power=bench.between(9, 20), sharp=True)
    rim, low = bench.between(0.04, 0.06), bench.between(0.02, 0.1)
    _picture(bench, (0, front - 0.004, mid + low / 2), (wide - 2 * rim, tall - 2 * rim - low))
    for k in range(4):
        mesh.block(
            (0, front + deep + 0.001, mid - 0.08 + 0.045 * k),
            (0.44 * wide, 0.01, 0.014),
            bench.layer("dark"),
        )
    for side in SIDES:
        mesh.block(
            (side * 0.38 * wide, front - 0.003, lift + 0.035),
            (0.1 * wide, 0.012, 0.02),
            bench.layer("dark"),
        )
    if lift > 0.03:
        mesh.loft(
            [(0, front + 0.2, 0), (0, front + 0.2, 0.03), (0, front + 0.2, lift + 0.02)],
            [[0.2, 0.17], [0.18, 0.15], [0.1, 0.08]],
            plain,
            case,
            up=Y,
        )
