"""The cameras of a place's images: one for all in ``place.toml``, or ``cameras.csv``.

``cameras.csv`` is for images that differ: ``image,model,width,height,params``, the parameters in
COLMAP's order, separated by spaces, in our pixels (0, 0 is the centre of the first).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sightline.errors import GeometryError, InputError, PlaceError
from sightline.geometry import Camera
from sightline.records.csv_rows import csv_rows
from sightline.records.files import write_text
from sightline.records.place import Place

CAMERAS_CSV = "cameras.csv"
CAMERAS_COLUMNS = ("image", "model", "width", "height", "params")


def set_cameras(place: Place, cameras: Mapping[str, Camera], images: Iterable[str]) -> None:
    """Write the cameras of a place's images, replacing those that were known.

    Args:
        place: Is changed on disk.
        cameras: Image name -> camera; images of unknown cameras are left out.
        images: All images: one camera that they all share goes to ``place.toml``.
    """
    path = place.root / CAMERAS_CSV
    distinct = set(cameras.values())
    if len(distinct) == 1 and set(images) <= set(cameras):
        place.update(camera=_table(distinct.pop()))
        path.unlink(missing_ok=True)
        return
    place.update(camera=None)
    if not cameras:
        path.unlink(missing_ok=True)
        return
    write_cameras_csv(path, cameras)


def write_cameras_csv(path: Path, cameras: Mapping[str, Camera]) -> None:
    """Write ``cameras.csv``: image name -> camera, for images that differ from the others."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CAMERAS_COLUMNS)
    for image, camera in cameras.items():
        params = " ".join(repr(float(value)) for value in camera.params)
        writer.writerow([image, camera.model, camera.width, camera.height, params])
    write_text(path, stream.getvalue())


def place_cameras(place: Place, images: Iterable[str]) -> dict[str, Camera]:
    """Return the cameras of those of the images whose camera the place names.

    Raises:
        PlaceError: ``[camera]`` of ``place.toml`` does not read.
        InputError: ``cameras.csv`` does not read; the message names the line.
    """
    path = place.root / CAMERAS_CSV
    known = read_cameras_csv(path) if path.is_file() else {}
    common = common_camera(place)
    found = {image: known.get(image, common) for image in images}
    return {image: camera for image, camera in found.items() if camera is not None}


def common_camera(place: Place) -> Camera | None:
    """Return the camera that ``place.toml`` names for all images, or None.

    Raises:
        PlaceError: ``[camera]`` does not read.
    """
    table: dict[str, Any] | None = place.content.get("camera")
    if not table or "params" not in table:
        return None
    try:
        params = tuple(float(v) for v in table["params"])
        return Camera(str(table["model"]), int(table["width"]), int(table["height"]), params)
    except (KeyError, TypeError, ValueError, GeometryError) as error:
        raise PlaceError(
            f"{place.root / 'place.toml'}: [camera] with model, width, height, params is wanted "
            f"({error})"
        ) from error


def _table(camera: Camera) -> dict[str, Any]:
    return {
        "model": camera.model,
        "width": camera.width,
        "height": camera.height,
        "params": [float(value) for value in camera.params],
    }


def read_cameras_csv(path: Path) -> dict[str, Camera]:
    """Return what :func:`write_cameras_csv` wrote.

    Raises:
        InputError: The file does not read; the message names the line.
    """
    cameras: dict[str, Camera] = {}
    for line, row in csv_rows(path, CAMERAS_COLUMNS, CAMERAS_COLUMNS):
        try:
            params = tuple(float(value) for value in row["params"].split())
            cameras[row["image"]] = Camera(
                row["model"], int(row["width"]), int(row["height"]), params
            )
        except (ValueError, GeometryError) as error:
            raise InputError(f"{path}, line {line}: {error}") from error
    return cameras
