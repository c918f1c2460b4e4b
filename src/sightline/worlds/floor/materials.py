"""Surfaces that repeat: plaster, tiles, panels, wood, and the doors and lamps that look alike."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from sightline.geometry.rotation import Array
from sightline.worlds.canvas import (
    LAYER_PX,
    Picture,
    TextureSpec,
    canvas,
    finish,
    hsv,
    noise,
    to_bytes,
)


def paint_plaster(_: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return painted plaster with a few specks and scratches; repeats both ways."""
    # The picture repeats along a wall, so its edges have to meet.
    base = (
        236
        + 3.5 * _wrapped(noise(rng, (4, 16, 64)))
        + 2.0 * rng.standard_normal((LAYER_PX, LAYER_PX, 1))
    )
    image = Image.fromarray(to_bytes(np.repeat(base, 3, axis=2)))
    draw = ImageDraw.Draw(image)
    for _i in range(110):
        x, y = rng.integers(8, LAYER_PX - 8, 2)
        tone = int(rng.integers(165, 218))
        if rng.random() < 0.6:
            r = int(rng.integers(1, 4))
            draw.ellipse((x - r, y - r, x + r, y + r), fill=(tone, tone, tone))
        else:
            dx, dy = rng.integers(-14, 15, 2)
            draw.line((x, y, x + dx, y + dy), fill=(tone, tone, tone), width=2)
    return np.asarray(image)


def _wrapped(values: Array) -> Array:
    ramp = np.linspace(0, 1, LAYER_PX)[None, :, None]
    across = values * ramp + np.roll(values, LAYER_PX // 2, axis=1) * (1 - ramp)
    ramp = ramp.transpose(1, 0, 2)
    both: Array = across * ramp + np.roll(across, LAYER_PX // 2, axis=0) * (1 - ramp)
    return both


def paint_mosaic(_: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return twenty by twenty small tiles of slightly different tones, to be tinted."""
    edges = np.linspace(0, LAYER_PX, 21).round().astype(int)
    tones = np.clip(rng.normal(220, 17, (20, 20)), 150, 255)
    tones[rng.random((20, 20)) < 0.05] = 150
    values = np.repeat(np.repeat(tones, np.diff(edges), axis=0), np.diff(edges), axis=1)
    values += 2.0 * rng.standard_normal(values.shape)
    for edge in edges[:-1]:
        values[edge : edge + 2] = values[:, edge : edge + 2] = 190
    return to_bytes(values[..., None] + np.zeros(3))


def paint_floor(_: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return four by four stone tiles."""
    tile = LAYER_PX // 4
    tones = np.kron(rng.normal(0, 8, (4, 4)), np.ones((tile, tile)))[..., None]
    marble = 8 * noise(rng, (16, 48, 128)) + 3 * rng.standard_normal((LAYER_PX, LAYER_PX, 1))
    values = np.array([186.0, 178.0, 166.0]) + tones + marble
    joint = np.arange(LAYER_PX) % tile < 3
    values[joint] = values[:, joint] = (120, 114, 106)
    return to_bytes(values)


def paint_parquet(_: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return wooden planks."""
    rows, values = 12, np.zeros((LAYER_PX, LAYER_PX, 3))
    edges = np.linspace(0, LAYER_PX, rows + 1).astype(int)
    grain = noise(rng, (128,)) * 3
    for row in range(rows):
        joints = np.sort(rng.integers(0, LAYER_PX, 3))
        for start, end in zip((0, *joints), (*joints, LAYER_PX), strict=True):
            values[edges[row] : edges[row + 1], start:end] = np.array([168, 122, 78]) * (
                rng.uniform(0.8, 1.12)
            )
            values[edges[row] : edges[row + 1], max(0, end - 2) : end] *= 0.6
        values[edges[row + 1] - 2 : edges[row + 1]] *= 0.65
    streaks = np.repeat(rng.normal(0, 5, (LAYER_PX, 1, 1)), LAYER_PX, axis=1)
    return to_bytes(values + grain + streaks)


def paint_ceiling(_: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return two by two perforated ceiling panels."""
    panel = LAYER_PX // 2
    values = 232 + 2.0 * rng.standard_normal((LAYER_PX, LAYER_PX, 1)) + np.zeros(3)
    image = Image.fromarray(to_bytes(values))
    draw = ImageDraw.Draw(image)
    for ox, oy in ((0, 0), (0, panel), (panel, 0), (panel, panel)):
        for x, y in rng.integers(10, panel - 10, (150, 2)):
            r = int(rng.integers(1, 5))
            box = (x + ox - r, y + oy - r, x + ox + r, y + oy + r)
            draw.ellipse(box, fill=(172, 172, 168))
    array = np.array(image)
    joint = np.arange(LAYER_PX) % panel < 5
    array[joint] = array[:, joint] = (150, 150, 150)
    return array


def paint_plain(_: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return an almost even surface, to be tinted."""
    return to_bytes(238 + 4 * noise(rng, (16, 64), 1) + np.zeros(3))


def paint_wood(_: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return wood grain."""
    grain = np.repeat(rng.normal(0, 9, (1, LAYER_PX, 1)), LAYER_PX, axis=0)
    waves = 7 * noise(rng, (4, 24))
    return to_bytes(np.array([176.0, 132.0, 88.0]) + grain + waves)


def paint_fabric(_: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return woven cloth, to be tinted."""
    weave = 12 * (np.indices((LAYER_PX, LAYER_PX)).sum(0) // 6 % 2)[..., None]
    return to_bytes(200 + weave + 8 * noise(rng, (16, 128)) + np.zeros(3))


def paint_leaves(_: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return dense leaves."""
    image = Image.new("RGB", (LAYER_PX, LAYER_PX), (26, 52, 26))
    draw = ImageDraw.Draw(image)
    for _i in range(420):
        x, y = rng.uniform(0, LAYER_PX, 2)
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(20, 58)
        tip = np.array([np.cos(angle), np.sin(angle)]) * length
        side = np.array([-tip[1], tip[0]]) * 0.22
        root = np.array([x, y])
        points = [root, root + tip / 2 + side, root + tip, root + tip / 2 - side]
        green = hsv(rng.uniform(0.24, 0.38), rng.uniform(0.45, 0.8), rng.uniform(0.3, 0.75))
        draw.polygon([(float(px), float(py)) for px, py in points], fill=green)
    return np.asarray(image)


def paint_door(spec: TextureSpec, _: np.random.Generator) -> Picture:
    """Return a door leaf; every door has the same."""
    image, draw = canvas(spec, (122, 148, 160))
    w, h = image.size
    for top, bottom in ((0.06, 0.47), (0.55, 0.95)):
        draw.rectangle((0.14 * w, top * h, 0.86 * w, bottom * h), outline=(84, 106, 118), width=4)
        box = (0.16 * w, (top + 0.01) * h, 0.84 * w, (bottom - 0.01) * h)
        draw.rectangle(box, outline=(164, 188, 198), width=2)
    draw.rectangle((0.30 * w, 0.12 * h, 0.70 * w, 0.40 * h), fill=(58, 72, 82))
    draw.polygon(
        [(0.34 * w, 0.40 * h), (0.5 * w, 0.12 * h), (0.6 * w, 0.12 * h), (0.44 * w, 0.40 * h)],
        fill=(88, 106, 118),
    )
    draw.rounded_rectangle((0.04 * w, 0.49 * h, 0.12 * w, 0.56 * h), 4, fill=(214, 214, 208))
    draw.rectangle((0.06 * w, 0.515 * h, 0.22 * w, 0.53 * h), fill=(70, 70, 70))
    draw.rectangle((0.08 * w, 0.93 * h, 0.92 * w, 0.985 * h), fill=(150, 152, 150))
    return finish(image)


def paint_cupboard(spec: TextureSpec, _: np.random.Generator) -> Picture:
    """Return the front of a steel cupboard; every cupboard has the same."""
    image, draw = canvas(spec, (205, 208, 210))
    w, h = image.size
    for i in range(2):
        box = (w * (i / 2 + 0.02), 0.04 * h, w * (i / 2 + 0.48), 0.96 * h)
        draw.rectangle(box, fill=(222, 222, 218), outline=(120, 124, 128), width=3)
        x = w * (0.44 if i == 0 else 0.56)
        draw.rectangle((x - 4, 0.42 * h, x + 4, 0.58 * h), fill=(80, 84, 90))
        for k in range(5):
            y = h * (0.10 + 0.02 * k)
            draw.line((w * (i / 2 + 0.14), y, w * (i / 2 + 0.36), y), fill=(130, 132, 134), width=2)
    return finish(image)


def paint_lamp(_: TextureSpec, __: np.random.Generator) -> Picture:
    """Return the louvres of a ceiling lamp."""
    image = Image.new("RGB", (LAYER_PX, LAYER_PX), (250, 250, 244))
    draw = ImageDraw.Draw(image)
    for k in range(1, 8):
        draw.line((0, k * 64, LAYER_PX, k * 64), fill=(222, 222, 216), width=6)
    draw.rectangle((0, 0, LAYER_PX - 1, LAYER_PX - 1), outline=(160, 160, 160), width=16)
    return np.asarray(image)
