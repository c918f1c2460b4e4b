"""What walls, floors, furniture and things are covered with: no two rooms have the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.worlds.canvas import LAYER_PX, Picture, hsv

_N = LAYER_PX
#: Colours 0..255, or fields that steer them.
Array = NDArray[np.floating[Any]]
#: Cells of the noise grids; each divides the layer, so that the noise repeats without a seam.
_FINE = (128, 256)


def paint_material(kind: str, rng: np.random.Generator) -> Picture:
    """Return a (LAYER_PX, LAYER_PX, 3) picture of a material, which repeats both ways.

    Raises:
        InputError: A kind that nobody paints.
    """
    if kind not in MATERIALS:
        raise InputError(f"a material of {', '.join(MATERIALS)} is wanted, {kind!r} came")
    values = MATERIALS[kind](rng)
    if kind != "plain":
        grain = _noise(rng, _FINE)[..., None]
        values = values * (1 + rng.uniform(0.03, 0.09) * grain)
        values = values * (1 + rng.uniform(0.02, 0.1) * _noise(rng, (4, 8, 16))[..., None])
    picture: Picture = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return picture


def _noise(rng: np.random.Generator, cells: tuple[int, ...]) -> Array:
    """Return (LAYER_PX, LAYER_PX) noise of about unit variance that repeats both ways."""
    total = np.zeros((_N, _N), np.float32)
    for count in cells:
        grid = np.pad(rng.standard_normal((count, count), dtype=np.float32), 2, mode="wrap")
        cell = _N // count
        big = cv2.resize(grid, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
        total += big[2 * cell : 2 * cell + _N, 2 * cell : 2 * cell + _N]
    return total / np.float32(len(cells) ** 0.5 * 0.8)


def _colour(rng: np.random.Generator, *, hue: float | None = None) -> Array:
    tone = rng.random() if hue is None else hue + rng.normal(0, 0.05)
    return np.array(hsv(tone, rng.uniform(0.05, 0.75), rng.uniform(0.3, 0.95)), np.float32)


def _pair(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return two colours that can be told apart in grey."""
    first = _colour(rng)
    for _ in range(20):
        second = _colour(rng)
        if abs(float(first.mean() - second.mean())) > 40:
            break
    return first, second


def _filled(colour: Array) -> Array:
    return np.full((_N, _N, 3), colour, np.float32)


def _mix(part: Array, a: Array, b: Array) -> Array:
    mixed: Array = part[..., None] * b + (1 - part[..., None]) * a
    return mixed


def _plain(rng: np.random.Generator) -> Array:
    base = np.array(hsv(rng.random(), rng.uniform(0, 0.25), rng.uniform(0.5, 0.85)), np.float32)
    return np.broadcast_to(base, (_N, _N, 3)) * (1 + 0.004 * _noise(rng, (4, 8))[..., None])


def _plaster(rng: np.random.Generator) -> Array:
    base = _colour(rng)
    values = np.ascontiguousarray(base * (1 + 0.08 * _noise(rng, (8, 32, 64))[..., None]))
    for _ in range(int(rng.integers(60, 260))):
        x, y = (int(v) for v in rng.integers(4, _N - 4, 2))
        tone = tuple(float(v) for v in base * rng.uniform(0.55, 1.25))
        if rng.random() < 0.6:
            cv2.circle(values, (x, y), int(rng.integers(1, 6)), tone, -1, cv2.LINE_AA)
        else:
            dx, dy = (int(v) for v in rng.integers(-24, 25, 2))
            cv2.line(values, (x, y), (x + dx, y + dy), tone, int(rng.integers(1, 3)), cv2.LINE_AA)
    return values


def _stone(rng: np.random.Generator) -> Array:
    a, b = _pair(rng)
    field = _noise(rng, (4, 8, 16, 32, 64))
    veins = np.exp(-np.abs(_noise(rng, (4, 16, 32))) * rng.uniform(6, 16))
    part = np.clip(0.5 + rng.uniform(0.25, 0.8) * field, 0, 1)
    return _mix(part, a, b) * (1 - 0.5 * veins[..., None])


def _tiles(rng: np.random.Generator) -> Array:
    """Return tiles, bricks or a checkerboard: rows of rectangles with joints."""
    rows = int(rng.choice((4, 8, 16)))
    columns = int(rng.choice((rows, rows // 2)))
    a, b = _pair(rng)
    shift = int(rng.integers(0, 2)) * _N // columns // 2
    tones = rng.random((rows, columns)) < rng.uniform(0.1, 0.5)
    cells = np.where(tones[..., None], b, a) * rng.uniform(0.7, 1.15, (rows, columns, 1))
    values = np.repeat(np.repeat(cells, _N // rows, 0), _N // columns, 1).astype(np.float32)
    values *= 1 + 0.07 * _noise(rng, (16, 64))[..., None]
    joint, width = _colour(rng), int(rng.integers(2, 6))
    across = np.arange(_N) % (_N // columns) < width
    values[:, across] = joint
    tall = _N // rows
    for row in range(1, rows, 2):
        values[row * tall : (row + 1) * tall] = np.roll(
            values[row * tall : (row + 1) * tall], shift, axis=1
        )
    values[np.arange(_N) % tall < width] = joint
    return values


def _planks(rng: np.random.Generator) -> Array:
    base = np.array(hsv(rng.uniform(0.03, 0.13), rng.uniform(0.25, 0.7), rng.uniform(0.35, 0.9)))
    rows = int(rng.choice((1, 4, 8, 16)))
    streaks = cv2.resize(_noise(rng, (64, 256)), (_N, _N * 4), interpolation=cv2.INTER_LINEAR)
    streaks = cv2.resize(streaks[:_N, :], (_N, _N))
    rings = np.sin(10 * _noise(rng, (4, 8)) + np.arange(_N)[:, None] * 0.25)
    values = base * (1 + 0.1 * streaks.T[..., None] + 0.08 * rings[..., None])
    tall = _N // rows
    for row in range(rows):
        band = values[row * tall : (row + 1) * tall]
        cuts = np.sort(rng.integers(0, _N, 3))
        for start, end in zip((0, *cuts), (*cuts, _N), strict=True):
            band[:, start:end] *= rng.uniform(0.75, 1.15)
            band[:, max(0, end - 3) : end] *= 0.5
        band[:3] *= 0.5
    return values


def _wallpaper(rng: np.random.Generator) -> Array:
    """Return a lattice of one motif, each a little different in tone."""
    a, b = _pair(rng)
    values = _filled(a)
    count = int(rng.choice((4, 8, 16)))
    cell = _N // count
    petals, inner = int(rng.integers(2, 9)), rng.uniform(0.2, 0.8)
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False) + rng.random()
    radius = 0.45 * cell * (inner + (1 - inner) * np.abs(np.cos(petals * angles / 2)))
    outline = np.stack([np.cos(angles), np.sin(angles)], -1) * radius[:, None]
    spot = _colour(rng)
    for row in range(count):
        for column in range(count):
            middle = (np.array([column + 0.5 * ((row % 2) * 0.5 + 0.5), row + 0.5])) * cell
            shape = np.rint(middle + outline * rng.uniform(0.7, 1)).astype(np.int32)
            tone = tuple(float(v) for v in b * rng.uniform(0.75, 1.2))
            cv2.fillPoly(values, [shape], tone, cv2.LINE_AA)
            x, y = (int(v) for v in np.rint(middle))
            cv2.circle(values, (x, y), cell // 8, tuple(map(float, spot)), -1, cv2.LINE_AA)
    return values


def _stripes(rng: np.random.Generator) -> Array:
    """Return stripes of many widths, crossed by others in half the cases (a plaid)."""
    columns = np.repeat(
        np.stack([_colour(rng) for _ in range(8)])[rng.integers(0, 8, 64)], _N // 64, axis=0
    )
    values = np.broadcast_to(columns, (_N, _N, 3)).astype(np.float32)
    if rng.random() < 0.6:
        rows = np.repeat(
            np.stack([_colour(rng) for _ in range(6)])[rng.integers(0, 6, 32)], _N // 32, axis=0
        )
        values = 0.5 * values + 0.5 * rows[:, None]
    return values * (1 + 0.08 * _noise(rng, (32, 128))[..., None])


def _terrazzo(rng: np.random.Generator) -> Array:
    """Return chips of many colours in a ground."""
    ground = _colour(rng)
    values = _filled(ground)
    colours = [tuple(map(float, _colour(rng))) for _ in range(6)]
    biggest = rng.uniform(5, 22)
    for _ in range(int(4200 / biggest)):
        middle, sides = rng.uniform(0, _N, 2), int(rng.integers(3, 8))
        angles = np.sort(rng.uniform(0, 2 * np.pi, sides))
        radius = biggest * rng.uniform(0.25, 1, (sides, 1))
        shape = middle + np.stack([np.cos(angles), np.sin(angles)], -1) * radius
        colour = colours[int(rng.integers(6))]
        cv2.fillPoly(values, [np.rint(shape).astype(np.int32)], colour, cv2.LINE_AA)
    return values


def _camouflage(rng: np.random.Generator) -> Array:
    """Return smooth patches of a few colours, as on fabric or painted things."""
    hue = rng.random()
    colours = np.stack([_colour(rng, hue=hue + 0.3 * k * rng.random()) for k in range(5)])
    field = _noise(rng, ((4, 8, 16), (8, 16, 64), (16, 32))[int(rng.integers(3))])
    values: Array = colours[np.clip(2.5 + 1.8 * field, 0, 4).astype(int)].astype(np.float32)
    return values


def _scribble(rng: np.random.Generator) -> Array:
    """Return strokes, letters and dots, as on gift wrap, a packet or a newspaper."""
    a, _ = _pair(rng)
    values = _filled(a).astype(np.uint8)
    glyphs = "ABCDEFGHKLMNPRSTUVXYZ0123456789&%?!+"
    for _ in range(int(rng.integers(60, 130))):
        colour = tuple(map(float, _colour(rng)))
        x, y = (int(v) for v in rng.integers(-20, _N, 2))
        draw = int(rng.integers(4))
        if draw == 0:
            text = "".join(rng.choice(list(glyphs), int(rng.integers(1, 7))))
            scale = float(rng.uniform(0.5, 2.5))
            cv2.putText(
                values, text, (x, y), int(rng.integers(0, 8)), scale, colour, 2, cv2.LINE_AA
            )
        elif draw == 1:
            cv2.circle(values, (x, y), int(rng.integers(3, 40)), colour, int(rng.choice((-1, 3))))
        elif draw == 2:
            w, h = (int(v) for v in rng.integers(6, 90, 2))
            cv2.rectangle(values, (x, y), (x + w, y + h), colour, int(rng.choice((-1, 2, 4))))
        else:
            ends = np.cumsum(np.r_[[[x, y]], rng.integers(-60, 61, (3, 2))], axis=0)
            cv2.polylines(values, [ends.astype(np.int32)], False, colour, 3, cv2.LINE_AA)
    return values.astype(np.float32)


#: Kind -> painter of float values 0..255.
MATERIALS: dict[str, Callable[[np.random.Generator], Array]] = {
    "camouflage": _camouflage,
    "plain": _plain,
    "planks": _planks,
    "plaster": _plaster,
    "scribble": _scribble,
    "stone": _stone,
    "stripes": _stripes,
    "terrazzo": _terrazzo,
    "tiles": _tiles,
    "wallpaper": _wallpaper,
}
