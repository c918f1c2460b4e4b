"""Which pairs are hard: the textureless ones (the paper's Figs. 7b and 7c), by a stated rule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.geometry.rotation import Array
from sightline.media import read_photo
from sightline.records.pairs import ImagePair, PairSet

#: Texture is looked at on this shorter side, where sensor noise is averaged away.
_SHORT_SIDE_PX = 96
#: A stronger gradient counts as this, so that one outline does not make a plain wall textured.
_CAP = 10.0

RULE = (
    "hard: the pairs whose plainer photo has the least texture; texture: the mean gradient of the "
    f"grey photo at a shorter side of {_SHORT_SIDE_PX} pixels, {_CAP:g} grey levels a pixel at most"
)


def texture(image: NDArray[np.uint8]) -> float:
    """Return the mean length of the gradient of the shrunken grey photo, capped.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        Grey levels a pixel, in [0, 10].
    """
    height, width = image.shape[:2]
    scale = _SHORT_SIDE_PX / min(height, width)
    size = (max(round(width * scale), 2), max(round(height * scale), 2))
    grey = Image.fromarray(image).convert("L").resize(size, Image.Resampling.BOX)
    down, right = np.gradient(np.asarray(grey, dtype=np.float64))
    return float(np.mean(np.minimum(np.hypot(down, right), _CAP)))


def pair_textures(pairs: PairSet, chosen: Sequence[ImagePair]) -> Array:
    """Return (N,) the lesser of both photos' textures; each photo is read once."""
    known: dict[Path, float] = {}
    for pair in chosen:
        for image in (pair.image_a, pair.image_b):
            if image not in known:
                known[image] = texture(read_photo(pairs.path(image)))
    return np.array([min(known[pair.image_a], known[pair.image_b]) for pair in chosen])


def least_textured(textures: Array, share: float) -> NDArray[np.bool_]:
    """Return (N,) which are among the share with the least; at least one, ties by their order."""
    count = max(1, round(share * len(textures)))
    mask = np.zeros(len(textures), dtype=bool)
    mask[np.argsort(textures, kind="stable")[:count]] = True
    return mask
