"""1DSfM's landmarks (Wilson and Snavely 2014): photo collections with poses.

A landmark is a folder with ``list.txt`` (image i is line i), ``EGs.txt``, ``gt_bundle.out`` and the
images; ``coords.txt`` names each image's principal point. Conventions, as its authors' own
``coords_demo.py`` computes with them:

* Cameras are Bundler's (Snavely 2006): ``x_cam = R x_world + t``, y up, looking down -z; a camera
  with focal length 0 was not reconstructed.
* A line ``i j R (9) t (3)`` of ``EGs.txt`` has ``R = R_i R_j^T`` and t the direction to camera j in
  camera i's axes, Bundler's too: ``x_i = R x_j + t``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from sightline.datasets.pair_lists import relative_to
from sightline.datasets.turned import upright
from sightline.errors import GeometryError, InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.pose import relative_pose
from sightline.geometry.rotation import Array
from sightline.media.photo import photo_header
from sightline.records.pairs import ImagePair, PairSet

#: Paper 002, Sec. 3.4; other landmarks are in no split.
SPLITS = {
    "Montreal_Notre_Dame": "train",
    "Piccadilly": "train",
    "Roman_Forum": "train",
    "Vienna_Cathedral": "train",
    "Gendarmenmarkt": "train",
    "Yorkminster": "validation",
}

#: OpenCV's camera axes from Bundler's: y and z turn round.
_FLIP = np.diag([1.0, -1.0, -1.0])
_EG_NUMBERS = 14


@dataclass(frozen=True, eq=False)
class BundlerCamera:
    """One reconstructed camera of a Bundler file.

    Attributes:
        focal_px: Focal length.
        k1: Radial distortion.
        k2: Radial distortion.
        world_from_cam: In OpenCV axes.
    """

    focal_px: float
    k1: float
    k2: float
    world_from_cam: Pose


@dataclass(frozen=True, eq=False)
class EpipolarGeometry:
    """One line of ``EGs.txt``: what two images alone say.

    Attributes:
        a: Index of the first image (i).
        b: Index of the second (j).
        b_from_a: In OpenCV axes; the translation has no length.
    """

    a: int
    b: int
    b_from_a: Pose


@dataclass(frozen=True, eq=False)
class _View:
    """An image as ``read_photo`` gives it, with its camera and pose."""

    image: Path
    camera: Camera
    world_from_cam: Pose


def is_landmarks(path: Path) -> bool:
    """Return whether a folder is a landmark, or holds some."""
    return bool(_landmark_folders(path))


def read_landmarks(path: Path, images: Path | None = None) -> PairSet:
    """Return the pairs of one landmark or of a folder of them.

    A pair is a line of ``EGs.txt`` both of whose images were reconstructed; its pose is that of the
    reconstruction, not the two-view estimate. What is left out is counted in ``source``.

    Args:
        path: A landmark, or a folder of landmarks.
        images: Folder of the images (or of folders of images, named like the landmarks); the
            landmark's own where not given.

    Raises:
        InputError: A file is missing or does not read, or no pair is left.
    """
    folders = _landmark_folders(path)
    pairs: list[ImagePair] = []
    left_out = np.zeros(2, dtype=np.int64)
    for folder in folders:
        found, missing = _read_landmark(folder, path, images)
        pairs += found
        left_out += missing
    if not pairs:
        raise InputError(
            f"{path}: a pair or more is wanted; {left_out[0]} have an image without a pose, "
            f"{left_out[1]} an image file that is not there"
        )
    source = "1DSfM's reference reconstruction (gt_bundle.out) of the pairs in EGs.txt"
    if left_out.any():
        source += (
            f"; {left_out[0]} pairs without a pose and {left_out[1]} without an image are left out"
        )
    return PairSet(path.resolve().name, path, tuple(pairs), "arbitrary", source)


def read_bundle(path: Path) -> list[BundlerCamera | None]:
    """Return the cameras of a Bundler file, None for those not reconstructed.

    Raises:
        InputError: Missing, or not a Bundler file.
    """
    lines = _lines(path)
    head = next(lines, "")
    if not head.startswith("# Bundle file"):
        raise InputError(f"{path}: `# Bundle file v0.3` is wanted first, {head[:40]!r} came")
    try:
        count = int(next(lines, "").split()[0])
        return [_bundler_camera(list(islice(lines, 5))) for _ in range(count)]
    except (ValueError, IndexError, GeometryError) as error:
        raise InputError(f"{path}: the cameras do not read ({error})") from error


def read_epipolar_geometries(path: Path) -> list[EpipolarGeometry]:
    """Return the lines of an ``EGs.txt``.

    Raises:
        InputError: Missing, or a line does not read; the message names it.
    """
    found = []
    for number, line in enumerate(_lines(path), start=1):
        cells = line.split()
        if not cells:
            continue
        try:
            if len(cells) != _EG_NUMBERS:
                raise ValueError(f"i j R t, 14 numbers, are wanted, {len(cells)} came")
            values = np.array([float(cell) for cell in cells[2:]])
            # x_i = R x_j + t: what the file holds is a_from_b.
            a_from_b = _flipped(values[:9].reshape(3, 3), values[9:])
            found.append(EpipolarGeometry(int(cells[0]), int(cells[1]), a_from_b.inverse()))
        except (ValueError, GeometryError) as error:
            raise InputError(f"{path}, line {number}: {error}") from error
    return found


def read_list(path: Path) -> list[str]:
    """Return the image names of a ``list.txt``, in order.

    Raises:
        InputError: Missing or empty.
    """
    names = [line.split()[0] for line in _lines(path) if line.strip()]
    if not names:
        raise InputError(f"{path}: names of images are wanted, the file is empty")
    return names


def read_principal_points(path: Path) -> dict[int, tuple[float, float]]:
    """Return image index -> (px, py) of the ``#index = ...`` lines of a ``coords.txt``.

    Raises:
        InputError: The file is missing, or such a line has no px and py.
    """
    points = {}
    for number, line in enumerate(_lines(path), start=1):
        if not line.startswith("#index"):
            continue
        # A file name may hold commas and equal signs; numbers are what is looked for.
        found = dict(re.findall(r"(index|px|py)\s*=\s*(-?[\d.]+)", line))
        if set(found) != {"index", "px", "py"}:
            raise InputError(f"{path}, line {number}: index, px and py are wanted, {line!r} came")
        points[int(found["index"])] = (float(found["px"]), float(found["py"]))
    return points


def _landmark_folders(path: Path) -> list[Path]:
    def is_one(folder: Path) -> bool:
        return (folder / "EGs.txt").is_file() and (folder / "gt_bundle.out").is_file()

    if not path.is_dir():
        return []
    return [path] if is_one(path) else sorted(f for f in path.iterdir() if is_one(f))


def _read_landmark(
    folder: Path, root: Path, images: Path | None
) -> tuple[list[ImagePair], tuple[int, int]]:
    """Return a landmark's pairs, and how many have no pose and no image."""
    name = folder.resolve().name
    names = read_list(folder / "list.txt")
    cameras = read_bundle(folder / "gt_bundle.out")
    if len(cameras) != len(names):
        raise InputError(
            f"{folder}: as many cameras in gt_bundle.out as names in list.txt are wanted, "
            f"{len(cameras)} and {len(names)} came"
        )
    coords = folder / "coords.txt"
    centres = read_principal_points(coords) if coords.is_file() else {}
    bases = [folder] if images is None else [images / name, images]
    views: dict[int, _View | None] = {}
    edges: list[tuple[_View, _View]] = []
    no_pose, no_image = 0, 0
    for i, j in _indices(folder / "EGs.txt", len(names)):
        a, b = cameras[i], cameras[j]
        if a is None or b is None:
            no_pose += 1
            continue
        for k, camera in ((i, a), (j, b)):
            if k not in views:
                views[k] = _view(names[k], bases, camera, centres.get(k))
        view_a, view_b = views[i], views[j]
        if view_a is None or view_b is None:
            no_image += 1
            continue
        edges.append((view_a, view_b))
    return _pairs(edges, root, name), (no_pose, no_image)


def _pairs(edges: list[tuple[_View, _View]], root: Path, name: str) -> list[ImagePair]:
    world_from_a = Pose.stack([a.world_from_cam for a, _ in edges])
    b_from_a = relative_pose(Pose.stack([b.world_from_cam for _, b in edges]), world_from_a)
    split = SPLITS.get(name, "")
    return [
        ImagePair(
            relative_to(a.image, root),
            relative_to(b.image, root),
            b_from_a[k],
            a.camera,
            b.camera,
            name,
            split,
        )
        for k, (a, b) in enumerate(edges)
    ]


def _indices(path: Path, count: int) -> Iterator[tuple[int, int]]:
    for number, line in enumerate(_lines(path), start=1):
        cells = line.split()
        if not cells:
            continue
        try:
            i, j = int(cells[0]), int(cells[1])
        except (ValueError, IndexError) as error:
            raise InputError(f"{path}, line {number}: i j R t are wanted ({error})") from error
        if not (0 <= i < count and 0 <= j < count and i != j):
            raise InputError(
                f"{path}, line {number}: two of {count} images are wanted, {i} and {j} came"
            )
        yield i, j


def _view(
    name: str, bases: list[Path], known: BundlerCamera, centre: tuple[float, float] | None
) -> _View | None:
    """Return an image with its camera and pose, or None where the file is not there."""
    # list.txt says images/a.jpg; the images' own archive may have been unpacked without images/.
    tried = [base / n for base in bases for n in (name, Path(name).name)]
    image = next((path for path in tried if path.is_file()), None)
    if image is None:
        return None
    width, height, orientation = photo_header(image)
    cx, cy = centre or ((width - 1) / 2.0, (height - 1) / 2.0)
    params = (known.focal_px, cx, cy, known.k1, known.k2)
    camera = Camera("RADIAL", width, height, params)
    return _View(image, *upright(camera, known.world_from_cam, orientation))


def _bundler_camera(lines: list[str]) -> BundlerCamera | None:
    rows = [[float(cell) for cell in line.split()] for line in lines]
    if [len(row) for row in rows] != [3] * 5:
        raise ValueError("five lines of three numbers a camera are wanted")
    focal, k1, k2 = rows[0]
    if focal == 0:
        return None
    cam_from_world = _flipped_camera(np.array(rows[1:4]), np.array(rows[4]))
    return BundlerCamera(focal, k1, k2, cam_from_world.inverse())


def _flipped_camera(rotation: Array, translation: Array) -> Pose:
    """Return cam_from_world in OpenCV axes of one in Bundler's; the world stays."""
    return Pose.from_matrix(np.column_stack([_FLIP @ rotation, _FLIP @ translation]))


def _flipped(rotation: Array, translation: Array) -> Pose:
    """Return a_from_b between OpenCV cameras of one between Bundler's."""
    return Pose.from_matrix(np.column_stack([_FLIP @ rotation @ _FLIP, _FLIP @ translation]))


def _lines(path: Path) -> Iterator[str]:
    """Yield a text file's lines; gt_bundle.out and coords.txt are too long to hold."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            yield from stream
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
