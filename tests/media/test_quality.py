"""PSNR, SSIM and sharpness against closed forms and torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.media.distortions import Distortion, distort
from sightline.media.quality import as_large, psnr, sharpness, ssim


def texture(height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return distort(noise, Distortion("blur", 1.0))


@pytest.mark.parametrize("shape", [(64, 48), (11, 11), (12, 200), (7, 9)])
@pytest.mark.parametrize("quality", [5, 70])
def test_agrees_with_torchmetrics(shape: tuple[int, int], quality: int) -> None:
    import torch

    from sightline.learning.torchvision_compat import import_torchvision

    import_torchvision()
    from torchmetrics.functional.image import (
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )

    pristine = texture(*shape)
    image = distort(pristine, Distortion("jpeg", quality))
    a, b = (torch.from_numpy(x).permute(2, 0, 1)[None].double() for x in (image, pristine))
    theirs = structural_similarity_index_measure(a, b, data_range=255.0)
    assert ssim(image, pristine) == pytest.approx(float(theirs), abs=1e-9)
    theirs = peak_signal_noise_ratio(a, b, data_range=255.0)
    assert psnr(image, pristine) == pytest.approx(float(theirs), abs=1e-5)


def test_equal_pictures() -> None:
    image = texture(20, 20)
    assert psnr(image, image) == math.inf
    assert ssim(image, image) == 1.0


def test_psnr_of_a_known_error() -> None:
    pristine = np.full((8, 8, 3), 100, np.uint8)
    # An error of 5 everywhere: 10 log10(255^2 / 25).
    assert psnr(pristine + np.uint8(5), pristine) == pytest.approx(34.1514, abs=1e-4)


def test_ssim_of_even_pictures_is_its_light_term() -> None:
    dark, bright = np.full((16, 16, 3), 50, np.uint8), np.full((16, 16, 3), 100, np.uint8)
    c1 = (0.01 * 255) ** 2
    wanted = (2 * 50 * 100 + c1) / (50**2 + 100**2 + c1)
    assert ssim(dark, bright) == pytest.approx(wanted, abs=1e-9)


def test_falls_with_quality_and_blur() -> None:
    pristine = texture(48, 64)
    files = [distort(pristine, Distortion("jpeg", q)) for q in (90, 30, 5)]
    for measure in (psnr, ssim):
        values = [measure(image, pristine) for image in files]
        assert values == sorted(values, reverse=True)
    soft = [sharpness(distort(pristine, Distortion("blur", s))) for s in (0.5, 1.0, 3.0)]
    assert sharpness(pristine) > soft[0] > soft[1] > soft[2]


def test_sharpness_of_one_bright_pixel() -> None:
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 4] = 100
    # The Laplacian is -400 there, 100 at its four neighbours, 0 elsewhere: its mean is zero.
    assert sharpness(image) == pytest.approx((400**2 + 4 * 100**2) / 81)
    assert sharpness(np.full((9, 9, 3), 50, np.uint8)) == 0


def test_small_pictures_are_enlarged_to_compare() -> None:
    pristine = np.full((16, 24, 3), 60, np.uint8)
    small = distort(pristine, Distortion("downscale", 4))
    assert small.shape == (4, 6, 3)
    np.testing.assert_array_equal(as_large(small, pristine), pristine)
    assert psnr(small, pristine) == math.inf
    assert ssim(small, pristine) == pytest.approx(1.0)


def test_a_single_pixel_is_measured() -> None:
    black, white = np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)
    assert psnr(black, white) == 0.0
    assert ssim(black, white) == pytest.approx(0.0001, abs=1e-4)
    assert sharpness(white) == 0.0


def test_other_arrays_are_refused() -> None:
    with pytest.raises(InputError, match=r"a picture \(H, W, 3\) of uint8 is wanted"):
        psnr(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8))
