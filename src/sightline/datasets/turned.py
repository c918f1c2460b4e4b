"""Cameras of photos that are stored turned, as phones and cameras store them (EXIF orientation).

Structure from motion takes the pixels as they are stored; ``read_photo`` gives them upright. The
camera and its pose must turn with them, or they belong to another picture.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.errors import GeometryError, InputError
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
    if orientation.mirrored:
        raise GeometryError("a photo is wanted, its EXIF orientation says a mirrored one")
    turn = np.array([[0.0, 1.0], [1.0, 0.0]]) if orientation.transpose else np.eye(2)
    turn = np.diag([-1.0 if flag else 1.0 for flag in orientation[:0:-1]]) @ turn
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


def as_read(image: Path, camera: Camera | None, world_from_cam: Pose) -> tuple[Camera | None, Pose]:
    """Return camera and pose of a photo as ``read_photo`` gives it.

    Args:
        image: The photo; it may be smaller or larger than the camera's picture.
        camera: Of the stored pixels, or, where its shape says so, of the upright picture, which
            stays; None where it is not known.
        world_from_cam: Of the same.

    Raises:
        InputError: The camera is of a picture of another shape, or the photo is mirrored.
        MediaError: Not an image that can be read.
    """
    width, height, orientation = photo_header(image)
    if orientation.mirrored:
        raise InputError(
            f"{image}: a photo is wanted, its EXIF orientation says a mirrored one; save it as it "
            "is shown, without that tag"
        )
    if camera is None:
        return None, upright(Camera.guess(width, height), world_from_cam, orientation)[1]
    landscape = (camera.width > camera.height) == (width > height)
    if orientation.transpose and width != height and not landscape:
        return at_size(camera, *orientation.upright_size(width, height), str(image)), world_from_cam
    return upright(at_size(camera, width, height, str(image)), world_from_cam, orientation)


def at_size(camera: Camera, width: int, height: int, picture: str) -> Camera:
    """Return the camera of the same picture at another size.

    Args:
        camera: Of any size.
        width: Wanted, in pixels.
        height: Wanted, in pixels.
        picture: What it is called, for the message.

    Raises:
        InputError: The picture is of another shape: it was cut, or is not the camera's.
    """
    if (camera.width, camera.height) == (width, height):
        return camera
    small, large = sorted([(width, height), (camera.width, camera.height)])
    # Sizes are whole pixels: either side of the smaller picture may be off by one.
    slack = 1.0 + small[1] / small[0]
    if abs(large[1] * small[0] / large[0] - small[1]) > slack:
        raise InputError(
            f"{picture}: intrinsics of a picture of this shape are wanted; it has {width}x{height} "
            f"pixels, its intrinsics are of {camera.width}x{camera.height} (was it cropped?)"
        )
    if width * camera.height != height * camera.width:  # the rounding differs by axis
        camera = camera.with_two_focals()
    return camera.resized(width, height)


def _distortion(
    camera: Camera, turn: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> tuple[float, ...]:
    """Return the turned coefficients: radial ones stay, (p2, p1) is a vector of the image."""
    if len(camera.distortion) < 4:
        return camera.distortion
    k1, k2, p1, p2 = camera.distortion
    turned_p2, turned_p1 = turn @ [p2, p1]
    return (k1, k2, float(turned_p1), float(turned_p2))
