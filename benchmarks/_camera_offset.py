"""A Sim(3) between two trajectories whose cameras are bolted together, but are not the same one.

7-Scenes' poses are the depth camera's, its images the colour camera's. With ``S`` the similarity
``world_from_map`` and ``O`` the constant rigid ``colour_from_depth``, each frame says

    world_from_depth = S(map_from_colour) O .

Without ``O`` every rotation is off by the angle between the two cameras.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry import Pose, Similarity
from sightline.geometry.rotation import mean_rotation
from sightline.geometry.similarity import fit_similarity

Array = NDArray[np.float64]

#: Weakest direction of the fit over its strongest, below which the offset is not determined.
_WEAKEST = 1e-6


@dataclass(frozen=True, eq=False)
class OffsetFit:
    """A similarity and a constant camera offset.

    Attributes:
        world_from_map: The similarity between the two worlds.
        colour_from_depth: The rigid offset, its translation in the true world's unit.
    """

    world_from_map: Similarity
    colour_from_depth: Pose

    def apply(self, map_from_colour: Pose) -> Pose:
        """Return ``world_from_depth`` of (N,) or one ``map_from_colour``."""
        return self.world_from_map.apply_pose(map_from_colour) @ self.colour_from_depth


def fit_with_offset(map_from_colour: Pose, world_from_depth: Pose) -> OffsetFit:
    """Return the similarity and camera offset that explain a trajectory best.

    The similarity and the offset's translation are fitted jointly to the camera centres (least
    squares over ten numbers); the offset's rotation is the chordal mean of the rotations that
    remain.

    Args:
        map_from_colour: (N,) estimated poses, in the map's frame and unit.
        world_from_depth: (N,) true poses of the other camera, frame by frame.

    Raises:
        GeometryError: Fewer than four poses, centres on one line, or cameras that turn too little
            to tell the offset from a shift of the world.
    """
    if len(map_from_colour) != len(world_from_depth) or len(world_from_depth) < 4:
        raise GeometryError(
            f"four or more pairs of poses are wanted, {len(map_from_colour)} and "
            f"{len(world_from_depth)} came"
        )
    start = fit_similarity(map_from_colour.translation, world_from_depth.translation)
    turned = map_from_colour.rotation_matrix

    def unpack(x: Array) -> tuple[Similarity, Array]:
        turn = Rotation.from_rotvec(x[1:4]) * start.pose.rotation
        return Similarity(start.scale * float(np.exp(x[0])), Pose.from_rotation(turn, x[4:7])), x[
            7:
        ]

    def residuals(x: Array) -> Array:
        similarity, offset = unpack(x)
        lever = (turned @ offset) @ similarity.pose.rotation_matrix.T
        predicted = similarity.apply(map_from_colour.translation) + lever
        return (predicted - world_from_depth.translation).ravel()

    first = np.r_[np.zeros(4), start.pose.translation, np.zeros(3)]
    solved = least_squares(residuals, first, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    strengths = np.linalg.svd(solved.jac / np.linalg.norm(solved.jac, axis=0), compute_uv=False)
    if not strengths[-1] > _WEAKEST * strengths[0]:
        raise GeometryError(
            "the camera turns too little to tell the offset between the two cameras from a shift "
            "of the world; use a walk with turns"
        )
    similarity, offset = unpack(solved.x)
    aligned = similarity.apply_pose(map_from_colour)
    remaining = (aligned.inverse() @ world_from_depth).q_wxyz
    return OffsetFit(similarity, Pose(mean_rotation(remaining), offset))
