"""Chairs, sofas and dining tables."""

from __future__ import annotations

import numpy as np

from sightline.worlds.mesh import Vec3
from sightline.worlds.objects.model import Workbench, any_paint, colour
from sightline.worlds.objects.shapes import SIDES, Y, moved


def _material(bench: Workbench) -> tuple[int, Vec3]:
    """Return layer and tint of wood, metal or painted wood."""
    kind = bench.pick("wood", "wood", "metal", "paint")
    if kind == "wood":
        return bench.layer("wood"), colour(
            bench.between(0.04, 0.12), bench.between(0.25, 0.7), bench.between(0.3, 1)
        )
    if kind == "metal":
        dark = bench.between(0.2, 0.95)
        return bench.layer("metal"), (dark, dark, dark)
    return bench.layer("paint"), any_paint(bench)


def _upholstery(bench: Workbench) -> tuple[int, Vec3]:
    """Return layer and tint of cloth or leather."""
    kind = bench.pick("cloth", "cloth", "paint", "stripes", "pattern")
    if kind in ("stripes", "pattern"):
        return bench.layer(kind), (1.0, 1.0, 1.0)
    return bench.layer(kind), any_paint(bench)


def build_chair(bench: Workbench) -> None:
    """Add a chair: with four legs, as an armchair, on a swivel base, or a cantilever."""
    kind = bench.pick("legs", "legs", "legs", "swivel", "armchair", "cantilever")
    wide, deep = bench.between(0.42, 0.52), bench.between(0.4, 0.5)
    high, tall = bench.between(0.43, 0.48), bench.between(0.38, 0.58)
    if kind == "armchair":
        _armchair(bench)
        return
    frame, soft = _material(bench), _upholstery(bench)
    lean = bench.between(0.03, 0.12)
    seat = soft if kind == "swivel" or bench.chance(0.5) else frame
    thick = 0.08 if kind == "swivel" else bench.between(0.03, 0.07)
    power = bench.between(3, 12)
    z = high - thick / 2
    bench.mesh.loft(
        [(0, 0, z - thick / 2), (0, 0, z + thick / 4), (0, 0, z + thick / 2)],
        np.array([[1, 1], [1, 1], [0.95, 0.95]]) * [wide / 2, deep / 2],
        seat[0],
        seat[1],
        up=Y,
        power=power,
    )
    {"legs": _four_legs, "swivel": _swivel, "cantilever": _cantilever}[kind](
        bench, frame, (wide, deep, high - thick)
    )
    _backrest(bench, kind, (frame, soft), (wide, deep, high), tall, lean)
    if (kind == "swivel" and bench.chance(0.6)) or bench.chance(0.25):
        top = high + bench.between(0.2, 0.22)
        for side in SIDES:
            x, y = side * wide / 2, 0.25 * deep
            bench.mesh.block((x, -0.05 * deep, top), (0.05, 0.7 * deep, 0.03), frame[0], frame[1])
            for at in (-0.3 * deep, y):
                bench.mesh.tube([(x, at, high - 0.03), (x, at, top)], 0.016, frame[0], frame[1])


def _backrest(
    bench: Workbench,
    kind: str,
    materials: tuple[tuple[int, Vec3], tuple[int, Vec3]],
    size: tuple[float, float, float],
    tall: float,
    lean: float,
) -> None:
    """Add a back: solid, of slats, of bars, or padded."""
    (frame, soft), (wide, deep, high), mesh = materials, size, bench.mesh
    style = "pad" if kind == "swivel" else bench.pick("solid", "slats", "bars", "pad")
    y, top = deep / 2 - 0.03, high + tall

    def at(z: float) -> float:
        return y + lean * (z - high) / tall

    posts = 0.46 * wide
    if style in ("slats", "bars", "solid"):
        for side in SIDES:
            mesh.tube(
                [(side * posts, at(high - 0.05), high - 0.05), (side * posts, at(top), top)],
                0.018,
                *frame,
            )
    if style == "slats":
        for share in np.linspace(0.35, 0.95, int(bench.rng.integers(2, 5))):
            z = high + share * tall
            mesh.block((0, at(z), z), (2 * posts, 0.025, 0.11 * tall), *frame)
    elif style == "bars":
        mesh.block((0, at(top), top), (2 * posts + 0.05, 0.03, 0.07), *frame)
        for x in np.linspace(-0.75, 0.75, int(bench.rng.integers(3, 7))) * posts:
            mesh.tube([(x, at(high), high), (x, at(top), top)], 0.011, *frame, sides=6)
    else:
        low = high + (0.12 if kind == "swivel" else bench.between(0, 0.2)) * tall
        if kind == "swivel":
            mesh.tube(
                [
                    (0, 0.25 * deep, high - 0.08),
                    (0, at(low) + 0.06, high),
                    (0, at(low) + 0.04, low + 0.1),
                ],
                0.025,
                *frame,
            )
        thick, shape = (0.045, soft) if style == "pad" else (0.015, frame)
        z = np.array([low, low + 0.15 * tall, top - 0.06, top])
        centres = np.stack([0 * z, [at(v) for v in z], z], axis=1)
        halves = np.array([[0.9, 0.7], [1, 1], [0.98, 1], [0.82, 0.5]]) * [wide / 2, thick]
        mesh.loft(centres, halves, *shape, up=Y, power=5)


def _four_legs(bench: Workbench, frame: tuple[int, Vec3], size: tuple[float, float, float]) -> None:
    wide, deep, high = size
    splay, radius = bench.between(0, 0.05), bench.between(0.014, 0.026)
    for side in SIDES:
        for end in SIDES:
            top = (side * (wide / 2 - 0.04), end * (deep / 2 - 0.04), high)
            foot = (side * (wide / 2 - 0.04 + splay), end * (deep / 2 - 0.04 + splay), 0)
            bench.mesh.tube([top, foot], [radius, 0.75 * radius], *frame)
    if bench.chance(0.5):
        for side in SIDES:
            bench.mesh.block(
                (side * (wide / 2 - 0.03), 0, 0.4 * high), (0.02, deep - 0.08, 0.025), *frame
            )
        bench.mesh.block((0, 0, 0.4 * high), (wide - 0.06, 0.02, 0.025), *frame)


def _swivel(bench: Workbench, frame: tuple[int, Vec3], size: tuple[float, float, float]) -> None:
    high, dark = size[2], bench.layer("dark")
    bench.mesh.tube([(0, 0, 0.08), (0, 0, high)], 0.03, *frame)
    # Five arms, one straight to the rear, so that left and right are alike.
    for k in range(5):
        angle = np.pi / 2 + 2 * np.pi * k / 5
        tip = 0.3 * np.array([np.cos(angle), np.sin(angle), 0])
        bench.mesh.tube(
            [moved((0, 0, 0), 0, 0, 0.1), moved(tip, 0, 0, 0.07)], [0.028, 0.018], *frame, sides=6
        )
        bench.mesh.ball(moved(tip, 0, 0, 0.03), (0.028, 0.03, 0.03), dark)


def _cantilever(
    bench: Workbench, frame: tuple[int, Vec3], size: tuple[float, float, float]
) -> None:
    wide, deep, high = size
    for side in SIDES:
        x, y = side * (wide / 2 - 0.02), deep / 2
        bench.mesh.tube(
            [(x, 0.8 * y, high), (x, -y, high), (x, -y, 0.02), (x, y, 0.02)], 0.016, *frame
        )
    bench.mesh.tube(
        [(-wide / 2 + 0.02, deep / 2, 0.02), (wide / 2 - 0.02, deep / 2, 0.02)], 0.016, *frame
    )


def _armchair(bench: Workbench) -> None:
    """Add an upholstered armchair, upright and narrow beside a sofa."""
    soft, legs = _upholstery(bench), _material(bench)
    wide, deep, high = bench.between(0.5, 0.58), bench.between(0.55, 0.65), bench.between(0.4, 0.46)
    tall, arm = bench.between(0.45, 0.65), bench.between(0.07, 0.12)
    _cushioned(bench, soft, (wide, deep, high, tall, arm, bench.between(0.16, 0.24)), seats=1)
    for side in SIDES:
        for end in SIDES:
            x, y = side * (wide / 2 + arm - 0.05), end * (deep / 2 - 0.05)
            bench.mesh.tube([(x, y, 0.16), (1.02 * x, y, 0)], 0.022, *legs)


def _cushioned(
    bench: Workbench, soft: tuple[int, Vec3], size: tuple[float, ...], *, seats: int
) -> None:
    """Add seat, back and arms of cushions; ``size`` is width, depth, heights, arms."""
    wide, deep, high, tall, arm, arm_high = size
    mesh, rim = bench.mesh, bench.between(3.5, 9)
    base = (0.0, 0.0, high / 2 + 0.0)
    mesh.block(base, (wide + 2 * arm - 0.02, deep, high - 0.24), *soft, metres=0.5)
    step, bright = wide / seats, tuple(min(1.0, 1.08 * c) for c in soft[1])
    tint = (bright[0], bright[1], bright[2])
    back = bench.between(0.12, 0.2)
    for k in range(seats):
        x = (k + 0.5) * step - wide / 2
        z = np.array([high - 0.15, high - 0.12, high - 0.03, high])
        shape = np.array([[0.94, 0.95], [0.99, 1], [0.99, 1], [0.9, 0.93]])
        middle = np.stack([0 * z + x, 0 * z - back / 2, z], 1)
        mesh.loft(
            middle, shape * [step / 2, deep / 2 - back / 2 + 0.01], soft[0], tint, up=Y, power=rim
        )
        zb = np.array([high - 0.02, high + 0.06, high + tall - 0.06, high + tall])
        yb = deep / 2 - back / 2 + np.array([-0.04, -0.03, 0.03, 0.05])
        shape = np.array([[0.95, 0.8], [0.99, 1], [0.98, 0.9], [0.88, 0.5]])
        mesh.loft(
            np.stack([0 * zb + x, yb, zb], 1),
            shape * [step / 2, back / 2],
            soft[0],
            tint,
            up=Y,
            power=rim,
        )
    mesh.block(
        (0, deep / 2 + 0.01, high - 0.1 + tall / 2),
        (wide + 2 * arm - 0.04, 0.08, tall + high * 0.3),
        *soft,
        metres=0.5,
    )
    if arm > 0:
        y = np.array([-deep / 2 - 0.01, -deep / 2 + 0.03, deep / 2])
        z = (high + arm_high + 0.12) / 2 + 0 * y
        half = np.array([[0.85, 0.96], [1, 1], [1, 1]]) * [arm / 2, (high + arm_high - 0.12) / 2]
        for side in SIDES:
            x = side * (wide / 2 + arm / 2)
            mesh.loft(np.stack([0 * y + x, y, z], 1), half, *soft, power=rim)


def build_sofa(bench: Workbench) -> None:
    """Add a sofa for two to four, with or without arms."""
    seats = int(bench.rng.integers(2, 4)) if bench.chance(0.8) else 4
    soft, legs = _upholstery(bench), _material(bench)
    wide, deep = seats * bench.between(0.55, 0.7), bench.between(0.78, 0.98)
    high, tall = bench.between(0.38, 0.46), bench.between(0.3, 0.5)
    arm = 0.0 if bench.chance(0.12) else bench.between(0.12, 0.28)
    rest = bench.between(0.14, 0.26) if bench.chance(0.75) else tall - 0.04
    _cushioned(
        bench, soft, (wide, deep, high, tall, arm, rest), seats=1 if bench.chance(0.15) else seats
    )
    half, foot = wide / 2 + arm - 0.1, bench.pick("block", "bar")
    for side in SIDES:
        for end in SIDES:
            x, y = side * half, end * (deep / 2 - 0.08)
            if foot == "block":
                bench.mesh.block((x, y, 0.07), (0.07, 0.07, 0.14), *legs)
            else:
                bench.mesh.tube([(x, y, 0.16), (1.02 * x, y, 0)], 0.025, *legs)
    if bench.chance(0.4):
        pillow = any_paint(bench)
        for side in SIDES:
            bench.mesh.ball(
                (side * (wide / 2 - 0.2), 0.08, high + 0.17),
                (0.19, 0.09, 0.17),
                bench.layer("pattern"),
                pillow,
            )


def build_diningtable(bench: Workbench) -> None:
    """Add a table that looks the same from two sides: rectangular, oval or round."""
    kind = bench.pick("rectangular", "rectangular", "rectangular", "oval", "round")
    short = bench.between(0.75, 1.0)
    long = short * (1.0 if kind == "round" else bench.between(1.35, 2.3))
    high, thick = bench.between(0.7, 0.78), bench.between(0.025, 0.06)
    top, legs = _material(bench), _material(bench)
    power = {"rectangular": bench.between(9, 30)}.get(
        kind, 2.0 if kind == "round" else bench.between(2, 3.2)
    )
    z = np.array([high - thick, high - 0.3 * thick, high])
    half = np.array([[0.98, 0.98], [1, 1], [0.99, 0.99]]) * [long / 2, short / 2]
    bench.mesh.loft(np.stack([0 * z, 0 * z, z], 1), half, *top, up=Y, power=power, sides=48)
    if kind == "rectangular" and bench.chance(0.5):
        runner = bench.between(0.25, 0.4) * short
        bench.mesh.block(
            (0, 0, high + 0.002),
            (0.995 * long, runner, 0.006),
            bench.layer("cloth"),
            any_paint(bench),
        )
    # A round top needs legs that show which way it stands.
    base = (
        "trestle" if kind == "round" else bench.pick("legs", "legs", "legs", "trestle", "pedestals")
    )
    _table_base(
        bench, base, legs, (0.86 * long, 0.8 * short, high - thick), inset=kind != "rectangular"
    )
    _table_ware(bench, (long, short, high))


def _table_base(
    bench: Workbench,
    base: str,
    legs: tuple[int, Vec3],
    size: tuple[float, float, float],
    *,
    inset: bool,
) -> None:
    (long, short, high), mesh = size, bench.mesh
    radius, splay = bench.between(0.025, 0.05), bench.between(-0.03, 0.06)
    square = bench.chance(0.5)
    if base == "legs":
        share = 0.72 if inset else 1.0
        for side in SIDES:
            for end in SIDES:
                x, y = side * share * long / 2, end * share * short / 2
                if square:
                    mesh.block((x, y, high / 2), (1.8 * radius, 1.8 * radius, high), *legs)
                else:
                    mesh.tube(
                        [(x, y, high), (x + side * splay, y + end * splay, 0)],
                        [radius, 0.7 * radius],
                        *legs,
                    )
        for end in SIDES:
            mesh.block(
                (0, end * share * short / 2, high - 0.05), (share * long, 0.025, 0.09), *legs
            )
            mesh.block(
                (end * share * long / 2, 0, high - 0.05), (0.025, share * short, 0.09), *legs
            )
    elif base == "trestle":
        for side in SIDES:
            x = side * 0.36 * long
            mesh.block((x, 0, 0.03), (0.07, 0.85 * short, 0.06), *legs)
            mesh.block((x, 0, high - 0.03), (0.07, 0.75 * short, 0.06), *legs)
            mesh.block((x, 0, high / 2), (0.06, (0.5 if square else 0.12) * short, high), *legs)
        mesh.block((0, 0, 0.3 * high), (0.72 * long, 0.05, 0.08), *legs)
    else:
        for side in SIDES:
            x = side * 0.27 * long
            mesh.tube([(x, 0, 0.05), (x, 0, high)], 1.6 * radius, *legs, sides=12)
            mesh.loft(
                [(x, 0, 0), (x, 0, 0.05)], [[0.2 * long, 0.36 * short]] * 2, *legs, up=Y, power=4
            )


def _table_ware(bench: Workbench, size: tuple[float, float, float]) -> None:
    """Add plates, opposite to each other, or a bowl in the middle."""
    long, short, high = size
    if bench.chance(0.3):
        tint = any_paint(bench)
        profile = np.array([[0.14, 0.09], [0.13, 0.07], [0.07, 0.0], [0.001, 0.0]])
        bench.mesh.turned(
            (0, 0, high), profile, bench.layer("paint"), tint=tint, sides=16, solid=False
        )
    if bench.chance(0.35):
        count = 1 if long < 1.2 else 2
        for x in (np.arange(count) - (count - 1) / 2) * 0.5 * long:
            for side in SIDES:
                spot = (float(x), side * 0.32 * short, high + 0.008)
                bench.mesh.loft(
                    [spot, (spot[0], spot[1], spot[2] + 0.012)],
                    [[0.1, 0.1], [0.12, 0.12]],
                    bench.layer("paint"),
                    up=Y,
                    sides=16,
                )
