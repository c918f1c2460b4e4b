"""Textures and objects of the depth world: painted once a process, recoloured for each scene.

Each split has its own, so that nothing in a test photo was seen in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array
from sightline.worlds.canvas import Picture, TextureSpec
from sightline.worlds.depth.facades import paint_facade
from sightline.worlds.floor.textures import PAINTERS
from sightline.worlds.materials import MATERIALS, paint_material
from sightline.worlds.objects.catalogue import KINDS
from sightline.worlds.objects.model import Workbench

#: Side of a texture; photos of 256 pixels show no more.
TEXTURE_PX = 256
#: How many there are of each kind of texture and each category of objects, by split.
TEXTURES = {"train": 14, "validation": 4, "test": 6}
OBJECTS = {"train": 16, "validation": 4, "test": 8}

_SPLITS = ("train", "validation", "test")
_MATERIALS = sorted(MATERIALS)
_PICTURES = [*sorted(set(PAINTERS) - set(MATERIALS)), "facade"]


@dataclass(frozen=True, eq=False)
class StockObject:
    """One object, unlit, in metres: the middle of its foot at 0, 0, 0; front -y, up z.

    Attributes:
        points: (V, 3).
        normals: (V, 3), unit length.
        rest: (V, 7) texture u, v, layer, tint red, green, blue, glow.
        triangles: (T, 3) vertex indices.
        textures: Its layers, TEXTURE_PX square.
    """

    points: Array
    normals: Array
    rest: Array
    triangles: Array
    textures: tuple[Picture, ...]


@lru_cache(maxsize=1024)
def stock_texture(seed: int, split: str, kind: str, number: int) -> Picture:
    """Return a (TEXTURE_PX, TEXTURE_PX, 3) texture; materials repeat both ways."""
    names = _MATERIALS + _PICTURES
    rng = np.random.default_rng([seed, 11, _SPLITS.index(split), names.index(kind), number])
    if kind in MATERIALS:
        picture = paint_material(kind, rng)
    elif kind == "facade":
        picture = paint_facade(rng)
    else:
        picture = PAINTERS[kind](TextureSpec(kind, float(rng.uniform(0.6, 1.6))), rng)
    return _to_size(picture)


@lru_cache(maxsize=512)
def stock_object(seed: int, split: str, category: str, number: int) -> StockObject:
    """Return an object of a category of :mod:`sightline.worlds.objects`."""
    place = sorted(KINDS).index(category)
    bench = Workbench(np.random.default_rng([seed, 12, _SPLITS.index(split), place, number]))
    KINDS[category].build(bench)
    points, normals, rest, triangles = bench.mesh.arrays()
    low, high = points.min(axis=0), points.max(axis=0)
    foot = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    textures = tuple(_to_size(picture) for picture in bench.textures)
    return StockObject(points - foot, normals, rest, triangles.astype(np.int64), textures)


def recoloured(
    picture: Picture, mean: Array, contrast: float, saturation: float
) -> NDArray[np.uint8]:
    """Return a texture of another mean colour (0..255), contrast and saturation."""
    was = mean_colour(picture)
    mix = contrast * (saturation * np.eye(3) + (1 - saturation) / 3.0)
    shift = np.asarray(mean) - mix @ was
    matrix = np.concatenate([mix, shift[:, None]], axis=1)
    return np.asarray(cv2.transform(picture, matrix), np.uint8)


def mean_colour(picture: Picture) -> Array:
    """Return a picture's (3,) mean colour, 0..255."""
    return np.array(cv2.mean(picture)[:3])


def _to_size(picture: Picture) -> Picture:
    size = (TEXTURE_PX, TEXTURE_PX)
    shrinks = picture.shape[0] > TEXTURE_PX
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=how), np.uint8)
