"""What lies behind the objects: fields of colour, ground and sky, walls, pictures, clutter."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.worlds import pictures
from sightline.worlds.canvas import Picture, TextureSpec, hsv, to_bytes
from sightline.worlds.materials import MATERIALS, paint_material
from sightline.worlds.objects.textures import smooth_noise

Floats = NDArray[np.float32]

#: How many there are of one seed; each picture shows parts of one or two, mixed anew.
COUNT = 240
_PX = 256
_PICTURES = ("art", "books", "landscape", "window", "shapes", "pinboard", "landscape", "window")


def backdrop_behind(rng: np.random.Generator, seed: int, px: int) -> Floats:
    """Return a (px, px, 3) background of values 0..255, different each time."""
    values = _part(rng, seed, px)
    if rng.random() < 0.45:
        ground = _part(rng, seed, px)
        horizon = int(rng.uniform(0.25, 0.85) * px)
        values[horizon:] = ground[horizon:]
    if rng.random() < 0.4:
        return _soft(values, float(rng.uniform(0.6, 3.0)) * px / 128)
    return values


def _part(rng: np.random.Generator, seed: int, px: int) -> Floats:
    """Return a part of a backdrop, turned over by chance, in another light."""
    picture = _backdrop(seed, int(rng.integers(COUNT)))
    side = int(rng.uniform(0.45, 1.0) * _PX)
    y, x = (int(v) for v in rng.integers(0, _PX - side + 1, 2))
    crop = picture[y : y + side, x : x + side]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    scaled = cv2.resize(np.ascontiguousarray(crop), (px, px), interpolation=cv2.INTER_AREA)
    gain = rng.uniform(0.55, 1.2) * rng.uniform(0.88, 1.12, 3)
    values: Floats = scaled.astype(np.float32) * gain.astype(np.float32)
    return values


@lru_cache(maxsize=COUNT)
def _backdrop(seed: int, index: int) -> Picture:
    """Return backdrop ``index``, (_PX, _PX, 3); painted when it is first asked for."""
    rng = np.random.default_rng([seed, index, 77])
    paint = (_field, _outdoors, _clutter, _clutter, _surface, _picture)[index % 6]
    return paint(rng)


def _soft(values: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)


def _colour(rng: np.random.Generator) -> NDArray[np.float64]:
    return np.array(hsv(rng.random(), rng.uniform(0, 0.7), rng.uniform(0.15, 1.0)), np.float64)


def _field(rng: np.random.Generator) -> Picture:
    """Return smooth patches between two or three colours."""
    cells = ((2, 3), (3, 6, 12), (4, 8, 16, 32, 64))[int(rng.integers(3))]
    part = np.clip(0.5 + 0.5 * smooth_noise(rng, cells, _PX), 0, 1)[..., None]
    other = np.clip(0.5 * smooth_noise(rng, (3, 9), _PX), 0, 1)[..., None]
    values = (1 - part) * _colour(rng) + part * _colour(rng)
    return to_bytes((1 - other) * values + other * _colour(rng))


def _outdoors(rng: np.random.Generator) -> Picture:
    """Return a sky with clouds over ground: grass, water, sand or road."""
    height = np.linspace(1, 0, _PX)[:, None, None]
    zenith = np.array(hsv(rng.uniform(0.52, 0.64), rng.uniform(0.05, 0.7), rng.uniform(0.55, 1)))
    low = np.array(hsv(rng.uniform(0.0, 0.6), rng.uniform(0.0, 0.3), rng.uniform(0.75, 1)))
    clouds = np.clip(smooth_noise(rng, (3, 6, 12, 24), _PX), 0, 1)[..., None] * rng.uniform(0, 90)
    sky = height * zenith + (1 - height) * low + clouds
    tone = np.array(
        hsv(rng.choice((0.1, 0.27, 0.33, 0.55)), rng.uniform(0.05, 0.6), rng.uniform(0.2, 0.75))
    )
    rows = cv2.resize(smooth_noise(rng, (6, 24, 64), _PX), (_PX, 3 * _PX))[:_PX]
    ground = tone * (1 + rng.uniform(0.05, 0.3) * rows[..., None])
    line = rng.uniform(0.3, 0.8) * _PX + 8 * smooth_noise(rng, (4,), _PX)[:1] * rng.integers(0, 2)
    return to_bytes(np.where((np.arange(_PX)[:, None] < line)[..., None], sky, ground))


def _clutter(rng: np.random.Generator) -> Picture:
    """Return things nobody can name: overlapping shapes of many colours, sharp or not."""
    image = to_bytes(
        np.full((_PX, _PX, 3), 1.0) * _colour(rng) + 10 * smooth_noise(rng, (5, 40), _PX)[..., None]
    )
    for _ in range(int(rng.integers(8, 60))):
        colour = tuple(float(c) for c in _colour(rng))
        x, y = (int(v) for v in rng.integers(-20, _PX + 20, 2))
        w, h = (int(v) for v in rng.integers(4, 90, 2))
        kind = int(rng.integers(4))
        if kind == 0:
            cv2.rectangle(image, (x, y), (x + w, y + h), colour, -1)
        elif kind == 1:
            cv2.ellipse(
                image, (x, y), (w, h), float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA
            )
        elif kind == 2:
            corners = np.array([[x, y]]) + rng.integers(-70, 70, (int(rng.integers(3, 6)), 2))
            cv2.fillPoly(image, [corners.astype(np.int32)], colour, cv2.LINE_AA)
        else:
            ends = np.array([[x, y]]) + rng.integers(-120, 120, (3, 2))
            cv2.polylines(
                image, [ends.astype(np.int32)], False, colour, int(rng.integers(1, 9)), cv2.LINE_AA
            )
    if rng.random() < 0.6:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.8, 6))), np.uint8)
    grain = 6 * smooth_noise(rng, (64, 128), _PX)[..., None]
    return to_bytes(np.asarray(image + grain, np.float64))


def _surface(rng: np.random.Generator) -> Picture:
    """Return a wall over a floor, each of a material."""
    kinds = sorted(MATERIALS)
    wall, floor = (
        cv2.resize(
            paint_material(str(rng.choice(kinds)), rng), (_PX, _PX), interpolation=cv2.INTER_AREA
        )
        for _ in "wf"
    )
    edge = int(rng.uniform(0.3, 0.9) * _PX)
    floor = cv2.resize(floor[: _PX // 2], (_PX, _PX))
    return np.concatenate([wall[:edge], floor[edge:]])


def _picture(rng: np.random.Generator) -> Picture:
    """Return a part of a painted picture."""
    kind = str(rng.choice(_PICTURES))
    whole: Picture = getattr(pictures, f"paint_{kind}")(TextureSpec(kind), rng)
    y, x = (int(v) for v in rng.integers(20, 150, 2))
    part = np.ascontiguousarray(whole[y : y + 330, x : x + 330])
    return np.asarray(cv2.resize(part, (_PX, _PX), interpolation=cv2.INTER_AREA), np.uint8)
