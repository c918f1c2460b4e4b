"""Poses between poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Slerp

from sightline.errors import GeometryError
from sightline.geometry.pose import Pose


def interpolate_poses(
    timestamps_s: ArrayLike, poses: Pose, wanted_s: ArrayLike, max_gap_s: float
) -> tuple[Pose, NDArray[np.bool_]]:
    """Return poses at other times: centres on straight lines, rotations turning evenly.

    Args:
        timestamps_s: (M,) increasing.
        poses: (M,) world_from_cam.
        wanted_s: (N,) in any order.
        max_gap_s: Nothing is said where the poses before and after are farther apart than twice
            this, nor farther than this (and only with the pose at the end) outside of them.

    Returns:
        (N,) poses, the identity where nothing is said, and (N,) whether something is.

    Raises:
        GeometryError: The times do not increase, or are not as many as the poses.
    """
    stamps = np.asarray(timestamps_s, dtype=np.float64)
    wanted = np.asarray(wanted_s, dtype=np.float64)
    if stamps.ndim != 1 or stamps.shape != poses.shape or not (np.diff(stamps) > 0).all():
        raise GeometryError(
            f"an increasing time for each of {poses.shape} poses is wanted, {stamps.shape} came"
        )
    result = Pose.identity((len(wanted),))
    if not len(stamps):
        return result, np.zeros(len(wanted), bool)
    after = np.searchsorted(stamps, wanted, side="left").clip(0, len(stamps) - 1)
    on = stamps[after] == wanted
    before = np.where(on, after, np.maximum(after - 1, 0))
    inside = (wanted >= stamps[0]) & (wanted <= stamps[-1])
    outside = np.minimum(np.abs(wanted - stamps[0]), np.abs(wanted - stamps[-1]))
    known = np.where(
        inside, stamps[after] - stamps[before] <= 2.0 * max_gap_s, outside <= max_gap_s
    )
    at = np.clip(wanted, stamps[0], stamps[-1])
    centres = np.stack([np.interp(at, stamps, c) for c in poses.translation.T], axis=1)
    turned = poses.q_wxyz
    if len(stamps) > 1:
        turned = Slerp(stamps, poses.rotation)(at).as_quat(scalar_first=True)
    q = np.where(known[:, None], turned, result.q_wxyz)
    return Pose(q, np.where(known[:, None], centres, 0.0)), known
