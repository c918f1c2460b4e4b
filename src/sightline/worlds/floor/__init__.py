"""A rendered building floor with exact poses, depth and floor plan."""

from sightline.worlds.floor.config import FloorConfig

__all__ = ["FloorConfig"]
