"""Rendered objects of PASCAL3D+'s twelve categories, with exact viewpoints and boxes."""

from sightline.worlds.objects.config import ObjectsWorldConfig

__all__ = ["ObjectsWorldConfig"]
