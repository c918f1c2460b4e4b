"""``transforms.json``: nerfstudio's layout, and its relatives of instant-ngp and Blender (NeRF).

Matrices are camera-to-world with OpenGL axes (x right, y up, z backwards). Principal points are
COLMAP's: (0, 0) is the corner of the first pixel. nerfstudio stores poses after an
``applied_transform`` (saved_from_original) and ``applied_scale``; they come back in the original
world, that of the COLMAP model beside them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline.datasets.layouts import below_one_folder
from sightline.datasets.turned import as_read
from sightline.errors import GeometryError, InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.media.photo import photo_header
from sightline.records import Place, PosedFrame
from sightline.records.posed_images import place_from_frames

#: NeRF's synthetic scenes have a file for each part.
SPLIT_FILES = {
    "train": "transforms_train.json",
    "validation": "transforms_val.json",
    "test": "transforms_test.json",
}
#: nerfstudio names the frames of each part where they are chosen by hand.
_SPLIT_LISTS = {
    "train": "train_filenames",
    "validation": "val_filenames",
    "test": "test_filenames",
}
_SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".JPG", ".PNG")
#: Camera models whose distortion is OpenCV's k1, k2, p1, p2 or a part of it.
_KNOWN_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "RADIAL", "SIMPLE_RADIAL", "PERSPECTIVE")


@dataclass(frozen=True, eq=False)
class View:
    """One frame of a ``transforms.json``.

    Attributes:
        image: The file.
        world_from_cam: OpenCV axes, in the original world.
        camera: None where the intrinsics are not given, or are of a model we do not know.
        split: ``train``, ``validation``, ``test`` or empty.
    """

    image: Path
    world_from_cam: Pose
    camera: Camera | None
    split: str = ""


def read_transforms(path: Path) -> list[View]:
    """Return the frames of one file, in its order, as the photos are read (upright).

    Raises:
        InputError: The file, a key or an image is missing, or a matrix is none.
    """
    content = _read_json(path)
    try:
        original_from_saved, scale = _saved(content)
    except (TypeError, ValueError, GeometryError) as error:
        raise InputError(f"{path}: applied_transform: {error}") from error
    views = []
    for number, frame in enumerate(content["frames"]):
        try:
            image = _image(path.parent, str(frame["file_path"]))
            saved = _opencv_pose(np.array(frame["transform_matrix"], dtype=np.float64))
            world_from_cam = original_from_saved @ Pose(saved.q_wxyz, saved.translation / scale)
            camera, world_from_cam = _camera({**content, **frame}, image, world_from_cam)
        except KeyError as error:
            raise InputError(f"{path}, frame {number}: {error.args[0]!r} is missing") from error
        except (TypeError, ValueError, GeometryError, InputError) as error:
            raise InputError(f"{path}, frame {number}: {error}") from error
        views.append(View(image, world_from_cam, camera))
    return _with_lists(views, content, path)


def read_scene(source: str | Path) -> list[View]:
    """Return the frames of a file, or of a folder with its parts.

    Args:
        source: A JSON file; or a folder with ``transforms_train.json`` and its relatives, or with
            ``transforms.json``.

    Raises:
        InputError: There is none, or it does not read.
    """
    source = Path(source)
    if source.is_file():
        return read_transforms(source)
    parts = {split: source / name for split, name in SPLIT_FILES.items()}
    present = {split: path for split, path in parts.items() if path.is_file()}
    if not present:
        if not (source / "transforms.json").is_file():
            raise InputError(
                f"{source}: transforms.json is wanted, or transforms_train.json and "
                "transforms_test.json; there is neither"
            )
        return read_transforms(source / "transforms.json")
    return [
        replace(view, split=split)
        for split, path in present.items()
        for view in read_transforms(path)
    ]


def make_place(
    source: str | Path,
    root: str | Path,
    *,
    link: bool = False,
    metres_per_unit: float | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Place:
    """Return a place made of a capture, with its cameras and, where the files say one, its split.

    Args:
        source: The capture's folder, or one of its JSON files.
        root: Folder of the place.
        link: Make symbolic links to the images instead of copies.
        metres_per_unit: What a unit of the file is in metres; arbitrary where not known.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: The capture is not complete.
        PlaceError: ``root`` holds other things.
    """
    views = read_scene(source)
    images_root, names = below_one_folder([view.image for view in views])
    named = sorted(zip(names, views, strict=True), key=lambda pair: pair[0])
    frames = [PosedFrame(name, None, view.world_from_cam, view.split) for name, view in named]
    cameras = {name: view.camera for name, view in named if view.camera}
    without = len(views) - len(cameras)
    notes = [f"{without} of {len(views)} images have no camera that we know"] if without else []
    return place_from_frames(
        root,
        frames,
        images_root,
        unit="arbitrary",
        metres_per_unit=metres_per_unit,
        source=Path(source),
        cameras=cameras,
        notes=notes,
        link=link,
        progress=progress,
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a JSON file: {error}") from error
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise InputError(f"{path}: a table with a list of 'frames' is wanted")
    if not frames:
        raise InputError(f"{path}: one frame or more is wanted, the list is empty")
    whole: dict[str, Any] = content
    return whole


def _saved(content: Mapping[str, Any]) -> tuple[Pose, float]:
    """Return original_from_saved, and the scale that was applied after it."""
    scale = float(content.get("applied_scale", 1.0))
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"a positive applied_scale is wanted, {scale} came")
    matrix = content.get("applied_transform")
    if matrix is None:
        return Pose.identity(), scale
    return Pose.from_matrix(np.array(matrix, dtype=np.float64)).inverse(), scale


def _opencv_pose(matrix: Array) -> Pose:
    """Return world_from_cam of an OpenGL camera-to-world matrix."""
    if matrix.shape not in ((3, 4), (4, 4)) or not np.isfinite(matrix).all():
        raise ValueError(f"a finite 4x4 transform_matrix is wanted, shape {matrix.shape} came")
    flipped = matrix.copy()
    flipped[:3, 1:3] *= -1.0
    return Pose.from_matrix(flipped)


def _image(folder: Path, file_path: str) -> Path:
    """Return the file of a frame; Blender's names have no suffix."""
    for suffix in _SUFFIXES:
        candidate = folder / f"{file_path}{suffix}"
        if candidate.is_file():
            return candidate
    raise InputError(f"{folder / file_path} is wanted; there is no such image")


def _camera(
    table: Mapping[str, Any], image: Path, world_from_cam: Pose
) -> tuple[Camera | None, Pose]:
    """Return camera and pose of the picture as it is read, upright."""
    width, height, _ = photo_header(image)
    return as_read(image, _given_camera(table, width, height), world_from_cam)


def _given_camera(table: Mapping[str, Any], width: int, height: int) -> Camera | None:
    """Return the camera in the size it is given for (else the stored one), or None."""
    model = str(table.get("camera_model", "OPENCV"))
    beyond = any(float(table.get(name, 0.0)) for name in ("k3", "k4"))
    if model not in _KNOWN_MODELS or table.get("is_fisheye") or beyond:
        return None
    w, h = int(table.get("w", width)), int(table.get("h", height))
    fx = _focal(table, "fl_x", "camera_angle_x", w)
    fy = _focal(table, "fl_y", "camera_angle_y", h) or fx
    fx = fx or fy
    if fx is None or fy is None:
        return None
    # From COLMAP's pixels, whose origin is a corner, to ours.
    cx, cy = float(table.get("cx", w / 2)) - 0.5, float(table.get("cy", h / 2)) - 0.5
    distortion = [float(table.get(name, 0.0)) for name in ("k1", "k2", "p1", "p2")]
    if any(distortion):
        return Camera("OPENCV", w, h, (fx, fy, cx, cy, *distortion))
    return Camera("PINHOLE", w, h, (fx, fy, cx, cy))


def _focal(table: Mapping[str, Any], focal: str, angle: str, size: int) -> float | None:
    if focal in table:
        return float(table[focal])
    if angle in table:
        return 0.5 * size / math.tan(0.5 * float(table[angle]))
    return None


def _with_lists(views: list[View], content: Mapping[str, Any], path: Path) -> list[View]:
    """Return the views with the parts that the file's own lists give them."""
    split_of: dict[str, str] = {}
    for split, key in _SPLIT_LISTS.items():
        for name in content.get(key) or ():
            if split_of.setdefault(os.path.normpath(name), split) != split:
                raise InputError(f"{path}: {name} is wanted in one part only, it is in several")
    names = [os.path.normpath(str(frame["file_path"])) for frame in content["frames"]]
    unknown = sorted(set(split_of) - set(names))
    if unknown:
        raise InputError(f"{path}: names of frames are wanted in its parts, {unknown[0]} is none")
    return [
        replace(view, split=split_of.get(name, "")) for view, name in zip(views, names, strict=True)
    ]
