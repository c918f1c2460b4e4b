"""Predictions off the walkable floor, moved to the nearest spot where one can walk (paper 000).

The usual code visits every pixel for every prediction; one distance transform, made once, answers
all of them by a lookup.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt
from scipy.spatial import KDTree

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.records.plan import FloorPlan


class WalkableMap:
    """Where one can walk on a plan, and the nearest such cell to anywhere.

    A cell is a pixel of the plan; a position belongs to the cell whose centre is nearest. Distances
    are Euclidean, between cells.
    """

    def __init__(self, mask: ArrayLike, plan: FloorPlan | None = None) -> None:
        """Make the one distance transform.

        Args:
            mask: (H, W) true where one can walk.
            plan: The plan it belongs to; only :meth:`correct` needs it.

        Raises:
            InputError: The mask is not two-dimensional, or has no walkable cell.
        """
        mask = np.asarray(mask)
        if mask.ndim != 2:
            raise InputError(f"a walkable mask of shape (H, W) is wanted, {mask.shape} came")
        self.mask: NDArray[np.bool_] = mask.astype(bool)
        if not self.mask.any():
            raise InputError(
                "a mask with walkable (white) cells is wanted, one without any came; white must "
                "mean walkable"
            )
        self.plan = plan
        rows, columns = distance_transform_edt(
            ~self.mask, return_distances=False, return_indices=True
        )
        # One flat index a cell: half the memory of a row and a column.
        self._nearest: NDArray[np.int32] = rows * np.int32(self.mask.shape[1]) + columns

    @classmethod
    def of_plan(cls, plan: FloorPlan) -> WalkableMap:
        """Return the map of a plan's mask; everything is walkable where it has none.

        Raises:
            InputError: The mask is of another size than the plan, or has no walkable cell.
        """
        return cls(plan.walkable_mask(), plan)

    @property
    def nbytes(self) -> int:
        """Memory the lookup holds, in bytes."""
        return int(self.mask.nbytes + self._nearest.nbytes)

    def is_walkable(self, px: ArrayLike) -> NDArray[np.bool_]:
        """Return (N,) whether (N, 2) plan pixels lie on walkable cells; off the map they do not."""
        cells, inside = self._cells(px)
        result = np.zeros(len(cells), dtype=bool)
        columns, rows = cells[inside].astype(np.intp).T
        result[inside] = self.mask[rows, columns]
        return result

    def nearest_px(self, px: ArrayLike) -> Array:
        """Return (N, 2) plan pixels: the same where walkable, else the nearest walkable cell.

        Args:
            px: (N, 2) plan pixels (u, v), on the map or off it.

        Raises:
            InputError: A pixel is NaN or infinite.
        """
        points = np.asarray(px, dtype=np.float64)
        cells, inside = self._cells(points)
        result = points.copy()
        columns, rows = cells[inside].astype(np.intp).T
        flat = self._nearest[rows, columns]
        found = np.stack([flat % self.mask.shape[1], flat // self.mask.shape[1]], axis=1)
        result[inside] = np.where(self.mask[rows, columns, None], points[inside], found)
        if not inside.all():
            tree, edge = self._edge
            result[~inside] = edge[tree.query(cells[~inside])[1]]
        return result

    def correct(self, world_from_cam: Pose, plan: FloorPlan | None = None) -> Pose:
        """Return poses moved onto the walkable floor; heights and rotations stay.

        Args:
            world_from_cam: One pose or a batch (N,).
            plan: Maps the world to the mask's pixels; the map's own plan where it has one.

        Raises:
            InputError: There is no plan.
        """
        plan = plan or self.plan
        if plan is None:
            raise InputError("a floor plan is wanted to move poses by, none came")
        batch = np.atleast_2d(world_from_cam.translation)
        px = plan.to_px(batch)
        nearest = self.nearest_px(px)
        moved = (nearest != px).any(axis=1)
        centres = batch.copy()
        # Positions that are walkable keep their exact digits: no trip through pixels.
        centres[moved, :2] = plan.to_world(nearest[moved])
        return Pose(world_from_cam.q_wxyz, centres.reshape(world_from_cam.translation.shape))

    def _cells(self, px: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
        points = np.asarray(px, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise InputError(f"plan pixels of shape (N, 2) are wanted, {points.shape} came")
        if not np.isfinite(points).all():
            raise InputError("finite plan pixels are wanted; NaN or infinity came")
        cells: Array = np.floor(points + 0.5)
        height, width = self.mask.shape
        inside = (cells >= 0).all(axis=1) & (cells[:, 0] < width) & (cells[:, 1] < height)
        return cells, inside

    @cached_property
    def _edge(self) -> tuple[KDTree, Array]:
        """Cells that can be nearest to a point off the map: those with a free side.

        A walkable cell whose four neighbours are walkable has one of them nearer to any such point.
        """
        rows, columns = np.nonzero(self.mask & ~binary_erosion(self.mask))
        edge = np.stack([columns, rows], axis=1).astype(np.float64)
        return KDTree(edge), edge
