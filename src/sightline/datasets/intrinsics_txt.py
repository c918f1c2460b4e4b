"""Camera matrices in text files: nine numbers, row by row, as SUN RGB-D and KITTI write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.errors import InputError
from sightline.records.depth import Intrinsics


def read_intrinsics_txt(path: Path) -> Intrinsics | None:
    """Return ``fx, fy, cx, cy``; None where there is no such file.

    Raises:
        InputError: It holds something else.
    """
    if not path.is_file():
        return None
    try:
        numbers = [float(cell) for cell in path.read_text(encoding="utf-8-sig").split()]
    except ValueError:
        numbers = []
    if len(numbers) != 9 or not np.isfinite(numbers).all() or min(numbers[0], numbers[4]) <= 0:
        raise InputError(
            f"{path}: a camera matrix of nine numbers, row by row, is wanted, another thing came"
        )
    return numbers[0], numbers[4], numbers[2], numbers[5]
