"""What a scene is built with, and what it is when it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array
from sightline.worlds.canvas import hsv
from sightline.worlds.depth.stock import (
    OBJECTS,
    TEXTURES,
    mean_colour,
    recoloured,
    stock_object,
    stock_texture,
)
from sightline.worlds.mesh import Block
from sightline.worlds.rooms.scene import Workshop

#: Different objects of one category in a scene: their textures take time to load.
FEW_OBJECTS = 3
#: What surfaces of a role are covered with; more often named is more often taken.
ROLES: dict[str, tuple[str, ...]] = {
    "wall": (*["plain"] * 8, *["plaster"] * 3, "wallpaper", "stripes", "tiles", "stone", "planks"),
    "floor": (
        *["planks"] * 3, "tiles", "stone", "terrazzo", "stripes", "plain", "plaster", "fabric",
        "parquet", "camouflage", "floor",
    ),
    "ceiling": (*["plain"] * 3, "plaster", "ceiling", "planks"),
    "wood": (*["planks"] * 3, "plain", "wood", "cupboard"),
    "cloth": ("plain", "camouflage", "stripes", "wallpaper", "fabric"),
    "thing": (
        *["plain"] * 3, "planks", "plaster", "stone", "stripes", "terrazzo", "camouflage",
        "scribble", "scribble", "wallpaper", "tiles",
    ),
    "road": ("plaster", "terrazzo", "plain", "stone"),
    "grass": ("camouflage", "plaster", "leaves", "stone"),
    "leaves": ("leaves", "leaves", "camouflage", "terrazzo"),
    "facade": (*["facade"] * 4, "tiles", "plaster", "stone"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class View:
    """How one photo is taken.

    Attributes:
        centre: (3,) where the camera stands.
        forward: (3,) where it looks.
        roll: Radians about the direction of view.
        fov: Horizontal field of view in radians.
    """

    centre: Array
    forward: Array
    roll: float
    fov: float


@dataclass(frozen=True, eq=False)
class DepthScene:
    """A scene as the renderer takes it: world z up, metres.

    Attributes:
        vertices: (V, 9) float32: x, y, z, texture u, v, layer, and baked red, green, blue light.
        triangles: (T, 3) uint32 vertex indices.
        textures: (L, H, W, 3) uint8.
        draw_view: Returns a view; some are no good and are drawn again.
        typical_m: Least and most that half of a good view's pixels are away.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    textures: NDArray[np.uint8]
    draw_view: Callable[[np.random.Generator], View]
    typical_m: tuple[float, float]


@dataclass
class DepthWorkshop(Workshop):
    """A workshop that takes its textures and objects from the stock of one split.

    Attributes:
        seed: The set's.
        split: Whose stock.
    """

    seed: int = 0
    split: str = "train"
    _objects: dict[tuple[str, int], int] = field(default_factory=dict)
    _few: dict[str, list[int]] = field(default_factory=dict)

    def of(self, role: str) -> int:
        """Return the layer of a new texture for a role."""
        kind = str(self.rng.choice(ROLES[role]))
        if self.is_plain and role != "facade":
            kind = "plain"
        strongest = 1.3 if role in ("thing", "cloth", "leaves", "facade", "floor") else 0.8
        picture = stock_texture(self.seed, self.split, kind, self._number(TEXTURES))
        contrast = 1.0 if kind == "plain" else float(self.rng.uniform(0.25, strongest))
        saturation = float(self.rng.uniform(0.2, 1.2))
        return self.layer(recoloured(picture, role_colour(self.rng, role), contrast, saturation))

    def material(self, *kinds: str) -> int:
        """Return the layer of a new material of one of the kinds, in a thing's colours."""
        if not kinds:
            return self.of("thing")
        kind = "plain" if self.is_plain else str(self.rng.choice(kinds))
        picture = stock_texture(self.seed, self.split, kind, self._number(TEXTURES))
        mean = role_colour(self.rng, "wood" if kind == "planks" else "thing")
        return self.layer(recoloured(picture, mean, float(self.rng.uniform(0.2, 1.0)), 1.0))

    def picture(self, kind: str, aspect: float) -> int:
        """Return the layer of a picture of the stock; ``aspect`` is not heeded."""
        picture = stock_texture(self.seed, self.split, kind, self._number(TEXTURES))
        mean = self.rng.uniform(0.5, 1.1) * mean_colour(picture)
        return self.layer(recoloured(picture, mean, float(self.rng.uniform(0.5, 1.0)), 1.0))

    def place(
        self, category: str, spot: Array, turn: float, *, number: int | None = None,
        scale: float = 1.0,
    ) -> Block:  # fmt: skip
        """Stand an object on a spot, turned about the vertical, and return the box it fills.

        Args:
            category: Of :mod:`sightline.worlds.objects`.
            spot: (3,) the middle of its foot.
            turn: Radians; at 0 its front looks to -y.
            number: Which one; any where None.
            scale: Factor of its size.
        """
        key = (category, self.any_object(category) if number is None else number)
        thing = stock_object(self.seed, self.split, *key)
        if key not in self._objects:
            self._objects[key] = len(self.textures)
            self.textures.extend(thing.textures)
        c, s = np.cos(turn), np.sin(turn)
        rotation = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        points = scale * thing.points @ rotation.T + spot
        rest = thing.rest.copy()
        rest[:, 2] += self._objects[key]
        rest[:, 3:6] *= self.rng.uniform(0.6, 1.05)
        self.mesh.add(points, thing.normals @ rotation.T, rest, thing.triangles)
        block = Block(points.min(axis=0), points.max(axis=0))
        self.mesh.blocks.append(block)
        return block

    def any_object(self, category: str) -> int:
        """Return the number of one of this scene's few objects of a category."""
        few = self._few.setdefault(category, [])
        if len(few) < FEW_OBJECTS:
            few.append(self._number(OBJECTS))
            return few[-1]
        return few[int(self.rng.integers(len(few)))]

    def _number(self, counts: dict[str, int]) -> int:
        return int(self.rng.integers(counts[self.split]))


def role_colour(rng: np.random.Generator, role: str) -> Array:
    """Return a (3,) colour 0..255 that surfaces of a role often have."""
    hue, spread = rng.random(), rng.random()
    if role in ("wall", "ceiling"):
        pale = spread < (0.65 if role == "wall" else 0.9)
        colour = (hue, rng.uniform(0, 0.15), rng.uniform(0.6, 0.98))
        if not pale:
            colour = (hue, rng.uniform(0.15, 0.6), rng.uniform(0.2, 0.95))
    elif role in ("floor", "wood"):
        colour = (rng.uniform(0.02, 0.13), rng.uniform(0.2, 0.75), rng.uniform(0.15, 0.85))
        if spread < 0.4:
            colour = (hue, rng.uniform(0, 0.2), rng.uniform(0.1, 0.85))
    elif role == "road":
        colour = (hue, rng.uniform(0, 0.12), rng.uniform(0.2, 0.7))
    elif role in ("grass", "leaves"):
        colour = (rng.uniform(0.15, 0.4), rng.uniform(0.2, 0.7), rng.uniform(0.15, 0.65))
    elif role == "facade":
        colour = (rng.uniform(0.0, 0.15), rng.uniform(0, 0.5), rng.uniform(0.25, 0.9))
    elif spread < 0.45:
        colour = (hue, rng.uniform(0, 0.15), rng.uniform(0.06, 0.97))
    else:
        colour = (hue, rng.uniform(0.2, 0.9), rng.uniform(0.1, 0.9))
    return np.array(hsv(*colour), np.float64)
