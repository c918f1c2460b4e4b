"""How much of a view another one sees too, from exact depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array

#: Pixels between the points that are looked at.
STRIDE = 6
#: A point counts as seen where it lies at most this share behind the rendered surface. Depth
#: between pixels of a slanted surface differs by more than rounding.
TOLERANCE = 0.02


def overlaps(
    depths: NDArray[np.float32], world_from_cam: Pose, camera: Camera, *, stride: int = STRIDE
) -> Array:
    """Return (N, N): entry (a, b) is the share of a's pixels whose point b sees.

    A point is seen where it projects into b's image and nothing in b's depth hides it.

    Args:
        depths: (N, H, W) z-depth in metres, 0 where nothing is (which nobody sees).
        world_from_cam: (N,) poses.
        camera: Pinhole intrinsics of all views.
        stride: Pixels between the points looked at, both ways.
    """
    count = len(depths)
    shares = np.eye(count)
    points = [_world_points(depths[a], world_from_cam[a], camera, stride) for a in range(count)]
    for b in range(count):
        cam_from_world = world_from_cam[b].inverse().matrix
        for a in range(count):
            if a != b:
                shares[a, b] = _seen_share(points[a], cam_from_world, depths[b], camera)
    return shares


def _world_points(
    depth: NDArray[np.float32], world_from_cam: Pose, camera: Camera, stride: int
) -> Array:
    """Return (M, 3) points of a grid of pixels; NaN where there is no depth."""
    v, u = np.mgrid[stride // 2 : camera.height : stride, stride // 2 : camera.width : stride]
    z = depth[v, u].astype(np.float64).ravel()
    rays = camera.unproject(np.stack([u.ravel(), v.ravel()], axis=1))
    matrix = world_from_cam.matrix
    world: Array = (rays * np.where(z > 0, z, np.nan)[:, None]) @ matrix[:3, :3].T + matrix[:3, 3]
    return world


def _seen_share(
    points: Array, cam_from_world: Array, depth: NDArray[np.float32], camera: Camera
) -> float:
    x, y, z = cam_from_world[:3, :3] @ points.T + cam_from_world[:3, 3:]
    ahead = z > 1e-6
    x, y, z = x[ahead], y[ahead], z[ahead]
    u = np.rint(camera.fx * x / z + camera.cx)
    v = np.rint(camera.fy * y / z + camera.cy)
    inside = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    surface = depth[v[inside].astype(np.intp), u[inside].astype(np.intp)]
    return float(np.count_nonzero(z[inside] <= surface * (1 + TOLERANCE)) / len(points))
