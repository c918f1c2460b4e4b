"""Images with depth out of whatever is there: the one door for training and evaluation.

``open_depth`` looks at the files of a folder (or at a file) and reads the layout it finds;
docs/depth-data.md describes them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sightline.datasets import (
    depth_folders,
    depth_json,
    depth_lists,
    kitti_depth,
    nyuv2,
    rendered_depth,
    sun_rgbd,
    tum_depth,
)
from sightline.datasets.depth_checks import fit_items
from sightline.datasets.depth_splits import split_by_source
from sightline.datasets.layouts import what_is_there
from sightline.datasets.leaks import refuse_leaks
from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError, MediaError
from sightline.media.image_sources import ARCHIVE_SUFFIX, LIST_SUFFIX, image_names
from sightline.records.depth import DEPTH_CSV, DepthImage, DepthSet, read_depth_csv

__all__ = ["LAYOUTS", "open_depth", "split_by_source"]
from sightline.records.depth_labels import LABELS_TOML, is_label_folder, read_label_folder


@dataclass(frozen=True)
class _Layout:
    """A layout: what is read, how it is recognised, and what reads it."""

    name: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, LeftOut], DepthSet]


def open_depth(path: str | Path) -> DepthSet:
    """Return the images and depth of a folder or a file, in whichever layout it is.

    Recognised by its files; see ``LAYOUTS``. What is missing, damaged, unknown everywhere or of
    another shape is left out and counted in ``left_out``. Where a data set has no split of its
    own, images have none; ``split_by_source`` makes one.

    Args:
        path: The folder or file.

    Raises:
        InputError: Nothing is known by that layout, what it holds does not read, nothing is left,
            more is damaged than left, or a picture or source is in two splits.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} is wanted: a folder or file of images with depth; there is none")
    layout = next((known for known in LAYOUTS if known.recognises(path)), None)
    if layout is None:
        raise InputError(
            f"{path}: a layout of images with depth is wanted: "
            f"{'; '.join(known.name for known in LAYOUTS)}. There is {what_is_there(path)}"
        )
    left_out = LeftOut()
    found = layout.read(path, left_out)
    items = fit_items(found.root, found.items, left_out)
    left_out.check(path, len(items), "images")
    refuse_leaks(path, ((i.split, i.image.as_posix(), i.source) for i in items), "images")
    return replace(found, items=tuple(items), left_out=(*found.left_out, *left_out.counts()))


def _csv(path: Path, left_out: LeftOut) -> DepthSet:
    table = path / DEPTH_CSV if path.is_dir() else path
    name = table.parent.resolve().name if table.name == DEPTH_CSV else table.stem
    items = tuple(read_depth_csv(table, left_out=left_out.add))
    imported = (table.parent / nyuv2.NYUV2_TOML).is_file()
    return DepthSet(name, table.parent, items, benchmark="nyuv2" if imported else "")


def _holds_photos(path: Path) -> bool:
    """Return whether there are photos in a folder or archive, or a list names some."""
    if path.is_file() and path.suffix.lower() not in (ARCHIVE_SUFFIX, LIST_SUFFIX):
        return False
    try:
        return bool(image_names(path))
    except MediaError:
        return False


def _photos(path: Path, _left_out: LeftOut) -> DepthSet:
    found = image_names(path)
    items = tuple(DepthImage(Path(name), None) for name in found.names)
    notes = ("photos only: there is no depth",)
    return DepthSet(path.resolve().stem, found.root, items, (), notes)


#: In the order in which they are looked for.
LAYOUTS = (
    _Layout(f"a depth set ({DEPTH_CSV})", lambda p: (p / DEPTH_CSV).is_file(), _csv),
    _Layout(
        f"labels of a network ({LABELS_TOML})",
        is_label_folder,
        lambda path, _: read_label_folder(path),
    ),
    _Layout("a table with the columns image, depth (.csv)", depth_lists.is_depth_csv, _csv),
    _Layout(
        "pictures listed with their cameras (depth.json)",
        depth_json.is_depth_json,
        depth_json.read_depth_json,
    ),
    _Layout(f"NYUv2 ({nyuv2.LABELLED_MAT})", nyuv2.is_nyuv2_mat, nyuv2.refuse_mat),
    _Layout(
        "a list of `image depth` a line (.txt, .csv)",
        depth_lists.is_depth_list,
        depth_lists.read_depth_list,
    ),
    _Layout("TUM RGB-D (rgb.txt, depth.txt)", tum_depth.is_tum_depth, tum_depth.read_tum_depth),
    _Layout(
        "image pairs with depth beside (pairs.csv, 000.depth.png)",
        rendered_depth.is_pair_set,
        rendered_depth.read_pairs_depth,
    ),
    _Layout(
        "KITTI's selection (image, groundtruth_depth, intrinsics)",
        kitti_depth.is_kitti_selection,
        kitti_depth.read_kitti_selection,
    ),
    _Layout(
        "KITTI's drives (proj_depth/groundtruth, image_02/data)",
        kitti_depth.is_kitti_drives,
        kitti_depth.read_kitti_drives,
    ),
    _Layout(
        "SUN RGB-D (image, depth_bfx or depth, intrinsics.txt)",
        sun_rgbd.is_sun_rgbd,
        sun_rgbd.read_sun_rgbd,
    ),
    _Layout(
        "photos and depth of the same names (rgb/1.jpg and depth/1.png, a.jpg and a_depth.png)",
        depth_folders.is_depth_folder,
        depth_folders.read_depth_folder,
    ),
    _Layout("photos alone (a folder, a .tar, a list)", _holds_photos, _photos),
)
