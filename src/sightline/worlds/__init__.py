"""Rendered worlds with exact truth, written as real data is; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class World:
    """One world, its parts named as ``module:attribute`` so that nothing loads before it is used.

    Attributes:
        name: As on the command line.
        summary: One line of help: what lies in the folder.
        config: A frozen dataclass; its module imports without torch and without OpenGL.
        write: ``(folder, config, progress) -> what was written``; what is there already stays.
    """

    name: str
    summary: str
    config: str
    write: str

    def load(self, part: str) -> Any:
        """Return one part, imported now."""
        module, _, attribute = str(getattr(self, part)).partition(":")
        return getattr(import_module(module), attribute)


FLOOR = World(
    "floor",
    "a building floor: video of a walk, a second walk, floor plan, exact poses",
    "sightline.worlds.floor.config:FloorConfig",
    "sightline.worlds.floor.write:write_floor",
)
ROOMS = World(
    "rooms",
    "image pairs of many small rooms and objects, exact poses and overlap",
    "sightline.worlds.rooms.config:RoomsConfig",
    "sightline.worlds.rooms.write:write_rooms",
)
OBJECTS = World(
    "objects",
    "pictures of objects of twelve categories in PASCAL3D+'s layout, exact viewpoints",
    "sightline.worlds.objects.config:ObjectsWorldConfig",
    "sightline.worlds.objects.write:write_objects",
)
DEPTH = World(
    "depth",
    "photos of rooms, desks, corridors and streets with the exact depth of every pixel",
    "sightline.worlds.depth.config:DepthWorldConfig",
    "sightline.worlds.depth.write:write_depth_world",
)
