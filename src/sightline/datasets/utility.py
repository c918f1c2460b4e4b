"""Pristine images out of whatever is there: the one door for labelling of utility.

``open_pristine`` looks at the files of a folder (or at a file) and reads the layout it finds;
docs/utility.md describes them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sightline.datasets import coco, image_folders, imagenet, objects, yolo
from sightline.datasets.layouts import what_is_there
from sightline.datasets.leaks import refuse_leaks
from sightline.datasets.left_out import LeftOut
from sightline.datasets.utility_checks import fit_images
from sightline.datasets.utility_splits import draw_images, draw_splits
from sightline.errors import InputError
from sightline.records.objects import ObjectView
from sightline.records.utility import LABELS_TOML, PristineImage, PristineSet

__all__ = ["LAYOUTS", "draw_images", "draw_splits", "open_pristine"]


@dataclass(frozen=True)
class _Layout:
    """A layout: what is read, how it is recognised, what reads it, and what is left to check."""

    name: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, LeftOut], PristineSet]
    relative_boxes: bool = False
    checked: bool = False


def open_pristine(path: str | Path) -> PristineSet:
    """Return the images of a folder or a file, in whichever layout it is.

    Recognised by its files; see ``LAYOUTS``. What is missing or damaged is left out and counted in
    ``left_out``; pixels are not decoded, so damage behind a header shows when a photo is read.
    Where a data set has no split of its own, images have none; ``draw_splits`` makes one.

    Args:
        path: The folder or file.

    Raises:
        InputError: Nothing is known by that layout, what it holds does not read, nothing is left,
            more is damaged than left, or a picture or source is in two splits.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} is wanted: a folder or file of images; there is none")
    if path.is_dir() and (path / LABELS_TOML).is_file():
        raise InputError(
            f"{path}: images are wanted, a folder of labels ({LABELS_TOML}) came; name the folder "
            "of its images"
        )
    layout = next((known for known in LAYOUTS if known.recognises(path)), None)
    if layout is None:
        raise InputError(
            f"{path}: a layout of images is wanted: "
            f"{'; '.join(known.name for known in LAYOUTS)}. There is {what_is_there(path)}"
        )
    left_out = LeftOut()
    found = layout.read(path, left_out)
    images, notes = list(found.images), found.notes
    if not layout.checked:
        images, more = fit_images(found.root, images, left_out, relative=layout.relative_boxes)
        notes = (*notes, *more)
    left_out.check(path, len(images), "images")
    refuse_leaks(path, ((i.split, i.image.as_posix(), i.source) for i in images), "images")
    return replace(
        found,
        images=tuple(images),
        left_out=(*found.left_out, *left_out.counts()),
        notes=notes,
    )


def _holds_objects(path: Path) -> bool:
    return any(layout.recognises(path) for layout in objects.LAYOUTS if not _any_csv(path))


def _any_csv(path: Path) -> bool:
    """Whether a path is a CSV file that is no list of objects; their reader takes any."""
    if not path.is_file() or path.suffix.lower() != ".csv":
        return False
    try:
        with path.open(encoding="utf-8-sig") as stream:
            return "x0" not in {cell.strip() for cell in stream.readline().split(",")}
    except (OSError, UnicodeDecodeError):
        return True


def _objects(path: Path, _left_out: LeftOut) -> PristineSet:
    """Return the pictures of an object set with their boxes, splits and sources.

    The class of a picture is that of its objects; unknown where they are of several.
    """
    found = objects.open_objects(path)
    index = {name: i for i, name in enumerate(found.categories)}
    views: dict[Path, list[ObjectView]] = defaultdict(list)
    for view in found.views:
        views[view.image].append(view)
    images = []
    for image, own in views.items():
        categories = tuple(index[view.category] for view in own)
        images.append(
            PristineImage(
                image=image,
                category=categories[0] if len(set(categories)) == 1 else None,
                boxes=tuple(view.box for view in own),
                box_categories=categories,
                split=own[0].split,
                source=own[0].source,
            )
        )
    several = sum(image.category is None for image in images)
    notes = (f"{several} pictures show objects of several classes: theirs is unknown",)
    return PristineSet(
        found.name,
        found.root,
        tuple(images),
        found.categories,
        found.left_out,
        (*found.notes, *(notes if several else ())),
    )


#: In the order in which they are looked for.
LAYOUTS = (
    _Layout("COCO (annotations/instances_val2017.json, val2017)", coco.is_coco, coco.read_coco),
    _Layout(
        "objects with boxes (objects.csv, PASCAL3D+, rendered objects ...)",
        _holds_objects,
        _objects,
        checked=True,
    ),
    _Layout(
        "YOLO (images and labels, names in a .yaml or classes.txt)",
        yolo.is_yolo,
        yolo.read_yolo,
        relative_boxes=True,
    ),
    _Layout(
        "ImageNet's validation photos (ILSVRC2012_val_00000001.JPEG ...)",
        imagenet.is_imagenet,
        imagenet.read_imagenet,
    ),
    _Layout(
        "a table of photos and classes (labels.csv with file, class_index_0based)",
        image_folders.is_class_table,
        image_folders.read_class_table,
    ),
    _Layout("a folder a class", image_folders.is_class_folders, image_folders.read_class_folders),
    _Layout(
        "photos alone (a photo, a folder, a .tar, a list)",
        image_folders.holds_photos,
        image_folders.read_photos,
    ),
)
