"""``poses.json`` (posed images) and ``pairs.json`` (ScanNet-style pairs), in JSON.

``poses.json``: ``frames`` is a list of ``{file, qwxyz_c2w, center_xyz}``, camera-to-world in OpenCV
axes; intrinsics ``fx, fy, cx, cy, width, height`` and ``k1, k2, p1, p2`` stand in each frame or
once in ``intrinsics`` (images may be smaller than the size given there; without one it is the
image's own); ``split`` may stand in each frame. For a video beside the file, ``frame``
(the number of the video's frame, from 0) stands instead of ``file``. ``pairs.json``: ``pairs`` is
a list of ``{image0, K0, image1, K1, T_0to1}`` with ``x_1 = T_0to1 x_0``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.datasets.pairing import PosedView
from sightline.datasets.turned import as_read, at_size
from sightline.errors import GeometryError, InputError
from sightline.geometry import Camera, Pose
from sightline.media import photo_size
from sightline.media.photo import photo_header
from sightline.records.frames import SPLITS
from sightline.records.pairs import ImagePair, Unit

POSES_JSON = "poses.json"
PAIRS_JSON = "pairs.json"

_DISTORTION = ("k1", "k2", "p1", "p2")


def read_poses_json(path: Path) -> tuple[list[PosedView], Unit]:
    """Return the posed images of a ``poses.json`` and the unit of their centres.

    ``unit`` (m, mm or arbitrary) counts; without it the words of ``convention`` do. Millimetres
    become metres.

    Raises:
        InputError: The file, a key or an image is missing, or a number is no number.
    """
    content = _read(path, "frames")
    unit, scale = _unit(content, path)
    common = content.get("intrinsics") or {}
    views = []
    for number, frame in enumerate(content["frames"]):
        try:
            image = Path(str(frame["file"]))
            centre = scale * np.array(frame["center_xyz"], dtype=np.float64)
            pose = Pose(np.array(frame["qwxyz_c2w"], dtype=np.float64), centre)
            photo = existing(path.parent / image)
            camera, pose = as_read(photo, _camera({**common, **frame}, photo), pose)
            split = _split(frame)
        except (KeyError, TypeError, ValueError, GeometryError, InputError) as error:
            raise InputError(f"{path}, frame {number}: {_reason(error)}") from error
        views.append(PosedView(image, pose, camera, split=split))
    return views, unit


@dataclass(frozen=True, eq=False)
class VideoPoses:
    """Poses of a video's frames.

    Attributes:
        poses: Number of the frame, from 0 -> world_from_cam.
        splits: Number of the frame -> its part, where one is given.
        cameras: Number of the frame -> its camera, where its intrinsics are given.
        unit: Of the poses.
    """

    poses: dict[int, Pose]
    splits: dict[int, str]
    cameras: dict[int, Camera]
    unit: Unit


def is_of_video(path: Path) -> bool:
    """Return whether a ``poses.json`` numbers a video's frames instead of naming files.

    Raises:
        InputError: The file is missing or is something else.
    """
    frames = _read(path, "frames")["frames"]
    return all(isinstance(f, dict) and "frame" in f and "file" not in f for f in frames)


def read_video_poses(path: Path, width: int, height: int) -> VideoPoses:
    """Return the poses of a ``poses.json`` that numbers a video's frames.

    Args:
        path: The file.
        width: Of the video, upright, in pixels.
        height: The same.

    Raises:
        InputError: The file or a key is missing, a number is no number, a frame is there twice, or
            intrinsics are of a picture of another shape.
    """
    content = _read(path, "frames")
    unit, scale = _unit(content, path)
    common = content.get("intrinsics") or {}
    found = VideoPoses({}, {}, {}, unit)
    for number, frame in enumerate(content["frames"]):
        try:
            index = int(frame["frame"])
            centre = scale * np.array(frame["center_xyz"], dtype=np.float64)
            if index in found.poses or index < 0:
                raise ValueError(f"a frame of its own is wanted, {index} came")
            found.poses[index] = Pose(np.array(frame["qwxyz_c2w"], dtype=np.float64), centre)
            if split := _split(frame):
                found.splits[index] = split
            if camera := _camera_of({"width": width, "height": height, **common, **frame}):
                found.cameras[index] = at_size(camera, width, height, f"frame {index} of the video")
        except (KeyError, TypeError, ValueError, GeometryError, InputError) as error:
            raise InputError(f"{path}, frame {number}: {_reason(error)}") from error
    return found


def read_pairs_json(path: Path) -> tuple[list[ImagePair], Unit]:
    """Return the pairs of a ``pairs.json`` and the unit of their translations.

    The scene is the part of the first image's name before ``_frame``, where it has one.

    Raises:
        InputError: The file, a key or an image is missing, or a number is no number.
    """
    content = _read(path, "pairs")
    unit, scale = _unit(content, path)
    pairs = []
    for number, row in enumerate(content["pairs"]):
        try:
            a, b = Path(str(row["image0"])), Path(str(row["image1"]))
            b_from_a = Pose.from_matrix(np.array(row["T_0to1"], dtype=np.float64))
            pairs.append(
                ImagePair(
                    a,
                    b,
                    Pose(b_from_a.q_wxyz, scale * b_from_a.translation),
                    camera_from_matrix(np.array(row["K0"], dtype=np.float64), path.parent / a),
                    camera_from_matrix(np.array(row["K1"], dtype=np.float64), path.parent / b),
                    scene_of(a),
                )
            )
        except (KeyError, TypeError, ValueError, GeometryError, InputError) as error:
            raise InputError(f"{path}, pair {number}: {_reason(error)}") from error
    return pairs, unit


def camera_from_matrix(matrix: np.ndarray[Any, np.dtype[np.float64]], image: Path) -> Camera:
    """Return the camera of a (3, 3) calibration matrix and of an image's own size.

    Raises:
        GeometryError: Not a calibration matrix of zero skew.
        InputError: The image is missing or is none.
    """
    width, height = photo_size(existing(image))
    k = matrix
    if k.shape != (3, 3) or not np.allclose(k[2], (0, 0, 1)) or abs(k[1, 0]) > 1e-9:
        raise GeometryError("a calibration matrix K (3 x 3, last row 0 0 1) is wanted")
    if abs(k[0, 1]) > 1e-3 * abs(k[0, 0]):
        raise GeometryError(f"square pixels without skew are wanted, K has a skew of {k[0, 1]:g}")
    return Camera("PINHOLE", width, height, (k[0, 0], k[1, 1], k[0, 2], k[1, 2]))


def existing(image: Path) -> Path:
    """Return the path of an image that is there.

    Raises:
        InputError: It is not.
    """
    if not image.is_file():
        raise InputError(f"{image} is wanted; there is no such file")
    return image


def scene_of(image: Path) -> str:
    """Return what an image's name says of its scene: ``scene0711_00`` of ScanNet, else nothing."""
    match = re.search(r"(scene\d{4}_\d{2})", image.as_posix())
    return match[1] if match else ""


def _read(path: Path, key: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a JSON file: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get(key), list):
        raise InputError(f"{path}: a table with a list {key!r} is wanted")
    if not content[key]:
        raise InputError(f"{path}: one of {key!r} or more is wanted, the list is empty")
    return content


def _unit(content: Mapping[str, Any], path: Path) -> tuple[Unit, float]:
    """Return the unit, and what a length of the file is in it."""
    said = content.get("unit")
    if said is not None and said not in ("m", "mm", "arbitrary"):
        raise InputError(f"{path}: a unit of m, mm, arbitrary is wanted, {said!r} came")
    words = str(content.get("convention", "")).lower()
    if said == "mm" or (said is None and "millimet" in words):
        return "m", 1e-3
    if said == "m" or (said is None and re.search(r"\bmet(re|er)s?\b", words)):
        return "m", 1.0
    return "arbitrary", 1.0


def _split(frame: Mapping[str, Any]) -> str:
    split = str(frame.get("split") or "")
    if split not in SPLITS:
        raise ValueError(f"a split of {', '.join(SPLITS[1:])} or none is wanted, {split} came")
    return split


def _camera(table: Mapping[str, Any], image: Path) -> Camera | None:
    """Return the camera in the size it is given for, which is the stored pixels' where none is."""
    width, height, _ = photo_header(image)
    return _camera_of({"width": width, "height": height, **table})


def _camera_of(table: Mapping[str, Any]) -> Camera | None:
    """Return the camera of a table with a size, or None where it has no intrinsics."""
    if all(table.get(name) is None for name in ("fx", "fy", "cx", "cy")):
        return None
    pinhole = [float(table[name]) for name in ("fx", "fy", "cx", "cy")]
    width, height = int(table["width"]), int(table["height"])
    distortion = [float(table.get(name, 0.0)) for name in _DISTORTION]
    if any(distortion):
        return Camera("OPENCV", width, height, (*pinhole, *distortion))
    return Camera("PINHOLE", width, height, tuple(pinhole))


def _reason(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
