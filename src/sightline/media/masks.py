"""Masks in and out, by COLMAP's convention: black pixels are ignored, all others count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, MediaError
from sightline.media.photo import read_photo

Mask = NDArray[np.bool_]

MASK_SUFFIX = ".png"

#: A mask may differ from its picture's shape by this share: sizes are whole pixels.
_SHAPE_TOLERANCE = 0.01


def mask_name(image: str) -> str:
    """Return the file name that COLMAP wants of a picture's mask: ``0000.jpg.png``."""
    return image + MASK_SUFFIX


def read_mask(path: Path) -> Mask:
    """Return (H, W) whether each pixel counts: False where the mask is black.

    Raises:
        InputError: The file is no PNG: JPEG's black is not quite black.
        MediaError: It cannot be read.
    """
    if path.suffix.lower() != MASK_SUFFIX:
        raise InputError(
            f"a mask as PNG is wanted (black is ignored), {path} came; lossy formats blur its edges"
        )
    from PIL import Image

    picture = read_photo(path)  # names what does not read
    with Image.open(path) as image:
        if image.mode.startswith(("I", "F")):  # 16 bits and more: 1 is not black
            return np.asarray(np.asarray(image) != 0, dtype=np.bool_)
        if image.mode == "P" or "A" in image.getbands():  # what is transparent has a colour too
            picture = np.asarray(image.convert("RGB"))
    return np.asarray(picture.any(axis=2), dtype=np.bool_)


def write_mask(path: Path, counts: Mask) -> None:
    """Write (H, W) whether each pixel counts as a black and white PNG of one bit a pixel.

    Raises:
        MediaError: The file cannot be written.
    """
    from PIL import Image

    try:
        Image.fromarray(np.where(counts, np.uint8(255), np.uint8(0))).convert("1").save(path, "PNG")
    except OSError as error:
        raise MediaError(f"{path} cannot be written: {error}") from error


def fit_mask(counts: Mask, width: int, height: int) -> Mask:
    """Return a mask at a picture's size; made larger or smaller, never stretched.

    Raises:
        InputError: The mask has another shape.
    """
    rows, columns = counts.shape
    if (columns, rows) == (width, height):
        return counts
    if not _same_shape(columns, rows, width, height):
        turned = " (is it turned?)" if _same_shape(rows, columns, width, height) else ""
        raise InputError(
            f"a mask of the picture's shape, {width} x {height} pixels, is wanted, "
            f"{columns} x {rows} came{turned}"
        )
    # The pixel of the mask that the middle of each pixel lies in.
    y = ((np.arange(height) + 0.5) * rows / height).astype(np.int64)
    x = ((np.arange(width) + 0.5) * columns / width).astype(np.int64)
    fitted: Mask = counts[np.ix_(y, x)]
    return fitted


def _same_shape(columns: int, rows: int, width: int, height: int) -> bool:
    return abs(columns * height - rows * width) <= _SHAPE_TOLERANCE * columns * height
