"""Causes of frames left out, and the advice drawn from them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.errors import PlaceError
from sightline.geometry import Camera, Pose
from sightline.reconstruction import doctor
from sightline.reconstruction.doctor import examine, sharpness
from sightline.records.colmap import MapFrame, MapModel

NAMES = [f"{i}.png" for i in range(12)]


@pytest.fixture
def images_dir(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in NAMES:
        picture = cv2.resize(rng.integers(0, 255, (60, 80), np.uint8), (320, 240))
        if name == "4.png":
            picture = cv2.GaussianBlur(picture, (0, 0), 6)
        cv2.imwrite(str(tmp_path / name), picture)
    return tmp_path


def model(names: list[str]) -> MapModel:
    frames = {
        n: MapFrame(n, 1, Pose.identity(), np.zeros((0, 2)), np.zeros(0, np.int64)) for n in names
    }
    return MapModel(
        {1: Camera("SIMPLE_PINHOLE", 320, 240, (300.0, 159.5, 119.5))},
        frames,
        np.array([3, 8]),
        np.zeros((2, 3)),
        np.zeros((2, 3), np.uint8),
        np.array([0.5, 1.0]),
        np.array([2, 5]),
    )


def test_a_frame_whose_features_are_masked_is_no_bare_wall(images_dir: Path) -> None:
    facts = {
        "features": dict.fromkeys(NAMES, 800) | {"6.png": 20, "8.png": 20},
        "verified": [],
        "masked": dict.fromkeys(NAMES, 0.9) | {"8.png": 0.3},
    }
    kept = [n for n in NAMES if n not in ("6.png", "8.png")]
    report = examine(NAMES, images_dir, model(kept), models=[10], facts=facts, loops={})
    assert report.unregistered == {"6.png": doctor.MASKED, "8.png": doctor.TEXTURELESS}
    assert any("mask less" in hint for hint in report.hints)


def test_each_frame_left_out_has_its_cause(images_dir: Path) -> None:
    out = ["4.png", "6.png", "8.png", "10.png"]
    kept = [n for n in NAMES if n not in out]
    facts = {
        "features": dict.fromkeys(NAMES, 800) | {"6.png": 20},
        # 8 is matched well, but with 10 alone, which is not in the map either.
        "verified": [["8.png", "10.png", 300], ["7.png", "8.png", 16], ["10.png", "11.png", 90]],
    }
    report = examine(
        NAMES, images_dir, model(kept), models=[8, 3], facts=facts, loops={"closed": False}
    )
    assert report.unregistered == {
        "4.png": doctor.BLUR,
        "6.png": doctor.TEXTURELESS,
        "8.png": doctor.OVERLAP,
        "10.png": doctor.REJECTED,
    }
    assert (report.frames, report.registered, report.points) == (12, 8, 2)
    assert report.mean_reprojection_error_px == 0.75
    assert report.mean_track_length == 3.5
    assert report.usable
    assert any("2 maps of 8, 3 frames" in hint for hint in report.hints)
    assert sum("1 of 12 frames" in hint for hint in report.hints) == 4


def test_no_map_at_all(images_dir: Path) -> None:
    facts = {"features": dict.fromkeys(NAMES, 800), "verified": []}
    report = examine(NAMES, images_dir, None, models=[], facts=facts, loops={})
    assert not report.usable
    assert report.registered == 0
    assert report.unregistered["4.png"] == doctor.BLUR
    assert report.unregistered["5.png"] == doctor.OVERLAP
    assert "sideways" in report.hints[-1]


def test_a_complete_map_needs_no_advice(images_dir: Path) -> None:
    facts = {"features": dict.fromkeys(NAMES, 800), "verified": []}
    report = examine(NAMES, images_dir, model(NAMES), models=[12, 3], facts=facts, loops={})
    assert report.unregistered == {}
    assert report.hints == []


def test_sharpness(images_dir: Path) -> None:
    assert sharpness(images_dir / "4.png") < 0.1 * sharpness(images_dir / "5.png")
    with pytest.raises(PlaceError, match="cannot be read"):
        sharpness(images_dir / "none.png")
