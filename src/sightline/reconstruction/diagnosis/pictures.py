"""Sharpness, light and texture of a place's pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import MediaError
from sightline.geometry.rotation import Array
from sightline.media.photo import photo_size

#: Longer side in pixels of the picture that is measured, as in ``doctor.sharpness``.
MEASURED_SIDE_PX = 640
#: Grey levels from which a pixel is burnt out, and up to which it is black.
BURNT_LEVEL, BLACK_LEVEL = 250, 12
#: Contrast of a FAST corner against its circle, in grey levels.
_CORNER_CONTRAST = 12
_NEIGHBOURS = 6


@dataclass(frozen=True)
class PictureFacts:
    """What one picture is like; grey levels run from 0 to 255.

    Attributes:
        width: Of the picture held upright, in pixels.
        height: The same.
        sharpness: Variance of the Laplacian at 640 pixels or fewer; low means blurred.
        contrast: Standard deviation of the grey levels.
        brightness: Median grey level.
        black: Share of the pixels that are black.
        burnt: Share of the pixels that are burnt out.
        corners: FAST corners at 640 pixels or fewer.
    """

    width: int
    height: int
    sharpness: float
    contrast: float
    brightness: float
    black: float
    burnt: float
    corners: int


def measure_picture(path: Path) -> PictureFacts:
    """Return the facts of one picture.

    Raises:
        MediaError: Missing, cut off, or not a picture.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            # JPEG can be decoded at 1/2 or 1/4 straight away; the whole file is read all the same.
            image.draft("L", (MEASURED_SIDE_PX, MEASURED_SIDE_PX))
            grey = np.asarray(image.convert("L"), dtype=np.uint8)
    except FileNotFoundError as error:
        raise MediaError(f"{path} is wanted; there is no such file") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(
            f"{path}: a whole picture is wanted, it does not read ({error})"
        ) from error
    factor = MEASURED_SIDE_PX / max(grey.shape)
    if factor < 1:
        grey = np.asarray(
            cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
        )
    return _facts(grey, *photo_size(path))


def _facts(grey: NDArray[np.uint8], width: int, height: int) -> PictureFacts:
    corners = cv2.FastFeatureDetector.create(threshold=_CORNER_CONTRAST).detect(grey)
    return PictureFacts(
        width=width,
        height=height,
        sharpness=float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        contrast=float(grey.std()),
        brightness=float(np.median(grey)),
        black=float((grey <= BLACK_LEVEL).mean()),
        burnt=float((grey >= BURNT_LEVEL).mean()),
        corners=len(corners),
    )


def measure_pictures(
    folder: Path, names: Sequence[str]
) -> tuple[dict[str, PictureFacts], dict[str, str]]:
    """Return the facts of every picture that reads, and why the others do not.

    Args:
        folder: Where they lie.
        names: Files in it.

    Returns:
        Name -> facts, and name -> reason, each in the order of ``names``.
    """

    def one(name: str) -> PictureFacts | str:
        try:
            return measure_picture(folder / name)
        except MediaError as error:
            return str(error)

    # Decoding lets go of the interpreter's lock; more threads than cores gain nothing.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        found = list(pool.map(one, names))
    pairs = list(zip(names, found, strict=True))
    facts = {name: fact for name, fact in pairs if isinstance(fact, PictureFacts)}
    return facts, {name: reason for name, reason in pairs if isinstance(reason, str)}


def against_neighbours(values: Array, half: int = _NEIGHBOURS) -> Array:
    """Return (N,) each value over the median of its neighbours in the sequence, itself left out.

    Args:
        values: (N,), not below 0.
        half: Neighbours on either side; fewer at the ends. A lone value gets 1.
    """
    ratios = np.ones(len(values))
    for i, value in enumerate(values):
        around = np.r_[values[max(0, i - half) : i], values[i + 1 : i + 1 + half]]
        if len(around):
            ratios[i] = value / max(float(np.median(around)), 1e-12)
    return ratios
