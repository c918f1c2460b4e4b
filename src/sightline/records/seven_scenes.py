"""7-Scenes pose files: ``frame-XXXXXX.pose.txt``, a 4x4 camera-to-world matrix in metres."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.errors import GeometryError, InputError
from sightline.geometry import Pose
from sightline.records.files import write_text


def read_pose_txt(path: Path) -> Pose | None:
    """Return the ``world_from_cam`` of one pose file.

    Args:
        path: Text file of four rows of four numbers.

    Returns:
        The pose; None where the file says NaN or infinity, as trackers do for frames they lost.

    Raises:
        InputError: The file is missing, or is not a 4x4 rigid motion.
    """
    try:
        rows = [line.split() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        matrix = np.array([[float(cell) for cell in row] for row in rows if row])
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
    except ValueError as error:
        raise InputError(f"{path}: a 4x4 matrix is wanted ({error})") from error
    if matrix.shape != (4, 4):
        raise InputError(f"{path}: a 4x4 matrix is wanted, one of shape {matrix.shape} came")
    if not np.isfinite(matrix).all():
        return None
    try:
        return Pose.from_matrix(matrix)
    except GeometryError as error:
        raise InputError(f"{path}: {error}") from error


def write_pose_txt(path: Path, world_from_cam: Pose) -> None:
    """Write one pose file, atomically."""
    if world_from_cam.shape:
        raise GeometryError(f"one pose is wanted, a batch of {world_from_cam.shape} came")
    rows = ("\t".join(f"{value:.9e}" for value in row) for row in world_from_cam.matrix)
    write_text(path, "\n".join(rows) + "\n")
