"""Colours of lamps and trim, the same on all that drives."""

from __future__ import annotations

from sightline.worlds.mesh import Vec3

WHITE_LIGHT: Vec3 = (1.0, 0.98, 0.9)
RED_LIGHT: Vec3 = (0.85, 0.08, 0.06)
BLACK: Vec3 = (0.22, 0.22, 0.23)
