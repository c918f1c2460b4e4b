"""View frusta: which cameras can see a common piece of space, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import GeometryError
from sightline.geometry.camera import Camera
from sightline.geometry.pose import Pose
from sightline.geometry.rotation import Array

#: Corners 0..3 lie on the near plane, 4..7 on the far plane, each in the order of the image's
#: corners: top-left, top-right, bottom-right, bottom-left.
_SIDE_EDGES = ((0, 4), (1, 5), (2, 6), (3, 7))
_NEAR_EDGES = ((0, 1), (1, 2))
#: Three corners of each face; near and far share one normal.
_FACES = ((0, 1, 2), (0, 1, 4), (1, 2, 5), (2, 3, 6), (3, 0, 7))

#: Axes separate two frusta when their gap is larger than this part of the frusta's size.
_TOLERANCE = 1e-9
#: Pairs looked at in one go; bounds the memory at about 100 MB.
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Frusta:
    """N view frusta in one world.

    Attributes:
        corners: (N, 8, 3) in the world; near plane first, corners clockwise from the top left.
    """

    corners: Array

    def __post_init__(self) -> None:
        corners = np.asarray(self.corners, dtype=np.float64)
        if corners.ndim != 3 or corners.shape[1:] != (8, 3) or not np.isfinite(corners).all():
            raise GeometryError(
                f"finite corners of shape (N, 8, 3) are wanted, {corners.shape} came"
            )
        object.__setattr__(self, "corners", corners)

    def __len__(self) -> int:
        return len(self.corners)


def view_frusta(
    cameras: list[Camera], world_from_cam: Pose, near: ArrayLike, far: ArrayLike
) -> Frusta:
    """Return what each camera can see between two depths.

    The frustum's sides go through the image's corners; distortion is left out, because the sides
    of a distorted view are not flat.

    Args:
        cameras: N cameras.
        world_from_cam: (N,) their poses.
        near: Depth of the near plane, one or (N,), in the world's unit; above 0.
        far: Depth of the far plane, the same; above ``near``.

    Raises:
        GeometryError: The counts differ, or not 0 < near < far < infinity.
    """
    count = len(cameras)
    if world_from_cam.shape != (count,):
        raise GeometryError(f"{count} poses are wanted, {world_from_cam.shape} came")
    z = np.stack([np.broadcast_to(np.asarray(d, np.float64), (count,)) for d in (near, far)])
    if not np.isfinite(z).all() or (z[0] <= 0).any() or (z[1] <= z[0]).any():
        raise GeometryError("depths with 0 < near < far are wanted, finite ones")
    rays = np.array([_corner_rays(camera) for camera in cameras]).reshape(count, 4, 3)
    local = np.concatenate([rays * z[0][:, None, None], rays * z[1][:, None, None]], axis=1)
    rotated = np.einsum("nij,nkj->nki", world_from_cam.rotation_matrix, local)
    return Frusta(rotated + world_from_cam.translation[:, None])


def frusta_intersect(frusta: Frusta, pairs: ArrayLike | None = None) -> NDArray[np.bool_]:
    """Return which frusta share a point, touching ones included; exact for convex bodies.

    Two convex polyhedra are apart if and only if the normal of a face of one, or the cross product
    of an edge of each, separates them (the separating axis theorem; Gottschalk et al. 1996).

    Args:
        frusta: N frusta.
        pairs: (P, 2) indices; all (i, j) with i < j, in order, where not given.

    Returns:
        (P,) bool.
    """
    index = all_pairs(len(frusta)) if pairs is None else np.asarray(pairs, dtype=np.int64)
    index = index.reshape(-1, 2)
    normals, edges = _normals(frusta.corners), _edges(frusta.corners)
    answer = np.zeros(len(index), dtype=bool)
    for start in range(0, len(index), _CHUNK):
        a, b = index[start : start + _CHUNK].T
        crossed = np.cross(edges[a][:, :, None], edges[b][:, None, :]).reshape(len(a), -1, 3)
        axes = np.concatenate([normals[a], normals[b], _unit_or_zero(crossed)], axis=1)
        answer[start : start + _CHUNK] = ~_separated(frusta.corners[a], frusta.corners[b], axes)
    return answer


def frustum_overlap(
    cameras: list[Camera],
    world_from_cam: Pose,
    near: ArrayLike,
    far: ArrayLike,
    *,
    grid: int = 8,
    depths: int = 6,
) -> Array:
    """Return (N, N) the approximate share of view i that view j sees too.

    Points on a grid of pixels, at depths spaced evenly in 1 / z, stand for a view; a point counts
    as seen by j where it projects into j's image and lies no farther than ``far``. What stands in
    the way is not known: this is an upper bound of the overlap of the pictures themselves where
    the scene lies between the planes.

    Args:
        cameras: N cameras.
        world_from_cam: (N,) their poses.
        near: Depth of the near plane, one or (N,).
        far: Depth of the far plane, one or (N,).
        grid: Points across and down.
        depths: Points along each ray.
    """
    count = len(cameras)
    z_near, z_far = (np.broadcast_to(np.asarray(d, np.float64), (count,)) for d in (near, far))
    points = np.array(
        [_samples(c, n, f, grid, depths) for c, n, f in zip(cameras, z_near, z_far, strict=True)]
    ).reshape(count, -1, 3)
    rotation, centre = world_from_cam.rotation_matrix, world_from_cam.translation
    world = np.einsum("nij,nkj->nki", rotation, points) + centre[:, None]
    share = np.zeros((count, count))
    for j, camera in enumerate(cameras):
        local = (world - centre[j]) @ rotation[j]
        share[:, j] = _inside(camera, local, float(z_far[j])).mean(axis=1)
    return share


def all_pairs(count: int) -> NDArray[np.int64]:
    """Return (count * (count - 1) / 2, 2) indices i < j, in order."""
    return np.stack(np.triu_indices(count, 1), axis=1).astype(np.int64)


def _corner_rays(camera: Camera) -> Array:
    left, top = (-0.5 - camera.cx) / camera.fx, (-0.5 - camera.cy) / camera.fy
    right = (camera.width - 0.5 - camera.cx) / camera.fx
    bottom = (camera.height - 0.5 - camera.cy) / camera.fy
    return np.array([(left, top, 1), (right, top, 1), (right, bottom, 1), (left, bottom, 1)])


def _samples(camera: Camera, near: float, far: float, grid: int, depths: int) -> Array:
    """Return (grid * grid * depths, 3) points of a view in the camera's frame."""
    middles = (np.arange(grid) + 0.5) / grid
    x = (middles * camera.width - 0.5 - camera.cx) / camera.fx
    y = (middles * camera.height - 0.5 - camera.cy) / camera.fy
    z = 1.0 / np.linspace(1.0 / near, 1.0 / far, depths)
    x_grid, y_grid, z_grid = np.meshgrid(x, y, z, indexing="ij")
    return np.stack([x_grid * z_grid, y_grid * z_grid, z_grid], axis=-1).reshape(-1, 3)


def _inside(camera: Camera, points_cam: Array, far: float) -> NDArray[np.bool_]:
    z = points_cam[..., 2]
    ahead = (z > 0) & (z <= far * (1 + _TOLERANCE))
    safe = np.where(ahead, z, 1.0)
    x = points_cam[..., 0] / safe * camera.fx + camera.cx
    y = points_cam[..., 1] / safe * camera.fy + camera.cy
    across = (x >= -0.5) & (x <= camera.width - 0.5)
    inside: NDArray[np.bool_] = ahead & across & (y >= -0.5) & (y <= camera.height - 0.5)
    return inside


def _edges(corners: Array) -> Array:
    """Return (N, 6, 3) unit directions of the edges, parallel ones once."""
    start, end = np.array([*_SIDE_EDGES, *_NEAR_EDGES]).T
    return _unit_or_zero(corners[:, end] - corners[:, start])


def _normals(corners: Array) -> Array:
    """Return (N, 5, 3) unit normals of the faces, parallel ones once."""
    a, b, c = np.array(_FACES).T
    return _unit_or_zero(np.cross(corners[:, b] - corners[:, a], corners[:, c] - corners[:, a]))


def _unit_or_zero(vectors: Array) -> Array:
    """Return unit vectors; one that is nearly zero, of parallel edges, separates nothing."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Array = np.where(length > 1e-12, vectors / np.maximum(length, 1e-300), 0.0)
    return unit


def _separated(a: Array, b: Array, axes: Array) -> NDArray[np.bool_]:
    """Return (P,) whether one of (P, K, 3) axes separates (P, 8, 3) corners from others."""
    origin = a.mean(axis=1, keepdims=True)
    a, b = a - origin, b - origin  # large world coordinates must not eat the digits
    on_a, on_b = np.einsum("pki,pci->pkc", axes, a), np.einsum("pki,pci->pkc", axes, b)
    gap = np.maximum(on_b.min(-1) - on_a.max(-1), on_a.min(-1) - on_b.max(-1))
    size = np.maximum(np.abs(a).max(axis=(1, 2)), np.abs(b).max(axis=(1, 2)))
    apart: NDArray[np.bool_] = (gap > _TOLERANCE * size[:, None]).any(axis=1)
    return apart
