"""Lists of images and depth: one pair a line, relative to the list's folder.

``rgb.jpg depth.png`` and, where wanted, the scale: metres of one unit. Cells are set apart by tabs,
else by commas, else by blanks. A line ``# scale 0.0002`` gives the scale of the lines below it.
Where a line names no depth (or ``None``), the image has none. In the lists of BTS and its kin the
third number is a focal length in pixels; it is above 10, which no scale is, and passed over.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.records.depth import DEPTH_COLUMNS, DepthImage, DepthSet
from sightline.records.depth_files import DEPTH_SUFFIXES

_SUFFIXES = (".txt", ".csv", ".tsv", ".lst")
_SCALE = re.compile(r"#\s*scale\s*[:=]?\s*(\S+)\s*", re.IGNORECASE)
_FOCAL_ABOVE = 10.0
_NONE = "None"


def is_depth_csv(path: Path) -> bool:
    """Return whether a file's first line has the columns of a depth set."""
    cells = [cell.strip() for cell in _first_line(path).split(",")]
    return path.is_file() and {"image", "depth"} <= set(cells) <= set(DEPTH_COLUMNS)


def is_depth_list(path: Path) -> bool:
    """Return whether a file is a list that names depth; one of photos alone is none."""
    if not path.is_file() or path.suffix.lower() not in _SUFFIXES:
        return False
    cells = (_cells(line) for line in _lines(path) if not line.lstrip().startswith("#"))
    return any(len(c) > 1 and _is_depth(c[1]) for c in cells)


@dataclass
class _Lists:
    """What is known while a list is read."""

    path: Path
    scale: float | None = None
    focal_lengths: int = 0

    def item(self, line: str) -> DepthImage:
        """Return the item of a line."""
        cells = _cells(line)
        if not 1 <= len(cells) <= 3:
            raise ValueError(f"`image depth` and perhaps a scale are wanted, {line.strip()!r} came")
        depth = cells[1] if len(cells) > 1 else ""
        scale = self.scale
        if len(cells) == 3:
            number = _positive(cells[2])
            if number > _FOCAL_ABOVE:
                self.focal_lengths += 1
            else:
                scale = number
        image = self._file(cells[0])
        return DepthImage(
            image,
            None if depth in ("", _NONE) else self._file(depth),
            scale=scale,
            source="" if image.parent == Path() else image.parent.as_posix(),
        )

    def _file(self, name: str) -> Path:
        """Return a file; a leading slash means the list's folder where nothing else is there."""
        file, below = Path(name), Path(name.lstrip("/"))
        if file.is_absolute() and not file.is_file() and (self.path.parent / below).is_file():
            return below
        return file


def read_depth_list(path: Path, _left_out: LeftOut) -> DepthSet:
    """Return what a list names; images have no split.

    Raises:
        InputError: A line is something else, the message names it; or the list is empty.
    """
    lists = _Lists(path)
    items = []
    for number, line in enumerate(_lines(path), start=1):
        try:
            scale = _SCALE.fullmatch(line.strip())
            if scale:
                lists.scale = _positive(scale[1])
            elif line.strip() and not line.lstrip().startswith("#"):
                items.append(lists.item(line))
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}") from error
    if not items:
        raise InputError(f"{path}: one image or more is wanted, the list is empty")
    notes: tuple[str, ...] = ()
    if lists.focal_lengths:
        notes = (f"{lists.focal_lengths} third columns are focal lengths, which are not used",)
    return DepthSet(path.stem, path.parent, tuple(items), (), notes)


def _cells(line: str) -> list[str]:
    for mark in ("\t", ","):
        if mark in line:
            return [cell.strip() for cell in line.strip().split(mark)]
    return line.split()


def _is_depth(cell: str) -> bool:
    return cell == _NONE or Path(cell).suffix.lower() in DEPTH_SUFFIXES


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"a scale above 0, in metres of one unit, is wanted, {text!r} came")
    return value


def _first_line(path: Path) -> str:
    if not path.is_file():
        return ""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            return stream.readline(10_000)
    except UnicodeDecodeError:
        return ""


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: a text file in UTF-8 is wanted ({error})") from error
