"""Stanford cars with their poses (the project's ``objpose_stanford_cars``): one crop a car.

``poses.csv`` has its own angles, in radians. Azimuth 0 sees a nose that points to the picture's
left, pi/2 the front, pi a nose that points right; ``theta`` leans the roof to the right. Ours are
therefore azimuth = pi/2 - theirs and tilt = -theta; elevation is the same.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.geometry.viewpoint import cam_from_object
from sightline.media import photo_size
from sightline.records.csv_rows import cell_number, csv_rows
from sightline.records.objects import ObjectSet, ObjectView

POSES_CSV = "poses.csv"
_ANGLES = ("azimuth_rad", "elevation_rad", "theta_rad")
_COLUMNS = (
    "file", "class_id", "class_name", "body_type", *_ANGLES, "cad_model_id", "width", "height",
)  # fmt: skip

#: Shares of the photos, in the order of their names' digests.
_VALIDATION, _TEST = 0.1, 0.2


def is_stanford_cars(root: Path) -> bool:
    """Whether the folder has a ``poses.csv`` of these columns."""
    try:
        with (root / POSES_CSV).open(encoding="utf-8-sig") as stream:
            return set(_ANGLES) <= {cell.strip() for cell in stream.readline().split(",")}
    except (OSError, UnicodeDecodeError):
        return False


def read_stanford_cars(root: Path) -> ObjectSet:
    """Return the cars, divided by photo: 70% train, 10% validation, 20% test.

    Raises:
        InputError: The table has a bad value (the line is named), nothing is left, or more is
            damaged than left.
    """
    left_out = LeftOut()
    rows: list[tuple[str, tuple[int, int], tuple[float, float, float]]] = []
    for line, row in csv_rows(root / POSES_CSV, ("file", *_ANGLES), _COLUMNS):
        try:
            angles = _angles(row)
        except ValueError as error:
            raise InputError(f"{root / POSES_CSV}, line {line}: {error}") from error
        path = root / "images" / row["file"]
        if not path.is_file():
            left_out.add("missing image", path)
            continue
        try:
            rows.append((row["file"], photo_size(path), angles))
        except InputError:
            left_out.add("broken image", path)
    left_out.check(root, len(rows))
    turns = cam_from_object(*np.array([angles for *_, angles in rows]).T).tolist()
    splits = _splits([name for name, *_ in rows])
    views = tuple(
        ObjectView(
            image=Path("images", name),
            box=(0.0, 0.0, float(size[0]), float(size[1])),
            category="car",
            cam_from_object=tuple(q),
            split=splits[name],
            source=Path(name).stem,
        )
        for (name, size, _), q in zip(rows, turns, strict=True)
    )
    return ObjectSet(root.resolve().name, root, views, ("car",), left_out.counts())


def _angles(row: Mapping[str, str]) -> tuple[float, float, float]:
    """Return azimuth, elevation and tilt in radians, as PASCAL3D+ means them."""
    values = [cell_number(row, name) for name in _ANGLES]
    if not row["file"] or None in values:
        raise ValueError(f"a file and its {', '.join(_ANGLES)} are wanted, one is empty")
    azimuth, elevation, theta = (value or 0.0 for value in values)
    return math.pi / 2 - azimuth, elevation, -theta


def _splits(names: list[str]) -> dict[str, str]:
    # By digest: neighbouring numbers may be photos of one car, and the order of the rows may change
    # with the next copy.
    shuffled = sorted(set(names), key=lambda name: hashlib.sha256(name.encode()).digest())
    validation, test = (round(share * len(shuffled)) for share in (_VALIDATION, _TEST))
    parts = dict.fromkeys(shuffled, "train")
    parts |= dict.fromkeys(shuffled[:validation], "validation")
    return parts | dict.fromkeys(shuffled[validation : validation + test], "test")
