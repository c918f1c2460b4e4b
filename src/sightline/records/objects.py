"""Objects seen in pictures: where, of which category, and how turned.

An object set's own file is a CSV, ``objects.csv``, whose paths are relative to its folder. Of its
columns the first six must be there; cells of the others may be empty::

    image,x0,y0,x1,y1,category      the box in pixels, from edge to edge: all is 0,0,width,height
    azimuth_deg,elevation_deg,tilt_deg   how it is turned (sightline.geometry.viewpoint); of a
                                    turned object only the tilt may be empty, which is then 0
    split                           train, validation, test
    source                          the model or photo it was made of; splits never cut through one
    focal_px                        focal length in pixels, where known
    rendered                        1 for renderings of the kind that only teach pose
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sightline.errors import InputError
from sightline.geometry.rotation import Array
from sightline.geometry.viewpoint import cam_from_object, viewpoint
from sightline.media import photo_size
from sightline.records.csv_rows import cell_number, csv_rows
from sightline.records.files import write_text
from sightline.records.frames import SPLITS

OBJECTS_CSV = "objects.csv"

#: PASCAL3D+'s categories, in the order of the paper's tables, and the names in their heads.
CATEGORIES = {
    "aeroplane": "aero",
    "bicycle": "bike",
    "boat": "boat",
    "bottle": "bottle",
    "bus": "bus",
    "car": "car",
    "chair": "chair",
    "diningtable": "dtable",
    "motorbike": "mbike",
    "sofa": "sofa",
    "train": "train",
    "tvmonitor": "tv",
}

#: How often an object looks the same in one turn about its upright axis; 0: from everywhere. Of
#: equal fronts the one nearest to the camera is the front, as PASCAL3D+'s annotators have it.
SYMMETRY = {"bottle": 0, "diningtable": 2}

Box = tuple[float, float, float, float]

_BOX = ("x0", "y0", "x1", "y1")
_ANGLES = ("azimuth_deg", "elevation_deg", "tilt_deg")
_WANTED = ("image", *_BOX, "category")
OBJECTS_COLUMNS = (*_WANTED, *_ANGLES, "split", "source", "focal_px", "rendered")


@dataclass(frozen=True)
class ObjectView:
    """One object in one picture.

    Attributes:
        image: Path, relative to the set's folder or absolute.
        box: ``x0, y0, x1, y1`` in pixels from edge to edge: the whole picture is 0, 0, w, h.
        category: Its name.
        cam_from_object: Unit ``wxyz`` rotation from the object's axes to the camera's; None where
            unknown.
        split: ``train``, ``validation``, ``test`` or empty.
        source: The model, photo or video it was made of.
        focal_px: Focal length in the picture's pixels; None where unknown.
        rendered: A rendering of the kind that only teaches pose (the paper's steps 2 and 3).
    """

    image: Path
    box: Box
    category: str
    cam_from_object: tuple[float, float, float, float] | None = None
    split: str = ""
    source: str = ""
    focal_px: float | None = None
    rendered: bool = False


@dataclass(frozen=True)
class ObjectSet:
    """Objects of one data set.

    Attributes:
        name: As tables show it.
        root: Folder that the views' paths are relative to; a training's runs go to its ``runs/``.
        views: In a fixed order.
        categories: All categories, in the order of tables and of a network's outputs.
        left_out: What was not taken, by reason, for logs: ``truncated``, ``missing image (first:
            FILE)`` ...
        notes: What else is to be known of the set, in sentences, for logs.
    """

    name: str
    root: Path
    views: tuple[ObjectView, ...]
    categories: tuple[str, ...]
    left_out: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.views)

    @property
    def runs_dir(self) -> Path:
        """Where trainings on this set go."""
        return self.root / "runs"

    def part(self, split: str) -> ObjectSet:
        """Return the views of one split.

        Raises:
            InputError: There is none.
        """
        chosen = tuple(view for view in self.views if view.split == split)
        if not chosen:
            there = ", ".join(f"{n} of {s or 'no split'}" for s, n in self.splits().items())
            raise InputError(
                f"{self.root}: objects of the split {split!r} are wanted, there are {there}"
            )
        return replace(self, views=chosen)

    def splits(self) -> dict[str, int]:
        """Return the number of views in each split."""
        return dict(Counter(view.split for view in self.views))

    def counts(self, split: str) -> dict[str, int]:
        """Return the number of a split's views of each category (the paper's Table 2)."""
        found = Counter(view.category for view in self.views if view.split == split)
        return {category: found[category] for category in self.categories}

    def path(self, view: ObjectView) -> Path:
        """Return where a view's image lies."""
        return self.root / view.image


def rotations(views: tuple[ObjectView, ...]) -> Array:
    """Return (N, 4) ``cam_from_object``; rows of NaN where a view has none."""
    unknown = (np.nan,) * 4
    return np.array([v.cam_from_object or unknown for v in views], dtype=np.float64).reshape(-1, 4)


def clipped(box: Box, size: tuple[int, int]) -> Box:
    """Return the part of a box that lies in the picture.

    Args:
        box: In pixels, from edge to edge.
        size: The picture's width and height.

    Raises:
        ValueError: The box has no area, or lies outside the picture.
    """
    x0, y0, x1, y1 = box
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"a box with x0 < x1 and y0 < y1 is wanted, {_numbers(box)} came")
    width, height = size
    inside = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    if not (inside[2] > inside[0] and inside[3] > inside[1]):
        raise ValueError(
            f"a box in the picture of {width} x {height} pixels is wanted, {_numbers(box)} came"
        )
    return inside


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return categories, each once: PASCAL3D+'s in its order, then others by name."""
    there = set(names)
    return tuple(c for c in CATEGORIES if c in there) + tuple(sorted(there - set(CATEGORIES)))


def write_objects_csv(path: Path, views: Sequence[ObjectView]) -> None:
    """Write views, atomically; columns that no view fills are left out.

    Args:
        path: The views' images are relative to its folder.
        views: One row each.
    """
    known = [v.cam_from_object for v in views if v.cam_from_object is not None]
    angles = iter(np.degrees(np.stack(viewpoint(np.reshape(known, (-1, 4))), axis=-1)).tolist())
    rows = [_row(v, None if v.cam_from_object is None else next(angles)) for v in views]
    columns = [c for c in OBJECTS_COLUMNS if c in _WANTED or any(row[c] for row in rows)]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def read_objects_csv(path: Path, *, missing: list[Path] | None = None) -> list[ObjectView]:
    """Return the views of a CSV file (see the module's head); boxes are cut to their pictures.

    Args:
        path: The file.
        missing: Takes the images that are not there, one a row, whose rows are then left out.

    Raises:
        InputError: The file is missing, is not text, has unknown columns or a bad value, an image
            does not read, or (without ``missing``) is not there; the message names the line.
    """
    path = Path(path)
    sizes: dict[str, tuple[int, int]] = {}
    views, angles = [], []
    for line, row in csv_rows(path, _WANTED, OBJECTS_COLUMNS):
        try:
            view, turned = _parse(row)
            image = path.parent / view.image
            if row["image"] not in sizes:
                if not image.is_file():
                    if missing is None:
                        raise ValueError(f"{image} is wanted; there is no such file")
                    missing.append(image)
                    continue
                sizes[row["image"]] = photo_size(image)
            views.append(replace(view, box=clipped(view.box, sizes[row["image"]])))
            angles.append(turned)
        except (ValueError, InputError) as error:
            raise InputError(f"{path}, line {line}: {error}") from error
    if not views and not missing:
        raise InputError(f"{path}: one object or more is wanted, there is none below the header")
    return _with_rotations(views, angles)


def _with_rotations(
    views: Sequence[ObjectView], angles: Sequence[tuple[float, float, float] | None]
) -> list[ObjectView]:
    """Return the views turned by their angles in degrees, all in one go (one by one is slow)."""
    known = {i: a for i, a in enumerate(angles) if a is not None}
    turned = list(views)
    if known:
        a, e, t = np.radians(list(known.values())).T
        for i, q in zip(known, cam_from_object(a, e, t).tolist(), strict=True):
            turned[i] = replace(views[i], cam_from_object=tuple(q))
    return turned


def _row(view: ObjectView, angles_deg: Sequence[float] | None) -> dict[str, str]:
    row = dict.fromkeys(OBJECTS_COLUMNS, "")
    row |= {"image": view.image.as_posix(), "category": view.category}
    row |= {"split": view.split, "source": view.source}
    row |= {name: f"{v:.9g}" for name, v in zip(_BOX, view.box, strict=True)}
    if angles_deg is not None:
        row |= {name: f"{v:.9g}" for name, v in zip(_ANGLES, angles_deg, strict=True)}
    if view.focal_px is not None:
        row["focal_px"] = f"{view.focal_px:.9g}"
    if view.rendered:
        row["rendered"] = "1"
    return row


def _parse(row: Mapping[str, str]) -> tuple[ObjectView, tuple[float, float, float] | None]:
    for column in ("image", "category"):
        if not row[column]:
            raise ValueError(f"a value is wanted in {column}, it is empty")
    box = tuple(_needed(row, name) for name in _BOX)
    split, rendered = row.get("split", ""), row.get("rendered", "")
    if split not in SPLITS:
        raise ValueError(f"a split of {', '.join(SPLITS[1:])} or none is wanted, {split!r} came")
    if rendered not in ("", "0", "1"):
        raise ValueError(f"1, 0 or nothing is wanted in rendered, {rendered!r} came")
    focal_px = cell_number(row, "focal_px")
    if focal_px is not None and focal_px <= 0:
        raise ValueError(f"a focal length above 0 is wanted, {focal_px:g} came")
    view = ObjectView(
        image=Path(row["image"]),
        box=(box[0], box[1], box[2], box[3]),
        category=row["category"],
        split=split,
        source=row.get("source", ""),
        focal_px=focal_px,
        rendered=rendered == "1",
    )
    return view, _angles(row)


def _angles(row: Mapping[str, str]) -> tuple[float, float, float] | None:
    azimuth, elevation, tilt = (cell_number(row, name) for name in _ANGLES)
    if azimuth is None and elevation is None and tilt is None:
        return None
    if azimuth is None or elevation is None:
        raise ValueError(
            "both of azimuth_deg, elevation_deg are wanted, or neither and no tilt_deg"
        )
    if abs(elevation) > 90.0:
        raise ValueError(f"an elevation from -90 to 90 degrees is wanted, {elevation:g} came")
    return azimuth, elevation, tilt or 0.0


def _needed(row: Mapping[str, str], name: str) -> float:
    value = cell_number(row, name)
    if value is None:
        raise ValueError(f"a number is wanted in {name}, it is empty")
    return value


def _numbers(box: Box) -> str:
    return ", ".join(f"{v:g}" for v in box)
