"""What of a photo tells whether SIFT will find in it what a map holds; imports without torch.

Everything is measured on the grey photo at one scale (longest side :data:`SIDE_PX`), the scale at
which maps of low quality take their features: a blur of one pixel is seen there, which a frame of
128 pixels would not show. Smaller photos are enlarged, and then look as blurred as they are.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

#: Longest side of the photo that is measured, in pixels.
SIDE_PX = 640

#: Sides of the tiles whose texture is compared, in pixels.
TILE_PX = 32

#: Octaves that are measured; each has half the pixels a side.
OCTAVES = 4

#: Least contrast of a keypoint, of full white: COLMAP's ``peak_threshold`` (0.02 / 3 layers).
PEAK = 0.02 / 3

#: Standard deviations in grey levels below this are the rounding of the file.
_FLOOR = 0.05

NAMES = (
    *(f"texture {o}" for o in range(OCTAVES)),
    *(f"strong texture {o}" for o in range(OCTAVES)),
    *(f"keypoints {o}" for o in range(OCTAVES)),
    "noise",
    "blockiness",
    "flat",
    "brightness",
    "contrast",
)
"""The measures, in the order of :func:`measure`'s numbers."""


#: What is wrong with photos beyond these bounds. They lie between what rendered and real photos
#: measure and what their distorted copies do that are no longer localised.
DARK, NOISY, BLURRED, BLOCKY = 0.15, 1.8, -0.5, 0.9


def measure(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (len(NAMES),) numbers of a photo; all finite, whatever it shows.

    Args:
        image: (H, W, 3) uint8 RGB, of any size.
    """
    grey = seen(image)
    texture, strong, keypoints = [], [], []
    octave: Plane = grey
    for _ in range(OCTAVES):
        spread = _tile_spread(octave - _soft(octave, 1.2))
        texture.append(_log(np.median(spread)))
        strong.append(_log(np.quantile(spread, 0.9)))
        keypoints.append(float(np.log1p(_extrema(octave))))
        octave = np.asarray(cv2.pyrDown(octave), np.float32)
    return np.array(
        [
            *texture,
            *strong,
            *keypoints,
            noise(grey),
            blockiness(grey),
            flat_share(grey),
            float(grey.mean() / 255),
            _log(float(grey.std())),
        ],
        dtype=np.float32,
    )


def reason_of(measures: NDArray[np.float32]) -> str:
    """Return why a photo with these measures is of no use, as in "this photo is too blurred".

    By its brightness, its noise, its sharpness and its blocks, in this order: what is dark is
    noisy too, and noise hides blur.
    """
    value = dict(zip(NAMES, measures.tolist(), strict=True))
    if value["brightness"] < DARK:
        return "too dark"
    if value["noise"] > NOISY:
        return "too noisy"
    # Fine texture against coarse, in the tiles that have most: a calm wall is not blurred.
    if value["strong texture 1"] - value["strong texture 3"] < BLURRED:
        return "too blurred"
    if value["blockiness"] > BLOCKY:
        return "too compressed"
    return "too poor in detail"


def seen(image: NDArray[np.uint8]) -> Plane:
    """Return the grey photo, (h, w) float32 from 0 to 255, longest side :data:`SIDE_PX`."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    scale = SIDE_PX / max(height, width)
    # Both sides of at least two tiles: a line of pixels has no texture to measure.
    size = tuple(max(2 * TILE_PX, round(side * scale)) for side in (width, height))
    if size != (width, height):
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        grey = cv2.resize(grey, size, interpolation=method)
    return grey.astype(np.float32)


def noise(grey: Plane) -> float:
    """Return the log of the standard deviation of the noise (Immerkaer 1996) in the calmest tiles.

    In all of a photo its texture would count as noise.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32) / 6
    spread = _tile_spread(np.asarray(cv2.filter2D(grey, -1, kernel), np.float32))
    return _log(np.quantile(spread, 0.1))


def blockiness(grey: Plane) -> float:
    """Return the log of the step across the borders of blocks of 8 pixels, over those beside them.

    The grid may lie anywhere (photos are cropped): it is where the steps are largest.
    """
    steps = []
    for axis in (0, 1):
        step = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        usual = float(np.median(step))
        lines = [float(step[k::8].mean()) for k in range(8)]
        steps.append(_log(max(lines)) - _log(usual))
    return float(np.mean(steps))


def flat_share(grey: Plane) -> float:
    """Return the share of pixels that differ from none of their neighbours."""
    return float((np.abs(cv2.Laplacian(grey, cv2.CV_32F)) < 0.5).mean())


def _extrema(octave: Plane) -> int:
    """Return how many points stand out of their neighbourhood enough for SIFT."""
    blurred = _soft(octave, 1.6)
    band = (_soft(blurred, 1.2) - blurred) / 255
    kernel = np.ones((3, 3), np.uint8)
    tops = (band == cv2.dilate(band, kernel)) & (band > PEAK)
    pits = (band == cv2.erode(band, kernel)) & (band < -PEAK)
    return int(tops.sum() + pits.sum())


def _soft(plane: Plane, sigma_px: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma_px), np.float32)


def _tile_spread(plane: Plane) -> Plane:
    """Return the standard deviation within each whole tile."""
    rows, columns = (max(1, side // TILE_PX) for side in plane.shape)
    tile = (min(TILE_PX, plane.shape[0]), min(TILE_PX, plane.shape[1]))
    cut = plane[: rows * tile[0], : columns * tile[1]]
    tiles = cut.reshape(rows, tile[0], columns, tile[1])
    return np.asarray(tiles.std(axis=(1, 3)), dtype=np.float32)


def _log(value: float | np.floating) -> float:
    return float(np.log(max(float(value), _FLOOR)))
