"""Straight lines seen in images, as planes in the map: what vertical edges leave to measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sightline.errors import MediaError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array

_MIN_LENGTH = 0.1  # of the image's longer side; shorter segments point too loosely
_WORK_SIZE = 960  # longer side that segments are looked for in; more costs time, not accuracy


def line_plane_normals(
    images: Sequence[Path], cameras: Sequence[Camera], map_from_cam: Pose
) -> Array:
    """Return (L, 3) unit normals, in the map, of the planes through segments and camera centres.

    A vertical edge of the scene lies in its plane, so its normal is perpendicular to up.

    Args:
        images: Image files, upright as the cameras say.
        cameras: Their intrinsics; an image of another size is taken as a resized copy.
        map_from_cam: (N,) their poses.

    Raises:
        MediaError: An image cannot be read.
    """
    normals = [np.zeros((0, 3))]
    for path, camera, rotation in zip(images, cameras, map_from_cam.rotation_matrix, strict=True):
        segments = _segments(path, camera)
        rays = camera.unproject(segments.reshape(-1, 2, 2))
        crossed = np.cross(rays[:, 0], rays[:, 1])
        lengths = np.linalg.norm(crossed, axis=1, keepdims=True)
        normals.append((crossed / np.maximum(lengths, 1e-12)) @ rotation.T)
    return np.concatenate(normals)


def _segments(path: Path, camera: Camera) -> Array:
    """Return (S, 4) segments u0, v0, u1, v1 in the camera's pixels."""
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise MediaError(f"{path}: an image is wanted; this file cannot be read as one")
    shrink = min(1.0, _WORK_SIZE / max(image.shape))
    if shrink < 1:
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    found = cv2.createLineSegmentDetector().detect(image)[0]
    height, width = image.shape
    # OpenCV answers None where it finds no segment, though its stubs do not say so.
    segments = np.array([] if not np.ndim(found) else found, dtype=np.float64).reshape(-1, 4)
    lengths = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    segments = segments[lengths > _MIN_LENGTH * max(width, height)]
    scale = np.tile([camera.width / width, camera.height / height], 2)
    scaled: Array = (segments + 0.5) * scale - 0.5
    return scaled
