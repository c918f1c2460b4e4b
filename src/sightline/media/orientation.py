"""The eight ways a stored picture is turned: EXIF orientations and video display matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Orientation(NamedTuple):
    """What makes a stored picture upright: transpose first, then reverse rows and columns."""

    transpose: bool
    reverse_rows: bool
    reverse_columns: bool

    @property
    def mirrored(self) -> bool:
        """Whether the picture is mirrored, whichever way it is turned."""
        return self.transpose ^ self.reverse_rows ^ self.reverse_columns

    @property
    def clockwise_deg(self) -> int:
        """Clockwise turn in {0, 90, 180, 270}; of a mirrored picture, the turn before mirroring."""
        reverse_columns = self.reverse_columns ^ self.mirrored
        if self.transpose:
            return 90 if reverse_columns else 270
        return 180 if reverse_columns else 0

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the upright picture, contiguous, from the stored (H, W, ...)."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        if self.reverse_rows:
            image = image[::-1]
        if self.reverse_columns:
            image = image[:, ::-1]
        return np.ascontiguousarray(image)

    def upright_size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) of the upright picture from those of the stored one."""
        return (height, width) if self.transpose else (width, height)


UPRIGHT = Orientation(False, False, False)

# EXIF 2.32, tag 0x0112: 6 is a phone held upright whose sensor is read sideways.
_BY_EXIF = {
    1: UPRIGHT,
    2: Orientation(False, False, True),
    3: Orientation(False, True, True),
    4: Orientation(False, True, False),
    5: Orientation(True, False, False),
    6: Orientation(True, False, True),
    7: Orientation(True, True, True),
    8: Orientation(True, True, False),
}


def from_exif(value: object) -> Orientation:
    """Return the orientation of EXIF tag 0x0112; values outside 1 to 8 mean upright."""
    return _BY_EXIF.get(value, UPRIGHT) if isinstance(value, int) else UPRIGHT


def from_display_matrix(matrix: Sequence[int]) -> Orientation:
    """Return the orientation nearest to a video's display matrix.

    Args:
        matrix: (9,) ``a b u c d v x y w`` as stored in an MP4 track header; it maps a stored
            pixel (p, q) to (a p + c q, b p + d q). Only the signs and the larger diagonal
            count: a picture turned by an odd angle is turned to the nearest quarter.

    Source: ISO/IEC 14496-12, 8.3.2; libavutil/display.h.
    """
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, d < 0, a < 0)
    return Orientation(True, b < 0, c < 0)
