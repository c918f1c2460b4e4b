"""DTU's robot image data set (Jensen et al. 2014; Aanaes et al. 2016), in its own layout.

``Calibration/cal18/pos_001.txt`` holds the (3, 4) projection matrix of robot position 1 for the
rectified 1600 x 1200 images, in millimetres; ``Rectified/scan1/rect_001_3_r5000.png`` (or
``Cleaned/scan1/clean_001_3_r5000.png``) is position 1 of scan 1 under light 3. Scans have 49 or 64
positions, and position n is the same place in every scan (PITFALLS 19).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from scipy.linalg import rq

from sightline.datasets.pairing import PairingConfig, PosedView
from sightline.errors import GeometryError, InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.media import photo_size

#: Size that the calibration belongs to, in pixels.
SIZE = (1600, 1200)
#: Of the images that are read where a position has several: light 3.
LIGHT = "3_r5000"

#: Pairs as many as paper 002 counts. It does not say its near and far planes; these were found by
#: trying: a far plane of 340.5 to 340.9 mm gives its 512 pairs of the 49 positions, and none that
#: reaches the object (600 mm away) fewer than all 1176. docs/pairs.md has the counts.
PAPER_PAIRING = PairingConfig(kind="frustum", near=0.001, far=0.3407)

_CALIBRATION = Path("Calibration") / "cal18"
_IMAGE_FOLDERS = ("Rectified", "Cleaned")
_IMAGE = re.compile(r"(?:rect|clean)_(\d{3})_(.+)\.(?:png|jpg)")


def is_dtu(folder: Path) -> bool:
    """Return whether a folder is DTU's, calibration and images."""
    return (folder / _CALIBRATION).is_dir() and any((folder / n).is_dir() for n in _IMAGE_FOLDERS)


def read_dtu(folder: Path, light: str = LIGHT) -> list[PosedView]:
    """Return the images of all scans with their poses in metres; a scan is a scene.

    Args:
        folder: Holds ``Calibration/cal18`` and ``Rectified`` or ``Cleaned``.
        light: The light, as file names have it: ``0_r5000`` to ``6_r5000``, or ``max`` for all.

    Raises:
        InputError: There is no image under that light, an image has no matrix, or one of them
            does not read.
    """
    cameras: dict[int, tuple[Camera, Pose]] = {}
    views = []
    base = next(folder / name for name in _IMAGE_FOLDERS if (folder / name).is_dir())
    for image in sorted(base.glob("*/*")):
        match = _IMAGE.fullmatch(image.name)
        if not match or match[2] != light:
            continue
        position = int(match[1])
        if position not in cameras:
            cameras[position] = read_position(folder / _CALIBRATION / f"pos_{position:03d}.txt")
        camera, pose = cameras[position]
        name = image.relative_to(folder)
        views.append(PosedView(name, pose, _resized(camera, image), scene=image.parent.name))
    if not views:
        raise InputError(
            f"{base}: images of light {light} (rect_001_{light}.png in a folder a scan) are "
            "wanted, there is none"
        )
    return views


def read_position(path: Path) -> tuple[Camera, Pose]:
    """Return the camera and world_from_cam, in metres, of a ``pos_NNN.txt``.

    Raises:
        InputError: The file is missing or is not a projection matrix of a camera.
    """
    try:
        numbers = np.array([float(cell) for cell in path.read_text().split()])
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
    except ValueError as error:
        raise InputError(
            f"{path}: twelve numbers of a 3 x 4 matrix are wanted ({error})"
        ) from error
    if numbers.shape != (12,) or not np.isfinite(numbers).all():
        raise InputError(
            f"{path}: twelve numbers of a 3 x 4 matrix are wanted, {len(numbers)} came"
        )
    try:
        k, world_from_cam = decompose_projection(numbers.reshape(3, 4))
        camera = Camera("PINHOLE", *SIZE, (k[0, 0], k[1, 1], k[0, 2], k[1, 2]))
    except GeometryError as error:
        raise InputError(f"{path}: {error}") from error
    return camera, Pose(world_from_cam.q_wxyz, world_from_cam.translation / 1000.0)


def decompose_projection(projection: Array) -> tuple[Array, Pose]:
    """Return (3, 3) K with a positive diagonal and K[2, 2] = 1, and world_from_cam.

    ``projection ~ K [R t]`` up to any factor, negative too (Hartley and Zisserman, 6.2.4).

    Raises:
        GeometryError: The left 3 x 3 block is singular: the camera is at infinity.
    """
    p = np.asarray(projection, dtype=np.float64)
    left = p[:, :3]
    scale = np.linalg.norm(left[2])
    if scale == 0 or np.linalg.cond(left / scale) > 1e12:
        raise GeometryError(
            "a projection matrix of a finite camera is wanted; this one is singular"
        )
    # A matrix and its negative are one camera; K and R positive means a positive determinant.
    p = p * np.sign(np.linalg.det(left)) / scale
    k, rotation = rq(p[:, :3])
    signs = np.sign(np.diag(k))
    k, rotation = k * signs, signs[:, None] * rotation
    centre = -np.linalg.solve(p[:, :3], p[:, 3])
    world_from_cam = Pose.from_matrix(np.column_stack([rotation.T, centre]))
    return k / k[2, 2], world_from_cam


def _resized(camera: Camera, image: Path) -> Camera:
    width, height = photo_size(image)
    if (width, height) == SIZE:
        return camera
    if width * SIZE[1] != height * SIZE[0]:
        raise InputError(
            f"{image}: an image of {SIZE[0]} x {SIZE[1]} pixels, or of that shape, is wanted; "
            f"{width} x {height} came (a cropped copy has other intrinsics)"
        )
    return camera.resized(width, height)
