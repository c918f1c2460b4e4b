"""Image pairs of rendered rooms and objects, with exact poses and overlap."""

from sightline.worlds.rooms.config import RoomsConfig

__all__ = ["RoomsConfig"]
