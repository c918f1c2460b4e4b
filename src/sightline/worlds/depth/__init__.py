"""Photos of many rendered places, indoors and out, with the exact depth of every pixel."""

from sightline.worlds.depth.config import DepthWorldConfig

__all__ = ["DepthWorldConfig"]
