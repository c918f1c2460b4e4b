"""At what size a network sees a picture; imports without torch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import InputError

Filter = Literal["bilinear", "bicubic"]


def input_size(width: int, height: int, area: float, multiple: int) -> tuple[int, int]:
    """Return the width and height that a network sees a picture at.

    The picture keeps its aspect but for the rounding to multiples, of which the pair with the
    least distortion is taken. A picture so long that its short side would be under one multiple
    gets one multiple there, and no more than the area in all: it is squeezed.

    Args:
        width: Of the picture, in pixels.
        height: The same.
        area: About how many pixels the network shall see.
        multiple: What width and height are multiples of.
    """
    scale = math.sqrt(area / (width * height))
    longest = max(multiple, int(area / multiple) // multiple * multiple)
    pairs = [
        (w, h)
        for w in _around(width * scale, multiple, longest)
        for h in _around(height * scale, multiple, longest)
    ]

    def badness(pair: tuple[int, int]) -> float:
        distortion = abs(math.log(pair[0] / pair[1] * height / width))
        return distortion + 0.25 * abs(math.log(pair[0] * pair[1] / area))

    return min(pairs, key=badness)


def batches_of_one_size(
    images: Sequence[NDArray[np.uint8]], size_of: Callable[[int, int], tuple[int, int]], batch: int
) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """Yield the (width, height) that pictures are seen at, and the numbers of those seen together.

    Args:
        images: Pictures of any sizes.
        size_of: Gives what a picture of a width and height is seen at.
        batch: Most pictures seen together.

    Raises:
        InputError: One is no picture.
    """
    by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        check_picture(image)
        by_size[size_of(image.shape[1], image.shape[0])].append(index)
    for size, members in by_size.items():
        for start in range(0, len(members), batch):
            yield size, members[start : start + batch]


def resized(
    image: NDArray[np.uint8], size: tuple[int, int], resample: Filter = "bilinear"
) -> NDArray[np.uint8]:
    """Return a picture at (width, height); bilinear is how training frames are made."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling[resample.upper()]))


def fit_inside(width: int, height: int, frame_w: int, frame_h: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of where a picture lies that fills a frame, in its middle.

    Args:
        width: Of the picture, which keeps its aspect.
        height: The same.
        frame_w: Of the frame.
        frame_h: The same.
    """
    scale = min(frame_w / width, frame_h / height)
    inner_w = min(frame_w, max(1, round(width * scale)))
    inner_h = min(frame_h, max(1, round(height * scale)))
    left, top = (frame_w - inner_w) // 2, (frame_h - inner_h) // 2
    return left, top, left + inner_w, top + inner_h


def check_picture(image: NDArray[np.uint8]) -> None:
    """Refuse what is no picture.

    Raises:
        InputError: Not uint8 (H, W, 3), or without a pixel.
    """
    good = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size > 0
    if not good:
        raise InputError(
            f"a uint8 RGB picture of shape (H, W, 3) is wanted, {image.dtype} {image.shape} came"
        )


def is_one_colour(image: NDArray[np.uint8]) -> bool:
    """Return whether all pixels of a (H, W, 3) picture are alike: no depth shows in it."""
    # Few pixels first: almost all pictures are known by them to have colours.
    return not any((part != image[0, 0]).any() for part in (image[::16, ::16], image))


def _around(length: float, multiple: int, longest: int) -> list[int]:
    """Return the multiples below and above a length, within one multiple and the longest."""
    below = math.floor(length / multiple) * multiple
    return sorted({min(max(n, multiple), longest) for n in (below, below + multiple)})
