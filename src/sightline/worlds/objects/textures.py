"""Small textures of objects: mottled paint, wood, cloth, hubs, labels, screens."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import InputError
from sightline.geometry.rotation import Array
from sightline.worlds.canvas import Picture, hsv, to_bytes

TEXTURE_PX = 64
_N = TEXTURE_PX


def smooth_noise(rng: np.random.Generator, cells: tuple[int, ...], px: int = _N) -> Array:
    """Return (px, px) noise of mean 0 and about unit strength that repeats nowhere."""
    total = np.zeros((px, px), np.float32)
    for count in cells:
        grid = rng.standard_normal((count, count), dtype=np.float32)
        total += cv2.resize(grid, (px, px), interpolation=cv2.INTER_CUBIC)
    scaled: Array = total / np.sqrt(len(cells))
    return scaled


def _grey(field: ArrayLike) -> Array:
    return np.repeat(np.asarray(field, dtype=np.float64)[..., None], 3, axis=2)


def _paint(rng: np.random.Generator) -> Array:
    return _grey(236 + 7 * smooth_noise(rng, (3, 12)))


def _metal(rng: np.random.Generator) -> Array:
    streaks = cv2.resize(rng.standard_normal((_N, 3)).astype(np.float32), (_N, _N))
    return _grey(205 + 22 * streaks)


def _wood(rng: np.random.Generator) -> Array:
    field = cv2.resize(smooth_noise(rng, (4, 12)), (_N, 4 * _N))[:_N]
    rings = np.sin(rng.uniform(6, 14) * field + np.arange(_N)[None] * rng.uniform(0.3, 0.8))
    return _grey(205 + 24 * rings + 10 * smooth_noise(rng, (32,)))


def _cloth(rng: np.random.Generator) -> Array:
    return _grey(212 + 16 * smooth_noise(rng, (32, 64)) + 10 * smooth_noise(rng, (5,)))


def _stripes(rng: np.random.Generator) -> Array:
    """Return stripes, or with a second set a plaid, of two or three colours."""
    colours = np.array(
        [hsv(rng.random(), rng.uniform(0.2, 0.8), rng.uniform(0.4, 1)) for _ in "abc"]
    )
    bands = np.repeat(rng.integers(0, 3, 16), _N // 16)
    values = np.broadcast_to(colours[bands], (_N, _N, 3)).astype(np.float64)
    if rng.random() < 0.5:
        values = 0.55 * values + 0.45 * values.transpose(1, 0, 2)
    return values + 8 * smooth_noise(rng, (32,))[..., None]


def _pattern(rng: np.random.Generator) -> Array:
    """Return dots or flowers on cloth."""
    values = np.full((_N, _N, 3), hsv(rng.random(), rng.uniform(0.1, 0.7), rng.uniform(0.5, 1.0)))
    canvas = values.astype(np.uint8)
    colour = hsv(rng.random(), rng.uniform(0.2, 0.9), rng.uniform(0.3, 1.0))
    step, size = int(rng.choice((16, 32))), int(rng.integers(3, 7))
    for x in range(step // 2, _N, step):
        for y in range(step // 2, _N, step):
            cv2.circle(canvas, (x, y), size, colour, -1, cv2.LINE_AA)
    return canvas.astype(np.float64)


def _rubber(rng: np.random.Generator) -> Array:
    return _grey(40 + 8 * rng.standard_normal((_N, _N)))


def _dark(rng: np.random.Generator) -> Array:
    return _grey(46 + 6 * smooth_noise(rng, (6,)))


def _glass(rng: np.random.Generator) -> Array:
    """Return dark glass with a bright reflection."""
    base = np.array(hsv(rng.uniform(0.5, 0.62), rng.uniform(0.1, 0.35), rng.uniform(0.2, 0.38)))
    shine = np.clip(smooth_noise(rng, (2, 4)), 0, None)
    return base + 70 * shine[..., None] * (np.linspace(1.0, 0.2, _N)[:, None, None])


def _hub(rng: np.random.Generator) -> Array:
    """Return a wheel's disc with spokes or holes."""
    y, x = (np.mgrid[:_N, :_N] + 0.5) / (_N / 2) - 1
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    spokes, bright = int(rng.integers(4, 11)), rng.uniform(140, 225)
    open_ = (np.cos(spokes * angle) < rng.uniform(-0.3, 0.4)) & (radius > 0.28) & (radius < 0.85)
    field = np.where(open_, 45.0, bright)
    field[(radius < 0.12) | (radius > 0.97)] *= 0.6
    return _grey(field)


def _label(rng: np.random.Generator) -> Array:
    """Return a bottle's label: a ground, bands, a mark and lines of writing."""
    ground = hsv(rng.random(), rng.choice((0.05, 0.7)), rng.uniform(0.7, 1.0))
    image = np.full((_N, _N, 3), ground, np.uint8)
    ink = hsv(rng.random(), rng.uniform(0.5, 1), rng.uniform(0.1, 0.6))
    for y in rng.choice((4, 10, 50, 56), 2, replace=False):
        cv2.rectangle(image, (0, int(y)), (_N, int(y) + 4), ink, -1)
    cv2.circle(image, (20, 28), int(rng.integers(6, 12)), ink, -1, cv2.LINE_AA)
    for y in range(18, 48, 8):
        cv2.line(image, (36, y), (36 + int(rng.integers(8, 24)), y), (40, 40, 40), 2)
    return image.astype(np.float64)


def _screen(rng: np.random.Generator) -> Array:
    """Return what a screen shows: windows of a desktop, a scene, or nothing with a reflection."""
    kind = rng.random()
    if kind < 0.4:
        shine = np.clip(smooth_noise(rng, (2, 3)), 0, None)[..., None]
        return np.array([30.0, 36.0, 46.0]) + 60 * shine
    if kind < 0.7:
        image = np.full((_N, _N, 3), hsv(rng.random(), 0.6, rng.uniform(0.3, 0.8)), np.uint8)
        for _ in range(3):
            x, y = (int(v) for v in rng.integers(0, 40, 2))
            w, h = (int(v) for v in rng.integers(14, 34, 2))
            cv2.rectangle(image, (x, y), (x + w, y + h), (240, 240, 240), -1)
            cv2.rectangle(image, (x, y), (x + w, y + 4), hsv(rng.random(), 0.6, 0.6), -1)
        return image.astype(np.float64)
    a, b = (np.array(hsv(rng.random(), rng.uniform(0.2, 0.8), v)) for v in (0.9, 0.45))
    part = np.clip(0.5 + smooth_noise(rng, (3, 8)) + np.linspace(-1, 1, _N)[:, None], 0, 1)[
        ..., None
    ]
    return a * (1 - part) + b * part


def _print(rng: np.random.Generator) -> Array:
    """Return paint with a wide coloured band, as on buses, trains and hulls."""
    values = np.full((_N, _N, 3), 236.0)
    start, width = int(rng.integers(0, 40)), int(rng.integers(6, 24))
    values[:, start : start + width] = hsv(
        rng.random(), rng.uniform(0.4, 0.95), rng.uniform(0.3, 1)
    )
    return values


#: Kind -> painter of float values 0..255.
PAINTERS: dict[str, Callable[[np.random.Generator], Array]] = {
    "cloth": _cloth,
    "dark": _dark,
    "glass": _glass,
    "hub": _hub,
    "label": _label,
    "metal": _metal,
    "paint": _paint,
    "pattern": _pattern,
    "print": _print,
    "rubber": _rubber,
    "screen": _screen,
    "stripes": _stripes,
    "wood": _wood,
}


def paint_texture(kind: str, rng: np.random.Generator) -> Picture:
    """Return a texture of a kind, (TEXTURE_PX, TEXTURE_PX, 3).

    Raises:
        InputError: The kind is unknown.
    """
    if kind not in PAINTERS:
        raise InputError(f"a texture of {', '.join(PAINTERS)} is wanted, {kind!r} came")
    return to_bytes(PAINTERS[kind](rng))
