"""Cars: sedans, hatchbacks, estates, off-roaders, sports cars, pickups, vans."""

from __future__ import annotations

import numpy as np

from sightline.worlds.mesh import Vec3
from sightline.worlds.objects.lamps import BLACK, RED_LIGHT, WHITE_LIGHT
from sightline.worlds.objects.model import Workbench, any_paint
from sightline.worlds.objects.shapes import SIDES, Y

#: Kind -> length, height, bonnet, and tail as shares of the length, hip height share, windscreen
#: slope and rear slope in metres.
_CARS = {
    "sedan": ((4.3, 5.0), (1.38, 1.5), (0.25, 0.3), (0.13, 0.18), 0.62, (0.55, 0.8), (0.4, 0.6)),
    "hatch": ((3.6, 4.3), (1.4, 1.6), (0.21, 0.26), (0.0, 0.03), 0.6, (0.5, 0.8), (0.15, 0.4)),
    "estate": ((4.4, 5.0), (1.4, 1.55), (0.25, 0.29), (0.0, 0.02), 0.6, (0.5, 0.75), (0.1, 0.3)),
    "suv": ((4.2, 5.0), (1.65, 1.95), (0.22, 0.27), (0.0, 0.03), 0.58, (0.3, 0.55), (0.05, 0.2)),
    "sports": ((4.0, 4.6), (1.15, 1.3), (0.3, 0.36), (0.1, 0.16), 0.62, (0.7, 0.95), (0.6, 0.9)),
    "pickup": ((4.9, 5.7), (1.65, 1.9), (0.22, 0.26), (0.33, 0.4), 0.58, (0.35, 0.55), (0.03, 0.1)),
    "van": ((4.4, 5.4), (1.8, 2.1), (0.14, 0.18), (0.0, 0.01), 0.5, (0.45, 0.7), (0.02, 0.08)),
}


def build_car(bench: Workbench) -> None:
    """Add a car: sedan, hatchback, estate, off-roader, sports car, pickup or van."""
    kind = bench.pick(*_CARS)
    lengths, heights, bonnets, tails, hip_share, slopes, backs = _CARS[kind]
    length, height = bench.between(*lengths), bench.between(*heights)
    width = bench.between(1.6, 1.9) + (0.06 if kind in ("suv", "pickup", "van") else 0)
    under = bench.between(0.16, 0.22) + (0.12 if kind in ("suv", "pickup") else 0)
    wheel = bench.between(0.29, 0.34) + (0.05 if kind in ("suv", "pickup") else 0)
    hip = hip_share * height + bench.between(0, 0.06)
    paint, body = any_paint(bench), bench.layer("paint")
    front, rear = -length / 2, length / 2
    cowl, deck = front + bench.between(*bonnets) * length, rear - bench.between(*tails) * length
    nose = under + bench.between(0.72, 0.86) * (hip - under)
    tail = hip - 0.02 if kind != "pickup" else hip - 0.03
    _car_body(bench, (front, cowl, deck, rear), (under, nose, hip, tail), width, paint)
    top = (cowl + bench.between(*slopes), deck - bench.between(*backs))
    _cabin(bench, (cowl, deck), top, (hip - 0.04, height), width, paint, closed=kind == "van")
    if kind == "pickup":
        _bed(bench, (deck, rear), hip, width, paint)
    axles = (front + bench.between(0.17, 0.2) * length, rear - bench.between(0.17, 0.21) * length)
    tyre, hub = bench.layer("rubber"), bench.layer("hub")
    for side in SIDES:
        x = side * (width / 2 - 0.09)
        for axle in axles:
            arch = [[x - 0.11, axle, wheel], [x + 0.11, axle, wheel]]
            halves = np.full((2, 2), 1.14 * wheel)
            bench.mesh.loft(arch, halves, bench.layer("dark"), across=Y, up=(0, 0, 1), sides=20)
            bench.mesh.disc_wheel((x, axle, wheel), wheel, 0.25, tyre, hub, 0.68)
    _car_ends(bench, (front, rear), (under, nose, tail), width, paint)
    _car_sides(bench, (cowl, deck), (under, hip), width, paint, body)


def _car_body(
    bench: Workbench,
    ys: tuple[float, float, float, float],
    zs: tuple[float, float, float, float],
    width: float,
    paint: Vec3,
) -> None:
    front, cowl, deck, rear = ys
    under, nose, hip, tail = zs
    y = np.array(
        [
            front,
            front + 0.05,
            front + 0.25,
            (front + cowl) / 2,
            cowl,
            0,
            deck,
            rear - 0.12,
            rear - 0.03,
            rear,
        ]
    )
    high = np.array(
        [
            nose - 0.12,
            nose - 0.03,
            nose + 0.02,
            (nose + 2 * hip) / 3,
            hip,
            hip + 0.01,
            hip,
            tail,
            tail - 0.02,
            tail - 0.1,
        ]
    )
    low = np.array([under + 0.12, under + 0.05, *[under] * 6, under + 0.06, under + 0.12])
    half = width / 2 * np.array([0.86, 0.92, 0.97, 1, 1, 1, 1, 0.97, 0.93, 0.88])
    order = np.argsort(y, kind="stable")
    centres = np.stack([0 * y, y, (high + low) / 2], axis=1)[order]
    halves = np.stack([half, (high - low) / 2], axis=1)[order]
    bench.mesh.loft(centres, halves, bench.layer("paint"), paint, power=6)


def _cabin(
    bench: Workbench,
    foot: tuple[float, float],
    top: tuple[float, float],
    zs: tuple[float, float],
    width: float,
    paint: Vec3,
    *,
    closed: bool,
) -> None:
    """Add glass from the hip to the roof, the roof and its pillars."""
    mesh, (low, high) = bench.mesh, zs
    narrow = bench.between(0.76, 0.86)
    halves = np.array(
        [[0.95 * width / 2, (foot[1] - foot[0]) / 2], [narrow * width / 2, (top[1] - top[0]) / 2]]
    )
    middles = [[0, sum(foot) / 2, low], [0, sum(top) / 2, high - 0.06]]
    mesh.loft(middles, halves, bench.layer("glass"), up=Y, power=9, sides=32)
    roof = [[0, sum(top) / 2, high - 0.07], [0, sum(top) / 2, high - 0.02], [0, sum(top) / 2, high]]
    edges = np.array([halves[1] * 1.02, halves[1], halves[1] * 0.86])
    mesh.loft(roof, edges, bench.layer("paint"), paint, up=Y, power=7, sides=32)
    corner = 2 ** (-1 / 9)
    shares = (-1.0, bench.between(-0.05, 0.12), 1.0)
    for side in SIDES:
        for share in shares:
            ends = [
                (
                    side * h[0] * (corner if abs(share) == 1 else 1.0),
                    m[1] + share * h[1] * (corner if abs(share) == 1 else 1.0),
                    m[2],
                )
                for h, m in zip(halves, middles, strict=True)
            ]
            mesh.tube(ends, 0.045, bench.layer("paint"), paint, sides=6, caps=False)
    if closed:
        shell = np.array(halves) * [1.02, 0.62]
        shift = np.array([[0, 0.39 * h[1], 0] for h in halves])
        mesh.loft(np.array(middles) + shift, shell, bench.layer("paint"), paint, up=Y, power=9)


def _bed(bench: Workbench, ys: tuple[float, float], hip: float, width: float, paint: Vec3) -> None:
    """Add a pickup's open bed: a dark floor between low walls."""
    deck, rear = ys
    middle, long = (deck + rear) / 2, rear - deck
    bench.mesh.block((0, middle, hip + 0.01), (width - 0.3, long - 0.2, 0.03), bench.layer("dark"))
    for side in SIDES:
        bench.mesh.block(
            (side * (width / 2 - 0.09), middle, hip + 0.04),
            (0.1, long, 0.16),
            bench.layer("paint"),
            paint,
        )
    bench.mesh.block(
        (0, rear - 0.06, hip + 0.04), (width - 0.1, 0.08, 0.16), bench.layer("paint"), paint
    )


def _car_ends(
    bench: Workbench,
    ys: tuple[float, float],
    zs: tuple[float, float, float],
    width: float,
    paint: Vec3,
) -> None:
    """Add headlights, grille, plates, bumpers and rear lights."""
    mesh, plain, (front, rear), (under, nose, tail) = bench.mesh, bench.layer("paint"), ys, zs
    lamp, high = bench.between(0.2, 0.34), bench.between(0.1, 0.18)
    z = nose - 0.05 - high
    for side in SIDES:
        x = side * (0.44 * width - lamp / 2)
        mesh.block((x, front + 0.06, z), (lamp, 0.16, high), plain, WHITE_LIGHT)
        back = (side * (0.43 * width - 0.1), rear - 0.06, tail - 0.2)
        mesh.block(back, (0.22, 0.15, max(0.12, 0.22 * (tail - under))), plain, RED_LIGHT)
    grille = bench.between(0.5, 0.9) * (0.85 * width - 2 * lamp)
    mesh.block((0, front + 0.05, z), (grille, 0.14, high), bench.layer("dark"))
    mesh.block((0, front + 0.05, under + 0.16), (0.6 * width, 0.14, 0.12), bench.layer("dark"))
    trim = BLACK if bench.chance(0.5) else paint
    for y in (front + 0.03, rear - 0.03):
        mesh.block((0, y, under + 0.27), (0.84 * width, 0.14, 0.09), plain, trim)
    mesh.block((0, front - 0.03, under + 0.28), (0.5, 0.04, 0.11), plain)
    mesh.block((0, rear + 0.0, tail - 0.3), (0.5, 0.05, 0.12), plain, (0.95, 0.92, 0.7))


def _car_sides(
    bench: Workbench,
    ys: tuple[float, float],
    zs: tuple[float, float],
    width: float,
    paint: Vec3,
    body: int,
) -> None:
    """Add mirrors, joints of the doors and handles."""
    (cowl, deck), (under, hip) = ys, zs
    middle = (hip + under) / 2 + 0.05
    for side in SIDES:
        bench.mesh.block(
            (side * (width / 2 + 0.06), cowl + 0.3, hip + 0.06), (0.16, 0.1, 0.12), body, paint
        )
        for share in (0.18, 0.55, 0.9):
            y = cowl + share * (deck - cowl)
            bench.mesh.block(
                (side * width / 2, y, middle), (0.012, 0.02, 0.8 * (hip - under)), body, BLACK
            )
            bench.mesh.block(
                (side * width / 2, y - 0.15, hip - 0.12), (0.03, 0.13, 0.03), body, BLACK
            )
