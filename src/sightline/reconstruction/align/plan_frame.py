"""A floor plan as alignment sees it: the plane its pixels lie in, and what relates it to metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.errors import InputError
from sightline.geometry.rotation import Array
from sightline.reconstruction.align.control import ControlPoint
from sightline.reconstruction.align.planar import fit_planar


@dataclass(frozen=True, eq=False)
class PlanFrame:
    """What alignment needs of a floor plan.

    Attributes:
        height_px: Height of the picture.
        px_from_world: (2, 3), where the plan's own world is known (in metres); else None.
    """

    height_px: int
    px_from_world: Array | None = None

    @property
    def px_from_plane(self) -> Array:
        """(2, 3) map to pixels of the plane that fits are made in.

        Pixels count downwards, so the plane's y is flipped: seen from above, the world keeps its
        handedness and ``world_from_map`` stays a rotation. The mirror is in this matrix alone.
        """
        if self.px_from_world is not None:
            return self.px_from_world
        return np.array([[1.0, 0.0, 0.0], [0.0, -1.0, self.height_px - 1.0]])

    def to_plane(self, px: Array) -> Array:
        """Return (N, 2) plane coordinates of (N, 2) pixels."""
        matrix = self.px_from_plane
        plane: Array = (px - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        return plane


def plan_of_pairs(points: Sequence[ControlPoint], plan: PlanFrame | None) -> Array | None:
    """Return px_from_world by the rows that give both metres and pixels; None without such rows.

    Raises:
        InputError: A row gives a pixel alone and nothing relates pixels to metres, or no plan.
    """
    both = [p for p in points if p.world_xyz is not None and p.plan_px is not None]
    only_px = [p for p in points if p.world_xyz is None]
    if len(both) < 2:
        if only_px:
            raise InputError(
                f"{only_px[0].label}: a plan pixel alone, beside rows in metres, wants to know "
                "where metres lie on the plan; give two rows both, or a plan.toml beside the plan"
            )
        return None
    if plan is None:
        raise InputError(
            "the floor plan is wanted beside control points in its pixels; add `--plan PICTURE`"
        )
    xy = np.array([p.world_xyz[:2] for p in both if p.world_xyz is not None])
    flipped = PlanFrame(plan.height_px)
    fit = fit_planar(xy, flipped.to_plane(np.array([p.plan_px for p in both])))
    plane_from_world = np.column_stack([fit.matrix, fit.translation])
    px_from_plane = flipped.px_from_plane
    px_from_world = px_from_plane[:, :2] @ plane_from_world
    px_from_world[:, 2] += px_from_plane[:, 2]
    return px_from_world


def world_targets(points: Sequence[ControlPoint], px_from_world: Array | None) -> Array:
    """Return (N, 2) world x, y of control points, through the plan where only a pixel is known."""
    targets = []
    for point in points:
        if point.world_xyz is not None:
            targets.append(point.world_xyz[:2])
        elif px_from_world is not None and point.plan_px is not None:
            targets.append(PlanFrame(0, px_from_world).to_plane(point.plan_px[None])[0])
    return np.array(targets)
