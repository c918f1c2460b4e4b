"""A floor plan as a user gives it: a picture, perhaps a mask, perhaps what relates it to metres."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, MediaError
from sightline.geometry.rotation import Array
from sightline.media.photo import read_photo
from sightline.records.files import read_toml
from sightline.records.plan import FloorPlan

PATH_COLUMNS = ("plan_x", "plan_y")


@dataclass(frozen=True, eq=False)
class PlanInput:
    """A plan that was read whole and fits together.

    Attributes:
        picture: (H, W, 3) uint8 RGB.
        walkable: (H, W) true where one can walk, or None.
        px_from_world: (2, 3) where it is known (metres), else None.
    """

    picture: NDArray[np.uint8]
    walkable: NDArray[np.bool_] | None
    px_from_world: Array | None

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.picture.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.picture.shape[0])

    def walkable_share(self, px: Array) -> float | None:
        """Return the share of (N, 2) plan pixels on walkable floor; None without a mask."""
        if self.walkable is None or not len(px):
            return None
        cells = np.floor(px + 0.5).astype(np.int64)
        inside = (cells >= 0).all(axis=1) & (cells < [self.width, self.height]).all(axis=1)
        on = self.walkable[cells[inside, 1], cells[inside, 0]]
        return float(on.sum() / len(px))


def read_plan_input(picture: Path, walkable: Path | None = None) -> PlanInput:
    """Return a plan from its picture, and from the ``plan.toml`` beside it where that names it.

    Args:
        picture: Any image.
        walkable: The mask (white = walkable); without it, the one ``plan.toml`` names.

    Raises:
        MediaError: The picture or the mask is no image.
        InputError: The mask, or the size in ``plan.toml``, is not the picture's.
    """
    pixels = _read_picture(picture, "a floor plan picture")
    known = _plan_beside(picture)
    if known is not None and walkable is None:
        walkable = known.walkable
    mask = None
    if walkable is not None:
        mask = _read_picture(walkable, "a walkable mask").mean(axis=2) > 127
        if mask.shape != pixels.shape[:2]:
            raise InputError(
                f"{walkable}: a mask of the plan's size {pixels.shape[1]}x{pixels.shape[0]} is "
                f"wanted, {mask.shape[1]}x{mask.shape[0]} came (nothing was changed)"
            )
    return PlanInput(pixels, mask, None if known is None else known.px_from_world)


def read_drawn_path(path: Path) -> Array:
    """Return the (K, 2) plan pixels of a ``path.csv`` with columns ``plan_x,plan_y``.

    Raises:
        InputError: The file is missing, has other columns, a bad number, or fewer than two rows.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [[cell.strip() for cell in row] for row in csv.reader(stream)]
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: a CSV file in UTF-8 is wanted ({error})") from error
    if not rows or tuple(rows[0]) != PATH_COLUMNS:
        came = ",".join(rows[0]) if rows else "an empty file"
        raise InputError(f"{path}: the columns {','.join(PATH_COLUMNS)} are wanted, {came} came")
    points = [
        [_number(path, line, cell) for cell in row]
        for line, row in enumerate(rows[1:], start=2)
        if any(row)
    ]
    if any(len(point) != len(PATH_COLUMNS) for point in points):
        raise InputError(f"{path}: two numbers in every row are wanted; one has more or fewer")
    if len(points) < 2:
        raise InputError(
            f"{path}: two or more points along the walk are wanted, {len(points)} came"
        )
    return np.array(points)


def _read_picture(path: Path, what: str) -> NDArray[np.uint8]:
    try:
        return read_photo(path)
    except MediaError as error:
        raise MediaError(f"{what} is wanted; {error}") from error


def _plan_beside(picture: Path) -> FloorPlan | None:
    toml = picture.with_name("plan.toml")
    if not toml.is_file() or read_toml(toml).get("image") != picture.name:
        return None
    return FloorPlan.read(toml)


def _number(path: Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{path}, line {line}: a number is wanted, {text!r} came")
    return value
