"""Benches, cupboards, plants: what stands on the floor, made of boxes and turned shapes."""

from __future__ import annotations

from collections.abc import Callable

from sightline.errors import InputError
from sightline.worlds.canvas import TextureSpec
from sightline.worlds.floor.layout import Furniture
from sightline.worlds.floor.surfaces import SurfaceBuilder

STEEL = (0.45, 0.47, 0.5)
DARK = (0.22, 0.23, 0.26)


def add_furniture(builder: SurfaceBuilder, thing: Furniture) -> None:
    """Add one thing's surfaces.

    Raises:
        InputError: A kind of furniture that nobody builds.
    """
    if thing.kind not in _MAKERS:
        raise InputError(f"furniture of {', '.join(_MAKERS)} is wanted, {thing.kind!r} came")
    _MAKERS[thing.kind](builder, thing)


def _shared(builder: SurfaceBuilder, kind: str) -> int:
    return builder.texture(TextureSpec(kind), kind)


def _legs(builder: SurfaceBuilder, thing: Furniture, top_z: float, inset: float) -> None:
    r, plain = thing.rect, _shared(builder, "plain")
    for x in (r.x0 + inset, r.x1 - inset - 0.05):
        for y in (r.y0 + inset, r.y1 - inset - 0.05):
            builder.box((x, y, 0), (x + 0.05, y + 0.05, top_z), plain, plain, tint=STEEL)


def _bench(builder: SurfaceBuilder, thing: Furniture) -> None:
    r, wood = thing.rect, _shared(builder, "wood")
    _legs(builder, thing, thing.height - 0.07, 0.04)
    low, high = (r.x0, r.y0, thing.height - 0.07), (r.x1, r.y1, thing.height)
    builder.box(low, high, wood, wood)


def _table(builder: SurfaceBuilder, thing: Furniture) -> None:
    r, wood = thing.rect, _shared(builder, "wood")
    _legs(builder, thing, thing.height - 0.05, 0.05)
    low, high = (r.x0, r.y0, thing.height - 0.05), (r.x1, r.y1, thing.height)
    builder.box(low, high, wood, wood, tint=(1.1, 1.0, 0.9))


def _stool(builder: SurfaceBuilder, thing: Furniture) -> None:
    radius, plain = (thing.rect.x1 - thing.rect.x0) / 2, _shared(builder, "plain")
    h = thing.height
    profile = [(0.0, h), (radius, h), (radius, h - 0.06), (0.03, h - 0.06), (0.03, 0.03)]
    foot = [(radius * 0.8, 0.02), (radius * 0.8, 0.0)]
    builder.turned(thing.rect.centre, [*profile, *foot], plain, tint=(0.85, 0.32, 0.22))


def _cupboard(builder: SurfaceBuilder, thing: Furniture) -> None:
    r, plain = thing.rect, _shared(builder, "plain")
    front = _shared(builder, "cupboard")
    builder.box(
        (r.x0, r.y0, 0), (r.x1, r.y1, thing.height), front, plain, step_m=0.5,
        top_tint=(0.8, 0.8, 0.8),
    )  # fmt: skip


def _counter(builder: SurfaceBuilder, thing: Furniture) -> None:
    r, front, wood = thing.rect, _shared(builder, "cupboard"), _shared(builder, "wood")
    plain = _shared(builder, "plain")
    top = thing.height - 0.04
    builder.box((r.x0, r.y0 + 0.03, 0), (r.x1, r.y1, top), front, wood, tint=(0.72, 0.86, 0.82))
    builder.box((r.x0, r.y0, top), (r.x1, r.y1, thing.height), wood, wood)
    x, y, z = r.x0 + 0.5, r.y0 + 0.2, thing.height
    builder.box((x, y, z), (x + 0.28, y + 0.3, z + 0.36), plain, plain, tint=DARK)
    builder.box((x + 0.6, y, z), (x + 1.1, y + 0.3, z + 0.28), plain, plain, tint=STEEL)


def _fridge(builder: SurfaceBuilder, thing: Furniture) -> None:
    r, plain = thing.rect, _shared(builder, "plain")
    builder.box((r.x0, r.y0, 0), (r.x1, r.y1, thing.height), plain, plain, tint=(0.86, 0.88, 0.9))
    board = builder.texture(TextureSpec("pinboard", 0.75))
    builder.quad((r.x0 + 0.12, r.y0 - 0.005, thing.height - 0.15), (0.4, 0, 0), (0, 0, -0.5), board)


def _sofa(builder: SurfaceBuilder, thing: Furniture) -> None:
    r, fabric = thing.rect, _shared(builder, "fabric")
    tint = (0.36, 0.46, 0.62)
    facing_east = r.x1 - r.x0 < r.y1 - r.y0 and thing.rect.x0 < thing.rect.centre[0]
    builder.box((r.x0, r.y0, 0.06), (r.x1, r.y1, 0.42), fabric, fabric, tint=tint)
    back = (r.x0, r.x0 + 0.2) if facing_east else (r.x1 - 0.2, r.x1)
    builder.box((back[0], r.y0, 0.42), (back[1], r.y1, thing.height), fabric, fabric, tint=tint)
    for y in (r.y0, r.y1 - 0.16):
        builder.box((r.x0, y, 0.42), (r.x1, y + 0.16, 0.6), fabric, fabric, tint=tint)


def _shelf(builder: SurfaceBuilder, thing: Furniture) -> None:
    r, wood = thing.rect, _shared(builder, "wood")
    builder.box((r.x0, r.y0, 0), (r.x1, r.y1, thing.height), wood, wood, tint=(0.7, 0.7, 0.7))
    width = r.x1 - r.x0
    books = builder.texture(TextureSpec("books", width / thing.height))
    builder.quad(
        (r.x1 - 0.03, r.y1 + 0.004, thing.height - 0.03), (0.06 - width, 0, 0),
        (0, 0, 0.1 - thing.height), books, step_m=0.5,
    )  # fmt: skip


def _bin(builder: SurfaceBuilder, thing: Furniture) -> None:
    radius, plain = (thing.rect.x1 - thing.rect.x0) / 2, _shared(builder, "plain")
    h = thing.height
    body = [(radius * 0.7, h), (radius, h - 0.03), (radius, h - 0.1)]
    builder.turned(thing.rect.centre, body, plain, tint=DARK)
    builder.turned(
        thing.rect.centre, [(radius, h - 0.1), (radius * 0.9, 0.0)], plain, tint=(0.3, 0.55, 0.42)
    )


def _plant(builder: SurfaceBuilder, thing: Furniture) -> None:
    centre, radius, h = thing.rect.centre, (thing.rect.x1 - thing.rect.x0) / 2, thing.height
    leaves, plain = _shared(builder, "leaves"), _shared(builder, "plain")
    pot = [(radius * 0.8, 0.42), (radius * 0.85, 0.36), (radius * 0.6, 0.0)]
    builder.turned(centre, pot, plain, tint=(0.72, 0.38, 0.26))
    builder.turned(centre, [(0.0, 0.41), (radius * 0.78, 0.41)], plain, tint=(0.25, 0.18, 0.12))
    crown = [(0.0, h), (0.5, h - 0.12), (0.95, h - 0.35), (1.0, h - 0.5), (0.7, 0.5), (0.1, 0.42)]
    builder.turned(centre, [(radius * r, z) for r, z in crown], leaves)


_MAKERS: dict[str, Callable[[SurfaceBuilder, Furniture], None]] = {
    "bench": _bench,
    "bin": _bin,
    "counter": _counter,
    "cupboard": _cupboard,
    "fridge": _fridge,
    "plant": _plant,
    "shelf": _shelf,
    "sofa": _sofa,
    "stool": _stool,
    "table": _table,
}
