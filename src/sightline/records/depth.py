"""Images with the depth of their pixels: measured, rendered, or labelled by a network.

A depth set's own file is a CSV, ``depth.csv``, whose paths are relative to its folder. The first
two columns must be there; cells of the others may be empty::

    image,depth          the photo and its depth: a 16-bit PNG or a .npy; depth may be empty
                         (an image without a label)
    quantity             depth (z-depth, the default) or disparity (affine-invariant inverse depth)
    scale                metres of one unit: 0.001 for a PNG (millimetres), 1 for .npy where empty
    encoding             plain (the default), sunrgbd: 16-bit numbers turned by three bits
    split                train, validation, test
    source               the scene, video or room it was taken in; splits never cut through one
    fx,fy,cx,cy          intrinsics in pixels of the photo, (0, 0) the middle of its first pixel
    labelled_by          what made the label, where a network did

Zero, negative and non-finite values mean unknown, and so does 65535 in 16-bit millimetres; in a
.npy of disparity zero is known: infinitely far. A depth map may be smaller or larger than its
photo; it shows the same view.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.media.image_sources import archive_of, read_image
from sightline.records.csv_rows import cell_number, csv_rows
from sightline.records.depth_files import (
    ENCODINGS,
    MILLIMETRE,
    QUANTITIES,
    Encoding,
    Quantity,
    depth_header,
    disparity_of,
    file_scale,
    read_depth,
    resize_depth,
    write_depth_png_mm,
)
from sightline.records.files import write_text
from sightline.records.frames import SPLITS

__all__ = [
    "DEPTH_COLUMNS",
    "DEPTH_CSV",
    "MILLIMETRE",
    "DepthImage",
    "DepthSet",
    "Encoding",
    "Quantity",
    "depth_header",
    "disparity_of",
    "read_depth",
    "read_depth_csv",
    "read_depth_set",
    "resize_depth",
    "write_depth_csv",
    "write_depth_png_mm",
    "write_depth_set",
]

DEPTH_CSV = "depth.csv"

_WANTED = ("image", "depth")
_PINHOLE = ("fx", "fy", "cx", "cy")
DEPTH_COLUMNS = (
    *_WANTED,
    "quantity",
    "scale",
    "encoding",
    "split",
    "source",
    *_PINHOLE,
    "labelled_by",
)

Intrinsics = tuple[float, float, float, float]
Benchmark = Literal["", "nyuv2", "kitti"]


@dataclass(frozen=True)
class DepthImage:
    """One photo and what is known of its depth.

    Attributes:
        image: Path of the photo, relative to the set's folder or absolute.
        depth: Path of the depth map, likewise; None where there is none.
        quantity: What its values are: ``depth`` is z-depth in metres after scaling; ``disparity``
            is inverse depth up to scale and shift (a label of a relative network).
        scale: What a stored value is multiplied by; None: 0.001 for PNG, 1 for ``.npy``.
        split: ``train``, ``validation``, ``test`` or empty.
        source: The scene, room or video it was taken in; splits never cut through one.
        intrinsics: ``fx, fy, cx, cy`` in pixels of the photo; None where unknown.
        labelled_by: The network that made the label; empty for measured and rendered depth.
        encoding: How 16-bit numbers are stored.
    """

    image: Path
    depth: Path | None
    quantity: Quantity = "depth"
    scale: float | None = None
    split: str = ""
    source: str = ""
    intrinsics: Intrinsics | None = None
    labelled_by: str = ""
    encoding: Encoding = "plain"


@dataclass(frozen=True)
class DepthSet:
    """Images of one data set, with depth or without.

    Attributes:
        name: As tables show it.
        root: Folder that paths are relative to; a training's runs go to its ``runs/``.
        items: In a fixed order.
        left_out: What was not taken, by reason, for logs.
        notes: What else is to be known of the set, in sentences, for logs.
        benchmark: Whose published protocol it is judged by; empty where it is no benchmark's.
    """

    name: str
    root: Path
    items: tuple[DepthImage, ...]
    left_out: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    benchmark: Benchmark = ""

    def __len__(self) -> int:
        return len(self.items)

    @property
    def runs_dir(self) -> Path:
        """Where trainings on this set go."""
        return self.root / "runs"

    def part(self, split: str) -> DepthSet:
        """Return the items of one split; it may be empty."""
        return replace(self, items=tuple(item for item in self.items if item.split == split))

    def labelled(self) -> DepthSet:
        """Return the items with depth; it may be empty."""
        return replace(self, items=tuple(item for item in self.items if item.depth is not None))

    def unlabelled(self) -> DepthSet:
        """Return the items without depth; it may be empty."""
        return replace(self, items=tuple(item for item in self.items if item.depth is None))

    def splits(self) -> dict[str, int]:
        """Return how many items each split has; items of no split count under ``""``."""
        return dict(Counter(item.split for item in self.items))

    def path(self, file: Path) -> Path:
        """Return where an item's file lies."""
        return self.root / file

    def read_image(self, item: DepthImage) -> NDArray[np.uint8]:
        """Return (H, W, 3) uint8 RGB, upright.

        Raises:
            MediaError: It does not read.
        """
        return read_image(self.path(item.image))

    def read_target(self, item: DepthImage) -> NDArray[np.float32]:
        """Return (h, w) float32 of the item's quantity, of the file's own size; NaN where unknown.

        Raises:
            InputError: It has no depth, or its file does not read.
        """
        if item.depth is None:
            raise InputError(f"{self.path(item.image)}: an image with depth is wanted, it has none")
        return read_depth(
            self.path(item.depth), item.scale, encoding=item.encoding, quantity=item.quantity
        )

    def read_disparity(self, item: DepthImage) -> NDArray[np.float32]:
        """Return (h, w) float32 disparity, NaN where unknown: of depth in metres it is 1 / z.

        Raises:
            InputError: It has no depth, or its file does not read.
        """
        target = self.read_target(item)
        return target if item.quantity == "disparity" else disparity_of(target)


def write_depth_set(data: DepthSet) -> None:
    """Write ``depth.csv`` into the set's folder, atomically; photos and depth are not touched."""
    write_depth_csv(data.root / DEPTH_CSV, data.items)


def write_depth_csv(path: Path, items: Sequence[DepthImage]) -> None:
    """Write items, atomically; columns that no item fills are left out.

    Args:
        path: The items' paths are relative to its folder.
        items: One row each.
    """
    rows = [_row(item) for item in items]
    columns = [c for c in DEPTH_COLUMNS if c in _WANTED or any(row[c] for row in rows)]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def read_depth_set(root: str | Path) -> DepthSet:
    """Return the depth set of a folder with ``depth.csv``, or of such a file.

    ``datasets.depth.open_depth`` also looks into the files, and leaves out what is damaged.

    Raises:
        InputError: The file does not hold what it should, or a file it names is not there; the
            message names the line.
    """
    root = Path(root)
    table = root / DEPTH_CSV if root.is_dir() else root
    items = read_depth_csv(table)
    name = table.parent.resolve().name if table.name == DEPTH_CSV else table.stem
    return DepthSet(name, table.parent, tuple(items))


def read_depth_csv(
    path: Path, *, left_out: Callable[[str, Path], None] | None = None
) -> list[DepthImage]:
    """Return the items of a CSV file (see the module's head).

    Args:
        path: The file.
        left_out: Is told the reason and the file of each row that names a file that is not there;
            the row is then left out.

    Raises:
        InputError: The file is missing, is not text, has unknown columns or a bad value, names
            nothing, or (without ``left_out``) a file it names is not there; the message names the
            line.
    """
    path = Path(path)
    items, rows = [], 0
    for line, row in csv_rows(path, _WANTED, DEPTH_COLUMNS):
        rows += 1
        try:
            item = _parse(row)
            gone = missing_file(path.parent, item)
            if gone is None:
                items.append(item)
            elif left_out is None:
                raise ValueError(f"{gone[1]} is wanted; there is no such file")
            else:
                left_out(*gone)
        except ValueError as error:
            raise InputError(f"{path}, line {line}: {error}") from error
    if not rows:
        raise InputError(f"{path}: one image or more is wanted, there is none below the header")
    return items


def missing_file(root: Path, item: DepthImage) -> tuple[str, Path] | None:
    """Return why and which file of an item is not there, or None where both are."""
    image = root / item.image
    if not image.is_file() and archive_of(image) is None:
        return "missing image", image
    if item.depth is not None and not (root / item.depth).is_file():
        return "missing depth", root / item.depth
    return None


def _row(item: DepthImage) -> dict[str, str]:
    row = dict.fromkeys(DEPTH_COLUMNS, "")
    row |= {"image": item.image.as_posix(), "split": item.split, "source": item.source}
    row["labelled_by"] = item.labelled_by
    if item.depth is not None:
        row["depth"] = item.depth.as_posix()
        if item.scale is not None and item.scale != file_scale(item.depth):
            row["scale"] = f"{item.scale:.9g}"
    if item.quantity != "depth":
        row["quantity"] = item.quantity
    if item.encoding != "plain":
        row["encoding"] = item.encoding
    if item.intrinsics is not None:
        row |= {name: f"{v:.9g}" for name, v in zip(_PINHOLE, item.intrinsics, strict=True)}
    return row


def _parse(row: Mapping[str, str]) -> DepthImage:
    if not row["image"]:
        raise ValueError("a path is wanted in image, it is empty")
    scale = cell_number(row, "scale")
    if scale is not None and scale <= 0:
        raise ValueError(f"a scale above 0 is wanted, {scale:g} came")
    return DepthImage(
        image=Path(row["image"]),
        depth=Path(row["depth"]) if row["depth"] else None,
        quantity=cast("Quantity", _one_of(row, "quantity", QUANTITIES)),
        scale=scale,
        split=_one_of(row, "split", SPLITS),
        source=row.get("source", ""),
        intrinsics=_intrinsics(row),
        labelled_by=row.get("labelled_by", ""),
        encoding=cast("Encoding", _one_of(row, "encoding", ENCODINGS)),
    )


def _one_of(row: Mapping[str, str], column: str, known: Sequence[str]) -> str:
    """Return a cell that must be one of some words; where it is empty the first."""
    value = row.get(column, "") or known[0]
    if value not in known:
        words = ", ".join(word for word in known if word)
        raise ValueError(f"{column} of {words} or nothing is wanted, {value!r} came")
    return value


def _intrinsics(row: Mapping[str, str]) -> Intrinsics | None:
    fx, fy, cx, cy = (cell_number(row, name) for name in _PINHOLE)
    if fx is None and fy is None and cx is None and cy is None:
        return None
    if fx is None or fy is None or cx is None or cy is None:
        raise ValueError(f"all of {', '.join(_PINHOLE)} are wanted, or none; some are empty")
    if fx <= 0 or fy <= 0:
        raise ValueError(f"focal lengths above 0 are wanted, {fx:g} and {fy:g} came")
    return fx, fy, cx, cy
