"""Image pairs of rendered rooms and objects, with exact poses and overlap."""

from sightline.worlds.rooms.config import RoomsConfig
from sightline.worlds.rooms.write import write_rooms

__all__ = ["RoomsConfig", "write_rooms"]
