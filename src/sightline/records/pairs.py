"""Image pairs with their relative pose, and the CSV file and folder that hold them.

A pair set is a folder with ``pairs.csv``, ``pairs.toml`` (``name``, ``unit``, ``source``) and the
images, which ``pairs.csv`` names relative to the folder. Columns, of which only the first two must
be there; cells may be empty::

    image_a,image_b                 paths relative to the file's folder
    scene,split,overlap             group; train, validation, test; share of the view seen by both
    qw,qx,qy,qz,tx,ty,tz            b_from_a: x_b = R x_a + t
    fx_a,fy_a,cx_a,cy_a             intrinsics of a in pixels; (0, 0) is the top-left pixel's centre
    width_a,height_a                size the intrinsics belong to; the image's own where not given
    k1_a,k2_a,p1_a,p2_a             distortion (OPENCV), none where not given
    fx_b, ...                       the same of b
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from sightline.errors import GeometryError, InputError
from sightline.geometry import Camera, Pose
from sightline.media import photo_size
from sightline.records.csv_rows import cell_number, csv_rows
from sightline.records.files import read_toml, write_text, write_toml
from sightline.records.frames import SPLITS

PAIRS_CSV = "pairs.csv"
PAIRS_TOML = "pairs.toml"

#: Of translations: metres, the data set's own unknown unit, or no length at all (unit vectors).
Unit = Literal["m", "arbitrary", "direction"]

_SizeOf = Callable[[Path], tuple[int, int]]

_POSE = ("qw", "qx", "qy", "qz", "tx", "ty", "tz")
_PINHOLE = ("fx", "fy", "cx", "cy")
_SIZE = ("width", "height")
_DISTORTION = ("k1", "k2", "p1", "p2")
_CAMERA = (*_PINHOLE, *_SIZE, *_DISTORTION)
PAIRS_COLUMNS = (
    "image_a",
    "image_b",
    "scene",
    "split",
    "overlap",
    *_POSE,
    *(f"{name}_{side}" for side in "ab" for name in _CAMERA),
)


@dataclass(frozen=True, eq=False)
class ImagePair:
    """Two images and, where known, how the second camera stands to the first.

    Attributes:
        image_a: Path of the first image, relative to the set's folder or absolute.
        image_b: Path of the second.
        b_from_a: ``x_b = R x_a + t``; None where unknown.
        camera_a: Intrinsics of the first image; None where unknown.
        camera_b: Intrinsics of the second.
        scene: What the pair belongs to: a room, a scan, a landmark. Splits are made by scene.
        split: ``train``, ``validation``, ``test`` or empty.
        overlap: Share of the view that both see, in [0, 1]; the smaller of the two directions.
    """

    image_a: Path
    image_b: Path
    b_from_a: Pose | None = None
    camera_a: Camera | None = None
    camera_b: Camera | None = None
    scene: str = ""
    split: str = ""
    overlap: float | None = None

    def swapped(self) -> ImagePair:
        """Return the pair in the other order, with the inverse pose."""
        return replace(
            self,
            image_a=self.image_b,
            image_b=self.image_a,
            camera_a=self.camera_b,
            camera_b=self.camera_a,
            b_from_a=None if self.b_from_a is None else self.b_from_a.inverse(),
        )


@dataclass(frozen=True, eq=False)
class PairSet:
    """Image pairs of one kind.

    Attributes:
        name: As tables show it.
        root: Folder that the pairs' paths are relative to; a training's runs go to its ``runs/``.
        pairs: In a fixed order.
        unit: Of the translations.
        source: Where the truth comes from, in words.
    """

    name: str
    root: Path
    pairs: tuple[ImagePair, ...]
    unit: Unit = "direction"
    source: str = ""

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def runs_dir(self) -> Path:
        """Where trainings on this set go."""
        return self.root / "runs"

    def part(self, split: str) -> PairSet:
        """Return the pairs of one split.

        Raises:
            InputError: There is none.
        """
        chosen = tuple(pair for pair in self.pairs if pair.split == split)
        if not chosen:
            there = ", ".join(f"{n} of {s or 'no split'}" for s, n in self.splits().items())
            raise InputError(
                f"{self.root}: pairs of the split {split!r} are wanted, there are {there}"
            )
        return replace(self, pairs=chosen)

    def splits(self) -> dict[str, int]:
        """Return the number of pairs in each split."""
        return dict(Counter(pair.split for pair in self.pairs))

    def path(self, image: Path) -> Path:
        """Return where an image lies."""
        return self.root / image


def depth_beside(image: Path) -> Path:
    """Return where an image's depth lies, if it has one.

    A 16-bit PNG of z-depth in millimetres, 0 where unknown, of the same view and any size.
    """
    return image.with_suffix(".depth.png")


def write_pair_set(pairs: PairSet) -> None:
    """Write ``pairs.csv`` and ``pairs.toml`` into the set's folder; images are not touched."""
    write_pairs_csv(pairs.root / PAIRS_CSV, pairs.pairs)
    write_toml(
        pairs.root / PAIRS_TOML,
        {"name": pairs.name, "unit": pairs.unit, "source": pairs.source},
    )


def read_pair_set(root: str | Path) -> PairSet:
    """Return the pair set of a folder.

    Raises:
        InputError: A file is missing or does not hold what it should; the message names the line.
    """
    root = Path(root)
    pairs = read_pairs_csv(root / PAIRS_CSV)
    table = read_toml(root / PAIRS_TOML) if (root / PAIRS_TOML).is_file() else {}
    unit = table.get("unit", "arbitrary")
    if unit not in get_args(Unit):
        raise InputError(
            f"{root / PAIRS_TOML}: a unit of {', '.join(get_args(Unit))} is wanted, {unit!r} came"
        )
    name, source = str(table.get("name", root.resolve().name)), str(table.get("source", ""))
    return PairSet(name, root, tuple(pairs), unit, source)


def write_pairs_csv(path: Path, pairs: Sequence[ImagePair]) -> None:
    """Write pairs, atomically; columns that no pair fills are left out."""
    rows = [_row(pair) for pair in pairs]
    columns = [c for c in PAIRS_COLUMNS if c[:5] == "image" or any(row[c] for row in rows)]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def read_pairs_csv(path: Path) -> list[ImagePair]:
    """Return the pairs of a CSV file (see the module's head); the images must be there.

    Raises:
        InputError: The file or an image is missing, it is not text, has unknown columns, or a bad
            value; the message names the line.
    """
    path = Path(path)
    sizes: dict[Path, tuple[int, int]] = {}

    def size_of(image: Path) -> tuple[int, int]:
        if image not in sizes:
            sizes[image] = photo_size(path.parent / image)
        return sizes[image]

    pairs = []
    for line, row in csv_rows(path, ("image_a", "image_b"), PAIRS_COLUMNS):
        try:
            pairs.append(_parse(row, path.parent, size_of))
        except (ValueError, GeometryError, InputError) as error:
            raise InputError(f"{path}, line {line}: {error}") from error
    if not pairs:
        raise InputError(f"{path}: one pair or more is wanted, there is none below the header")
    return pairs


def _row(pair: ImagePair) -> dict[str, str]:
    row = dict.fromkeys(PAIRS_COLUMNS, "")
    row |= {
        "image_a": pair.image_a.as_posix(),
        "image_b": pair.image_b.as_posix(),
        "scene": pair.scene,
        "split": pair.split,
    }
    if pair.overlap is not None:
        row["overlap"] = f"{pair.overlap:.4f}"
    if pair.b_from_a is not None:
        numbers = (*pair.b_from_a.q_wxyz, *pair.b_from_a.translation)
        row |= {name: f"{v:.9g}" for name, v in zip(_POSE, numbers, strict=True)}
    for side, camera in (("a", pair.camera_a), ("b", pair.camera_b)):
        if camera is not None:
            row |= {f"{name}_{side}": text for name, text in _camera_cells(camera).items()}
    return row


def _camera_cells(camera: Camera) -> dict[str, str]:
    numbers = (camera.fx, camera.fy, camera.cx, camera.cy)
    cells = {name: f"{v:.9g}" for name, v in zip(_PINHOLE, numbers, strict=True)}
    cells |= {"width": str(camera.width), "height": str(camera.height)}
    if any(camera.distortion):
        filled = (*camera.distortion, 0.0, 0.0, 0.0)[:4]
        cells |= {name: f"{v:.9g}" for name, v in zip(_DISTORTION, filled, strict=True)}
    return cells


def _parse(row: Mapping[str, str], root: Path, size_of: _SizeOf) -> ImagePair:
    images = []
    for column in ("image_a", "image_b"):
        if not row[column]:
            raise ValueError(f"a path is wanted in {column}, it is empty")
        if not (root / row[column]).is_file():
            raise ValueError(f"{root / row[column]} is wanted; there is no such file")
        images.append(Path(row[column]))
    split = row.get("split", "")
    if split not in SPLITS:
        raise ValueError(f"a split of {', '.join(SPLITS[1:])} or none is wanted, {split!r} came")
    overlap = cell_number(row, "overlap")
    if overlap is not None and not 0 <= overlap <= 1:
        raise ValueError(f"an overlap between 0 and 1 is wanted, {overlap:g} came")
    pose = _numbers(row, _POSE)
    return ImagePair(
        images[0],
        images[1],
        None if pose is None else Pose(np.array(pose[:4]), np.array(pose[4:])),
        _camera(row, "a", images[0], size_of),
        _camera(row, "b", images[1], size_of),
        row.get("scene", ""),
        split,
        overlap,
    )


def _camera(row: Mapping[str, str], side: str, image: Path, size_of: _SizeOf) -> Camera | None:
    pinhole = _numbers(row, tuple(f"{name}_{side}" for name in _PINHOLE))
    if pinhole is None:
        return None
    size = _numbers(row, tuple(f"{name}_{side}" for name in _SIZE))
    if size is not None and any(v != int(v) or v < 1 for v in size):
        raise ValueError(f"a size in whole pixels is wanted, {size[0]:g} x {size[1]:g} came")
    width, height = size_of(image) if size is None else (int(size[0]), int(size[1]))
    distortion = [cell_number(row, f"{name}_{side}") or 0.0 for name in _DISTORTION]
    if any(distortion):
        return Camera("OPENCV", width, height, (*pinhole, *distortion))
    return Camera("PINHOLE", width, height, tuple(pinhole))


def _numbers(row: Mapping[str, str], names: Sequence[str]) -> list[float] | None:
    """Return all numbers of a group, or None where all are empty."""
    values = [cell_number(row, name) for name in names]
    missing = [name for name, value in zip(names, values, strict=True) if value is None]
    if len(missing) == len(names):
        return None
    if missing:
        raise ValueError(f"all of {', '.join(names)} are wanted, or none; {missing[0]} is empty")
    return [value for value in values if value is not None]
