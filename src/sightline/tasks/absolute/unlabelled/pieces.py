"""Visual odometry as stretches of trajectory, each in a world and a unit of its own.

Imports without torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sightline.geometry import Pose
from sightline.geometry.pose_graph import (
    PoseGraph,
    PoseGraphOptions,
    PosePriors,
    RelativePoses,
    ScaleRatios,
    solve_pose_graph,
)
from sightline.geometry.rotation import Array
from sightline.reconstruction.odometry import Odometry

#: Doubt of what only says where a piece's world lies and how long its unit is.
_FIXED, _OPEN = 1e-3, 1.0


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of a walk whose motion is known.

    Attributes:
        rows: (N,) the frames, increasing; some between them may be missing.
        world_from_cam: (N,) their poses, in a world of the piece's own.
    """

    rows: NDArray[np.int64]
    world_from_cam: Pose

    def __len__(self) -> int:
        return len(self.rows)


def pieces_of(odometry: Odometry) -> list[Piece]:
    """Return the stretches within which all lengths compare, in the order of their first frames.

    A pair's direction says nothing of its length; points that two pairs share compare theirs. A
    piece is what such comparisons hold together: its shape is known, its size is not. One frame
    may be in several pieces.

    Args:
        odometry: Of a walk.
    """
    pieces = [_solved(odometry, edges) for edges in _comparable(odometry)]
    return sorted(pieces, key=lambda piece: (int(piece.rows[0]), len(piece)))


def _comparable(odometry: Odometry) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of relative poses of each piece."""
    relative, ratios = odometry.relative, odometry.ratios
    count, free = len(relative), ~relative.metric
    together = _components(count, ratios.first, ratios.second)
    for label in np.unique(together[free]):
        # A camera that only turned keeps its place: its frames belong to any piece they touch.
        edges = np.flatnonzero(np.where(free, together == label, True))
        of_frame = _components(odometry.frames, relative.a[edges], relative.b[edges])
        own = of_frame[relative.a[edges]]
        for part in np.unique(own[free[edges]]):
            yield edges[own == part]


def _components(count: int, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    joined = coo_array((np.ones(len(a)), (a, b)), shape=(count, count))
    labels: NDArray[np.int64] = connected_components(joined, directed=False)[1].astype(np.int64)
    return labels


def _solved(odometry: Odometry, edges: NDArray[np.int64]) -> Piece:
    """Return the most likely trajectory through a piece's relative poses.

    Its first moving pair is the unit of length, the pair's first frame the origin.
    """
    relative, ratios = odometry.relative, odometry.ratios
    rows = np.unique(np.concatenate([relative.a[edges], relative.b[edges]]))
    number = np.full(len(relative), -1)
    number[edges] = np.arange(len(edges))
    both = (number[ratios.first] >= 0) & (number[ratios.second] >= 0)
    inner = RelativePoses(
        np.searchsorted(rows, relative.a[edges]),
        np.searchsorted(rows, relative.b[edges]),
        relative.b_from_a[edges],
        relative.covariance[edges],
        relative.metric[edges],
    )
    compared = ScaleRatios(
        number[ratios.first[both]],
        number[ratios.second[both]],
        ratios.log_ratio[both],
        ratios.sigma[both],
    )
    graph = PoseGraph(len(rows), _world_of(inner), inner, compared)
    found = solve_pose_graph(graph, PoseGraphOptions(prior_loss="squared"))
    return Piece(rows, found.world_from_cam)


def _world_of(relative: RelativePoses) -> PosePriors:
    """Return priors that fix origin, axes and unit, and nothing else."""
    first = int(np.flatnonzero(~relative.metric)[0])
    second = relative.b_from_a[first].inverse()
    along = second.translation / np.linalg.norm(second.translation)
    held = np.diag([_FIXED**2] * 6)
    length: Array = np.diag([_OPEN**2] * 6)
    length[:3, :3] += (_FIXED**2 - _OPEN**2) * np.outer(along, along)
    frames = np.array([relative.a[first], relative.b[first]])
    poses = Pose.stack([Pose.identity(), second])
    return PosePriors(frames, poses, np.stack([held, length]))
