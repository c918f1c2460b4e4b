"""Pictures that a small network tells apart within seconds: bright shapes on grey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from sightline.records.utility import PristineImage, PristineSet

CATEGORIES = ("red", "green", "blue")


def write_squares(root: Path, train: int = 48, validation: int = 12) -> PristineSet:
    """Return pictures of 60 x 40 pixels with one coloured square each."""
    rng = np.random.default_rng(5)
    images = []
    for index in range(train + validation):
        category = index % 3
        pixels = rng.integers(90, 120, (40, 60, 3), dtype=np.uint8)
        side = int(rng.integers(14, 24))
        x, y = int(rng.integers(0, 60 - side)), int(rng.integers(0, 40 - side))
        pixels[y : y + side, x : x + side] = 20
        pixels[y : y + side, x : x + side, category] = 250
        name = Path(f"{index:03d}.png")
        Image.fromarray(pixels).save(root / name)
        split = "train" if index < train else "validation"
        box = (float(x), float(y), float(x + side), float(y + side))
        images.append(PristineImage(name, category, (box,), (category,), split, str(index)))
    return PristineSet("squares", root, tuple(images), CATEGORIES)
