"""Whether the files of a COLMAP model are whole, found out without COLMAP.

COLMAP believes the counts in its binary files: from a damaged one it reads on beyond the end, takes
memory without bound, or ends the process.
"""

from __future__ import annotations

import struct
from pathlib import Path

from sightline.errors import InputError

#: id, position, colour, error, length of the track; then 8 bytes an observation.
_POINT = struct.Struct("<Q3d3BdQ")
#: id, rotation, translation, camera; then the name, a count, and 24 bytes a keypoint.
_IMAGE = struct.Struct("<I7dI")
_COUNT = struct.Struct("<Q")
_OBSERVATION_BYTES, _KEYPOINT_BYTES = 8, 24


def check_model_files(folder: Path) -> None:
    """Refuse a binary model whose counts do not end where its files end.

    Raises:
        InputError: Points or images are cut off, or something else lies there.
    """
    for name, walk in (("points3D.bin", _points_end), ("images.bin", _images_end)):
        path = folder / name
        if not path.is_file():  # a model in text: COLMAP says itself what is wrong with it
            continue
        content = path.read_bytes()
        try:
            end = walk(content)
        except (struct.error, ValueError, OverflowError):  # beyond the end; a name without one
            end = -1
        if end != len(content):
            raise InputError(f"{path}: a whole file of COLMAP's is wanted, it is damaged")


def _points_end(content: bytes) -> int:
    (count,) = _COUNT.unpack_from(content)
    at = _COUNT.size
    for _ in range(count):
        at += _POINT.size + _OBSERVATION_BYTES * _POINT.unpack_from(content, at)[-1]
    return at


def _images_end(content: bytes) -> int:
    (count,) = _COUNT.unpack_from(content)
    at = _COUNT.size
    for _ in range(count):
        at = content.index(b"\0", at + _IMAGE.size) + 1
        (keypoints,) = _COUNT.unpack_from(content, at)
        at += _COUNT.size + _KEYPOINT_BYTES * keypoints
    return at
