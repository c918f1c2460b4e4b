"""What distortions do to pixels: closed forms, sizes of files, and edges."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image
from scipy.special import erf

from sightline.errors import InputError
from sightline.media.distortions import (
    DEFAULT_LEVELS,
    FULL_WELL_E,
    KINDS,
    READ_NOISE_E,
    Distortion,
    distort,
    distorted_size,
    encoded,
    parse_distortion,
)
from sightline.media.photo import read_photo

EVERY = [Distortion("none")] + [Distortion(k, v) for k in KINDS[1:] for v in DEFAULT_LEVELS[k]]


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return distort(noise, Distortion("blur", 1.5))


def flat(level: int, height: int = 200, width: int = 200) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def linear(levels: np.ndarray) -> np.ndarray:
    v = levels / 255.0
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("distortion", EVERY, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3), (37, 52)])
def test_any_size_is_distorted_alike_each_time(
    distortion: Distortion, shape: tuple[int, int]
) -> None:
    image = texture(*shape)
    before = image.copy()
    pixels, content = encoded(image, distortion, seed=5)
    again, same = encoded(image, distortion, seed=5)
    assert content == same
    np.testing.assert_array_equal(pixels, again)
    np.testing.assert_array_equal(pixels, distort(image, distortion, seed=5))
    np.testing.assert_array_equal(image, before)
    width, height = distorted_size(distortion, shape[1], shape[0])
    assert pixels.shape == (height, width, 3)
    assert pixels.dtype == np.uint8
    # The file holds exactly these pixels.
    np.testing.assert_array_equal(read_photo(content), pixels)
    pixels[0, 0] = 0  # and they may be written to


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_files_shrink_as_quality_falls(kind: str) -> None:
    image = texture(96, 128)
    sizes = [len(encoded(image, Distortion(kind, q))[1]) for q in DEFAULT_LEVELS[kind]]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 2


def test_jpeg_is_pillows_with_chroma_halved() -> None:
    image = texture(40, 60)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=30, subsampling=2)
    assert encoded(image, Distortion("jpeg", 30))[1] == stream.getvalue()


def test_other_kinds_are_pngs() -> None:
    content = encoded(texture(9, 9), Distortion("blur", 2))[1]
    assert Image.open(io.BytesIO(content)).format == "PNG"


@pytest.mark.parametrize("sigma", [0.5, 1.0, 4.0, 8.0])
def test_blur_of_a_step_edge_is_the_normal_distribution(sigma: float) -> None:
    image = np.zeros((20, 161, 3), np.uint8)
    image[:, 81:] = 200
    row = distort(image, Distortion("blur", sigma))[10, :, 1].astype(float)
    # The sum of the normal weights (cut at 4 sigma) of the pixels right of the edge.
    reach = np.arange(-math.ceil(4 * sigma), math.ceil(4 * sigma) + 1)
    weights = np.exp(-((reach / sigma) ** 2) / 2)
    weights /= weights.sum()
    x = np.arange(161)
    wanted = [200 * weights[np.clip(xi + reach, 0, 160) >= 81].sum() for xi in x]
    np.testing.assert_allclose(row, wanted, atol=0.501)
    if sigma >= 1:  # where pixels are fine against the blur, that is the error function
        smooth = 100 * (1 + erf((x - 80.5) / (sigma * math.sqrt(2))))
        np.testing.assert_allclose(row, smooth, atol=2.0)


def test_blur_keeps_what_is_even() -> None:
    np.testing.assert_array_equal(distort(flat(77), Distortion("blur", 8)), flat(77))


@pytest.mark.parametrize("deviation", [5.0, 20.0])
def test_noise_has_its_deviation_and_no_mean(deviation: float) -> None:
    noisy = distort(flat(128), Distortion("noise", deviation), seed=3).astype(float) - 128
    count = noisy.size
    # Rounding to whole grey levels adds a twelfth to the variance.
    wanted = math.sqrt(deviation**2 + 1 / 12)
    assert abs(noisy.std() - wanted) < 4 * wanted / math.sqrt(2 * count)
    assert abs(noisy.mean()) < 4 * wanted / math.sqrt(count)
    channels = np.corrcoef(noisy.reshape(-1, 3).T)
    assert np.abs(channels - np.eye(3)).max() < 0.03


def test_only_noise_and_low_light_heed_the_seed() -> None:
    image = texture(30, 30)
    for distortion in EVERY:
        same = np.array_equal(distort(image, distortion, 1), distort(image, distortion, 2))
        assert same == (distortion.kind not in ("noise", "lowlight")), str(distortion)


@pytest.mark.parametrize("share", [1.0, 0.3, 0.1])
def test_low_light_is_linear_in_light(share: float) -> None:
    dark = distort(flat(200), Distortion("lowlight", share), seed=1)
    light = linear(np.arange(256))[dark]
    wanted = share * linear(np.array(200))
    assert abs(light.mean() / wanted - 1) < 0.01
    # Photons: as many electrons as their variance; the sensor's noise; and rounding to sRGB.
    electrons = wanted * FULL_WELL_E
    steps = np.diff(linear(np.arange(256)))[int(np.median(dark))] * FULL_WELL_E
    deviation = math.sqrt(electrons + READ_NOISE_E**2 + steps**2 / 12)
    assert light.std() * FULL_WELL_E == pytest.approx(deviation, rel=0.05)


def test_less_light_is_noisier_against_its_signal() -> None:
    ratios = []
    for share in (0.3, 0.1, 0.03):
        light = linear(distort(flat(180), Distortion("lowlight", share), seed=2))
        ratios.append(light.std() / light.mean())
    assert ratios == sorted(ratios)
    assert distort(flat(255), Distortion("lowlight", 1e-6)).max() < 40


def test_downscale_takes_means() -> None:
    image = np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3)
    small = distort(image, Distortion("downscale", 4))
    means = image.reshape(2, 4, 3, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(small, means, atol=0.51)
    size = distorted_size(Distortion("downscale", 4), 12, 8)
    assert size == (3, 2)


def test_sides_never_fall_below_a_pixel() -> None:
    assert distorted_size(Distortion("downscale", 16), 5, 40) == (1, 2)  # 2.5 rounds to even
    assert distort(flat(9, 5, 5), Distortion("downscale", 1000)).shape == (1, 1, 3)


def test_formats_have_a_longest_side() -> None:
    long = np.zeros((1, 65501, 3), np.uint8)
    with pytest.raises(InputError, match="65500 pixels or less are wanted for jpeg, 65501 x 1"):
        distort(long, Distortion("jpeg", 50))
    with pytest.raises(InputError, match="16383 pixels or less are wanted for webp"):
        distort(long[:, :16384], Distortion("webp", 50))
    assert distort(long[:, :16383], Distortion("webp", 50)).shape == (1, 16383, 3)
    assert distort(long[:, :65500], Distortion("jpeg", 50)).shape == (1, 65500, 3)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=["grey", "alpha", "float", "empty"],
)
def test_other_arrays_are_refused(image: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"a picture \(H, W, 3\) of uint8 is wanted"):
        distort(image, Distortion("jpeg", 50))


def test_grey_alpha_and_animated_files_come_as_rgb() -> None:
    grey, alpha, animated = io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.new("L", (8, 6), 90).save(grey, "PNG")
    Image.new("RGBA", (8, 6), (255, 0, 0, 0)).save(alpha, "PNG")
    frames = [Image.new("P", (8, 6), i) for i in (0, 1)]
    for frame in frames:
        frame.putpalette([10, 20, 30, 200, 210, 220])
    frames[0].save(animated, "GIF", save_all=True, append_images=frames[1:])
    wanted = {grey: (90, 90, 90), alpha: (255, 255, 255), animated: (10, 20, 30)}
    for stream, colour in wanted.items():
        image = distort(read_photo(stream.getvalue()), Distortion("blur", 1))
        assert image.shape == (6, 8, 3)
        assert tuple(image[3, 4]) == colour


@pytest.mark.parametrize("distortion", EVERY, ids=str)
def test_names_read_back(distortion: Distortion) -> None:
    assert parse_distortion(str(distortion)) == distortion


def test_names_keep_every_digit() -> None:
    third = Distortion("blur", 1 / 3)
    assert parse_distortion(str(third)) == third
    assert str(Distortion("jpeg", 10)) == "jpeg:10"
    assert str(Distortion("none")) == "none"


@pytest.mark.parametrize(
    "text",
    ["jpg:10", "jpeg:x", "", ":", "jpeg", "jpeg:0", "jpeg:101", "jpeg:9.5", "webp:0", "blur:-1",
     "blur:nan", "blur:inf", "noise:0", "downscale:0.5", "lowlight:0", "lowlight:2", "none:3"],
)  # fmt: skip
def test_impossible_distortions_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"wanted|no level") as caught:
        parse_distortion(text)
    assert "\n" not in str(caught.value)


def test_seeds_count_from_zero() -> None:
    with pytest.raises(InputError, match="a seed of 0 or more is wanted, -1 came"):
        distort(flat(1, 2, 2), Distortion("noise", 5), seed=-1)
