"""Facts of pictures, against pictures made to have them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sightline.errors import MediaError
from sightline.reconstruction.diagnosis.pictures import (
    against_neighbours,
    measure_picture,
    measure_pictures,
)
from sightline.reconstruction.doctor import sharpness


def save(path: Path, grey: np.ndarray) -> Path:
    Image.fromarray(grey.astype(np.uint8)).save(path)
    return path


def test_light(tmp_path: Path) -> None:
    grey = np.full((100, 200), 90)
    grey[:25] = 255
    grey[25:35] = 3
    facts = measure_picture(save(tmp_path / "a.png", grey))
    assert (facts.width, facts.height) == (200, 100)
    assert (facts.brightness, facts.burnt, facts.black) == (90.0, 0.25, 0.1)
    assert facts.contrast == pytest.approx(grey.std())


def test_sharpness_is_the_builds_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey = cv2.resize(rng.integers(0, 255, (60, 80)).astype(np.uint8), (640, 480))
    path = save(tmp_path / "a.png", grey)
    assert measure_picture(path).sharpness == pytest.approx(sharpness(path))
    blurred = save(tmp_path / "b.png", cv2.GaussianBlur(grey, (0, 0), 4))
    assert measure_picture(blurred).sharpness < 0.3 * measure_picture(path).sharpness


def test_corners_are_counted_at_one_size(tmp_path: Path) -> None:
    grey = np.full((480, 640), 60, np.uint8)
    for row in range(8):
        for column in range(10):
            y, x = 20 + 56 * row, 20 + 60 * column
            grey[y : y + 24, x : x + 24] = 200
    # Corners of a perfect square are as good as their neighbours, and count as none.
    noise = np.random.default_rng(0).normal(0, 2, grey.shape)
    grey = np.clip(cv2.GaussianBlur(grey, (0, 0), 1) + noise, 0, 255).astype(np.uint8)
    facts = measure_picture(save(tmp_path / "a.png", grey))
    assert facts.corners >= 4 * 80 * 0.9
    large = cv2.resize(grey, (1920, 1440), interpolation=cv2.INTER_NEAREST)
    ratio = measure_picture(save(tmp_path / "b.png", large)).corners / facts.corners
    assert 0.7 < ratio < 1.4
    assert measure_picture(save(tmp_path / "c.png", np.full((480, 640), 128))).corners == 0


def test_a_large_jpeg_measures_like_its_small_copy(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    large = cv2.resize(rng.integers(30, 220, (90, 120)).astype(np.uint8), (2560, 1920))
    Image.fromarray(large).save(tmp_path / "a.jpg", quality=95)
    small = cv2.resize(large, (640, 480), interpolation=cv2.INTER_AREA)
    one = measure_picture(tmp_path / "a.jpg")
    two = measure_picture(save(tmp_path / "b.png", small))
    assert (one.width, one.height) == (2560, 1920)
    assert one.sharpness == pytest.approx(two.sharpness, rel=0.2)
    assert one.brightness == pytest.approx(two.brightness, abs=2)


def test_broken_pictures_are_named_and_the_others_measured(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 255, (240, 320, 3)).astype(np.uint8)
    for name in ("0.jpg", "1.jpg", "3.jpg"):
        Image.fromarray(whole).save(tmp_path / name)
    content = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "2.jpg").write_text("no picture")
    facts, reasons = measure_pictures(tmp_path, [f"{i}.jpg" for i in range(5)])
    assert list(facts) == ["0.jpg", "3.jpg"]
    assert list(reasons) == ["1.jpg", "2.jpg", "4.jpg"]
    assert "no such file" in reasons["4.jpg"]
    assert all("\n" not in reason for reason in reasons.values())
    with pytest.raises(MediaError, match=r"1\.jpg: a whole picture is wanted"):
        measure_picture(tmp_path / "1.jpg")


def test_against_neighbours() -> None:
    values = np.array([10.0, 10, 10, 2, 10, 10, 10])
    assert against_neighbours(values)[3] == pytest.approx(0.2)
    assert against_neighbours(values)[[0, 6]] == pytest.approx(1.0)
    # Light that fades over a walk is no blur: only neighbours are asked.
    fading = np.geomspace(100, 1, 60)
    assert against_neighbours(fading, half=3).min() > 0.5
    assert against_neighbours(np.array([3.0])).tolist() == [1.0]
