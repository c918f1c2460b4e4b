"""The floor in three dimensions: surfaces for exact geometry, lit vertices for the renderer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array
from sightline.worlds.canvas import TextureSpec
from sightline.worlds.floor.building import furnish
from sightline.worlds.floor.config import FloorConfig
from sightline.worlds.floor.layout import FloorLayout, layout_floor
from sightline.worlds.floor.light import bake_light
from sightline.worlds.floor.surfaces import Surface
from sightline.worlds.floor.textures import paint_layers


@dataclass(frozen=True, eq=False)
class FloorWorld:
    """A building floor: world z up, metres, floor at z = 0.

    Attributes:
        config: What it was made of.
        layout: The floor from above.
        surfaces: Every surface, for exact geometry.
        vertices: (V, 9) float32: x, y, z, texture u, v, layer, and baked red, green, blue light.
        triangles: (T, 3) uint32 vertex indices.
        specs: What is painted on each texture layer.
    """

    config: FloorConfig
    layout: FloorLayout
    surfaces: tuple[Surface, ...]
    vertices: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    specs: tuple[TextureSpec, ...]

    @cached_property
    def textures(self) -> NDArray[np.uint8]:
        """(L, 512, 512, 3) texture layers, painted when first asked for."""
        return paint_layers(self.specs, self.config.seed)

    def digest(self) -> str:
        """Return a digest of the bytes of vertices, triangles and textures."""
        sha = hashlib.sha256()
        for array in (self.vertices, self.triangles, self.textures):
            sha.update(str(array.shape).encode())
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()


def build_floor(config: FloorConfig) -> FloorWorld:
    """Return the floor of a config: same config, same bytes."""
    layout = layout_floor(config)
    builder = furnish(layout)
    surfaces = tuple(builder.surfaces)
    points, normals, paint, triangles = tessellate(surfaces)
    vertices = lit_vertices(points, normals, paint, layout)
    return FloorWorld(config, layout, surfaces, vertices, triangles, tuple(builder.specs))


def tessellate(surfaces: Sequence[Surface]) -> tuple[Array, Array, Array, NDArray[np.uint32]]:
    """Return (V, 3) points, (V, 3) normals, (V, 7) paint and (T, 3) triangles of surfaces.

    Paint is texture u, v, layer, tint red, green, blue, and glow.
    """
    points, normals, rest, triangles, first = [], [], [], [], 0
    for surface in surfaces:
        u, v = (g.ravel() for g in np.meshgrid(surface.breaks_u, surface.breaks_v))
        weight = np.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v], axis=1)
        count, columns = len(u), len(surface.breaks_u)
        points.append(weight @ surface.corners)
        normals.append(np.broadcast_to(surface.normal, (count, 3)))
        fixed = np.array([surface.layer, *surface.tint, surface.glow])
        rest.append(np.c_[weight @ surface.uv, np.broadcast_to(fixed, (count, 5))])
        cell = np.arange(count).reshape(-1, columns)[:-1, :-1].ravel()
        corners = np.array([[0, 1, columns], [columns, 1, columns + 1]])
        triangles.append((first + cell[:, None, None] + corners).reshape(-1, 3))
        first += count
    return (
        np.concatenate(points),
        np.concatenate(normals),
        np.concatenate(rest),
        np.concatenate(triangles).astype(np.uint32),
    )


def lit_vertices(
    points: Array, normals: Array, paint: Array, layout: FloorLayout
) -> NDArray[np.float32]:
    """Return (V, 9) vertices of :func:`tessellate`'s points as the renderer takes them, lit."""
    glow = paint[:, 6:7]
    light = np.where(glow > 0, glow, bake_light(points, normals, layout)) * paint[:, 3:6]
    return np.concatenate([points, paint[:, :3], light], axis=1).astype(np.float32)
