"""The pixels behind a label: augmented and distorted copies, made again from the pristine file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.media.distortions import distort
from sightline.records.utility import Box, UtilityItem

Photo = NDArray[np.uint8]

#: A crop keeps at least this share of each side.
SMALLEST_CROP = 0.8

#: A box of which less than this share lies in the crop is no longer looked for.
_SEEN = 0.5


@dataclass(frozen=True)
class Crop:
    """What an augmented copy shows of its image, in pixels of the image.

    Attributes:
        left: First column.
        top: First row.
        width: Columns.
        height: Rows.
        mirrored: Whether left and right are then exchanged.
    """

    left: int
    top: int
    width: int
    height: int
    mirrored: bool

    def pixels(self, image: Photo) -> Photo:
        """Return the copy of a (H, W, 3) image."""
        rows = slice(self.top, self.top + self.height)
        cut = image[rows, self.left : self.left + self.width]
        return np.ascontiguousarray(cut[:, ::-1] if self.mirrored else cut)

    def boxes(self, boxes: Iterable[Box]) -> tuple[list[int], list[Box]]:
        """Return the boxes that the copy still shows, cut to it, and which ones they are."""
        which: list[int] = []
        kept: list[Box] = []
        for index, (x0, y0, x1, y1) in enumerate(boxes):
            left, right = (float(np.clip(x - self.left, 0, self.width)) for x in (x0, x1))
            top, bottom = (float(np.clip(y - self.top, 0, self.height)) for y in (y0, y1))
            if (right - left) * (bottom - top) < _SEEN * (x1 - x0) * (y1 - y0):
                continue
            if self.mirrored:
                left, right = self.width - right, self.width - left
            which.append(index)
            kept.append((left, top, right, bottom))
        return which, kept


def crop_of(seed: int, width: int, height: int) -> Crop:
    """Return the crop that a copy's seed stands for: of at least 0.8 of each side, anywhere."""
    random = np.random.default_rng([seed, 1])
    shares = random.uniform(SMALLEST_CROP, 1.0, 2)
    columns, rows = (math.ceil(s * n) for s, n in zip(shares, (width, height), strict=True))
    left, top = random.integers(0, [width - columns + 1, height - rows + 1])
    return Crop(int(left), int(top), columns, rows, bool(random.integers(2)))


def pristine_copy(image: Photo, seed: int, augmented: int) -> Photo:
    """Return what is distorted: the pristine (H, W, 3) image, or an augmented copy's crop of it."""
    if not augmented:
        return image
    height, width = image.shape[:2]
    return crop_of(seed, width, height).pixels(image)


def distorted_copy(image: Photo, item: UtilityItem) -> tuple[Photo, Photo]:
    """Return the pristine and the distorted image that a label speaks of.

    Args:
        image: (H, W, 3) uint8 RGB, the item's pristine image as read.
        item: The label.

    Returns:
        Both uint8; the pristine one is cropped where the copy is an augmented one; the distorted
        one has its size (but for downscaling).
    """
    pristine = pristine_copy(image, item.seed, item.augmented)
    return pristine, distort(pristine, item.distortion, item.seed)
