"""Walls, floor and ceiling with windows and pictures, and the lamps."""

from __future__ import annotations

import itertools

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.rooms.light import Lamp
from sightline.worlds.rooms.scene import Workshop

#: Walls reach this far behind their neighbours: no pixel looks through a seam.
SEAM_M = 0.02
_PICTURES = ("art", "notice", "shapes", "landscape", "pinboard", "chart", "metro", "books")
_WALLS = ("plaster", "wallpaper", "stripes", "tiles", "stone", "camouflage", "planks")
_FLOORS = ("planks", "planks", "tiles", "stone", "terrazzo", "stripes")


def add_shell(work: Workshop, size: Array, *, pictures: tuple[int, int]) -> None:
    """Add the six sides of a room and what hangs on its walls.

    Args:
        work: Takes the surfaces.
        size: (3,) the room.
        pictures: Fewest and most pictures on a wall.
    """
    w, d, h = (float(v) for v in size)
    rng, e = work.rng, SEAM_M
    mesh = work.mesh
    mesh.quad(
        (-e, d + e, 0), (w + 2 * e, 0, 0), (0, -d - 2 * e, 0), work.material(*_FLOORS),
        metres=float(rng.uniform(1.2, 3.0)), offset=work.shift(),
    )  # fmt: skip
    mesh.quad(
        (-e, -e, h), (w + 2 * e, 0, 0), (0, d + 2 * e, 0),
        work.material("plaster", "plain", "tiles", "planks"),
        metres=float(rng.uniform(1.5, 3.0)), offset=work.shift(),
    )  # fmt: skip
    corners = [np.array(c) for c in ((0.0, 0.0), (0.0, d), (w, d), (w, 0.0), (0.0, 0.0))]
    papers = [work.material(*_WALLS) for _ in range(2)]
    for a, b in itertools.pairwise(corners):
        along = (b - a) / np.linalg.norm(b - a)
        start, right = a - e * along, b - a + 2 * e * along
        mesh.quad(
            (*start, h + e), (*right, 0.0), (0, 0, -h - 2 * e), papers[int(rng.integers(2))],
            metres=float(rng.uniform(1.6, 3.2)), offset=work.shift(),
        )  # fmt: skip
        count = int(rng.integers(pictures[0], pictures[1] + 1))
        hang_pictures(work, a, b, h, count // 3 if work.is_plain else count)
    add_skirting(work, w, d)


def add_skirting(work: Workshop, w: float, d: float) -> None:
    """Add a skirting board round a room of ``w`` by ``d`` metres."""
    layer, tall = work.material("planks", "plain"), float(work.rng.uniform(0.06, 0.14))
    for centre, size in (
        ((w / 2, 0.0, 0.0), (w, 0.03, tall)),
        ((w / 2, d, 0.0), (w, 0.03, tall)),
        ((0.0, d / 2, 0.0), (0.03, d, tall)),
        ((w, d / 2, 0.0), (0.03, d, tall)),
    ):
        work.mesh.box(centre, size, layer, metres=1.0, solid=False)


def hang_pictures(work: Workshop, a: Array, b: Array, h: float, count: int) -> None:
    """Hang pictures side by side; some are windows, some stand high and some low."""
    rng, length = work.rng, float(np.linalg.norm(b - a))
    along = np.append((b - a) / length, 0.0)
    inwards = np.array([along[1], -along[0], 0.0])
    x = float(rng.uniform(0.15, 0.5))
    for _ in range(count):
        width = float(rng.uniform(0.35, 1.3))
        if x + width > length - 0.1:
            break
        tall = float(np.clip(width * rng.uniform(0.6, 1.4), 0.3, h - 1.2))
        middle = float(rng.uniform(1.2, 1.7))
        window = width > 0.8 and rng.random() < 0.4
        layer = work.picture("window" if window else str(rng.choice(_PICTURES)), width / tall)
        left = np.array([*a, 0.0]) + x * along
        corner = left + np.array([0, 0, middle + tall / 2]) + 0.03 * inwards
        tone = rng.uniform(0.2, 0.8, 3)
        frame = left + width / 2 * along + np.array([0, 0, middle - tall / 2 - 0.03])
        work.mesh.box(
            frame + 0.005 * inwards, (width + 0.06, 0.04, tall + 0.06), layer,
            turn=float(np.arctan2(along[1], along[0])), tint=tuple(tone), solid=False,
            metres=9.0,
        )  # fmt: skip
        work.mesh.quad(corner, width * along, (0, 0, -tall), layer, glow=1.0 if window else 0.0)
        x += width + float(rng.uniform(0.1, 0.7))


def hang_lamps(rng: np.random.Generator, size: Array) -> list[Lamp]:
    """Return one to three lamps of one warmth."""
    warmth = rng.uniform(-0.08, 0.12)
    colour = np.array([1 + warmth, 1.0, 1 - 1.3 * warmth])
    return [
        Lamp(
            np.array([*(rng.uniform(0.2, 0.8, 2) * size[:2]), size[2] - rng.uniform(0.1, 0.7)]),
            colour * rng.uniform(0.5, 1.1),
        )
        for _ in range(int(rng.integers(1, 4)))
    ]
