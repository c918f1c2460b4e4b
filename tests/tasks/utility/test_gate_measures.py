"""What the gate measures of a photo: closed forms, directions, odd photos, and reasons."""

import numpy as np
import pytest

from sightline.media.distortions import distort, parse_distortion
from sightline.tasks.utility.gate.measures import (
    NAMES,
    SIDE_PX,
    blockiness,
    flat_share,
    measure,
    noise,
    reason_of,
    seen,
)


def boards(seed: int = 0, size: tuple[int, int] = (640, 480)) -> np.ndarray:
    """Return a photo of overlapping sharp rectangles and a little grain."""
    rng = np.random.default_rng(seed)
    image = np.full((*size, 3), 128, np.uint8)
    for _ in range(700):
        y, x = rng.integers(0, size[0]), rng.integers(0, size[1])
        h, w = rng.integers(4, 60, 2)
        image[y : y + h, x : x + w] = rng.integers(40, 216, 3)
    grain = rng.normal(0, 1.0, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def of(image: np.ndarray, name: str) -> float:
    return float(measure(image)[NAMES.index(name)])


def test_noise_is_the_standard_deviation_of_noise() -> None:
    rng = np.random.default_rng(0)
    for deviation in (2.0, 8.0, 20.0):
        grey = (128 + rng.normal(0, deviation, (640, 480))).astype(np.float32)
        assert noise(grey) == pytest.approx(np.log(deviation), abs=0.1)


def test_noise_of_a_slope_and_of_one_tone_is_the_floor() -> None:
    slope = np.tile(np.linspace(0, 255, 480, dtype=np.float32), (640, 1))
    assert noise(slope) == noise(np.full((640, 480), 77, np.float32)) == pytest.approx(np.log(0.05))


@pytest.mark.parametrize("offset", [0, 3, 7])
def test_blocks_are_found_wherever_their_grid_lies(offset: int) -> None:
    rng = np.random.default_rng(1)
    plain = rng.normal(128, 2.0, (320, 320)).astype(np.float32)
    levels = rng.normal(0, 20.0, (41, 41)).astype(np.float32)
    blocks = np.kron(levels, np.ones((8, 8), np.float32))[offset : offset + 320, offset:][:, :320]
    assert abs(blockiness(plain)) < 0.2
    # A step of two levels, E|N(0, 20^2 + 20^2 + 2 * 2^2)|, over one within: E|N(0, 2 * 2^2)|.
    assert blockiness(plain + blocks) == pytest.approx(np.log(np.sqrt(808 / 8)), abs=0.15)


def test_blocks_of_another_size_are_none() -> None:
    levels = np.random.default_rng(2).normal(0, 20.0, (40, 40)).astype(np.float32)
    grain = np.random.default_rng(3).normal(0, 2.0, (440, 440)).astype(np.float32)
    assert blockiness(np.kron(levels, np.ones((11, 11), np.float32)) + grain) < 1.0
    levels = np.random.default_rng(2).normal(0, 20.0, (55, 55)).astype(np.float32)
    assert blockiness(np.kron(levels, np.ones((8, 8), np.float32)) + grain) > 2.0


def test_flat_share_counts_pixels_like_their_neighbours() -> None:
    half = np.zeros((64, 64), np.float32)
    half[:, 32:] = np.random.default_rng(4).normal(0, 50, (64, 32))
    assert flat_share(half) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("name", "worse", "sign"),
    [
        ("texture 0", ["blur:1", "blur:2", "blur:3"], -1),
        ("keypoints 0", ["blur:1", "blur:3", "blur:6"], -1),
        ("noise", ["noise:10", "noise:20", "noise:40"], 1),
        ("blockiness", ["jpeg:10", "jpeg:5", "jpeg:2"], 1),
        ("brightness", ["lowlight:0.3", "lowlight:0.1", "lowlight:0.03"], -1),
        ("texture 1", ["downscale:2", "downscale:4", "downscale:8"], -1),
    ],
)
def test_a_measure_follows_its_distortion(name: str, worse: list[str], sign: int) -> None:
    image = boards()
    values = [of(image, name)]
    values += [of(distort(image, parse_distortion(d), 0), name) for d in worse]
    assert (np.diff(values) * sign > 0).all(), values


@pytest.mark.parametrize(
    ("distortion", "reason"),
    [
        ("blur:4", "too blurred"),
        ("downscale:8", "too blurred"),
        ("jpeg:3", "too compressed"),
        ("noise:60", "too noisy"),
        ("lowlight:0.01", "too dark"),
        ("none", "too poor in detail"),
    ],
)
def test_the_reason_is_what_was_done(distortion: str, reason: str) -> None:
    image = boards()
    assert reason_of(measure(distort(image, parse_distortion(distortion), 0))) == reason
    # A photo of a larger camera has the same look at the gate's scale.
    large = np.kron(image, np.ones((2, 2, 1), np.uint8))
    assert reason_of(measure(large)) == "too poor in detail"


def test_a_blurred_photo_stays_blurred_when_a_phone_compresses_it() -> None:
    soft = distort(boards(), parse_distortion("blur:5"), 0)
    again = distort(soft, parse_distortion("jpeg:75"), 0)
    assert reason_of(measure(again)) == "too blurred"


def test_a_calm_wall_is_not_called_blurred() -> None:
    wall = (170 + (boards().astype(float) - 128) * 0.1).round().astype(np.uint8)
    assert reason_of(measure(wall)) == "too poor in detail"
    soft = distort(wall, parse_distortion("blur:4"), 0)
    assert reason_of(measure(soft)) == "too blurred"


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (5000, 1), (7, 3), (33, 2000)])
@pytest.mark.parametrize("tone", [0, 255])
def test_odd_photos_have_finite_measures(shape: tuple[int, int], tone: int) -> None:
    values = measure(np.full((*shape, 3), tone, np.uint8))
    assert values.shape == (len(NAMES),)
    assert np.isfinite(values).all()


def test_every_photo_is_seen_at_one_scale() -> None:
    assert seen(boards()).shape == (SIDE_PX, 480)
    assert seen(boards()[:320, :240]).shape == (SIDE_PX, 480)
    assert seen(np.zeros((1, 1, 3), np.uint8)).shape == (SIDE_PX, SIDE_PX)
    wide = seen(np.zeros((2, 4000, 3), np.uint8))
    assert wide.shape[1] == SIDE_PX
    assert wide.shape[0] >= 64  # a line of pixels has tiles too
