"""The shapes objects are put together of: lofts, tubes, wheels, balls, panels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sightline.geometry.rotation import Array
from sightline.worlds.mesh import WHITE, MeshBuilder, Vec3

X: Vec3 = (1.0, 0.0, 0.0)
Y: Vec3 = (0.0, 1.0, 0.0)
Z: Vec3 = (0.0, 0.0, 1.0)
SIDES = (-1.0, 1.0)
#: One quad a face: the light of the sun and the sky does not change along it.
_FLAT_M = 1e3


class ObjectMesh(MeshBuilder):
    """A mesh with the shapes of machines and furniture; no shape but its normals is lit later."""

    def block(
        self,
        centre: Vec3 | Array,
        size: Vec3 | Array,
        layer: int,
        tint: Vec3 = WHITE,
        *,
        metres: float = 0.0,
        turn: float = 0.0,
    ) -> None:
        """Add a box about its middle."""
        low = np.asarray(centre, dtype=np.float64) - [0.0, 0.0, size[2] / 2]
        self.box(low, size, layer, turn=turn, tint=tint, metres=metres, step_m=_FLAT_M, solid=False)

    def surface(
        self,
        points: Array,
        layer: int,
        tint: Vec3 = WHITE,
        *,
        uv: Array | None = None,
        outward: Vec3 | Array | None = None,
        glow: float = 0.0,
    ) -> None:
        """Add a smooth sheet through (R, C, 3) points.

        Args:
            points: In metres; both sides are seen.
            layer: Texture.
            tint: Colour factor.
            uv: (R, C, 2) texels; once over the sheet where None.
            outward: Roughly where its lit side looks; up where None.
            glow: See :meth:`MeshBuilder.quad`.
        """
        normals = _unit(np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0)))
        if np.sum(normals.mean(axis=(0, 1)) * np.asarray(Z if outward is None else outward)) < 0:
            normals = -normals
        if uv is None:
            rows, columns = points.shape[:2]
            uv = np.stack(np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows)), -1)
        self.grid(points, normals, uv, layer, tint, glow)

    def panel(
        self,
        corners: Sequence[Vec3 | Array],
        layer: int,
        tint: Vec3 = WHITE,
        *,
        outward: Vec3 | Array,
        glow: float = 0.0,
    ) -> None:
        """Add a sheet with four corners: top left, top right, bottom left, bottom right."""
        points = np.asarray(corners, dtype=np.float64).reshape(2, 2, 3)
        self.surface(points, layer, tint, outward=outward, glow=glow)

    def loft(
        self,
        centres: ArrayLike,
        halves: ArrayLike,
        layer: int,
        tint: Vec3 = WHITE,
        *,
        across: Vec3 | Array = X,
        up: Vec3 | Array = Z,
        power: float = 2.0,
        sides: int = 24,
        metres: float = 0.5,
        sharp: bool = False,
        caps: tuple[bool, bool] = (True, True),
        cap_layer: int | None = None,
        cap_tint: Vec3 | None = None,
    ) -> None:
        """Add a body through rings: ellipses, or with a greater power rounded rectangles.

        Args:
            centres: (N, 3) of the rings.
            halves: (N, 2) half sizes of each ring, across and up.
            layer: Texture.
            tint: Colour factor.
            across: First direction of the rings.
            up: Second direction of the rings.
            power: Of the superellipse; 2 is an ellipse, 8 nearly a rectangle.
            sides: Of each ring; a multiple of 4 keeps left and right alike.
            metres: The texture repeats every so many metres.
            sharp: The edges at the rings are seen.
            caps: Whether the first and the last ring are closed.
            cap_layer: Texture of the caps, once over each.
            cap_tint: Their colour factor.
        """
        c, h = np.asarray(centres, dtype=np.float64), np.asarray(halves, dtype=np.float64)
        a, u = np.asarray(across, dtype=np.float64), np.asarray(up, dtype=np.float64)
        angles = np.linspace(0, 2 * np.pi, sides + 1)
        round_ = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        round_[np.abs(round_) < 1e-12] = 0.0
        ring = np.sign(round_) * np.abs(round_) ** (2.0 / power)
        flat = h[:, None, :] * ring
        points = c[:, None] + flat[..., :1] * a + flat[..., 1:] * u
        normals = _ring_normals(points, np.cross(a, u))
        along = np.r_[0.0, np.linalg.norm(np.diff(c, axis=0), axis=1).cumsum()]
        length = 2 * float(h.max(axis=0).sum())
        uv = np.stack(np.broadcast_arrays(angles / (2 * np.pi) * length, along[:, None]), -1)
        uv = uv / metres
        if sharp:
            for k in range(len(c) - 1):
                pair = points[k : k + 2]
                self.grid(pair, _ring_normals(pair, np.cross(a, u)), uv[k : k + 2], layer, tint)
        else:
            self.grid(points, normals, uv, layer, tint)
        inward = 1.0 if float((c[-1] - c[0]) @ np.cross(a, u)) >= 0 else -1.0
        for end, way, wanted in ((0, -inward, caps[0]), (-1, inward, caps[1])):
            if wanted and h[end].max() > 1e-6:
                disc = np.stack([points[end], np.broadcast_to(c[end], points[end].shape)])
                texels = np.stack([0.5 + 0.5 * ring, np.full_like(ring, 0.5)])
                self.grid(
                    disc, way * np.cross(a, u), texels, layer if cap_layer is None else cap_layer,
                    tint if cap_tint is None else cap_tint,
                )  # fmt: skip

    def tube(
        self,
        points: ArrayLike,
        radius: float | Sequence[float],
        layer: int,
        tint: Vec3 = WHITE,
        *,
        sides: int = 8,
        caps: bool = True,
    ) -> None:
        """Add round bars through (N, 3) points; the radius may change from point to point."""
        path = np.asarray(points, dtype=np.float64)
        radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(path))
        for k in range(len(path) - 1):
            way = _unit(path[k + 1] - path[k])
            # Mirrored bars get mirrored rings: the first direction has no part that changes sides.
            across = np.cross(way, X)
            across = _unit(across) if np.linalg.norm(across) > 1e-6 else np.array(Y)
            self.loft(
                path[k : k + 2], np.stack([radii[k : k + 2]] * 2, axis=1), layer, tint,
                across=across, up=np.cross(way, across), sides=sides, caps=(caps, caps),
            )  # fmt: skip

    def ball(
        self, centre: Vec3 | Array, radii: Vec3 | Array, layer: int, tint: Vec3 = WHITE
    ) -> None:
        """Add an ellipsoid."""
        t = np.linspace(-np.pi / 2, np.pi / 2, 9)
        centres = np.asarray(centre) + np.stack([0 * t, radii[1] * np.sin(t), 0 * t], axis=1)
        halves = np.cos(t)[:, None] * np.array([radii[0], radii[2]])
        self.loft(centres, halves, layer, tint, sides=16, caps=(False, False))

    def ring(
        self,
        centre: Vec3 | Array,
        radius: float,
        thick: float,
        layer: int,
        tint: Vec3 = WHITE,
        *,
        arc: tuple[float, float] = (0.0, 2 * np.pi),
        wide: float | None = None,
    ) -> None:
        """Add a ring about the x axis: a tyre, or with an arc a mudguard.

        Args:
            centre: Its middle.
            radius: To the middle of the tube.
            thick: The tube's radius.
            layer: Texture.
            tint: Colour factor.
            arc: Radians from the rear (+y) over the top.
            wide: The tube's half width along x; round where None.
        """
        big = np.linspace(*arc, 33)
        small = np.linspace(0, 2 * np.pi, 9)
        a, b = np.meshgrid(big, small, indexing="ij")
        reach = radius + thick * np.cos(b)
        half = thick if wide is None else wide
        out = np.stack([thick / half * np.sin(b), np.cos(b) * np.cos(a), np.cos(b) * np.sin(a)], -1)
        points = np.stack([half * np.sin(b), reach * np.cos(a), reach * np.sin(a)], -1)
        uv = np.stack([a * 3 / np.pi, b / np.pi], -1)
        self.grid(points + np.asarray(centre), _unit(out), uv, layer, tint)

    def disc_wheel(
        self, centre: Vec3 | Array, radius: float, width: float, tyre: int, hub: int, rim: float
    ) -> None:
        """Add a car's wheel about the x axis, with a hub seen from both sides.

        Args:
            centre: Its middle.
            radius: Of the tyre.
            width: Of the tyre.
            tyre: Its layer.
            hub: Layer of the disc.
            rim: The disc's share of the radius.
        """
        x = np.array([-0.5, -0.36, 0.36, 0.5]) * width
        r = np.array([0.86, 1.0, 1.0, 0.86]) * radius
        middle = np.asarray(centre, dtype=np.float64)
        centres = middle + np.stack([x, 0 * x, 0 * x], axis=1)
        self.loft(centres, np.stack([r, r], axis=1), tyre, across=Y, up=Z, sides=20)
        face = np.array([-0.52, 0.52])[:, None] * width * np.array(X)
        halves = np.full((2, 2), rim * radius)
        self.loft(middle + face, halves, tyre, across=Y, up=Z, sides=20, cap_layer=hub)


def moved(point: Vec3 | Array, x: float, y: float, z: float) -> Array:
    """Return a point so much to the right, to the rear and up."""
    px, py, pz = point
    return np.array([px + x, py + y, pz + z], dtype=np.float64)


def _ring_normals(points: Array, axis: Array) -> Array:
    """Return outward normals of (N, S + 1, 3) rings that close."""
    closed = points[:, :-1]
    around = np.roll(closed, -1, axis=1) - np.roll(closed, 1, axis=1)
    normals = np.cross(around, np.gradient(closed, axis=0))
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    # A ring that is a point looks along the axis.
    middle = points.mean(axis=(0, 1))
    tip = np.sign(np.sum((closed - middle) * axis, axis=-1, keepdims=True)) * axis
    outward = np.sum(normals * (closed - closed.mean(axis=1, keepdims=True)), axis=(1, 2)).sum()
    normals = np.where(length > 1e-12, normals * (1.0 if outward >= 0 else -1.0), tip)
    return _unit(np.concatenate([normals, normals[:, :1]], axis=1))


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-12)
    return unit
