"""Pictures there is one of each: paintings, notices, boards, maps, windows, signs."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from sightline.worlds.canvas import (
    LAYER_PX,
    WORDS,
    Picture,
    TextureSpec,
    canvas,
    finish,
    font,
    frame,
    hsv,
    noise,
    sentence,
    to_bytes,
)


def paint_books(spec: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return shelves of books."""
    image, draw = canvas(spec, (92, 66, 44))
    w, h = image.size
    rows = 5
    for row in range(rows):
        bottom, x = h * (row + 1) / rows - 6, 6.0
        while x < w - 8:
            thick, tall = rng.uniform(6, 17), rng.uniform(0.6, 0.86) * h / rows
            colour = hsv(rng.random(), rng.uniform(0.2, 0.8), rng.uniform(0.25, 0.9))
            draw.rectangle((x, bottom - tall, min(w - 6, x + thick), bottom), fill=colour)
            band = bottom - tall * rng.uniform(0.3, 0.9)
            draw.line((x + 1, band, x + thick - 1, band), fill=(235, 220, 170), width=3)
            x += thick + (1 if rng.random() < 0.85 else rng.uniform(10, 30))
        draw.rectangle((0, bottom, w, bottom + 7), fill=(128, 94, 62))
    return finish(image)


def paint_art(spec: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return an abstract painting."""
    hue = rng.random()
    palette = ((0.0, 0.7, 0.2), (0.07, 0.6, 0.55), (0.5, 0.35, 0.85), (0.12, 0.8, 0.95))
    stops = np.array([hsv(hue + d, s, v) for d, s, v in palette])
    field = noise(rng, (3, 7, 16, 40))[..., 0]
    field = (field - field.min()) / np.ptp(field) * 3
    low = np.minimum(field.astype(int), 2)
    part = (field - low)[..., None]
    values = stops[low] * (1 - part) + stops[low + 1] * part
    image = Image.fromarray(to_bytes(values + 10 * noise(rng, (64,))))
    draw = ImageDraw.Draw(image)
    for _i in range(int(rng.integers(6, 14))):
        points = [tuple(p) for p in rng.uniform(0, LAYER_PX, (3, 2))]
        draw.line(points, fill=hsv(rng.random(), 0.6, 0.9), width=int(rng.integers(3, 12)))
    frame(draw, image, (40, 34, 30))
    return np.asarray(image)


def paint_notice(spec: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return a notice with a title, lines of words and coloured boxes."""
    image, draw = canvas(spec, (246, 245, 238))
    w, h = image.size
    accent = hsv(rng.random(), 0.7, 0.6)
    draw.rectangle((0, 0, w, 0.2 * h), fill=accent)
    draw.text((0.06 * w, 0.03 * h), sentence(rng, 2), (255, 255, 255), font(0.085 * w))
    y, size = 0.24, 0.052 * w
    while y < 0.92:
        if rng.random() < 0.16:
            box = (0.06 * w, y * h, 0.94 * w, min(0.94, y + 0.2) * h)
            draw.rectangle(box, fill=hsv(rng.random(), 0.4, 0.8))
            r = 0.07 * w
            for cx in rng.uniform(0.15, 0.85, 4) * w:
                cy = (y + 0.08) * h
                draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=hsv(rng.random(), 0.6, 0.5))
            y += 0.23
        else:
            line = sentence(rng, int(rng.integers(2, 6)))
            draw.text((0.06 * w, y * h), line, (30, 30, 40), font(size))
            y += 1.35 * size / h
    frame(draw, image, (150, 150, 150))
    return finish(image)


def paint_shapes(spec: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return a poster of circles, bars and triangles."""
    hue = rng.random()
    image, draw = canvas(spec, hsv(hue, 0.15, 0.93))
    w, h = image.size
    for _i in range(24):
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        r = rng.uniform(0.03, 0.16) * min(w, h)
        colour = hsv(
            hue + rng.choice([0, 0.08, 0.5, 0.58]), rng.uniform(0.4, 0.9), rng.uniform(0.2, 0.95)
        )
        kind = rng.integers(3)
        if kind == 0:
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        elif kind == 1:
            draw.rectangle((x - r, y - r * 0.6, x + r, y + r * 0.6), fill=colour)
        else:
            draw.regular_polygon((x, y, r), 3, int(rng.integers(0, 120)), fill=colour)
    title = str(rng.choice(WORDS)).upper()
    draw.text((0.06 * w, 0.84 * h), title, (20, 20, 24), font(0.11 * w))
    frame(draw, image, (250, 250, 250))
    return finish(image)


def paint_landscape(spec: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return hills, trees and clouds."""
    image, draw = canvas(spec, (0, 0, 0))
    w, h = image.size
    sky, ground = rng.uniform(0.52, 0.64), rng.uniform(0.2, 0.4)
    for row in range(h):
        fill = hsv(sky, 0.65 - 0.55 * row / h, 0.72 + 0.25 * row / h)
        draw.line((0, row, w, row), fill=fill)
    for _i in range(7):
        x, y, r = rng.uniform(0, w), rng.uniform(0.05, 0.3) * h, rng.uniform(0.04, 0.1) * w
        draw.ellipse((x - 2 * r, y - r / 2, x + 2 * r, y + r / 2), fill=(244, 246, 250))
    for layer in range(4):
        knots = rng.uniform(-1, 1, 14)
        line = np.interp(np.arange(w), np.linspace(0, w, 14), knots)
        tops = h * (0.42 + 0.13 * layer) + line * h * (0.11 - 0.015 * layer)
        colour = hsv(ground - 0.03 * layer, 0.25 + 0.12 * layer, 0.7 - 0.12 * layer)
        draw.polygon([(0, h), *zip(range(w), tops.tolist(), strict=True), (w, h)], fill=colour)
    for _i in range(60):
        x, y = rng.uniform(0, w), rng.uniform(0.72, 0.98) * h
        s = rng.uniform(0.02, 0.06) * h
        draw.polygon(
            [(x - s / 2, y), (x, y - 2 * s), (x + s / 2, y)],
            fill=hsv(ground, 0.6, rng.uniform(0.15, 0.5)),
        )
    frame(draw, image, (60, 48, 36))
    return finish(image)


def paint_pinboard(spec: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return notes pinned on cork."""
    cork = np.array([196.0, 158.0, 108.0]) + 14 * noise(rng, (64, 200))
    base = Image.fromarray(to_bytes(cork))
    size = canvas(spec, (0, 0, 0))[0].size
    image = base.resize(size)
    w, h = size
    for _i in range(13):
        pw, ph = rng.uniform(0.13, 0.26) * w, rng.uniform(0.16, 0.36) * h
        note = Image.new(
            "RGB", (round(pw), round(ph)), hsv(rng.random(), rng.choice([0.05, 0.35]), 0.97)
        )
        draw = ImageDraw.Draw(note)
        for k in range(int(rng.integers(3, 8))):
            draw.text((4, 4 + 13 * k), sentence(rng, 3), (40, 40, 60), font(11))
        x, y = rng.uniform(0.02, 0.96) * (w - pw), rng.uniform(0.02, 0.96) * (h - ph)
        image.paste(note, (round(x), round(y)))
        pin = hsv(rng.random(), 0.9, 0.8)
        ImageDraw.Draw(image).ellipse((x + pw / 2 - 4, y + 2, x + pw / 2 + 4, y + 10), fill=pin)
    frame(ImageDraw.Draw(image), image, (110, 78, 48))
    return finish(image)


def paint_chart(spec: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return a conference poster with bars and text."""
    image, draw = canvas(spec, (252, 252, 252))
    w, h = image.size
    accent = hsv(rng.random(), 0.75, 0.45)
    draw.rectangle((0, 0, w, 0.13 * h), fill=accent)
    draw.text((0.04 * w, 0.02 * h), sentence(rng, 3), (255, 255, 255), font(0.065 * w))
    for column in range(2):
        x, y = (0.04 + 0.48 * column) * w, 0.16 * h
        while y < 0.9 * h:
            if rng.random() < 0.45:
                bars = rng.uniform(0.1, 1.0, 7)
                for k, bar in enumerate(bars):
                    left = x + 0.06 * w * k
                    top = y + (1 - bar) * 0.16 * h
                    fill = hsv(rng.random(), 0.65, 0.75)
                    draw.rectangle((left, top, left + 0.045 * w, y + 0.16 * h), fill=fill)
                y += 0.19 * h
            else:
                for _k in range(4):
                    draw.text((x, y), sentence(rng, 3), (50, 50, 50), font(0.036 * w))
                    y += 0.05 * w
    frame(draw, image, (120, 120, 120))
    return finish(image)


def paint_metro(spec: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return a map of lines with named stops."""
    image, draw = canvas(spec, (240, 243, 246))
    w, h = image.size
    for _i in range(6):
        colour = hsv(rng.random(), 0.8, 0.75)
        across, down = np.sort(rng.uniform(0.05, 0.95, 5)) * w, rng.uniform(0.1, 0.92, 5) * h
        stops = [(float(x), float(y)) for x, y in zip(across, down, strict=True)]
        draw.line(stops, fill=colour, width=7, joint="curve")
        for x, y in stops:
            draw.ellipse(
                (x - 7, y - 7, x + 7, y + 7), fill=(255, 255, 255), outline=(20, 20, 20), width=2
            )
            draw.text((x + 9, y - 13), str(rng.choice(WORDS)).capitalize(), (20, 20, 30), font(13))
    draw.text((0.05 * w, 0.02 * h), sentence(rng, 1) + " lines", (20, 30, 60), font(0.07 * w))
    frame(draw, image, (90, 100, 120))
    return finish(image)


def paint_window(spec: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return a window with houses before hills."""
    image = Image.fromarray(paint_landscape(spec, rng))
    draw = ImageDraw.Draw(image)
    for _i in range(5):
        x, top = rng.uniform(0, LAYER_PX), rng.uniform(0.45, 0.75) * LAYER_PX
        width = rng.uniform(40, 90)
        draw.rectangle(
            (x, top, x + width, LAYER_PX), fill=hsv(rng.random(), 0.15, rng.uniform(0.5, 0.8))
        )
        for wx in np.arange(x + 8, x + width - 8, 16):
            for wy in np.arange(top + 8, LAYER_PX - 30, 22):
                draw.rectangle((wx, wy, wx + 7, wy + 11), fill=(70, 90, 120))
    bar, edge = (244, 244, 242), LAYER_PX - 1
    draw.rectangle((0, 0, edge, edge), outline=bar, width=18)
    draw.rectangle((edge / 2 - 8, 0, edge / 2 + 8, edge), fill=bar)
    draw.rectangle((0, 0.3 * edge, edge, 0.3 * edge + 12), fill=bar)
    return np.asarray(image)


def paint_rug(spec: TextureSpec, rng: np.random.Generator) -> Picture:
    """Return a woven rug."""
    hue = rng.random()
    image, draw = canvas(spec, hsv(hue, 0.6, 0.42))
    w, h = image.size
    for k in range(9):
        m = 10 + 15 * k
        if 2 * m + 8 > min(w, h):
            break
        colour = hsv(hue + rng.uniform(-0.1, 0.1), rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.85))
        draw.rectangle((m, m, w - m, h - m), outline=colour, width=int(rng.integers(3, 9)))
        for x in np.arange(m, w - m, rng.uniform(18, 40)):
            for y in (m, h - m):
                draw.regular_polygon((float(x), y, 6), 4, 0, fill=hsv(hue + 0.5, 0.3, 0.85))
    return finish(image)


def paint_sign(spec: TextureSpec, _: np.random.Generator) -> Picture:
    """Return a door sign with the text of the spec."""
    image, draw = canvas(spec, (36, 62, 104))
    w, h = image.size
    size = min(0.62 * h, 1.55 * w / max(1, len(spec.text)))
    draw.text((w / 2, h / 2), spec.text, (250, 250, 250), font(size), anchor="mm")
    frame(draw, image, (235, 235, 235))
    return finish(image)


def paint_exit(spec: TextureSpec, _: np.random.Generator) -> Picture:
    """Return an exit sign; every exit sign is the same."""
    image, draw = canvas(spec, (16, 120, 66))
    w, h = image.size
    draw.text((0.36 * w, h / 2), "EXIT", (250, 255, 250), font(0.6 * h), anchor="mm")
    x, y, s = 0.8 * w, h / 2, 0.26 * h
    draw.polygon([(x + s, y), (x, y - s), (x, y + s)], fill=(250, 255, 250))
    draw.rectangle((x - s, y - s / 3, x, y + s / 3), fill=(250, 255, 250))
    return finish(image)
