"""Furniture of the depth world's rooms: what stands along walls, in the middle, and on tops."""

from __future__ import annotations

import numpy as np

from sightline.geometry.rotation import Array
from sightline.worlds.depth.scene import DepthWorkshop
from sightline.worlds.rooms.interior import add_thing, vase_profile
from sightline.worlds.rooms.viewpoints import up


class Frame:
    """A place with its own directions: x to the right, y to the back, z up.

    Args:
        spot: (3,) its origin.
        turn: Radians about the vertical.
    """

    def __init__(self, spot: Array, turn: float) -> None:
        self.spot, self.turn = np.asarray(spot, np.float64), turn
        c, s = np.cos(turn), np.sin(turn)
        self._axes = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])

    def at(self, x: float, y: float, z: float = 0.0) -> Array:
        """Return the (3,) world point of a local one."""
        point: Array = self.spot + np.array([x, y, z]) @ self._axes
        return point


def add_table(
    work: DepthWorkshop, spot: Array, turn: float, size: tuple[float, float, float]
) -> float:
    """Add a table with a board, four legs or two sides, and return its height."""
    frame, (wide, deep, tall), mesh = Frame(spot, turn), size, work.mesh
    thick, layer = float(work.rng.uniform(0.02, 0.07)), work.of("wood")
    legs = layer if work.rng.random() < 0.6 else work.of("thing")
    mesh.box(frame.at(0, 0, tall - thick), (wide, deep, thick), layer, turn=turn, metres=1.2)
    foot = float(work.rng.uniform(0.03, 0.09))
    if work.rng.random() < 0.75:
        for sx in (-0.5, 0.5):
            for sy in (-0.5, 0.5):
                x, y = sx * (wide - foot - 0.04), sy * (deep - foot - 0.04)
                mesh.box(
                    frame.at(x, y), (foot, foot, tall - thick), legs, turn=turn, solid=False,
                    step_m=2.0,
                )  # fmt: skip
    else:
        for sx in (-0.5, 0.5):
            side = (0.03, 0.9 * deep, tall - thick)
            mesh.box(frame.at(sx * (wide - 0.1), 0), side, legs, turn=turn, solid=False)
    return tall


def add_shelves(
    work: DepthWorkshop, spot: Array, turn: float, size: tuple[float, float, float]
) -> None:
    """Add open shelves with books and things; ``spot`` is the middle of the back's foot."""
    frame, (wide, deep, tall), mesh, rng = Frame(spot, turn), size, work.mesh, work.rng
    layer, board = work.of("wood"), 0.025
    boards = int(rng.integers(2, 6))
    for x in (-wide / 2, wide / 2):
        mesh.box(frame.at(x, -deep / 2), (board, deep, tall), layer, turn=turn)
    mesh.box(frame.at(0, -0.01), (wide, 0.02, tall), layer, turn=turn)
    books = work.picture("books", 1.0)
    for k in range(boards + 1):
        level = 0.05 + (tall - 0.08) * k / boards
        mesh.box(frame.at(0, -deep / 2, level), (wide, deep, board), layer, turn=turn, solid=False)
        if k == boards:
            return
        room, fill = (tall - 0.08) / boards - board, rng.random()
        if fill < 0.45:
            long, high = wide * rng.uniform(0.3, 0.95), room * rng.uniform(0.55, 0.9)
            x = rng.uniform(-0.5, 0.5) * (wide - long - board)
            where = frame.at(float(x), -0.45 * deep, level + board)
            mesh.box(where, (long, 0.7 * deep, high), books, turn=turn, solid=False)
        elif fill < 0.8:
            for _ in range(int(rng.integers(1, 4))):
                where = frame.at(float(rng.uniform(-0.4, 0.4)) * wide, -deep / 2, level + board)
                add_small(work, where, float(min(0.35 * room, 0.13)))


def add_small(work: DepthWorkshop, spot: Array, scale: float) -> None:
    """Add one thing about ``2 * scale`` high: a packet, bottle, mug, pile of books or paper."""
    rng, kind = work.rng, int(work.rng.integers(7))
    turn = float(rng.uniform(0, np.pi))
    if kind == 0:
        work.place("bottle", spot, turn, scale=float(rng.uniform(6, 11)) * scale)
    elif kind == 1:
        level = 0.0
        for _ in range(int(rng.integers(1, 4))):
            size = np.array([rng.uniform(1.2, 2.2), rng.uniform(1.6, 2.8), rng.uniform(0.1, 0.4)])
            size *= scale
            layer = work.stocked()
            tilt = turn + float(rng.normal(0, 0.2))
            work.mesh.box(spot + up(level), size, layer, turn=tilt, solid=level == 0.0)
            level += float(size[2])
    elif kind == 2:
        wide, tall = scale * float(rng.uniform(0.5, 1.1)), scale * float(rng.uniform(0.8, 2.4))
        profile = np.array([[1e-4, tall], [wide, tall], [wide, 0.5 * tall], [wide, 0.0]])
        work.mesh.turned(spot, profile, work.stocked(), sides=18)
    else:
        add_thing(work, spot, scale, work.stocked())


def add_papers(work: DepthWorkshop, frame: Frame, extent: tuple[float, float], tall: float) -> None:
    """Lay printed sheets on a top."""
    for _ in range(int(work.rng.integers(0, 4))):
        rng = work.rng
        layer = work.picture(str(rng.choice(("notice", "chart", "scribble"))), 0.7)
        x, y = (float(rng.uniform(-0.4, 0.4)) * e for e in extent)
        turn = frame.turn + float(rng.uniform(0, np.pi))
        sheet = frame.at(x, y, tall)
        work.mesh.box(sheet, (0.21, 0.29, 0.004), layer, turn=turn, solid=False, step_m=1.0)


def crowd(
    work: DepthWorkshop, frame: Frame, extent: tuple[float, float], tall: float, count: int
) -> None:
    """Put small things on a top of a size, ``tall`` above its frame."""
    for _ in range(count):
        x, y = (float(work.rng.uniform(-0.44, 0.44)) * e for e in extent)
        add_small(work, frame.at(x, y, tall), float(work.rng.uniform(0.04, 0.13)))


def furnish_wall(
    work: DepthWorkshop, start: Array, along: Array, inward: Array, length: float, height: float
) -> None:
    """Stand and hang things along one wall.

    Args:
        work: Takes them.
        start: (2,) the wall's first corner.
        along: (2,) unit direction of the wall.
        inward: (2,) unit direction into the room.
        length: Of the wall, in metres.
        height: Of the room, in metres.
    """
    rng = work.rng
    # Fronts look along the frame's -y: into the room.
    turn = float(np.arctan2(inward[0], -inward[1]))
    at = float(rng.uniform(0.0, 1.0))
    while at < length - 0.5:
        width = float(rng.uniform(0.5, 2.2))
        if at + width > length - 0.05:
            return
        foot = np.array([*(start + (at + width / 2) * along + 0.02 * inward), 0.0])
        _furnish_spot(work, Frame(foot, turn), width, height)
        at += width + float(rng.choice((0.02, 0.3, 1.2)) * rng.uniform(0.5, 1.5))


def _furnish_spot(work: DepthWorkshop, frame: Frame, width: float, height: float) -> None:
    """Fill one stretch of a wall; the frame's -y looks into the room."""
    rng = work.rng
    kind = str(rng.choice(_ALONG_WALLS))
    depth = float(rng.uniform(0.28, 0.65))
    if kind == "shelves":
        tall = min(float(rng.uniform(0.8, 2.2)), height - 0.1)
        add_shelves(work, frame.spot, frame.turn, (width, min(depth, 0.4), tall))
    elif kind == "sofa":
        work.place("sofa", frame.at(0, -0.5), frame.turn)
    elif kind == "chair":
        work.place("chair", frame.at(0, -0.4), frame.turn + float(rng.normal(0, 0.4)))
    elif kind == "table":
        _add_desk(work, frame, width, depth)
    elif kind == "tv":
        _add_television(work, frame, width, depth)
    elif kind == "curtain":
        work.mesh.box(
            frame.at(0, -0.06), (0.6 * width, 0.1, height * float(rng.uniform(0.75, 0.97))),
            work.of("cloth"), turn=frame.turn, metres=0.8,
        )  # fmt: skip
    elif kind == "hung":
        _hang_shelf(work, frame, width)
    else:
        _add_cabinet(work, frame, (width, depth, height))


def _add_desk(work: DepthWorkshop, frame: Frame, width: float, depth: float) -> None:
    """Add a table at the wall with things on it, some with a chair before it."""
    rng, tall = work.rng, float(work.rng.uniform(0.6, 0.95))
    middle = Frame(frame.at(0, -depth / 2), frame.turn)
    add_table(work, middle.spot, frame.turn, (width, depth, tall))
    crowd(work, middle, (width, depth), tall, int(rng.integers(1, 7)))
    if rng.random() < 0.5:
        work.place("chair", frame.at(0, -depth - 0.2), frame.turn + np.pi)


def _add_television(work: DepthWorkshop, frame: Frame, width: float, depth: float) -> None:
    """Add a low cupboard with a television on it."""
    tall = float(work.rng.uniform(0.35, 0.8))
    work.mesh.box(
        frame.at(0, -depth / 2), (width, depth, tall), work.of("wood"), turn=frame.turn, metres=1.5
    )
    work.place("tvmonitor", frame.at(0, -depth / 2, tall), frame.turn)


def _hang_shelf(work: DepthWorkshop, frame: Frame, width: float) -> None:
    """Hang a board or a cupboard with things on it."""
    low = float(work.rng.uniform(1.2, 1.5))
    size = (width, 0.25, float(work.rng.uniform(0.02, 0.6)))
    work.mesh.box(frame.at(0, -0.13, low), size, work.of("wood"), turn=frame.turn)
    middle = Frame(frame.at(0, -0.13), frame.turn)
    crowd(work, middle, (width, 0.2), low + size[2], int(work.rng.integers(0, 7)))


def _add_cabinet(work: DepthWorkshop, frame: Frame, room: tuple[float, float, float]) -> None:
    """Add a counter or a cupboard of a width and depth, below a height; low ones carry things."""
    rng, (width, depth, height) = work.rng, room
    tall = float(rng.choice((0.45, 0.75, 0.9, 0.9, 1.4, 2.0)) * rng.uniform(0.9, 1.1))
    front, top = work.of("wood"), work.of("thing")
    size = (width, depth, min(tall, height - 0.1))
    middle = Frame(frame.at(0, -depth / 2), frame.turn)
    work.mesh.box(middle.spot, size, front, turn=frame.turn, top=top, metres=2.0)
    if tall < 1.6:
        crowd(work, middle, (width, depth), size[2], int(rng.integers(0, 8)))


_ALONG_WALLS = (
    "shelves", "shelves", "sofa", "chair", "table", "tv", "curtain", "hung", "hung", "cabinet",
    "cabinet", "cabinet", "cabinet",
)  # fmt: skip


def furnish_middle(work: DepthWorkshop, spot: Array, *, group: str) -> None:
    """Stand one group on the floor: a table with chairs, sofas, a column, a heap of things."""
    rng, turn = work.rng, float(work.rng.uniform(0, 2 * np.pi))
    frame = Frame(spot, turn)
    if group == "dining":
        _add_dining(work, frame)
    elif group == "sofas":
        work.place("sofa", frame.at(0, 0.9), turn)
        tall = float(rng.uniform(0.3, 0.5))
        add_table(work, spot, turn, (float(rng.uniform(0.6, 1.2)), 0.6, tall))
        crowd(work, frame, (0.7, 0.5), tall, int(rng.integers(0, 4)))
    elif group == "chair":
        work.place("chair", spot, turn)
    elif group == "heap":
        for _ in range(int(rng.integers(2, 7))):
            x, y = (float(v) for v in rng.normal(0, 0.35, 2))
            size = rng.uniform(0.15, 0.7, 3)
            work.mesh.box(
                frame.at(x, y), size, work.stocked(), turn=float(rng.uniform(0, np.pi)),
                metres=float(rng.uniform(0.4, 1.5)),
            )  # fmt: skip
    elif group == "machine":
        category = str(rng.choice(("bicycle", "motorbike", "tvmonitor", "diningtable")))
        work.place(category, spot, turn)
    else:
        tall, radius = float(rng.uniform(0.3, 1.8)), float(rng.uniform(0.1, 0.35))
        work.mesh.turned(spot, vase_profile(rng, radius, tall), work.stocked())


def _add_dining(work: DepthWorkshop, frame: Frame) -> None:
    """Add a table with things on it and alike chairs along both sides."""
    rng, turn = work.rng, frame.turn
    wide, deep = float(rng.uniform(0.8, 2.2)), float(rng.uniform(0.7, 1.1))
    tall = add_table(work, frame.spot, turn, (wide, deep, float(rng.uniform(0.7, 0.8))))
    crowd(work, frame, (wide, deep), tall, int(rng.integers(0, 9)))
    add_papers(work, frame, (wide, deep), tall)
    chair = work.any_object("chair")
    for side in (-1, 1):
        seats = max(1, int(wide / 0.75))
        for k in range(seats):
            if rng.random() < 0.8:
                x = wide * ((k + 0.5) / seats - 0.5)
                y = side * (deep / 2 + float(rng.uniform(-0.1, 0.35)))
                twist = turn + (np.pi if side < 0 else 0.0) + float(rng.normal(0, 0.25))
                work.place("chair", frame.at(x, y), twist, number=chair)
