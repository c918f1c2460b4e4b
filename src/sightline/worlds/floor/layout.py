"""Where walls, openings, doors, rooms, furniture and lamps stand: the floor seen from above."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sightline.worlds.floor.config import FloorConfig

Point = tuple[float, float]

DOOR_WIDTH_M = 0.9
DOOR_HEIGHT_M = 2.08
CORRIDOR = "corridor"


@dataclass(frozen=True)
class Rect:
    """An axis-aligned rectangle on the floor, in metres."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def centre(self) -> Point:
        """The middle."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True)
class Span:
    """A stretch of a face: an opening or a closed door.

    Attributes:
        start: Distance from the face's left end, in metres.
        end: The same of the right side.
        label: A closed door's number; empty for openings.
    """

    start: float
    end: float
    label: str = ""


@dataclass(frozen=True)
class Face:
    """The visible side of a wall; whoever looks at it has ``a`` on the left, ``b`` on the right.

    Attributes:
        a: Left end, world x, y.
        b: Right end.
        zone: ``corridor`` or the room's name.
        accent: Index of the dado's colour.
        openings: Holes from the floor to the door height.
        doors: Closed doors.
        has_jambs: Whether this side draws the inside of its openings.
        is_outside: Whether daylight is behind the wall, so that it can have windows.
    """

    a: Point
    b: Point
    zone: str
    accent: int
    openings: tuple[Span, ...] = ()
    doors: tuple[Span, ...] = ()
    has_jambs: bool = False
    is_outside: bool = False

    @property
    def length(self) -> float:
        """Length in metres."""
        return math.hypot(self.b[0] - self.a[0], self.b[1] - self.a[1])

    def at(self, along: float, out: float = 0.0) -> Point:
        """Return the floor point ``along`` metres from the left end, ``out`` before the wall."""
        dx, dy = (self.b[0] - self.a[0]) / self.length, (self.b[1] - self.a[1]) / self.length
        return self.a[0] + along * dx + out * dy, self.a[1] + along * dy - out * dx


@dataclass(frozen=True)
class Room:
    """A room of the island; closed rooms have no inside."""

    name: str
    rect: Rect
    is_open: bool


@dataclass(frozen=True)
class Furniture:
    """A thing that stands on the floor (``kind`` is drawn by ``furniture.py``)."""

    kind: str
    rect: Rect
    height: float


@dataclass(frozen=True)
class Lamp:
    """A ceiling lamp."""

    x: float
    y: float
    power: float
    warmth: float
    along_x: bool


@dataclass(frozen=True)
class FloorLayout:
    """The whole floor from above."""

    config: FloorConfig
    faces: tuple[Face, ...]
    walls: tuple[Rect, ...]
    rooms: tuple[Room, ...]
    furniture: tuple[Furniture, ...]
    lamps: tuple[Lamp, ...]

    @property
    def island(self) -> Rect:
        """The block of rooms inside the ring."""
        c = self.config
        t = c.corridor_m
        return Rect(t, t, c.width_m - t, c.depth_m - t)


def layout_floor(config: FloorConfig) -> FloorLayout:
    """Return the floor's layout; sizes come from the config, small choices from its seed."""
    rng = np.random.default_rng([config.seed, 1])
    rooms = _rooms(config, rng)
    faces = (*_outer_faces(config, rng), *_island_faces(config, rooms, rng))
    return FloorLayout(
        config,
        faces,
        tuple(_wall_rects(config, rooms, faces)),
        rooms,
        (*_corridor_furniture(faces[:4], rng), *_room_furniture(rooms)),
        tuple(_lamps(config, rooms, rng)),
    )


def _rooms(config: FloorConfig, rng: np.random.Generator) -> tuple[Room, ...]:
    t, w = config.corridor_m, config.wall_m
    x0, y0, x1, y1 = t + w, t + w, config.width_m - t - w, config.depth_m - t - w
    span = x1 - x0
    left = x0 + span * rng.uniform(0.34, 0.38)
    right = x1 - span * rng.uniform(0.36, 0.40)
    middle = (y0 + y1) / 2 + rng.uniform(-0.3, 0.3)
    return (
        Room("Kitchen", Rect(x0, y0, left, y1), True),
        Room("Lounge", Rect(right, y0, x1, y1), True),
        Room("Store", Rect(left + w, y0, right - w, middle - w / 2), False),
        Room("Server", Rect(left + w, middle + w / 2, right - w, y1), False),
    )


def _doors(length: float, fractions: list[float], first: int) -> tuple[Span, ...]:
    half = DOOR_WIDTH_M / 2
    return tuple(
        Span(length * f - half, length * f + half, f"{first + i}") for i, f in enumerate(fractions)
    )


def _outer_faces(config: FloorConfig, rng: np.random.Generator) -> list[Face]:
    w, d = config.width_m, config.depth_m
    corners = [(0.0, d), (w, d), (w, 0.0), (0.0, 0.0), (0.0, d)]
    fractions = [[0.16, 0.5, 0.82], [0.35, 0.72], [0.2, 0.47, 0.8], [0.3, 0.68]]
    faces = []
    for i, near in enumerate(fractions):
        a, b = corners[i], corners[i + 1]
        length = math.dist(a, b)
        places = [f + rng.uniform(-0.02, 0.02) for f in near]
        doors = _doors(length, places, 100 * (i + 1) + 1)
        faces.append(Face(a, b, CORRIDOR, i, doors=doors, is_outside=True))
    return faces


def _island_faces(
    config: FloorConfig, rooms: tuple[Room, ...], rng: np.random.Generator
) -> list[Face]:
    t = config.corridor_m
    x0, y0, x1, y1 = t, t, config.width_m - t, config.depth_m - t
    kitchen, lounge, store, _ = (room.rect for room in rooms)
    door = kitchen.centre[0] - 0.5 + rng.uniform(-0.2, 0.2)
    wide = lounge.centre[0] - 0.9 + rng.uniform(-0.2, 0.2)
    closed = store.centre[0] - DOOR_WIDTH_M / 2
    hall = CORRIDOR
    kitchen_span, lounge_span = (door, door + 1.0), (wide, wide + 1.8)

    def south_to_north(span: tuple[float, float], left: float) -> tuple[Span, ...]:
        return (Span(span[0] - left, span[1] - left),)

    def mirrored(span: tuple[float, float], right: float) -> tuple[Span, ...]:
        return (Span(right - span[1], right - span[0]),)

    return [
        Face(
            (x0, y0), (x1, y0), hall, 2, south_to_north(kitchen_span, x0),
            (Span(closed - x0, closed - x0 + DOOR_WIDTH_M, "S1"),), True,
        ),
        Face((x1, y0), (x1, y1), hall, 1),
        Face(
            (x1, y1), (x0, y1), hall, 0, mirrored(lounge_span, x1),
            (Span(x1 - closed - DOOR_WIDTH_M, x1 - closed, "S2"),), True,
        ),
        Face((x0, y1), (x0, y0), hall, 3),
        *_inside_faces(rooms[0], 4, south=mirrored(kitchen_span, kitchen.x1)),
        *_inside_faces(rooms[1], 5, north=south_to_north(lounge_span, lounge.x0)),
    ]  # fmt: skip


def _inside_faces(
    room: Room, accent: int, north: tuple[Span, ...] = (), south: tuple[Span, ...] = ()
) -> list[Face]:
    r = room.rect
    return [
        Face((r.x0, r.y1), (r.x1, r.y1), room.name, accent, north),
        Face((r.x1, r.y1), (r.x1, r.y0), room.name, accent),
        Face((r.x1, r.y0), (r.x0, r.y0), room.name, accent, south),
        Face((r.x0, r.y0), (r.x0, r.y1), room.name, accent),
    ]


def _wall_rects(
    config: FloorConfig, rooms: tuple[Room, ...], faces: tuple[Face, ...]
) -> list[Rect]:
    w, d, t, thick = config.width_m, config.depth_m, config.corridor_m, config.wall_m
    x0, y0, x1, y1 = t, t, w - t, d - t
    kitchen, lounge, store, server = (room.rect for room in rooms)
    rects = [
        Rect(-thick, -thick, w + thick, 0.0),
        Rect(-thick, d, w + thick, d + thick),
        Rect(-thick, 0.0, 0.0, d),
        Rect(w, 0.0, w + thick, d),
        Rect(x0, y0, x0 + thick, y1),
        Rect(x1 - thick, y0, x1, y1),
        Rect(kitchen.x1, y0, store.x0, y1),
        Rect(store.x1, y0, lounge.x0, y1),
        Rect(store.x0, store.y1, store.x1, server.y0),
    ]
    south, north = faces[4], faces[6]
    for face, low in ((south, y0), (north, y1 - thick)):
        ends = [0.0, *(e for s in face.openings for e in (s.start, s.end)), face.length]
        for start, end in zip(ends[::2], ends[1::2], strict=True):
            left, right = sorted((face.at(start)[0], face.at(end)[0]))
            rects.append(Rect(left, low, right, low + thick))
    return rects


def _corridor_furniture(faces: tuple[Face, ...], rng: np.random.Generator) -> list[Furniture]:
    things = []
    kinds = {"bench": (1.5, 0.4, 0.46), "cupboard": (1.0, 0.38, 1.0), "bin": (0.32, 0.32, 0.62)}
    for face in faces:
        x, y = face.at(0.36, 0.36)
        things.append(Furniture("plant", Rect(x - 0.24, y - 0.24, x + 0.24, y + 0.24), 1.25))
        ends = [0.9, *(e for s in face.doors for e in (s.start - 0.25, s.end + 0.25))]
        ends.append(face.length - 0.9)
        for start, end in zip(ends[::2], ends[1::2], strict=True):
            kind = ["bench", "cupboard", "bin"][rng.integers(3)]
            length, depth, height = kinds[kind]
            if end - start < length + 0.1:
                continue
            left = rng.uniform(start, end - length)
            (xa, ya), (xb, yb) = face.at(left, 0.02), face.at(left + length, 0.02 + depth)
            rect = Rect(min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb))
            things.append(Furniture(kind, rect, height))
    return things


def _room_furniture(rooms: tuple[Room, ...]) -> list[Furniture]:
    k, g = rooms[0].rect, rooms[1].rect
    kx, ky = k.centre
    gx, gy = g.centre
    return [
        Furniture("counter", Rect(k.x0 + 0.75, k.y1 - 0.62, k.x1 - 0.05, k.y1 - 0.02), 0.92),
        Furniture("fridge", Rect(k.x0 + 0.05, k.y1 - 0.67, k.x0 + 0.70, k.y1 - 0.02), 1.8),
        Furniture("table", Rect(kx - 0.7, ky - 0.1, kx + 0.7, ky + 0.7), 0.75),
        Furniture("stool", Rect(kx - 0.55, ky - 0.55, kx - 0.2, ky - 0.2), 0.46),
        Furniture("stool", Rect(kx + 0.2, ky - 0.55, kx + 0.55, ky - 0.2), 0.46),
        Furniture("shelf", Rect(gx - 1.2, g.y0 + 0.02, gx + 1.0, g.y0 + 0.34), 1.9),
        Furniture("sofa", Rect(g.x0 + 0.05, gy - 0.9, g.x0 + 0.85, gy + 0.9), 0.78),
        Furniture("table", Rect(gx - 0.35, gy - 0.45, gx + 0.35, gy + 0.45), 0.42),
        Furniture("sofa", Rect(g.x1 - 0.85, gy - 0.7, g.x1 - 0.05, gy + 0.7), 0.78),
        Furniture("plant", Rect(g.x1 - 0.6, g.y0 + 0.1, g.x1 - 0.12, g.y0 + 0.58), 1.25),
    ]


def _lamps(config: FloorConfig, rooms: tuple[Room, ...], rng: np.random.Generator) -> list[Lamp]:
    w, d, m = config.width_m, config.depth_m, config.corridor_m / 2
    lamps = []

    def lamp(x: float, y: float, along_x: bool) -> None:
        lamps.append(Lamp(x, y, rng.uniform(0.62, 1.1), rng.uniform(0.0, 1.0), along_x))

    for x in np.linspace(m, w - m, 6):
        for y in (m, d - m):
            lamp(float(x), y, True)
    for y in np.linspace(m, d - m, 4)[1:-1]:
        for x in (m, w - m):
            lamp(x, float(y), False)
    for room in rooms:
        if room.is_open:
            lamp(*room.rect.centre, True)
    return lamps
