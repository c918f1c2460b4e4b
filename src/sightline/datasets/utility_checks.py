"""What of pristine images is fit to be used: damaged files are named, left out and counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.media.image_sources import archive_of
from sightline.media.orientation import UPRIGHT
from sightline.media.photo import photo_header
from sightline.records.objects import clipped
from sightline.records.utility import Box, PristineImage

#: The first frame of these is what machines see.
ANIMATED_NOTE = "{} animated GIFs: the first frame of each is taken"


def fit_images(
    root: Path,
    images: Iterable[PristineImage],
    left_out: LeftOut,
    *,
    relative: bool = False,
) -> tuple[list[PristineImage], tuple[str, ...]]:
    """Return the images whose files are there and are photos by their headers, and notes.

    Boxes are cut to their pictures. Pixels are not decoded: damage behind a header shows when the
    photo is read. Photos in archives are not looked at.

    Args:
        root: What paths are relative to.
        images: As a layout names them.
        left_out: Takes what is not fit.
        relative: Boxes are in shares of width and height.
    """
    kept, animated = [], 0
    for image in images:
        path = root / image.image
        if not path.is_file():
            if archive_of(path) is not None:
                kept.append(image)
            else:
                left_out.add("missing image", path)
            continue
        fit = _fit(path, image, left_out, relative)
        if fit is not None:
            kept.append(fit)
            animated += path.suffix.lower() == ".gif" and _is_animated(path)
    return kept, (ANIMATED_NOTE.format(animated),) if animated else ()


def _fit(
    path: Path, image: PristineImage, left_out: LeftOut, relative: bool
) -> PristineImage | None:
    try:
        width, height, orientation = photo_header(path)
    except InputError:
        left_out.add("unreadable image", path)
        return None
    if not image.boxes:
        return image
    if orientation != UPRIGHT:
        # Annotators' tools show pictures as stored; held upright, no box would fit.
        left_out.add("image turned by its EXIF, with boxes", path)
        return None
    boxes: list[tuple[Box, int]] = []
    for box, category in zip(image.boxes, image.box_categories, strict=True):
        x0, y0, x1, y1 = box
        in_px = (x0 * width, y0 * height, x1 * width, y1 * height) if relative else box
        try:
            boxes.append((clipped(in_px, (width, height)), category))
        except ValueError:
            left_out.add("box without area in the picture")
    return replace(
        image,
        boxes=tuple(box for box, _ in boxes),
        box_categories=tuple(category for _, category in boxes),
    )


def _is_animated(path: Path) -> bool:
    from PIL import GifImagePlugin

    try:
        with GifImagePlugin.GifImageFile(path) as opened:
            return bool(opened.is_animated)
    except (OSError, SyntaxError, ValueError, EOFError):
        return False
