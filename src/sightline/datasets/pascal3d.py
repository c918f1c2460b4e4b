"""PASCAL3D+ v1.1, or any set in its layout, as the paper divides it.

Training objects are those of ImageNet's pictures (its train and val lists), validation objects
those of PASCAL's training pictures, test objects those of PASCAL's validation pictures; truncated,
occluded and difficult ones are left out (paper 001, Sec. 4.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.geometry.viewpoint import cam_from_object
from sightline.media.orientation import UPRIGHT
from sightline.media.photo import photo_header
from sightline.records.objects import ObjectSet, ObjectView, clipped, in_order
from sightline.records.pascal3d import (
    ANNOTATIONS,
    IMAGE_SETS,
    IMAGES,
    Origin,
    Pascal3dObject,
    folder_name,
    image_set,
    read_annotation,
)

#: Outside this many picture sides, a focal length is a stand-in and not the camera's.
_FOCAL_SIDES = (0.2, 30.0)


@dataclass(frozen=True)
class _Folder:
    """Annotations and pictures of one category and origin."""

    category: str
    origin: Origin
    annotations: Path
    images: Path


def is_pascal3d(root: Path) -> bool:
    """Whether the folder has PASCAL3D+'s two halves."""
    return (root / ANNOTATIONS).is_dir() and (root / IMAGES).is_dir()


def read_pascal3d(root: Path, categories: Sequence[str] | None = None) -> ObjectSet:
    """Return the objects of a folder in PASCAL3D+'s layout.

    A file counts its own category's objects only: those of other categories in the picture have
    their view in their own category's file. Damaged files and missing pictures are left out.

    Args:
        root: Holds ``Annotations`` and ``Images``.
        categories: Only these; all that are there where not given.

    Raises:
        InputError: A list of pictures or a wanted category is missing, nothing is left, or more is
            damaged than left.
    """
    folders = [f for f in _folders(root) if categories is None or f.category in categories]
    absent = sorted(set(categories or ()) - {f.category for f in folders})
    if not folders or absent:
        raise InputError(
            f"{root / ANNOTATIONS}: folders such as {absent[0] if absent else 'car'}_imagenet or "
            f"{absent[0] if absent else 'car'}_pascal are wanted, there is none"
        )
    left_out = LeftOut()
    found: list[tuple[ObjectView, Pascal3dObject]] = []
    for folder in folders:
        found.extend(_views(root, folder, left_out))
    left_out.check(root, len(found))
    angles = [(o.azimuth_deg, o.elevation_deg, o.tilt_deg) for _, o in found]
    turns = cam_from_object(*np.radians(np.array(angles, dtype=np.float64).T)).tolist()
    coarse = sum(o.coarse for _, o in found)
    return ObjectSet(
        name=root.resolve().name,
        root=root,
        views=tuple(_turned(view, q) for (view, _), q in zip(found, turns, strict=True)),
        categories=in_order(view.category for view, _ in found),
        left_out=left_out.counts(),
        notes=(f"{coarse} of {len(found)} views are coarse guesses (their distance is 0)",)
        if coarse
        else (),
    )


def _folders(root: Path) -> Iterator[_Folder]:
    for origin in get_args(Origin):
        names = [p.name for p in (root / ANNOTATIONS).iterdir() if p.is_dir()]
        there = {n.removesuffix(f"_{origin}") for n in names if n.endswith(f"_{origin}")}
        for category in in_order(there - {""}):
            name = folder_name(category, origin)
            yield _Folder(category, origin, root / ANNOTATIONS / name, root / IMAGES / name)


def _views(
    root: Path, folder: _Folder, left_out: LeftOut
) -> Iterator[tuple[ObjectView, Pascal3dObject]]:
    """Yield the views that one folder has to give, not yet turned, beside their objects."""
    splits = _splits(root, folder)
    images = {}
    if folder.images.is_dir():
        images = {path.stem: path for path in sorted(folder.images.iterdir())}
    annotations = {path.stem: path for path in sorted(folder.annotations.glob("*.mat"))}
    if folder.origin == "imagenet":  # PASCAL's lists name pictures of all categories
        for stem in sorted((splits or {}).keys() - annotations.keys()):
            left_out.add("missing annotation", folder.annotations / f"{stem}.mat")
    for stem, annotation in annotations.items():
        if splits is not None and stem not in splits:
            left_out.add("in no list of pictures")
            continue
        try:
            objects = read_annotation(annotation).objects
        except InputError:
            left_out.add("broken annotation", annotation)
            continue
        mine = [o for o in objects if o.category == folder.category]
        whole = [o for o in mine if not _refused(o, left_out)]
        if not whole:
            continue
        if stem not in images:
            left_out.add("missing image", folder.images / f"{stem}.*")
            continue
        split = "train" if splits is None else splits[stem]
        yield from _of_image(root, images[stem], whole, split, left_out)


def _of_image(
    root: Path, image: Path, objects: Sequence[Pascal3dObject], split: str, left_out: LeftOut
) -> Iterator[tuple[ObjectView, Pascal3dObject]]:
    try:
        width, height, orientation = photo_header(image)
    except InputError:
        left_out.add("broken image", image)
        return
    if orientation != UPRIGHT:
        # The annotators' tools showed pictures as stored; held upright, no box would fit.
        left_out.add("image turned by its EXIF", image)
        return
    for o in objects:
        try:
            box = clipped(o.box, (width, height))
        except ValueError:
            left_out.add("box without area in the picture")
            continue
        view = ObjectView(
            image=image.relative_to(root),
            box=box,
            category=o.category,
            split=split,
            source=_source(image.stem, o.category),
            focal_px=_focal_px(o, max(width, height)),
        )
        yield view, o


def _refused(o: Pascal3dObject, left_out: LeftOut) -> bool:
    reasons = {
        "truncated": o.truncated,
        "occluded": o.occluded,
        "difficult": o.difficult,
        "without a view": o.azimuth_deg is None,
    }
    reason = next((name for name, applies in reasons.items() if applies), None)
    if reason:
        left_out.add(reason)
    return reason is not None


def _splits(root: Path, folder: _Folder) -> dict[str, str] | None:
    """Return the split of each picture; None where all are of ``train``."""
    if folder.origin == "imagenet":
        if not (root / IMAGE_SETS).is_dir():
            return None
        named = {"train": "train", "val": "train"}
    else:
        named = {"train": "validation", "val": "test"}
    splits: dict[str, str] = {}
    for part in ("train", "val"):
        path = image_set(root, part, folder.category, folder.origin)
        if folder.origin == "imagenet" and part == "val" and not path.is_file():
            continue
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise InputError(
                f"{path} is wanted: the names of {folder.annotations.name}'s pictures, one a "
                "line; it does not read"
            ) from error
        # a second column, where there is one, says -1 of pictures without the category
        rows = [line.split() for line in lines]
        splits |= {row[0]: named[part] for row in rows if row and row[1:] != ["-1"]}
    return splits


def _source(stem: str, category: str) -> str:
    """Return the model of a rendering named ``car_0012_03``, or the photo."""
    made = re.fullmatch(rf"({re.escape(category)}_\d+)_\d+", stem)
    return made[1] if made else stem


def _focal_px(o: Pascal3dObject, side_px: int) -> float | None:
    """Return the focal length where the landmarks were fitted with one that can be."""
    focal_px = o.focal * o.viewport
    low, high = (share * side_px for share in _FOCAL_SIDES)
    return focal_px if o.distance > 0 and low <= focal_px <= high else None


def _turned(view: ObjectView, q_wxyz: Sequence[float]) -> ObjectView:
    # Not dataclasses.replace, which takes longer than reading the annotation.
    w, x, y, z = q_wxyz
    return ObjectView(
        view.image, view.box, view.category, (w, x, y, z), view.split, view.source, view.focal_px
    )
