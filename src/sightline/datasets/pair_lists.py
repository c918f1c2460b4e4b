"""Pair lists of ScanNet and MegaDepth as SuperGlue's authors write them (Sarlin et al. 2020).

One pair a line, 38 columns: ``name0 name1 rot0 rot1 K0 (9) K1 (9) T_0to1 (16)``, matrices row by
row, ``x_1 = T_0to1 x_0``. K and T belong to the image file as it is stored; ``rot`` says by how
many quarter turns a viewer would put it upright, and changes nothing here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.datasets.posed_json import camera_from_matrix, existing, scene_of
from sightline.errors import GeometryError, InputError
from sightline.geometry import Pose
from sightline.records.pairs import ImagePair

COLUMNS = 38


def is_pair_list(path: Path) -> bool:
    """Return whether a text file's first line has the columns of a pair list."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            first = next((line for line in stream if line.strip()), "")
    except UnicodeDecodeError:
        return False
    return len(first.split()) == COLUMNS


def read_pair_list(path: Path, images: Path | None = None) -> list[ImagePair]:
    """Return the pairs of a list; their paths are relative to the list's folder or absolute.

    Args:
        path: The text file.
        images: Folder the names are relative to; the list's folder, or ``images`` in it, where
            not given.

    Raises:
        InputError: A line does not hold what it should, or an image is missing; the message names
            the line.
    """
    base = images or _images_of(path)
    pairs = []
    for number, line in enumerate(_lines(path), start=1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != COLUMNS:
            raise InputError(
                f"{path}, line {number}: {COLUMNS} columns (name0 name1 rot0 rot1 K0 K1 T_0to1) "
                f"are wanted, {len(cells)} came"
            )
        try:
            pairs.append(_pair(cells, base, path.parent))
        except (ValueError, GeometryError, InputError) as error:
            raise InputError(f"{path}, line {number}: {error}") from error
    if not pairs:
        raise InputError(f"{path}: one pair or more is wanted, the file is empty")
    return pairs


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: a text file in UTF-8 is wanted ({error})") from error


def _images_of(path: Path) -> Path:
    first = next((line.split() for line in _lines(path) if line.strip()), [""])
    beside = path.parent / "images"
    return beside if not (path.parent / first[0]).is_file() and beside.is_dir() else path.parent


def _pair(cells: list[str], base: Path, root: Path) -> ImagePair:
    numbers = np.array([float(cell) for cell in cells[4:]])
    if not np.isfinite(numbers).all():
        raise ValueError("finite numbers are wanted, NaN or infinity came")
    a, b = existing(base / cells[0]), existing(base / cells[1])
    return ImagePair(
        relative_to(a, root),
        relative_to(b, root),
        Pose.from_matrix(numbers[18:].reshape(4, 4)),
        camera_from_matrix(numbers[:9].reshape(3, 3), a),
        camera_from_matrix(numbers[9:18].reshape(3, 3), b),
        scene_of(Path(cells[0])) or _parent(cells[0]),
    )


def _parent(name: str) -> str:
    """Return the folder an image lies in, which names the scene where nothing else does."""
    parent = Path(name).parent.as_posix()
    return "" if parent == "." else parent


def relative_to(path: Path, root: Path) -> Path:
    """Return ``path`` below ``root``, or absolute where it lies elsewhere."""
    try:
        return path.relative_to(root)
    except ValueError:
        return path.resolve()
