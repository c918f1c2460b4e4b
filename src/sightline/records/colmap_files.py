"""Whether a binary COLMAP model is whole, found out before COLMAP reads it.

COLMAP believes the counts in its binary files: from a damaged one it reads on beyond the end, takes
memory without bound, or ends the process. Source: COLMAP's ``reconstruction_io_binary.cc``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from sightline.errors import InputError

MODEL_FILES = ("cameras", "images", "points3D")

_COUNT = struct.Struct("<Q")
#: id, model, width, height; then 8 bytes a parameter.
_CAMERA = struct.Struct("<IiQQ")
#: id, rotation, translation, camera; then the name, a count, and 24 bytes a keypoint.
_IMAGE = struct.Struct("<I7dI")
#: id, position, colour, error, length of the track; then 8 bytes an observation.
_POINT = struct.Struct("<Q3d3BdQ")
#: id, number of sensors; then the first sensor, and the others with or without a pose.
_RIG = struct.Struct("<II")
#: id, rig, rotation, translation, number of data; then 16 bytes each.
_FRAME = struct.Struct("<II7dI")
_SENSOR_BYTES, _POSE_BYTES, _DATUM_BYTES = 8, 56, 16
_OBSERVATION_BYTES, _KEYPOINT_BYTES, _PARAMETER_BYTES = 8, 24, 8


def has_model(folder: Path, suffixes: Sequence[str] = (".bin", ".txt")) -> bool:
    """Return whether a folder holds a COLMAP model, binary or text."""
    return any(all((folder / f"{n}{s}").is_file() for n in MODEL_FILES) for s in suffixes)


def check_model_files(folder: Path) -> None:
    """Refuse a binary model whose counts do not end where its files end.

    A model in text is left to COLMAP, which says itself what is wrong with it.

    Raises:
        InputError: A file is cut off, or something else lies there.
    """
    if not has_model(folder, (".bin",)):  # COLMAP, too, takes the text then
        return
    for name, walk in _WALKS.items():
        path = folder / f"{name}.bin"
        if not path.is_file():  # rigs and frames: models of before COLMAP 3.12 have none
            continue
        content = path.read_bytes()
        try:
            end = walk(content)
        except (struct.error, ValueError, OverflowError):  # beyond the end; a name without one
            end = -1
        if end != len(content):
            raise InputError(f"{path}: a whole file of COLMAP's is wanted, it is damaged")


def _cameras_end(content: bytes) -> int:
    count, at = _counted(content)
    for _ in range(count):
        model = _CAMERA.unpack_from(content, at)[1]
        at += _CAMERA.size + _PARAMETER_BYTES * _parameters(model)
    return at


def _parameters(model: int) -> int:
    """Return how many parameters a camera model has; ValueError where there is none."""
    import pycolmap

    known = pycolmap.CameraModelId(model)
    return len(pycolmap.Camera.create_from_model_id(1, known, 1.0, 1, 1).params)


def _images_end(content: bytes) -> int:
    count, at = _counted(content)
    for _ in range(count):
        at = content.index(b"\0", at + _IMAGE.size) + 1
        (keypoints,) = _COUNT.unpack_from(content, at)
        at += _COUNT.size + _KEYPOINT_BYTES * keypoints
    return at


def _lists_end(content: bytes, head: struct.Struct, item_bytes: int) -> int:
    """Return the end of records whose head ends with how many items follow it."""
    count, at = _counted(content)
    for _ in range(count):
        at += head.size + item_bytes * head.unpack_from(content, at)[-1]
    return at


def _rigs_end(content: bytes) -> int:
    count, at = _counted(content)
    for _ in range(count):
        sensors = _RIG.unpack_from(content, at)[1]
        at += _RIG.size + _SENSOR_BYTES * min(sensors, 1)
        for _ in range(sensors - 1):
            posed = content[at + _SENSOR_BYTES : at + _SENSOR_BYTES + 1]
            if not posed:
                raise ValueError("the file ends within a rig")
            at += _SENSOR_BYTES + 1 + _POSE_BYTES * (posed != b"\0")
    return at


def _counted(content: bytes) -> tuple[int, int]:
    """Return the count that a file begins with, and where what is counted begins."""
    return _COUNT.unpack_from(content)[0], _COUNT.size


_WALKS: dict[str, Callable[[bytes], int]] = {
    "rigs": _rigs_end,
    "cameras": _cameras_end,
    "frames": partial(_lists_end, head=_FRAME, item_bytes=_DATUM_BYTES),
    "images": _images_end,
    "points3D": partial(_lists_end, head=_POINT, item_bytes=_OBSERVATION_BYTES),
}
