"""COLMAP's database, read in the worker."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pycolmap

_TRIES, _PAUSE_S = 30, 0.1


def open_database(path: str | Path) -> pycolmap.Database:
    """Return COLMAP's database, waited for while another process has it locked.

    COLMAP gives up at once; the progress of a stage is read from the file by the process that
    started it, which locks it for a moment.

    Args:
        path: The file.

    Raises:
        RuntimeError: As COLMAP, where it does not open within three seconds.
        ValueError: The same.
    """
    import pycolmap

    for _ in range(_TRIES - 1):
        try:
            return pycolmap.Database.open(str(path))
        except (RuntimeError, ValueError):
            time.sleep(_PAUSE_S)
    return pycolmap.Database.open(str(path))


def inlier_matches(database: pycolmap.Database, a: int, b: int) -> NDArray[np.int64]:
    """Return (K, 2) verified matches of two images, keypoint rows of the first and the second."""
    if not database.exists_two_view_geometry(a, b):
        return np.zeros((0, 2), dtype=np.int64)
    geometry = database.read_two_view_geometry(a, b)
    return np.asarray(geometry.inlier_matches, dtype=np.int64).reshape(-1, 2)
