"""How good pictures look: to people, for comparison with how useful they are to machines."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError

Pixels = NDArray[np.uint8]

_LARGEST = 255.0
#: Gaussian window of SSIM: its deviation and half its side, in pixels; and the two constants.
_SIGMA, _HALF = 1.5, 5
_C1, _C2 = (0.01 * _LARGEST) ** 2, (0.03 * _LARGEST) ** 2


def psnr(image: Pixels, pristine: Pixels) -> float:
    """Return the peak signal-to-noise ratio in dB over all channels; inf for equal pictures.

    Args:
        image: (h, w, 3) distorted; one of another size is first resized as :func:`as_large`.
        pristine: (H, W, 3).
    """
    _check(image, pristine)
    error = as_large(image, pristine).astype(np.float64) - pristine
    mean = float(np.mean(np.square(error)))
    return 10 * math.log10(_LARGEST**2 / mean) if mean else math.inf


def ssim(image: Pixels, pristine: Pixels) -> float:
    """Return the structural similarity, from -1 to 1, the mean over channels and windows.

    Windows are Gaussian, 11 pixels wide, one about each pixel; beyond its edges the picture is
    mirrored.

    Args:
        image: (h, w, 3) distorted; one of another size is first resized as :func:`as_large`.
        pristine: (H, W, 3).

    Source: Wang et al. 2004; the same as torchmetrics' with its defaults.
    """
    _check(image, pristine)
    a, b = as_large(image, pristine).astype(np.float64), pristine.astype(np.float64)
    mean_a, mean_b = _windowed(a), _windowed(b)
    variance_a = _windowed(a * a) - mean_a**2
    variance_b = _windowed(b * b) - mean_b**2
    covariance = _windowed(a * b) - mean_a * mean_b
    value = (2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)
    value /= (mean_a**2 + mean_b**2 + _C1) * (variance_a + variance_b + _C2)
    return float(value.mean())


def sharpness(image: Pixels) -> float:
    """Return the variance of the Laplacian of a picture's grey levels: low where it is blurred.

    Args:
        image: (H, W, 3).

    Source: Pech-Pacheco et al. 2000.
    """
    _check(image, image)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def as_large(image: Pixels, pristine: Pixels) -> Pixels:
    """Return the image at the pristine one's size (bilinear), as machines enlarge what is small."""
    if image.shape == pristine.shape:
        return image
    size = pristine.shape[1], pristine.shape[0]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _check(*images: Pixels) -> None:
    for image in images:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise InputError(
                f"a picture (H, W, 3) of uint8 is wanted, {image.shape} of {image.dtype} came"
            )


def _windowed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    side = 2 * _HALF + 1
    soft = cv2.GaussianBlur(values, (side, side), _SIGMA, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(soft, dtype=np.float64)
