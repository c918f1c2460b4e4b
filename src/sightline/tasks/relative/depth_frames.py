"""Depth of training images, where a pair set has it: cut and scaled as the images' frames are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.learning.cache import FrameSize
from sightline.records.pairs import depth_beside

_M_PER_UNIT = 0.001


class DepthFrames:
    """Depth of frames by image, in memory (2 bytes a pixel).

    A depth picture may be smaller than its photo: it shows the same view. The nearest value is
    taken, never a mixture of near and far.
    """

    def __init__(self, root: Path, sizes: Mapping[str, FrameSize]) -> None:
        """Read the depth of every image; see :meth:`there`.

        Raises:
            InputError: A depth picture is missing, or is not one of 16 bits.
        """
        self._frames = {
            name: _read(depth_beside(root / name), size) for name, size in sizes.items()
        }

    @classmethod
    def there(cls, root: Path, sizes: Mapping[str, FrameSize]) -> DepthFrames | None:
        """Return the depth of all images, or None where the first has none.

        Raises:
            InputError: Some have depth and some have not.
        """
        first = next(iter(sizes), None)
        if first is None or not depth_beside(root / first).is_file():
            return None
        return cls(root, sizes)

    def __getitem__(self, image: Path) -> NDArray[np.float32]:
        """Return the (H, W) z-depth of an image's frame in metres, 0 where unknown."""
        return self._frames[image.as_posix()].astype(np.float32) * np.float32(_M_PER_UNIT)


def _read(path: Path, size: FrameSize) -> NDArray[np.uint16]:
    import cv2

    depth = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if depth is None or depth.dtype != np.uint16 or depth.ndim != 2:
        raise InputError(
            f"{path} is wanted, a 16-bit PNG of depth in millimetres (other images of the set have "
            "theirs); write it, or remove the others"
        )
    height, width = depth.shape
    left, top, right, bottom = size.source_box(width, height)
    column = left + (np.arange(size.width) + 0.5) * (right - left) / size.width
    row = top + (np.arange(size.height) + 0.5) * (bottom - top) / size.height
    x = np.clip(column.astype(int), 0, width - 1)
    y = np.clip(row.astype(int), 0, height - 1)
    frame: NDArray[np.uint16] = depth[y[:, None], x]
    return frame
