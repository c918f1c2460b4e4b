"""Spread a loop's correction over the path: a pose graph of similarities, solved linearly.

Rotations, scales and positions are relaxed one after the other, each a weighted graph Laplacian
(rotations a few times, since they do not add up exactly). For the small drift of a map this is as
good as a joint optimisation, and a bundle adjustment follows (cf. Strasdat et al. 2010).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array

_ROTATION_ROUNDS = 5


@dataclass(frozen=True, eq=False)
class RelativePoses:
    """M measurements between N frames.

    Attributes:
        a: (M,) rows of the first frames.
        b: (M,) rows of the second frames.
        a_from_b: (M,) measured motions, translations in frame a's unit of length.
        b_units_in_a: (M,) what one unit of length around frame b is in frame a's.
        weights: (M,) positive.
    """

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    a_from_b: Pose
    b_units_in_a: Array
    weights: Array


def relax(world_from_cam: Pose, measured: RelativePoses) -> tuple[Pose, Array]:
    """Return the poses that fit the measurements best, and each frame's unit of length.

    Frame 0 stays where it is, with unit 1.

    Args:
        world_from_cam: (N,) poses to start from.
        measured: Must connect all frames.

    Raises:
        GeometryError: Some frame is not connected with frame 0.
    """
    a, b = measured.a, measured.b
    solve = _laplacian_solver(len(world_from_cam), measured)
    measured_rotation = measured.a_from_b.rotation
    rotation = world_from_cam.rotation
    for _ in range(_ROTATION_ROUNDS):
        error = (rotation[a] * measured_rotation * rotation[b].inv()).as_rotvec()
        rotation = Rotation.from_rotvec(solve(error)) * rotation
    units = np.exp(solve(np.log(measured.b_units_in_a)[:, None])[:, 0])
    steps = units[a, None] * rotation[a].apply(measured.a_from_b.translation)
    centres = solve(steps) + world_from_cam.translation[0]
    return Pose.from_rotation(rotation, centres), units


def move_points(
    points: Array,
    seen_by: NDArray[np.int64],
    seen: NDArray[np.int64],
    *,
    before: Pose,
    after: Pose,
    units: Array,
) -> Array:
    """Return points carried along by the frames that see them (the mean where several do).

    Args:
        points: (P, 3) in the old world.
        seen_by: (T,) frame row of every observation.
        seen: (T,) point row of every observation.
        before: (N,) world_from_cam.
        after: (N,) world_from_cam.
        units: (N,) each frame's unit of length, as :func:`relax` gives it.
    """
    in_camera = before.inverse()[seen_by].apply(points[seen])
    carried = after[seen_by].apply(units[seen_by, None] * in_camera)
    total, count = np.zeros_like(points), np.zeros(len(points))
    np.add.at(total, seen, carried)
    np.add.at(count, seen, 1.0)
    moved = points.copy()
    moved[count > 0] = total[count > 0] / count[count > 0, None]
    return moved


def _laplacian_solver(count: int, measured: RelativePoses) -> Callable[[Array], Array]:
    """Return the least-squares solution of ``x_b - x_a = d``, ``x_0 = 0``, as a function of d."""
    from scipy.sparse import csc_array, csr_array
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import splu

    rows = np.arange(len(measured.a))
    ones = np.ones(len(rows))
    links = csr_array((ones, (measured.a, measured.b)), shape=(count, count))
    if connected_components(links, directed=False)[0] != 1:
        raise GeometryError("measurements that connect all frames are wanted; some frame has none")
    shape = (len(rows), count)
    incidence = csr_array((ones, (rows, measured.b)), shape=shape) - csr_array(
        (ones, (rows, measured.a)), shape=shape
    )
    free = incidence[:, 1:]
    weighted = csr_array(free.T * measured.weights)
    factors = splu(csc_array(weighted @ free))

    def solve(differences: Array) -> Array:
        inner = factors.solve(np.ascontiguousarray(weighted @ differences))
        return np.concatenate([np.zeros((1, differences.shape[1])), inner])

    return solve
