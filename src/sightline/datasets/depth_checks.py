"""What of a depth set is fit to be used: damaged files are named, left out and counted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.media import photo_size
from sightline.media.png_header import png_size
from sightline.records.depth import DepthImage, depth_header, missing_file
from sightline.records.depth_files import DepthHeader, says_nothing

#: Height over width of photo and depth may differ by so much, beside one pixel of rounding.
_ASPECT = 0.02


def fit_items(root: Path, items: Iterable[DepthImage], left_out: LeftOut) -> list[DepthImage]:
    """Return the items whose files are there and whole, by their headers.

    Left out and counted are photos that are missing or are none, depth that is missing, of
    another kind, cut off or unknown everywhere, and depth of another shape than its photo (it
    cannot show the same view). Photos are not decoded: damage behind their header shows when they
    are read.

    Args:
        root: What paths are relative to.
        items: As a layout names them.
        left_out: Takes what is not fit.
    """
    kept = []
    for item in items:
        unfit = _unfit(root, item)
        if unfit is None:
            kept.append(item)
        else:
            left_out.add(*unfit)
    return kept


def _unfit(root: Path, item: DepthImage) -> tuple[str, Path] | None:
    gone = missing_file(root, item)
    if gone is not None:
        return gone
    image = root / item.image
    if not image.is_file():  # a member of a tar file
        return None
    try:
        width, height = png_size(image) or photo_size(image)
    except InputError:
        return "unreadable image", image
    if item.depth is None:
        return None
    depth = root / item.depth
    try:
        size = depth_header(depth)
        if says_nothing(depth, item.scale, quantity=item.quantity):
            return "depth unknown everywhere", depth
    except InputError:
        return "unreadable depth", depth
    return None if _same_shape(size, width, height) else ("depth of another shape", depth)


def _same_shape(depth: DepthHeader, width: int, height: int) -> bool:
    expected = width * depth.height / height
    return abs(depth.width - expected) <= 1 + _ASPECT * expected
