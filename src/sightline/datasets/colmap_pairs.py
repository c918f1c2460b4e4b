"""Posed images of a COLMAP model and of a place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.pair_lists import relative_to
from sightline.datasets.pairing import PosedView
from sightline.datasets.turned import as_read
from sightline.errors import InputError
from sightline.geometry import Camera
from sightline.media import photo_size
from sightline.records.cameras import place_cameras
from sightline.records.colmap import read_model
from sightline.records.colmap_files import has_model
from sightline.records.pairs import Unit
from sightline.records.place import Place


def views_of_model(folder: Path, images: Path | None = None) -> list[PosedView]:
    """Return the registered images of a COLMAP model, with the points each sees.

    Args:
        folder: The model. Paths come back relative to it, or absolute.
        images: The folder of its images; where not given it is looked for as ``images/`` in the
            model's folder and up to three folders above, as COLMAP's own layouts have it.

    Raises:
        InputError: The model does not read, or its images are not there.
        GeometryError: A camera model we do not know.
    """
    model = read_model(folder)
    if not model.frames:
        raise InputError(f"{folder}: a model with registered images is wanted, it has none")
    base = images or images_of_model(folder, next(iter(model.frames)))
    missing = [name for name in model.frames if not (base / name).is_file()]
    if missing:
        raise InputError(
            f"{base / missing[0]} is wanted ({len(missing)} of {len(model.frames)} images are "
            "missing); give the model's folder of images"
        )
    views = []
    for name, frame in model.frames.items():
        # COLMAP takes the pixels as they are stored.
        camera, pose = as_read(base / name, model.cameras[frame.camera_id], frame.world_from_cam)
        seen = _seen(frame.point_ids)
        views.append(PosedView(relative_to(base / name, folder), pose, camera, point_ids=seen))
    return views


def views_of_place(place: Place) -> tuple[list[PosedView], Unit]:
    """Return the registered images of a place with their splits, and the unit of its world.

    The points each sees come from the place's COLMAP model; without one there are none. Where
    some images are in a split, those in none (the guard between splits) are left out.

    Raises:
        PlaceError: The place has no poses yet.
        InputError: It has no image with a pose, or an image is missing.
    """
    frames = place.registered()
    if any(frame.split for frame in frames):
        frames = [frame for frame in frames if frame.split]
    missing = [f.image for f in frames if not (place.images_dir / f.image).is_file()]
    if not frames or missing:
        what = place.images_dir / missing[0] if missing else f"{place.root}: images with poses"
        raise InputError(f"{what} is wanted; there is none")
    model = read_model(place.model_dir) if has_model(place.model_dir) else None
    cameras = place_cameras(place, [frame.image for frame in frames])
    views = []
    for frame in frames:
        if frame.world_from_cam is None:  # registered() leaves none of these
            continue
        mapped = model.frames.get(frame.image) if model else None
        # An image that is in poses.csv and not in the model shares no point with any other.
        none = np.zeros(0, np.int64) if model else None
        camera = model.cameras[mapped.camera_id] if model and mapped else cameras.get(frame.image)
        guess = None if camera else Camera.guess(*photo_size(place.images_dir / frame.image))
        views.append(
            PosedView(
                Path("images") / frame.image,
                frame.world_from_cam,
                camera,
                guess,
                frame.timestamp_s,
                split=frame.split,
                point_ids=_seen(mapped.point_ids) if mapped else none,
            )
        )
    return views, "m" if place.unit == "m" else "arbitrary"


def _seen(point_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(point_ids[point_ids >= 0])


def images_of_model(folder: Path, first: str) -> Path:
    """Return the folder that holds a model's images, in COLMAP's own layouts.

    Args:
        folder: Of the model: its own, or ``images/`` in it or up to three folders above.
        first: The name of one of its images.

    Raises:
        InputError: The image is in none of them.
    """
    folder = folder.resolve()
    tried = [folder, *(up / "images" for up in (folder, *folder.parents[:3]))]
    for base in tried:
        if (base / first).is_file():
            return base
    raise InputError(
        f"{folder}: the images of the COLMAP model are wanted; {first} is in none of "
        f"{', '.join(map(str, tried))}; give their folder"
    )
