"""What every painter needs: noise, colours, letters, a canvas of the surface's shape."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sightline.geometry.rotation import Array

LAYER_PX = 512
Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

WORDS = (
    "floor", "notice", "meeting", "friday", "library", "laser", "project", "safety", "please",
    "quiet", "visit", "open", "house", "coffee", "lecture", "students", "map", "exit", "printer",
    "archive", "station", "studio", "garden", "museum", "concert", "physics", "vision", "robots",
    "theatre", "summer", "winter", "course", "seminar", "welcome", "north", "south", "tower",
)  # fmt: skip


@dataclass(frozen=True)
class TextureSpec:
    """One picture that is wanted.

    Attributes:
        kind: A name of ``textures.PAINTERS``.
        aspect: Width over height of the surface it is for, so that letters keep their shape.
        text: What a sign says.
    """

    kind: str
    aspect: float = 1.0
    text: str = ""


def noise(rng: np.random.Generator, cells: tuple[int, ...], channels: int = 1) -> Array:
    """Return LAYER_PX-square noise of mean 0, the sum of smooth grids of random numbers."""
    total = np.zeros((LAYER_PX, LAYER_PX, channels))
    for count in cells:
        grid = rng.standard_normal((count, count, channels)).astype(np.float32)
        for c in range(channels):
            image = Image.fromarray(grid[..., c])
            total[..., c] += np.asarray(
                image.resize((LAYER_PX, LAYER_PX), Image.Resampling.BICUBIC)
            )
    scaled: Array = total / np.sqrt(len(cells))
    return scaled


def to_bytes(values: Array) -> Picture:
    """Return values rounded and clipped to 0..255."""
    picture: Picture = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return picture


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return the 8-bit RGB of hue (taken modulo 1), saturation and value."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(255 * r), round(255 * g), round(255 * b)


def canvas(spec: TextureSpec, colour: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return a canvas of the surface's shape; :func:`finish` brings it to the layer's."""
    width = round(LAYER_PX * min(1.0, spec.aspect))
    height = round(LAYER_PX * min(1.0, 1.0 / spec.aspect))
    image = Image.new("RGB", (width, height), colour)
    return image, ImageDraw.Draw(image)


def finish(image: Image.Image) -> Picture:
    """Return a canvas at the layer's size."""
    return np.asarray(image.resize((LAYER_PX, LAYER_PX), Image.Resampling.BICUBIC))


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own scalable font, so that no system font is needed."""
    return ImageFont.load_default(max(6.0, size))


def sentence(rng: np.random.Generator, words: int) -> str:
    """Return some words, the first with a capital."""
    return " ".join(rng.choice(WORDS, words)).capitalize()


def frame(draw: ImageDraw.ImageDraw, image: Image.Image, colour: Colour) -> None:
    """Draw a border of a fortieth of the smaller side."""
    width = max(3, min(image.size) // 40)
    draw.rectangle((0, 0, image.width - 1, image.height - 1), outline=colour, width=width)
