"""Cameras of photos that are stored turned, as phones and cameras store them (EXIF orientation).

Structure from motion takes the pixels as they are stored; ``read_photo`` gives them upright. The
camera and its pose must turn with them, or they belong to another picture.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.errors import GeometryError
from sightline.geometry import Camera, Pose
from sightline.geometry.camera import CAMERA_MODELS
from sightline.media.orientation import UPRIGHT, Orientation
from sightline.media.photo import photo_header


def upright(camera: Camera, world_from_cam: Pose, orientation: Orientation) -> tuple[Camera, Pose]:
    """Return camera and pose of the upright picture, given those of the stored one.

    Args:
        camera: Of the stored pixels.
        world_from_cam: The same.
        orientation: What makes the stored picture upright.

    Raises:
        GeometryError: The picture is mirrored: no camera took it.
    """
    if orientation == UPRIGHT:
        return camera, world_from_cam
    turn = np.array([[0.0, 1.0], [1.0, 0.0]]) if orientation.transpose else np.eye(2)
    turn = np.diag([-1.0 if flag else 1.0 for flag in orientation[:0:-1]]) @ turn
    if np.linalg.det(turn) < 0:
        raise GeometryError("a photo is wanted, its EXIF orientation says a mirrored one")
    width, height = orientation.upright_size(camera.width, camera.height)
    middle = np.array([(camera.width - 1) / 2.0, (camera.height - 1) / 2.0])
    centre = turn @ (np.array([camera.cx, camera.cy]) - middle) + [
        (width - 1) / 2.0,
        (height - 1) / 2.0,
    ]
    focals = camera.params[: CAMERA_MODELS[camera.model][0]]
    params = (*(focals[::-1] if orientation.transpose else focals), *centre)
    upright_from_stored = np.eye(4)
    upright_from_stored[:2, :2] = turn
    pose = world_from_cam @ Pose.from_matrix(upright_from_stored).inverse()
    return Camera(camera.model, width, height, (*params, *_distortion(camera, turn))), pose


def as_read(image: Path, camera: Camera, world_from_cam: Pose) -> tuple[Camera, Pose]:
    """Return camera and pose of a photo as ``read_photo`` gives it.

    A camera whose size is already that of the upright picture stays.

    Raises:
        MediaError: Not an image that can be read.
        GeometryError: The photo is mirrored.
    """
    width, height, orientation = photo_header(image)
    landscape = (camera.width > camera.height) == (width > height)
    if orientation == UPRIGHT or (orientation.transpose and width != height and not landscape):
        return camera, world_from_cam
    return upright(camera, world_from_cam, orientation)


def _distortion(
    camera: Camera, turn: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> tuple[float, ...]:
    """Return the turned coefficients: radial ones stay, (p2, p1) is a vector of the image."""
    if len(camera.distortion) < 4:
        return camera.distortion
    k1, k2, p1, p2 = camera.distortion
    turned_p2, turned_p1 = turn @ [p2, p1]
    return (k1, k2, float(turned_p1), float(turned_p2))
