"""PASCAL3D+'s folders and annotation files (v1.1), read and written.

A data set's folder holds, of each category::

    Annotations/car_imagenet/NAME.mat, Images/car_imagenet/NAME.JPEG
    Annotations/car_pascal/NAME.mat, Images/car_pascal/NAME.jpg
    Image_sets/car_imagenet_train.txt, car_imagenet_val.txt              names, one a line
    PASCAL/VOCdevkit/VOC2012/ImageSets/Main/train.txt, val.txt           the same, of all categories

An annotation is a MATLAB struct ``record``. Its boxes count pixels from 1 and hold their last
pixel; angles are in degrees (sightline.geometry.viewpoint says what they mean).

Source: Xiang, Mottaghi, Savarese 2014, and the toolkit of its release 1.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sightline.errors import InputError
from sightline.records.files import atomic_path
from sightline.records.matlab import read_matlab
from sightline.records.objects import Box

ANNOTATIONS, IMAGES, IMAGE_SETS = "Annotations", "Images", "Image_sets"
VOC_SETS = Path("PASCAL", "VOCdevkit", "VOC2012", "ImageSets", "Main")

#: Where a category's pictures come from: the second half of its folders' names.
Origin = Literal["imagenet", "pascal"]

#: A struct of a file, by its fields' names.
_Struct = Mapping[str, Any]

#: The toolkit's: a picture's focal length in pixels is ``focal * viewport``.
FOCAL, VIEWPORT = 1.0, 3000.0

_VIEWPOINT = (
    "azimuth_coarse", "elevation_coarse", "azimuth", "elevation", "distance", "focal", "px", "py",
    "theta", "error", "interval_azimuth", "interval_elevation", "num_anchor", "viewport",
)  # fmt: skip
_OBJECT = (
    "class", "view", "bbox", "anchors", "viewpoint", "cad_index", "truncated", "occluded",
    "difficult",
)  # fmt: skip
#: What is read; passing over the rest (anchors above all) halves the time.
_READ = frozenset(
    {"filename", "imgsize", "size", "width", "height", "objects", "bndbox", "xmin", "ymin", "xmax"}
    | {"ymax", *_VIEWPOINT, *_OBJECT}
) - {"anchors", "view", "error", "interval_azimuth", "interval_elevation", "num_anchor"}


@dataclass(frozen=True)
class Pascal3dObject:
    """One annotated object.

    Attributes:
        category: Its class.
        box: ``x0, y0, x1, y1`` in pixels from edge to edge; NaN where the file has none.
        azimuth_deg: None where the file has no view of it; elevation and tilt then too.
        elevation_deg: Of the camera over the object's ground.
        tilt_deg: In the picture plane, ``theta``.
        distance: From the camera, in sizes of the CAD model; 0 where only the coarse view is known.
        focal: Focal length in viewports.
        viewport: In pixels.
        px: Where the object's centre is seen, in pixels, 1-based.
        py: The same, downwards.
        truncated: Cut off by the picture's edge.
        occluded: Partly hidden.
        difficult: Hardly to be recognised.
        cad_index: Number of the CAD model that looks most alike, from 1; 0 where not known.
        coarse: The view is the annotator's first guess (the landmarks did not determine it).
    """

    category: str
    box: Box
    azimuth_deg: float | None = None
    elevation_deg: float | None = None
    tilt_deg: float | None = None
    distance: float = 0.0
    focal: float = FOCAL
    viewport: float = VIEWPORT
    px: float = 0.0
    py: float = 0.0
    truncated: bool = False
    occluded: bool = False
    difficult: bool = False
    cad_index: int = 0
    coarse: bool = False


@dataclass(frozen=True)
class Annotation:
    """What an annotation file says.

    Attributes:
        image: File name of the picture.
        size: Its width and height in pixels; None where the file does not say.
        objects: In the file's order.
    """

    image: str
    size: tuple[int, int] | None
    objects: tuple[Pascal3dObject, ...]


def folder_name(category: str, origin: Origin) -> str:
    """Return the folder, below ``Annotations`` and ``Images``, of a category's pictures."""
    return f"{category}_{origin}"


def image_set(root: Path, part: Literal["train", "val"], category: str, origin: Origin) -> Path:
    """Return the text file that names a part's pictures; PASCAL's names those of all categories."""
    if origin == "pascal":
        return root / VOC_SETS / f"{part}.txt"
    return root / IMAGE_SETS / f"{folder_name(category, origin)}_{part}.txt"


def write_annotation(
    path: Path,
    image_name: str,
    size: tuple[int, int],
    objects: Sequence[Pascal3dObject],
    *,
    database: str,
) -> None:
    """Write an annotation file, atomically.

    Args:
        path: Ends in ``.mat``.
        image_name: File name of the picture.
        size: Its width and height in pixels.
        objects: What it shows.
        database: Where the picture comes from.
    """
    from scipy.io import savemat

    width, height = size
    record = {
        "folder": path.parent.name,
        "filename": image_name,
        "source": {"database": database, "annotation": database, "image": database},
        "size": {"width": width, "height": height, "depth": 3},
        "segmented": 0,
        "imgname": f"{path.parent.name}/{image_name}",
        "imgsize": [float(width), float(height), 3.0],
        "database": database,
        "objects": _struct_array(objects),
    }
    with atomic_path(path) as temporary:
        savemat(temporary, {"record": record}, appendmat=False)


def read_annotation(path: Path) -> Annotation:
    """Return an annotation file's content.

    Where the landmarks did not determine an object's view (its distance is 0, or the fine angles
    are not there), the coarse angles are its view, as in the toolkit.

    Raises:
        InputError: The file is missing, damaged, or no annotation.
    """
    record = next(_structs(read_matlab(path, "record", _READ)), None)
    if record is None:
        raise InputError(
            f"{path}: a PASCAL3D+ annotation is wanted, but its `record` is no MATLAB struct"
        )
    try:
        return Annotation(
            image=_text(record, "filename"),
            size=_size(record),
            objects=tuple(_object(found) for found in _structs(record.get("objects"))),
        )
    except ValueError as error:
        raise InputError(f"{path}: a PASCAL3D+ annotation is wanted; {error}") from error


def _struct_array(objects: Sequence[Pascal3dObject]) -> np.ndarray[Any, np.dtype[Any]]:
    array = np.empty((1, len(objects)), dtype=[(name, object) for name in _OBJECT])
    for i, o in enumerate(objects):
        x0, y0, x1, y1 = (float(v) for v in o.box)
        none: Any = np.zeros((0, 0))
        array[0, i] = (
            o.category,
            "Unspecified",
            [x0 + 1.0, y0 + 1.0, x1, y1],
            none,
            none if o.azimuth_deg is None else _viewpoint(o),
            o.cad_index,
            int(o.truncated),
            int(o.occluded),
            int(o.difficult),
        )
    return array


def _viewpoint(o: Pascal3dObject) -> dict[str, float]:
    values = dict.fromkeys(_VIEWPOINT, 0.0)
    values["azimuth_coarse"] = values["azimuth"] = float(o.azimuth_deg or 0.0)
    values["elevation_coarse"] = values["elevation"] = float(o.elevation_deg or 0.0)
    values["theta"] = float(o.tilt_deg or 0.0)
    for name in ("distance", "focal", "viewport", "px", "py"):
        values[name] = float(getattr(o, name))
    return values


def _object(found: _Struct) -> Pascal3dObject:
    view = next(_structs(found.get("viewpoint")), {})
    distance = _number(view, "distance", 0.0)
    fine = _angles(view, "azimuth", "elevation")
    coarse = distance == 0.0 or fine is None
    angles = (_angles(view, "azimuth_coarse", "elevation_coarse") or fine) if coarse else fine
    return Pascal3dObject(
        category=_text(found, "class"),
        box=_box(found),
        azimuth_deg=angles[0] if angles else None,
        elevation_deg=angles[1] if angles else None,
        tilt_deg=_number(view, "theta", 0.0) if angles else None,
        distance=distance,
        focal=_number(view, "focal", FOCAL),
        viewport=_number(view, "viewport", VIEWPORT),
        px=_number(view, "px", 0.0),
        py=_number(view, "py", 0.0),
        truncated=bool(_number(found, "truncated", 0.0)),
        occluded=bool(_number(found, "occluded", 0.0)),
        difficult=bool(_number(found, "difficult", 0.0)),
        cad_index=int(_number(found, "cad_index", 0.0)),
        coarse=coarse and angles is not None,
    )


def _angles(view: _Struct, azimuth: str, elevation: str) -> tuple[float, float] | None:
    a, e = (_number(view, name, math.nan) for name in (azimuth, elevation))
    return (a, e) if math.isfinite(a) and math.isfinite(e) else None


def _box(found: _Struct) -> Box:
    corners = _numbers(found, "bbox")
    if len(corners) == 4:
        x1, y1, x2, y2 = corners
    else:  # PASCAL VOC's own struct, which some files have beside or instead
        bounds = next(_structs(found.get("bndbox")), {})
        x1, y1, x2, y2 = (_number(bounds, n, math.nan) for n in ("xmin", "ymin", "xmax", "ymax"))
    return x1 - 1.0, y1 - 1.0, x2, y2


def _size(record: _Struct) -> tuple[int, int] | None:
    sides = _numbers(record, "imgsize")[:2]
    if len(sides) < 2:
        size = next(_structs(record.get("size")), {})
        sides = [_number(size, name, math.nan) for name in ("width", "height")]
    return (int(sides[0]), int(sides[1])) if all(map(math.isfinite, sides)) else None


def _structs(value: Any) -> Iterator[_Struct]:
    """Yield the structs in a value: one, an array of them, or cells that hold them."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _structs(item)


def _plain(value: Any) -> Any:
    """Return what cells of one hold."""
    while isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    return value


def _numbers(found: _Struct, name: str) -> list[float]:
    value = _plain(found.get(name))
    if value is None or value == "":
        return []
    if not isinstance(value, list) or (value and isinstance(value[0], dict)):
        raise ValueError(f"a number is wanted in `{name}`, {type(value).__name__} came")
    return [float(v) for v in value]


def _number(found: _Struct, name: str, default: float) -> float:
    values = _numbers(found, name)
    if len(values) > 1:
        raise ValueError(f"one number is wanted in `{name}`, {len(values)} came")
    return values[0] if values and math.isfinite(values[0]) else default


def _text(found: _Struct, name: str) -> str:
    value = _plain(found.get(name))
    return value if isinstance(value, str) else ""
