"""Flat four-cornered surfaces, and the boxes and turned shapes that are made of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.canvas import TextureSpec

Vec3 = Sequence[float]
WHITE: Vec3 = (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Surface:
    """A planar quadrilateral with a picture on it.

    Attributes:
        corners: (4, 3) world corners in metres: the picture's top left, top right, bottom left,
            bottom right as seen from the visible side.
        uv: (4, 2) texture coordinates of the corners.
        layer: Index of the texture.
        tint: Colour the texture is multiplied with.
        glow: 0 where the lamps light the surface; else its own, constant brightness.
        breaks_u: Where vertices stand along the picture's width (0..1), for the baked light.
        breaks_v: The same along its height.
    """

    corners: Array
    uv: Array
    layer: int
    tint: Vec3
    glow: float
    breaks_u: Array
    breaks_v: Array

    @property
    def normal(self) -> Array:
        """(3,) unit normal towards the visible side."""
        # The diagonals, because an edge of a turned shape's tip has no length.
        falling, rising = self.corners[3] - self.corners[0], self.corners[2] - self.corners[1]
        normal: Array = np.cross(rising, falling)
        return normal / np.linalg.norm(normal)


@dataclass
class SurfaceBuilder:
    """Collects surfaces and the textures they use; equal texture names share a layer."""

    surfaces: list[Surface] = field(default_factory=list)
    specs: list[TextureSpec] = field(default_factory=list)
    _shared: dict[str, int] = field(default_factory=dict)

    def texture(self, spec: TextureSpec, name: str = "") -> int:
        """Return the layer of a texture; a named one is painted once, others each time."""
        if name and name in self._shared:
            return self._shared[name]
        self.specs.append(spec)
        if name:
            self._shared[name] = len(self.specs) - 1
        return len(self.specs) - 1

    def quad(
        self,
        origin: Vec3,
        right: Vec3,
        down: Vec3,
        layer: int,
        *,
        tint: Vec3 = WHITE,
        metres_per_picture: float = 0.0,
        offset: tuple[float, float] = (0.0, 0.0),
        glow: float = 0.0,
        step_m: float = 0.0,
    ) -> None:
        """Add a parallelogram.

        Args:
            origin: Top left corner.
            right: Edge to the top right corner.
            down: Edge to the bottom left corner.
            layer: Texture layer.
            tint: Colour factor.
            metres_per_picture: Repeat the texture every so many metres; 0 stretches it once.
            offset: Metres by which a repeated texture is shifted.
            glow: See :class:`Surface`.
            step_m: Distance of the light's vertices; 0 puts them at the corners only.
        """
        o, r, d = (np.asarray(v, dtype=np.float64) for v in (origin, right, down))
        corners = np.stack([o, o + r, o + d, o + r + d])
        width, height = float(np.linalg.norm(r)), float(np.linalg.norm(d))
        uv = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        if metres_per_picture:
            uv = (uv * (width, height) + np.asarray(offset)) / metres_per_picture
        breaks_u, breaks_v = _breaks(width, step_m), _breaks(height, step_m)
        self.surfaces.append(Surface(corners, uv, layer, tint, glow, breaks_u, breaks_v))

    def box(
        self,
        low: Vec3,
        high: Vec3,
        sides: int,
        top: int,
        *,
        tint: Vec3 = WHITE,
        top_tint: Vec3 | None = None,
        step_m: float = 0.0,
    ) -> None:
        """Add the four sides and the top of an axis-aligned box (nobody sees the bottom)."""
        x0, y0, z0 = low
        x1, y1, z1 = high
        down = (0.0, 0.0, z0 - z1)
        for (ax, ay), (bx, by) in (
            ((x0, y0), (x1, y0)),
            ((x1, y0), (x1, y1)),
            ((x1, y1), (x0, y1)),
            ((x0, y1), (x0, y0)),
        ):
            self.quad((ax, ay, z1), (bx - ax, by - ay, 0), down, sides, tint=tint, step_m=step_m)
        self.quad(
            (x0, y1, z1), (x1 - x0, 0, 0), (0, y0 - y1, 0), top,
            tint=top_tint or tint, step_m=step_m,
        )  # fmt: skip

    def turned(
        self,
        centre: tuple[float, float],
        profile: Sequence[tuple[float, float]],
        layer: int,
        *,
        tint: Vec3 = WHITE,
        sides: int = 10,
        turns: float = 2.0,
    ) -> None:
        """Add a shape turned about a vertical axis.

        Args:
            centre: Axis, world x, y.
            profile: (radius, height) from the top down, in metres.
            layer: Texture layer, ``turns`` times round.
            tint: Colour factor.
            sides: Flat sides round.
            turns: Repetitions of the texture round the axis.
        """
        angles = np.linspace(0, 2 * np.pi, sides + 1)
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        heights = np.array([h for _, h in profile])
        v = (heights[0] - heights) / max(np.ptp(heights), 1e-6)
        for k, ((r_top, z_top), (r_low, z_low)) in enumerate(itertools.pairwise(profile)):
            for i in range(sides):
                corners = np.array(
                    [(*(np.asarray(centre) + r * circle[j]), z)
                     for r, z in ((r_top, z_top), (r_low, z_low)) for j in (i, i + 1)]
                )  # fmt: skip
                u0, u1 = turns * i / sides, turns * (i + 1) / sides
                uv = np.array([[u0, v[k]], [u1, v[k]], [u0, v[k + 1]], [u1, v[k + 1]]])
                ends = np.array([0.0, 1.0])
                self.surfaces.append(Surface(corners, uv, layer, tint, 0.0, ends, ends))


def _breaks(length: float, step_m: float) -> Array:
    """Return vertex places 0..1; denser near the ends, where corners darken quickly."""
    if not step_m or length < 2 * step_m:
        return np.array([0.0, 1.0])
    inner = np.linspace(0, length, max(2, round(length / step_m) + 1))
    edge = 0.3 * step_m
    places: Array = np.unique(np.r_[inner, edge, length - edge]) / length
    return places
