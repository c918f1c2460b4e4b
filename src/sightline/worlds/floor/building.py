"""The building's surfaces: floors, ceilings, walls, doors, pictures, lamps, signs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from sightline.worlds.canvas import TextureSpec
from sightline.worlds.floor.config import FloorConfig
from sightline.worlds.floor.furniture import add_furniture
from sightline.worlds.floor.layout import DOOR_HEIGHT_M, Face, FloorLayout, Rect, Span
from sightline.worlds.floor.surfaces import SurfaceBuilder, Vec3

SKIRTING_M, DADO_M, STRIPE_M = 0.1, 1.0, 0.06
#: Walls reach this far below the floor and above the ceiling: no pixel looks through a seam.
OVERLAP_M = 0.02
LIGHT_STEP_M = 0.45
#: Walls, floors and ceilings are cut into pieces of about this length, each with one of a few
#: pictures of its material: alike, but not the same.
PANEL_M, VARIANTS = 2.0, 4
#: The narrowest picture on a wall.
NARROWEST_M = 0.4
#: What one wall texture spans, and one tile of the mosaic.
PICTURE_M, TILE_M = 2.0, 0.1

_UPPER_WALL: Vec3 = (1.0, 0.995, 0.97)
_SKIRTING: Vec3 = (0.32, 0.32, 0.34)
_JAMB: Vec3 = (0.78, 0.78, 0.76)
_DOOR_FRAME: Vec3 = (0.62, 0.58, 0.56)
_PICTURE_FRAME: Vec3 = (0.4, 0.36, 0.33)
_ACCENTS = (
    (0.45, 0.62, 0.72),
    (0.80, 0.62, 0.42),
    (0.52, 0.68, 0.52),
    (0.72, 0.50, 0.50),
    (0.84, 0.78, 0.56),
    (0.56, 0.54, 0.70),
)
_PICTURES = ("art", "notice", "shapes", "landscape", "pinboard", "chart", "metro")


@dataclass(frozen=True)
class _Patch:
    """A rectangle on a face: ``start`` to ``end`` along it, ``low`` to ``high`` above the floor."""

    face: Face
    start: float
    end: float
    low: float
    high: float

    def edges(self, out: float = 0.0) -> tuple[Vec3, Vec3, Vec3]:
        """Return top left corner, edge to the right, edge down, ``out`` metres before the wall."""
        (ax, ay), (bx, by) = self.face.at(self.start, out), self.face.at(self.end, out)
        return (ax, ay, self.high), (bx - ax, by - ay, 0.0), (0.0, 0.0, self.low - self.high)

    def block(self, out: float) -> tuple[Vec3, Vec3]:
        """Return the low and high corner of a box that stands ``out`` metres proud."""
        # One centimetre inside the wall, so that no gap shows.
        (ax, ay), (bx, by) = self.face.at(self.start, -0.01), self.face.at(self.end, out)
        return (min(ax, bx), min(ay, by), self.low), (max(ax, bx), max(ay, by), self.high)


def furnish(layout: FloorLayout) -> SurfaceBuilder:
    """Return all surfaces of a layout and the textures they want.

    What hides most comes first, so that the renderer shades fewer hidden pixels.
    """
    config = layout.config
    rng = np.random.default_rng([config.seed, 3])
    builder = SurfaceBuilder()
    for thing in layout.furniture:
        add_furniture(builder, thing)
    for face in sorted(layout.faces, key=lambda f: f.is_outside):
        _add_wall(builder, face, config, rng)
        _hang_pictures(builder, face, rng)
    _add_lamps(builder, layout)
    _add_hanging_signs(builder, layout)
    _add_floors_and_ceilings(builder, layout, rng)
    return builder


def _shared(builder: SurfaceBuilder, kind: str, aspect: float = 1.0) -> int:
    return builder.texture(TextureSpec(kind, aspect), kind)


def _add_floors_and_ceilings(
    builder: SurfaceBuilder, layout: FloorLayout, rng: np.random.Generator
) -> None:
    c, t, e = layout.config, layout.config.corridor_m, OVERLAP_M
    w, d, island = c.width_m, c.depth_m, layout.island
    ring = (
        Rect(-e, -e, w + e, t + e),
        Rect(-e, d - t - e, w + e, d + e),
        Rect(-e, t, t + e, d - t),
        Rect(w - t - e, t, w + e, d - t),
    )
    for rect in ring:
        _add_slabs(builder, rect, c.height_m, "floor", rng)
    for room in layout.rooms:
        if not room.is_open:
            continue
        r = room.rect
        # The parquet goes on through the openings, to the corridor's tiles.
        reach = Rect(r.x0 - e, island.y0 + e, r.x1 + e, island.y1 - e)
        _add_slabs(builder, reach, c.height_m, "parquet", rng)
        x, y = r.centre
        half_x, half_y = 0.28 * (r.x1 - r.x0), 0.28 * (r.y1 - r.y0)
        rug = builder.texture(TextureSpec("rug", half_x / half_y))
        corner = (x - half_x, y + half_y, 0.006)
        builder.quad(corner, (2 * half_x, 0, 0), (0, -2 * half_y, 0), rug, step_m=0.4)


def _add_slabs(
    builder: SurfaceBuilder, r: Rect, height: float, floor: str, rng: np.random.Generator
) -> None:
    """Add floor and ceiling in pieces; their joints stay on one grid, their textures do not."""
    across, along = _cuts(r.x0, r.x1), _cuts(r.y0, r.y1)
    for (x0, x1), (y0, y1) in itertools.product(across, along):
        tile, panel = rng.integers(0, 4, 2) * 0.5, rng.integers(0, 2, 2) * 0.6
        builder.quad(
            (x0, y1, 0.0), (x1 - x0, 0, 0), (0, y0 - y1, 0), _variant(builder, floor, rng),
            metres_per_picture=2.0, offset=(x0 + tile[0], tile[1] - y1), step_m=0.3,
        )  # fmt: skip
        builder.quad(
            (x0, y0, height), (x1 - x0, 0, 0), (0, y1 - y0, 0), _variant(builder, "ceiling", rng),
            metres_per_picture=1.2, offset=(x0 + panel[0], y0 + panel[1]), step_m=LIGHT_STEP_M,
        )  # fmt: skip


def _cuts(start: float, end: float) -> list[tuple[float, float]]:
    places = np.linspace(start, end, max(1, round((end - start) / PANEL_M)) + 1).tolist()
    return list(itertools.pairwise(places))


def _variant(builder: SurfaceBuilder, kind: str, rng: np.random.Generator) -> int:
    """Return one of the few pictures of a material."""
    return builder.texture(TextureSpec(kind), f"{kind}{rng.integers(VARIANTS)}")


def _add_wall(
    builder: SurfaceBuilder, face: Face, config: FloorConfig, rng: np.random.Generator
) -> None:
    top, stripe = config.height_m + OVERLAP_M, DADO_M + STRIPE_M
    accent = _ACCENTS[face.accent]
    bands: tuple[tuple[float, float, Vec3], ...] = (
        (stripe, top, _UPPER_WALL),
        (DADO_M, stripe, [0.5 * a for a in accent]),
        (SKIRTING_M, DADO_M, accent),
        (-OVERLAP_M, SKIRTING_M, _SKIRTING),
    )
    ends = [0.0, *(e for s in face.openings for e in (s.start, s.end)), face.length]
    for start, end in zip(ends[::2], ends[1::2], strict=True):
        for left, right in _cuts(start, end):
            for low, high, tint in bands:
                _add_panel(builder, _Patch(face, left, right, low, high), tint, rng)
    for hole in face.openings:
        lintel = _Patch(face, hole.start, hole.end, DOOR_HEIGHT_M, top)
        _add_panel(builder, lintel, _UPPER_WALL, rng)
        _add_door_frame(builder, face, hole)
        if face.has_jambs:
            _add_jambs(builder, face, hole, config.wall_m)
    for door in face.doors:
        _add_door_frame(builder, face, door)
        _add_door_leaf(builder, face, door, rng)


def _add_panel(
    builder: SurfaceBuilder, patch: _Patch, tint: Vec3, rng: np.random.Generator
) -> None:
    """Add a stretch of wall: one of a few textures, shifted by chance, so that none is twice."""
    is_dado = patch.low == SKIRTING_M
    layer = _variant(builder, "mosaic" if is_dado else "plaster", rng)
    shift = rng.uniform(0, PICTURE_M, 2)
    if is_dado:
        shift = np.round(shift / TILE_M) * TILE_M
    builder.quad(
        *patch.edges(), layer, tint=tint, metres_per_picture=PICTURE_M,
        offset=(float(shift[0]), float(shift[1])), step_m=LIGHT_STEP_M,
    )  # fmt: skip


def _add_jambs(builder: SurfaceBuilder, face: Face, span: Span, depth: float) -> None:
    plain = _shared(builder, "plain")
    # The door frames on both sides reach one centimetre into the wall.
    (ax, ay), (bx, by) = face.at(span.start, -0.01), face.at(span.end, -0.01)
    (cx, cy), (dx, dy) = face.at(span.start, 0.01 - depth), face.at(span.end, 0.01 - depth)
    down = (0, 0, -DOOR_HEIGHT_M - OVERLAP_M)
    builder.quad((ax, ay, DOOR_HEIGHT_M), (cx - ax, cy - ay, 0), down, plain, tint=_JAMB)
    builder.quad((dx, dy, DOOR_HEIGHT_M), (bx - dx, by - dy, 0), down, plain, tint=_JAMB)
    lintel = (cx, cy, DOOR_HEIGHT_M)
    builder.quad(lintel, (dx - cx, dy - cy, 0), (ax - cx, ay - cy, 0), plain, tint=_JAMB)
    # A threshold lies on the seam of tiles and parquet.
    (px, py), (qx, qy) = face.at(span.start, 0.03), face.at(span.end, -0.06)
    low, high = (min(px, qx), min(py, qy), 0.0), (max(px, qx), max(py, qy), 0.008)
    builder.box(low, high, plain, plain, tint=_SKIRTING)


def _add_door_frame(builder: SurfaceBuilder, face: Face, span: Span) -> None:
    wood, wide = _shared(builder, "wood"), 0.09
    top = DOOR_HEIGHT_M + wide
    for patch in (
        _Patch(face, span.start - wide, span.start, 0.0, top),
        _Patch(face, span.end, span.end + wide, 0.0, top),
        _Patch(face, span.start, span.end, DOOR_HEIGHT_M, top),
    ):
        builder.box(*patch.block(0.035), wood, wood, tint=_DOOR_FRAME)


def _add_door_leaf(
    builder: SurfaceBuilder, face: Face, door: Span, rng: np.random.Generator
) -> None:
    leaf = _shared(builder, "door", (door.end - door.start) / DOOR_HEIGHT_M)
    patch = _Patch(face, door.start, door.end, 0.0, DOOR_HEIGHT_M)
    builder.quad(*patch.edges(0.012), leaf, step_m=0.5)
    note = builder.texture(TextureSpec(str(rng.choice(("notice", "shapes", "chart"))), 0.72))
    x, z = door.start + float(rng.uniform(0.3, 0.5)), float(rng.uniform(0.95, 1.12))
    builder.quad(*_Patch(face, x, x + 0.26, z, z + 0.36).edges(0.015), note)
    sign = builder.texture(TextureSpec("sign", 1.6, door.label))
    left = door.end + 0.16
    if left + 0.3 > face.length:
        left = door.start - 0.46
    builder.quad(*_Patch(face, left, left + 0.29, 1.52, 1.70).edges(0.014), sign)


def _hang_pictures(builder: SurfaceBuilder, face: Face, rng: np.random.Generator) -> None:
    """Fill the free stretches of a face with pictures, each one of its kind."""
    taken = sorted((s.start - 0.14, s.end + 0.5) for s in (*face.doors, *face.openings))
    ends = [0.1, *(end for stretch in taken for end in stretch), face.length - 0.1]
    for start, end in zip(ends[::2], ends[1::2], strict=True):
        x = start
        while end - x > NARROWEST_M:
            wide = bool(rng.random() < 0.4)
            width = float(rng.uniform(0.85, 1.3) if wide else rng.uniform(NARROWEST_M, 0.75))
            width = min(width, end - x)
            _hang_picture(builder, face, (x, x + width), rng)
            x += width + float(rng.uniform(0.1, 0.3))


def _hang_picture(
    builder: SurfaceBuilder, face: Face, span: tuple[float, float], rng: np.random.Generator
) -> None:
    width, wide = span[1] - span[0], span[1] - span[0] > 0.8
    height = float(rng.uniform(0.6, 0.9) if wide else rng.uniform(0.6, 1.0))
    middle = float(rng.uniform(1.5, 1.68))
    is_window = wide and face.is_outside and bool(rng.random() < 0.35)
    kind = "window" if is_window else str(rng.choice(_PICTURES))
    patch = _Patch(face, *span, middle - height / 2, middle + height / 2)
    frame = _shared(builder, "plain")
    builder.box(*patch.block(0.022), frame, frame, tint=_PICTURE_FRAME)
    layer = builder.texture(TextureSpec(kind, width / height))
    builder.quad(*patch.edges(0.026), layer, step_m=0.5, glow=1.08 if is_window else 0.0)


def _add_lamps(builder: SurfaceBuilder, layout: FloorLayout) -> None:
    layer, plain, z = _shared(builder, "lamp"), _shared(builder, "plain"), layout.config.height_m
    for lamp in layout.lamps:
        hx, hy = (0.6, 0.15) if lamp.along_x else (0.15, 0.6)
        x0, x1, y0, y1, low = lamp.x - hx, lamp.x + hx, lamp.y - hy, lamp.y + hy, z - 0.06
        builder.box((x0, y0, low), (x1, y1, z), plain, plain, tint=(0.6, 0.6, 0.6))
        glow = 0.9 + 0.25 * lamp.power
        builder.quad((x0, y0, low), (x1 - x0, 0, 0), (0, y1 - y0, 0), layer, glow=glow)


def _add_hanging_signs(builder: SurfaceBuilder, layout: FloorLayout) -> None:
    """Hang look-alike exit signs across the corridors, one beside each middle."""
    c, m = layout.config, layout.config.corridor_m / 2
    layer, plain = _shared(builder, "exit", 2.6), _shared(builder, "plain")
    places = (
        (c.width_m * 0.42, m, False),
        (c.width_m * 0.58, c.depth_m - m, False),
        (c.width_m - m, c.depth_m * 0.45, True),
        (m, c.depth_m * 0.55, True),
    )
    for x, y, along_x in places:
        half, z0, z1 = 0.32, c.height_m - 0.5, c.height_m - 0.25
        hx, hy = (half, 0.02) if along_x else (0.02, half)
        builder.box((x - hx, y - hy, z0), (x + hx, y + hy, z1), layer, plain)
        builder.quad((x - hx, y - hy, z0), (2 * hx, 0, 0), (0, 2 * hy, 0), plain, tint=_SKIRTING)
        builder.box((x - 0.01, y - 0.01, z1), (x + 0.01, y + 0.01, c.height_m), plain, plain)
