"""The floor drawn as an architect draws it, and the mask of where one can walk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sightline.geometry.rotation import Array
from sightline.records.files import atomic_path
from sightline.records.plan import FloorPlan
from sightline.worlds.floor.config import FloorConfig
from sightline.worlds.floor.layout import CORRIDOR, Face, FloorLayout, Rect, Span

#: Paper around the building: left, top, right, bottom, in metres.
MARGIN_M = (1.5, 1.3, 1.2, 1.9)
#: Lines are drawn this many times larger, then averaged down.
OVERSAMPLING = 4
INK, THIN, PALE = (28, 30, 36), (96, 102, 112), (226, 222, 212)
_ROOM_FILL = {True: (246, 240, 226), False: (232, 232, 232)}


def plan_size(config: FloorConfig) -> tuple[int, int]:
    """Return the plan's width and height in pixels."""
    left, top, right, bottom = MARGIN_M
    scale = config.plan_px_per_m
    width, height = config.width_m + left + right, config.depth_m + top + bottom
    return round(width * scale), round(height * scale)


def px_from_world(config: FloorConfig) -> Array:
    """Return the exact (2, 3) map from world x, y to plan pixels; v runs down, y up."""
    scale = config.plan_px_per_m
    left, top = MARGIN_M[0] * scale, MARGIN_M[1] * scale
    return np.array([[scale, 0.0, left], [0.0, -scale, top + config.depth_m * scale]])


def walkable_mask(layout: FloorLayout) -> NDArray[np.bool_]:
    """Return the (height, width) mask of pixels whose centre a walker's middle can reach.

    Free floor, and ``body_radius_m`` or more from walls and furniture.
    """
    config = layout.config
    width, height = plan_size(config)
    affine = px_from_world(config)
    x = (np.arange(width) - affine[0, 2]) / affine[0, 0]
    y = ((np.arange(height) - affine[1, 2]) / affine[1, 1])[:, None]
    mask: NDArray[np.bool_] = (x > 0) & (x < config.width_m) & (y > 0) & (y < config.depth_m)
    closed = (room.rect for room in layout.rooms if not room.is_open)
    for r in (*layout.walls, *(f.rect for f in layout.furniture), *closed):
        dx = np.maximum(np.maximum(r.x0 - x, x - r.x1), 0.0)
        dy = np.maximum(np.maximum(r.y0 - y, y - r.y1), 0.0)
        mask &= np.hypot(dx, dy) >= config.body_radius_m
    return mask


def draw_plan(layout: FloorLayout) -> Image.Image:
    """Return the plan's picture: walls, doors with their swing, furniture, names, a scale bar."""
    width, height = plan_size(layout.config)
    pen = _Pen(
        layout.config, Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING), "white")
    )
    pen.rect(Rect(0, 0, layout.config.width_m, layout.config.depth_m), (252, 251, 248))
    for room in layout.rooms:
        pen.rect(room.rect, _ROOM_FILL[room.is_open])
    for thing in layout.furniture:
        if thing.kind in ("plant", "bin", "stool"):
            pen.ellipse(thing.rect, PALE, THIN)
        else:
            pen.rect(thing.rect, PALE, THIN)
    for wall in layout.walls:
        pen.rect(wall, INK)
    for face in layout.faces:
        _draw_doors(pen, face, layout.config.wall_m)
    for room in layout.rooms:
        x, y = room.rect.centre
        # Beside the furniture, and away from the doors' swings.
        shift = 1.15 if room.is_open else 0.3 if y < layout.config.depth_m / 2 else -0.5
        pen.text((x, y + shift), room.name, 0.3)
    pen.text((layout.config.width_m / 2, layout.config.corridor_m / 2 + 0.2), "Corridor", 0.26)
    _draw_title(pen, layout.config)
    return pen.image.resize((width, height), Image.Resampling.BOX)


def write_plan(folder: Path, layout: FloorLayout) -> FloorPlan:
    """Write ``plan.png``, ``walkable.png`` and ``plan.toml``; return the plan."""
    mask = walkable_mask(layout)
    width, height = plan_size(layout.config)
    plan = FloorPlan(
        folder / "plan.png", folder / "walkable.png", width, height, px_from_world(layout.config)
    )
    with atomic_path(folder / "plan.png") as temporary:
        draw_plan(layout).save(temporary)
    with atomic_path(folder / "walkable.png") as temporary:
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(temporary)
    plan.write(folder / "plan.toml")
    return plan


class _Pen:
    """Draws in metres; pixel (0, 0) of the small picture is a centre, hence the half pixels."""

    def __init__(self, config: FloorConfig, image: Image.Image) -> None:
        self.image = image
        self._draw = ImageDraw.Draw(image)
        self._affine = px_from_world(config)
        self.px_per_m = config.plan_px_per_m * OVERSAMPLING

    def px(self, x: float, y: float) -> tuple[float, float]:
        u, v = self._affine @ (x, y, 1.0)
        return (u + 0.5) * OVERSAMPLING - 0.5, (v + 0.5) * OVERSAMPLING - 0.5

    def _box(self, r: Rect) -> tuple[float, float, float, float]:
        (u0, v0), (u1, v1) = self.px(r.x0, r.y1), self.px(r.x1, r.y0)
        return u0, v0, u1, v1

    def rect(
        self, r: Rect, fill: tuple[int, int, int] | str, outline: tuple[int, int, int] | None = None
    ) -> None:
        self._draw.rectangle(self._box(r), fill=fill, outline=outline, width=OVERSAMPLING)

    def ellipse(self, r: Rect, fill: tuple[int, int, int], outline: tuple[int, int, int]) -> None:
        self._draw.ellipse(self._box(r), fill=fill, outline=outline, width=OVERSAMPLING)

    def line(self, points: list[tuple[float, float]], width: int = 1) -> None:
        pixels = [self.px(*p) for p in points]
        self._draw.line(pixels, fill=THIN, width=width * OVERSAMPLING, joint="curve")

    def text(self, at: tuple[float, float], text: str, size_m: float, anchor: str = "mm") -> None:
        font = ImageFont.load_default(size_m * self.px_per_m)
        self._draw.text(self.px(*at), text, INK, font, anchor=anchor)


def _draw_doors(pen: _Pen, face: Face, wall_m: float) -> None:
    """Cut closed doors into the wall, and draw every door's leaf and swing."""
    for door in face.doors:
        (ax, ay), (bx, by) = face.at(door.start), face.at(door.end, -wall_m)
        pen.rect(Rect(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)), "white")
        _draw_swing(pen, face, door, -wall_m)
        pen.text(face.at((door.start + door.end) / 2, 0.2), door.label, 0.17)
    if face.zone == CORRIDOR:
        for opening in face.openings:
            if opening.end - opening.start < 1.2:
                _draw_swing(pen, face, opening, -wall_m)


def _draw_swing(pen: _Pen, face: Face, span: Span, out: float) -> None:
    width = span.end - span.start
    turns = np.linspace(0, np.pi / 2, 16)
    arc = [
        face.at(span.start + width * float(np.cos(a)), out - width * float(np.sin(a)))
        for a in turns
    ]
    pen.line([*arc, face.at(span.start, out)])


def _draw_title(pen: _Pen, config: FloorConfig) -> None:
    y = -config.wall_m - 1.1
    pen.text((0.0, y), "Floor 1", 0.42, "lm")
    x0 = config.width_m - 5.0
    for k in range(5):
        pen.rect(Rect(x0 + k, y - 0.06, x0 + k + 1, y + 0.06), INK if k % 2 == 0 else "white", INK)
    for k in (0, 5):
        pen.text((x0 + k, y + 0.28), f"{k} m" if k else "0", 0.2)
