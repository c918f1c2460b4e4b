"""How a network reads pictures: size, colours, normalisation, layout; imports without torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import InputError
from sightline.geometry.rotation import Array
from sightline.tasks.utility.machines.machine import Photo

#: ``stretch``: the whole picture without regard to its shape; ``center``: its middle in the input's
#: shape; ``letterbox``: the whole picture in its own shape, grey beside it.
Resize = Literal["stretch", "center", "letterbox"]
Filter = Literal["nearest", "bilinear", "bicubic", "lanczos", "box"]
Colour = Literal["rgb", "bgr"]
Layout = Literal["nchw", "nhwc"]

#: Pixels that a batch may have, so that activations stay within a few gigabytes.
_BATCH_PIXELS = 32 * 224 * 224
_MOST_IMAGES = 32

#: What stands beside a letterboxed picture (YOLO's grey).
_GREY = (114, 114, 114)


@dataclass(frozen=True)
class Placement:
    """Where a picture's pixels lie in a network's input: ``x_input = x * scale_x + left``.

    Attributes:
        scale_x: Input pixels per pixel of the picture, across.
        scale_y: The same, down.
        left: Input pixels left of the picture; negative where its side is cut off.
        top: The same, above.
    """

    scale_x: float
    scale_y: float
    left: float
    top: float

    def back(self, boxes: Array) -> Array:
        """Return (n, 4) boxes of the input in pixels of the picture."""
        offset = np.array([self.left, self.top, self.left, self.top])
        scale = np.array([self.scale_x, self.scale_y, self.scale_x, self.scale_y])
        moved: Array = (boxes - offset) / scale
        return moved


@dataclass(frozen=True)
class Reading:
    """How pictures become a network's input.

    Attributes:
        width: Of the input, in pixels.
        height: The same.
        resize: What happens to pictures of another shape.
        short_side: ``center``: pixels of the picture's shorter side before the middle is cut out;
            0: those that just fill the input.
        resample: How pixels are mixed.
        colour: Order of the channels.
        layout: Order of the axes.
        scale: Pixels (0 to 255) are multiplied by it.
        mean: Then subtracted, a channel each, in the order of ``colour``.
        std: Then divided by.
    """

    width: int = 224
    height: int = 224
    resize: Resize = "stretch"
    short_side: int = 0
    resample: Filter = "bilinear"
    colour: Colour = "rgb"
    layout: Layout = "nchw"
    scale: float = 1.0 / 255.0
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        most = max(self.width, self.height)
        if self.resize == "center" and 0 < self.short_side < most:
            raise InputError(
                f"a short side of at least {most} pixels is wanted, the input's own, "
                f"{self.short_side} came"
            )

    @property
    def batch(self) -> int:
        """How many images go through a network at once."""
        return max(1, min(_MOST_IMAGES, _BATCH_PIXELS // (self.width * self.height)))

    def placement(self, width: int, height: int) -> Placement:
        """Return where a picture of a size lies in the input."""
        if self.resize == "stretch":
            return Placement(self.width / width, self.height / height, 0.0, 0.0)
        if self.resize == "letterbox":
            scale = min(self.width / width, self.height / height)
            across, down = max(1, round(width * scale)), max(1, round(height * scale))
            left, top = (self.width - across) // 2, (self.height - down) // 2
            return Placement(across / width, down / height, float(left), float(top))
        fill = max(self.width / width, self.height / height)
        # as torchvision rounds: the shorter side exactly, the longer one down
        short = self.short_side or round(min(width, height) * fill)
        across, down = (
            (short, int(short * height / width))
            if width <= height
            else (int(short * width / height), short)
        )
        left, top = round((across - self.width) / 2), round((down - self.height) / 2)
        return Placement(across / width, down / height, float(-left), float(-top))

    def pixels(self, image: Photo) -> Photo:
        """Return the (height, width, 3) uint8 RGB input of a picture."""
        height, width = image.shape[:2]
        place = self.placement(width, height)
        picture = Image.fromarray(image)
        how = Image.Resampling[self.resample.upper()]
        size = (self.width, self.height)
        if self.resize == "letterbox":
            across, down = round(width * place.scale_x), round(height * place.scale_y)
            whole = Image.new("RGB", size, _GREY)
            whole.paste(picture.resize((across, down), how), (int(place.left), int(place.top)))
            return np.asarray(whole)
        # only what is seen is computed: a strip of 1 x 10,000 pixels is no picture of gigabytes
        left, top = -place.left / place.scale_x, -place.top / place.scale_y
        right, bottom = left + self.width / place.scale_x, top + self.height / place.scale_y
        box = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
        return np.asarray(picture.resize(size, how, box=box))

    def normalise(self, pixels: Photo) -> NDArray[np.float32]:
        """Return the float32 input, in the layout, of (N, H, W, 3) uint8 RGB pixels."""
        ordered = pixels[..., ::-1] if self.colour == "bgr" else pixels
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        values: NDArray[np.float32] = (ordered * np.float32(self.scale) - mean) / std
        if self.layout == "nchw":
            values = values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(values)


def batches(
    images: Sequence[Photo], reading: Reading, most: int = 0
) -> Iterator[tuple[list[int], Photo]]:
    """Yield which images come next, and their (n, H, W, 3) uint8 RGB pixels.

    Args:
        images: uint8 (H, W, 3) RGB, each of any size.
        reading: How the network reads them.
        most: Images at once at most; 0: as many as memory allows.

    Raises:
        InputError: One is not such an image.
    """
    size = min(most, reading.batch) if most else reading.batch
    for start in range(0, len(images), size):
        which = list(range(start, min(start + size, len(images))))
        for i in which:
            check_image(images[i], i)
        yield which, np.stack([reading.pixels(images[i]) for i in which])


def check_image(image: Any, index: int) -> None:
    """Raise where a value is no uint8 (H, W, 3) RGB image.

    Raises:
        InputError: It is not.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise InputError(
            f"uint8 RGB images of shape (H, W, 3) are wanted, {array.dtype} {array.shape} came "
            f"at {index}"
        )
