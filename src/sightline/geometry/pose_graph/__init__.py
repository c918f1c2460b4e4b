"""Pose graphs: absolute and relative poses, each with its doubt, put together on SE(3)."""

from sightline.geometry.pose_graph.graph import (
    PoseGraph,
    PosePriors,
    RelativePoses,
    ScaleRatios,
    diagonal_covariance,
)
from sightline.geometry.pose_graph.solve import (
    PoseGraphOptions,
    PoseGraphSolution,
    solve_pose_graph,
)

__all__ = [
    "PoseGraph",
    "PoseGraphOptions",
    "PoseGraphSolution",
    "PosePriors",
    "RelativePoses",
    "ScaleRatios",
    "diagonal_covariance",
    "solve_pose_graph",
]
