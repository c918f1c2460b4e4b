"""Pictures of a coloured patch each, and rules that see its colour as long as compression lets it.

Pale patches lose their colour first: whether a picture is of use depends on the picture too.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, PATCH = 48, 20
CATEGORIES = ("red", "green", "blue")
_OTHERS = ((1, 2), (0, 2), (0, 1))


def write_patches(root: Path, sources: Sequence[str] = ("train", "validation", "test")) -> Path:
    """Write a set of objects: two pictures of each source, parts as named."""
    rows = ["image,x0,y0,x1,y1,category,split,source"]
    (root / "images").mkdir(parents=True)
    for number, split in enumerate(sources):
        for view in range(2):
            rng = np.random.default_rng([number, view])
            category = (number + view) % 3
            x, y = rng.integers(0, SIDE - PATCH, 2)
            image = 128 + rng.normal(0, 3, (SIDE, SIDE, 3))
            # evenly from pale to strong in every part
            image[y : y + PATCH, x : x + PATCH, category] += 12 + 11 * (number % 9)
            name = f"images/{number:03d}-{view}.png"
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / name)
            box = f"{x},{y},{x + PATCH},{y + PATCH}"
            rows.append(f"{name},{box},{CATEGORIES[category]},{split},shape{number:03d}")
    (root / "objects.csv").write_text("\n".join(rows) + "\n")
    return root


def colours(image: np.ndarray) -> np.ndarray:
    """Return (3, H, W) how much each colour stands out, the mean over 9 x 9 pixels."""
    import cv2

    soft = cv2.blur(image.astype(np.float32), (9, 9))
    return np.stack([soft[..., k] - soft[..., list(o)].mean(-1) for k, o in enumerate(_OTHERS)])


def _classify(images: Sequence[np.ndarray], gain: float, least: float = 9) -> np.ndarray:
    strength = np.array([colours(image).max(axis=(1, 2)) for image in images])
    # a colour that is nearly gone is taken for the next one
    best = strength.argmax(axis=1)
    missing = np.clip(least - strength.max(axis=1), 0, None)
    strength[np.arange(len(images)), (best + 1) % 3] += 6 * missing
    raised = np.exp(gain * (strength - strength.max(axis=1, keepdims=True)))
    return raised / raised.sum(axis=1, keepdims=True)


def _detect(images: Sequence[np.ndarray], gain: float) -> list[tuple]:
    found = []
    for image in images:
        strength = colours(image)
        category = int(strength.max(axis=(1, 2)).argmax())
        rows, columns = np.nonzero(strength[category] > max(4.0, strength[category].max() / 2))
        if not len(rows):
            found.append((np.zeros((0, 4)), np.zeros(0), np.zeros(0)))
            continue
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        score = 1 - np.exp(-gain * strength[category].max())
        found.append((np.array([box]), np.array([category]), np.array([score])))
    return found


def _named(function):
    function.categories = CATEGORIES
    return function


@_named
def first(images):
    return _classify(images, 0.5)


@_named
def second(images):
    return _classify(images, 0.35, least=20)


@_named
def other(images):
    return _classify(images, 0.25)


@_named
def finder(images):
    return _detect(images, 0.1)


@_named
def seeker(images):
    return _detect(images, 0.07)


@_named
def spotter(images):
    return _detect(images, 0.05)
