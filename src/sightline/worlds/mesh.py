"""Lit, textured triangles and simple shapes of them: quads, boxes, turned and lumpy ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array

Vec3 = tuple[float, float, float]
WHITE: Vec3 = (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Block:
    """An upright box that people walk around and that throws shadows.

    Attributes:
        low: (3,) corner with the smallest coordinates.
        high: (3,) opposite corner.
    """

    low: Array
    high: Array


@dataclass
class MeshBuilder:
    """Collects grids of vertices.

    Attributes:
        points: (R * C, 3) each.
        normals: The same, unit length, towards the visible side.
        rest: (R * C, 7) each: texture u, v, layer, tint red, green, blue, glow.
        triangles: Indices into all vertices.
        blocks: What stands in the way of feet and light.
    """

    points: list[Array] = field(default_factory=list)
    normals: list[Array] = field(default_factory=list)
    rest: list[Array] = field(default_factory=list)
    triangles: list[Array] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    _count: int = 0

    def grid(
        self,
        points: Array,
        normals: Array,
        uv: Array,
        layer: int,
        tint: Vec3 = WHITE,
        glow: float = 0.0,
    ) -> None:
        """Add a surface through (R, C, 3) points with (R, C, 3) normals and (R, C, 2) texels."""
        rows, columns = points.shape[:2]
        count = rows * columns
        fixed = np.broadcast_to(np.array([layer, *tint, glow]), (count, 5))
        cell = np.arange(count).reshape(rows, columns)[:-1, :-1].ravel()
        corners = np.array([[0, 1, columns], [columns, 1, columns + 1]])
        self.points.append(points.reshape(-1, 3))
        self.normals.append(np.broadcast_to(normals, points.shape).reshape(-1, 3))
        self.rest.append(np.c_[uv.reshape(-1, 2), fixed])
        self.triangles.append((self._count + cell[:, None, None] + corners).reshape(-1, 3))
        self._count += count

    def add(self, points: Array, normals: Array, rest: Array, triangles: NDArray[Any]) -> None:
        """Add vertices and triangles of another mesh, as :meth:`arrays` returns them."""
        self.points.append(points)
        self.normals.append(normals)
        self.rest.append(rest)
        self.triangles.append(self._count + triangles)
        self._count += len(points)

    def quad(
        self,
        origin: Vec3 | Array,
        right: Vec3 | Array,
        down: Vec3 | Array,
        layer: int,
        *,
        tint: Vec3 = WHITE,
        metres: float = 0.0,
        offset: tuple[float, float] = (0.0, 0.0),
        glow: float = 0.0,
        step_m: float = 0.4,
    ) -> None:
        """Add a parallelogram.

        Args:
            origin: Top left corner as seen from the visible side.
            right: Edge to the top right corner.
            down: Edge to the bottom left corner.
            layer: Texture layer.
            tint: Colour factor.
            metres: The texture repeats every so many metres; 0 stretches it once.
            offset: Metres by which a repeated texture is shifted.
            glow: 0 where the lamps light the surface; else its own brightness.
            step_m: Distance of the vertices, for the baked light.
        """
        o, r, d = (np.asarray(v, dtype=np.float64) for v in (origin, right, down))
        width, height = float(np.linalg.norm(r)), float(np.linalg.norm(d))
        u = np.linspace(0, 1, max(2, round(width / step_m) + 1))
        v = np.linspace(0, 1, max(2, round(height / step_m) + 1))
        uu, vv = np.meshgrid(u, v)
        points = o + uu[..., None] * r + vv[..., None] * d
        uv = np.stack([uu, vv], axis=-1)
        if metres:
            uv = (uv * (width, height) + np.asarray(offset)) / metres
        normal = np.cross(d, r)
        self.grid(points, normal / np.linalg.norm(normal), uv, layer, tint, glow)

    def box(
        self,
        centre: Vec3 | Array,
        size: Vec3 | Array,
        layer: int,
        *,
        turn: float = 0.0,
        top: int | None = None,
        tint: Vec3 = WHITE,
        metres: float = 0.0,
        offset: tuple[float, float] = (0.0, 0.0),
        step_m: float = 0.3,
        solid: bool = True,
    ) -> None:
        """Add a box.

        Args:
            centre: Of its bottom face.
            size: Along its own x, y and z.
            layer: Texture of the sides.
            turn: Rotation about the vertical, in radians.
            top: Texture of the top; the sides' where None.
            tint: Colour factor.
            metres: See :meth:`quad`.
            offset: See :meth:`quad`.
            step_m: See :meth:`quad`.
            solid: Whether it throws a shadow and cannot be walked through.
        """
        c, s = np.cos(turn), np.sin(turn)
        ex, ey, up = np.array([c, s, 0.0]), np.array([-s, c, 0.0]), np.array([0.0, 0.0, 1.0])
        low = np.asarray(centre, dtype=np.float64)
        dx, dy, dz = size[0] * ex, size[1] * ey, size[2] * up
        corner = low + dz
        faces = (
            (corner - dx / 2 - dy / 2, dx, -dz, layer),
            (corner + dx / 2 - dy / 2, dy, -dz, layer),
            (corner + dx / 2 + dy / 2, -dx, -dz, layer),
            (corner - dx / 2 + dy / 2, -dy, -dz, layer),
            (corner - dx / 2 + dy / 2, dx, -dy, layer if top is None else top),
            (low - dx / 2 - dy / 2, dx, dy, layer),
        )
        for index, (o, r, d, face) in enumerate(faces):
            shift = (offset[0] + 0.37 * index, offset[1])
            self.quad(o, r, d, face, tint=tint, metres=metres, offset=shift, step_m=step_m)
        if solid:
            half = (np.abs(dx) + np.abs(dy)) / 2
            self.blocks.append(Block(low - half, low + half + dz))

    def turned(
        self,
        centre: Vec3 | Array,
        profile: Array,
        layer: int,
        *,
        tint: Vec3 = WHITE,
        turns: float = 2.0,
        sides: int = 28,
        solid: bool = True,
    ) -> None:
        """Add a shape turned about a vertical axis.

        Args:
            centre: Foot of the axis.
            profile: (N, 2) radius and height above the foot, from the top down.
            layer: Texture, ``turns`` times round.
            tint: Colour factor.
            turns: Repetitions of the texture.
            sides: Vertices round.
            solid: See :meth:`box`.
        """
        angles = np.linspace(0, 2 * np.pi, sides + 1)
        round_ = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        radius, height = profile[:, 0], profile[:, 1]
        points = np.empty((len(profile), sides + 1, 3))
        points[..., :2] = radius[:, None, None] * round_
        points[..., 2] = height[:, None]
        slope = np.gradient(profile, axis=0)
        out = np.stack([-slope[:, 1], slope[:, 0]], axis=1)
        out /= np.linalg.norm(out, axis=1, keepdims=True) + 1e-9
        normals = np.empty_like(points)
        normals[..., :2] = out[:, None, :1] * round_
        normals[..., 2] = out[:, 1:]
        along = np.r_[0.0, np.linalg.norm(np.diff(profile, axis=0), axis=1).cumsum()]
        span = 2 * np.pi * max(float(radius.max()), 1e-3) / turns
        uv = np.stack(np.broadcast_arrays(angles * turns / (2 * np.pi), along[:, None] / span), -1)
        base = np.asarray(centre, dtype=np.float64)
        self.grid(points + base, normals, uv, layer, tint)
        if solid:
            r = float(radius.max())
            half = np.array([r, r, 0.0])
            self.blocks.append(Block(base - half, base + half + [0, 0, float(height.max())]))

    def lump(
        self,
        centre: Vec3 | Array,
        radii: Array,
        layer: int,
        rng: np.random.Generator,
        *,
        bumps: float = 0.15,
        tint: Vec3 = WHITE,
        turns: float = 2.0,
    ) -> None:
        """Add a closed lumpy shape, such as a stone, a toy or a bust.

        Args:
            centre: Middle of its bottom.
            radii: (3,) half axes.
            layer: Texture.
            rng: Of the bumps.
            bumps: Their size as a share of the radius.
            tint: Colour factor.
            turns: Repetitions of the texture round it.
        """
        phi, theta = np.meshgrid(np.linspace(0, 2 * np.pi, 41), np.linspace(0.02, np.pi - 0.02, 25))
        unit = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
        unit = np.moveaxis(unit, 0, -1)
        swell = np.zeros(phi.shape)
        for _ in range(7):
            way, frequency = rng.standard_normal(3), rng.uniform(1.5, 4.0)
            swell += np.sin(frequency * unit @ way + rng.uniform(0, 6.3)) / 7**0.5
        points = unit * (1 + bumps * swell[..., None]) * radii
        normals = np.cross(np.gradient(points, axis=0), np.gradient(points, axis=1))
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12
        # Both ends of a ring are one line of vertices and share their normal.
        normals[:, [0, -1]] = (normals[:, [0]] + normals[:, [-1]]) / 2
        uv = np.stack([phi * turns / (2 * np.pi), theta * turns / np.pi / 2], axis=-1)
        base = np.asarray(centre, dtype=np.float64) - [0.0, 0.0, points[..., 2].min()]
        self.grid(points + base, normals, uv, layer, tint)
        flat = (points + base).reshape(-1, 3)
        middle, half = (flat.min(0) + flat.max(0)) / 2, np.ptp(flat, axis=0) / 2
        self.blocks.append(Block(middle - 0.8 * half, middle + 0.8 * half))

    def arrays(self) -> tuple[Array, Array, Array, NDArray[np.uint32]]:
        """Return (V, 3) points, (V, 3) normals, (V, 7) rest and (T, 3) triangles."""
        triangles = np.concatenate(self.triangles).astype(np.uint32)
        return (
            np.concatenate(self.points),
            np.concatenate(self.normals),
            np.concatenate(self.rest),
            triangles,
        )
