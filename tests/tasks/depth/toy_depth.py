"""A depth set on disk where depth is a function of colour, so that a tiny network learns it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.records.depth import DepthImage, DepthSet, write_depth_png_mm, write_depth_set

WIDTH, HEIGHT = 64, 48


def toy_scene(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return a picture of rectangles on a wall and its depth: red is near, blue is far."""
    depth = np.full((HEIGHT, WIDTH), rng.uniform(3.0, 5.0))
    for _ in range(4):
        x, y = rng.integers(0, WIDTH - 16), rng.integers(0, HEIGHT - 12)
        wide, tall = rng.integers(12, 32), rng.integers(10, 24)
        depth[y : y + tall, x : x + wide] = rng.uniform(1.0, 5.0)
    near = (1.0 / depth - 0.2) / 0.8
    image = np.stack([255.0 * near, 60.0 + 0.0 * near, 255.0 * (1.0 - near)], axis=-1)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8), depth


def make_toy_depth(
    root: Path, *, train: int = 24, validation: int = 8, unlabelled: int = 24
) -> DepthSet:
    """Write a toy set; some training images have no depth."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "depth").mkdir()
    items = []
    for k in range(train + validation + unlabelled):
        image, depth = toy_scene(rng)
        name = f"{k:04d}.png"
        Image.fromarray(image).save(root / "images" / name)
        held_out = train <= k < train + validation
        with_depth = k < train + validation
        if with_depth:
            write_depth_png_mm(root / "depth" / name, depth)
        items.append(
            DepthImage(
                Path("images") / name,
                Path("depth") / name if with_depth else None,
                split="validation" if held_out else "train",
                source=f"scene {k}",
            )
        )
    data = DepthSet("toy", root, tuple(items))
    write_depth_set(data)
    return data
