"""The intrinsics assumed for a photo, against closed forms."""

import numpy as np
import pytest

from sightline.geometry import Camera, Pose
from sightline.reconstruction.refine import camera_for_photo
from sightline.records.colmap import estimate_absolute_pose

PHONE = Camera("SIMPLE_RADIAL", 480, 640, (430.0, 239.5, 319.5, 0.05))


def test_the_same_camera_at_any_size() -> None:
    assert camera_for_photo(PHONE, 480, 640, None) == PHONE
    half = camera_for_photo(PHONE, 240, 320, None)
    assert half.params == pytest.approx((215.0, 119.5, 159.5, 0.05))
    # One pixel of rounding is still the same shape: 1000 x 1333 for 3:4.
    odd = camera_for_photo(PHONE, 1000, 1333, None)
    assert odd.model == "SIMPLE_RADIAL"
    assert odd.fx == pytest.approx(430 * 1000 / 480, rel=1e-3)
    assert (odd.width, odd.height) == (1000, 1333)


def test_a_camera_of_two_focal_lengths_keeps_its_distortion() -> None:
    camera = Camera("OPENCV", 480, 640, (430.0, 440.0, 250.0, 300.0, 0.1, -0.02, 0.003, 0.004))
    assert camera_for_photo(camera, 480, 640, None) == camera
    double = camera_for_photo(camera, 960, 1280, None)
    ray = np.array([0.2, -0.3, 1.0])
    np.testing.assert_allclose(double.project(ray), (camera.project(ray) + 0.5) * 2 - 0.5)


@pytest.mark.parametrize("model", ["SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL"])
@pytest.mark.parametrize("turn", [1, -1])
def test_a_camera_held_across_sees_the_same_turned(model: str, turn: int) -> None:
    params = {
        "SIMPLE_PINHOLE": (430.0, 239.5, 319.5),
        "PINHOLE": (430.0, 440.0, 239.5, 319.5),
        "SIMPLE_RADIAL": (430.0, 239.5, 319.5, -0.1),
        "RADIAL": (430.0, 239.5, 319.5, -0.1, 0.02),
    }[model]
    upright = Camera(model, 480, 640, params)
    across = camera_for_photo(upright, 640, 480, None)
    x, y = 0.3, -0.4
    u, v = upright.project(np.array([x, y, 1.0]))
    # Turned clockwise, the picture's left side comes up.
    turned_ray, turned_px = (
        ([-y, x, 1.0], (639 - v, u)) if turn == 1 else ([y, -x, 1.0], (v, 479 - u))
    )
    np.testing.assert_allclose(across.project(np.array(turned_ray)), turned_px, atol=1e-9)


def test_another_shape_or_another_lens() -> None:
    guess = camera_for_photo(PHONE, 1000, 1000, None)
    assert guess.model == "SIMPLE_PINHOLE"
    assert guess.params == pytest.approx((430 / 640 * 1000, 499.5, 499.5))
    told = camera_for_photo(PHONE, 1000, 1000, 800.0)
    assert told.params == pytest.approx((800.0, 499.5, 499.5))
    # EXIF rounds: a few percent off is the same lens, and the map knows it better.
    assert camera_for_photo(PHONE, 480, 640, 445.0) == PHONE
    wide = camera_for_photo(PHONE, 480, 640, 230.0)
    assert wide.params == pytest.approx((230.0, 239.5, 319.5))


@pytest.mark.parametrize("error", [0.7, 0.85, 1.2])
def test_a_free_focal_length_is_found(error: float) -> None:
    rng = np.random.default_rng(1)
    camera = Camera("SIMPLE_PINHOLE", 480, 640, (430.0, 239.5, 319.5))
    pose = Pose(np.array([0.9, 0.1, -0.3, 0.2]) / np.sqrt(0.95), np.array([1.0, 2.0, -0.5]))
    seen = np.column_stack([rng.uniform(-1, 1, 120), rng.uniform(-1.3, 1.3, 120), np.ones(120)])
    points = pose.apply(seen * rng.uniform(2, 9, (120, 1)))
    px = camera.project(pose.inverse().apply(points)) + rng.normal(0, 0.3, (120, 2))
    px[:30] = rng.uniform(0, 480, (30, 2))
    wrong = Camera("SIMPLE_PINHOLE", 480, 640, (430.0 * error, 239.5, 319.5))
    free = estimate_absolute_pose(px, points, wrong, max_error_px=3.0, free_focal=True)
    assert free is not None
    assert free.camera.fx == pytest.approx(430, rel=0.01)
    assert (free.camera.cx, free.camera.cy) == (239.5, 319.5)
    assert wrong.fx == 430.0 * error
    assert np.linalg.norm(free.world_from_cam.translation - pose.translation) < 0.03
    assert free.inliers[30:].mean() > 0.95
    fixed = estimate_absolute_pose(px, points, camera, max_error_px=3.0)
    assert fixed is not None
    assert fixed.camera == camera
