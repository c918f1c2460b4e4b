"""One object as the renderer takes it: put together, scaled to a diagonal of 1, lit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array
from sightline.worlds.canvas import Picture, hsv
from sightline.worlds.mesh import Vec3
from sightline.worlds.objects.shapes import ObjectMesh
from sightline.worlds.objects.textures import paint_texture


@dataclass(frozen=True, eq=False)
class ObjectModel:
    """A lit object: its box's centre at 0, 0, 0, the box's diagonal 1; front -y, up z.

    Attributes:
        vertices: (V, 9) float32: x, y, z, texture u, v, layer, and baked red, green, blue light.
        triangles: (T, 3) uint32 vertex indices.
        textures: (L, H, W, 3) uint8.
        size: (3,) of the box.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    textures: NDArray[np.uint8]
    size: Array


@dataclass
class Workbench:
    """What an object is built with: one mesh, its textures, one stream of chance.

    Attributes:
        rng: All chance of this object.
        mesh: The geometry so far.
        textures: The layers so far.
    """

    rng: np.random.Generator
    mesh: ObjectMesh = field(default_factory=ObjectMesh)
    textures: list[Picture] = field(default_factory=list)
    _layers: dict[str, int] = field(default_factory=dict)

    def layer(self, kind: str) -> int:
        """Return the layer of this object's texture of a kind; it has one of each."""
        if kind not in self._layers:
            self.textures.append(paint_texture(kind, self.rng))
            self._layers[kind] = len(self.textures) - 1
        return self._layers[kind]

    def between(self, low: float, high: float) -> float:
        """Return a number between two."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """Return True in a share of the cases."""
        return bool(self.rng.random() < share)

    def pick(self, *names: str) -> str:
        """Return one of the names."""
        return names[int(self.rng.integers(len(names)))]

    def finish(self) -> ObjectModel:
        """Return the object in the light of a sun, a second lamp and the sky."""
        points, normals, rest, triangles = self.mesh.arrays()
        low, high = points.min(axis=0), points.max(axis=0)
        points = (points - (low + high) / 2) / float(np.linalg.norm(high - low))
        light = sky_light(self.rng, points, normals)
        glow = rest[:, 6:7]
        shade = np.where(glow > 0, glow, light) * rest[:, 3:6]
        return ObjectModel(
            np.concatenate([points, rest[:, :3], shade], axis=1).astype(np.float32),
            triangles,
            np.stack(self.textures),
            (high - low) / float(np.linalg.norm(high - low)),
        )


def sky_light(rng: np.random.Generator, points: Array, normals: Array) -> Array:
    """Return (V, 3) light: sky from above, ground from below, a sun and a weaker lamp.

    What is low is a little darker, as near the ground.
    """
    upward = 0.5 + 0.5 * normals[:, 2:]
    sky, ground = rng.uniform(0.45, 0.7), rng.uniform(0.25, 0.42)
    light = ground + (sky - ground) * upward + np.zeros((1, 3))
    warm = rng.uniform(-0.08, 0.08)
    for strength in (rng.uniform(0.5, 0.85), rng.uniform(0.0, 0.3)):
        azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 1.2)
        way = np.array(
            [np.cos(azimuth) * np.cos(height), np.sin(azimuth) * np.cos(height), np.sin(height)]
        )
        colour = strength * np.array([1 + warm, 1.0, 1 - warm])
        light = light + np.clip(normals @ way, 0, None)[:, None] * colour
    low = (points[:, 2:] - points[:, 2].min()) / max(float(np.ptp(points[:, 2])), 1e-9)
    shaded: Array = light * (0.8 + 0.2 * low)
    return np.minimum(shaded, 1.3)


def colour(hue: float, saturation: float, value: float) -> Vec3:
    """Return a tint."""
    r, g, b = hsv(hue, saturation, value)
    return r / 255, g / 255, b / 255


def any_paint(bench: Workbench) -> Vec3:
    """Return a colour of painted things: often white, grey or black, else any."""
    if bench.chance(0.4):
        return colour(bench.between(0, 1), bench.between(0, 0.12), bench.between(0.16, 1.0))
    return colour(bench.between(0, 1), bench.between(0.45, 0.95), bench.between(0.35, 1.0))
