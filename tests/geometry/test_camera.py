"""Cameras: projection against OpenCV, and back."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import GeometryError
from sightline.geometry import Camera
from sightline.geometry.camera import CAMERA_MODELS

CAMERAS = [
    Camera("SIMPLE_PINHOLE", 640, 480, (520.0, 319.5, 239.5)),
    Camera("PINHOLE", 640, 480, (520.0, 515.0, 321.0, 238.0)),
    Camera("SIMPLE_RADIAL", 640, 480, (520.0, 319.5, 239.5, -0.08)),
    Camera("SIMPLE_RADIAL", 640, 480, (300.0, 319.5, 239.5, 0.4)),
    Camera("RADIAL", 640, 480, (520.0, 319.5, 239.5, -0.28, 0.09)),
    Camera("OPENCV", 640, 480, (330.0, 335.0, 321.0, 238.0, -0.2, 0.06, 0.003, -0.002)),
]


def ids(camera):
    return f"{camera.model}{camera.distortion}"


@pytest.mark.parametrize("camera", CAMERAS, ids=ids)
def test_projection_agrees_with_opencv(camera):
    points = np.random.default_rng(0).uniform([-2, -1.5, 2], [2, 1.5, 8], size=(200, 3))
    distortion = np.array((*camera.distortion, 0, 0, 0, 0)[:4], dtype=np.float64)
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.matrix, distortion)
    np.testing.assert_allclose(camera.project(points), expected[:, 0], atol=1e-9)


@pytest.mark.parametrize("camera", CAMERAS, ids=ids)
def test_every_pixel_comes_back(camera):
    u, v = np.meshgrid(np.linspace(-0.5, 639.5, 33), np.linspace(-0.5, 479.5, 25))
    pixels = np.stack([u, v], axis=-1)
    rays = camera.unproject(pixels)
    assert rays.shape == (25, 33, 3)
    np.testing.assert_array_equal(rays[..., 2], 1)
    np.testing.assert_allclose(camera.project(7.5 * rays), pixels, atol=1e-9)


@given(
    k1=st.floats(-0.2, 0.6),
    k2=st.floats(-0.05, 0.3),
    p1=st.floats(-0.01, 0.01),
    p2=st.floats(-0.01, 0.01),
    ray=st.tuples(st.floats(-0.75, 0.75), st.floats(-0.75, 0.75)),
)
@settings(deadline=None)
def test_every_ray_comes_back(k1, k2, p1, p2, ray):
    camera = Camera("OPENCV", 640, 480, (500.0, 500.0, 320.0, 240.0, k1, k2, p1, p2))
    np.testing.assert_allclose(
        camera.unproject(camera.project([*ray, 1.0])), [*ray, 1.0], atol=1e-10
    )


def test_points_behind_the_camera_have_no_pixel():
    camera = CAMERAS[1]
    points = np.array([[0, 0, 2], [1, 1, -1], [1, 0, 0], [0, 0, 0]], dtype=np.float64)
    seen = np.isfinite(camera.project(points)).all(axis=-1)
    np.testing.assert_array_equal(seen, [True, False, False, False])


def test_pixels_beyond_the_fold_have_no_ray():
    """With k1 = -0.3 the image radius peaks at tan = 1.054, where it is 0.703."""
    camera = Camera("SIMPLE_RADIAL", 2000, 2000, (1000.0, 0.0, 0.0, -0.3))
    peak = 2 / 3 / np.sqrt(0.9)
    radii = np.array([0.0, 0.5, peak - 1e-3, peak + 1e-3, 1.5])
    rays = camera.unproject(np.stack([1000 * radii, np.zeros(5)], axis=-1))
    np.testing.assert_array_equal(
        np.isfinite(rays[:, 0]), [True, True, True, False, False], str(rays)
    )
    assert rays[1, 0] - 0.3 * rays[1, 0] ** 3 == pytest.approx(0.5, abs=1e-12)


def test_the_parts_of_a_camera():
    camera = CAMERAS[-1]
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (330.0, 335.0, 321.0, 238.0)
    assert camera.distortion == (-0.2, 0.06, 0.003, -0.002)
    np.testing.assert_array_equal(camera.matrix, [[330, 0, 321], [0, 335, 238], [0, 0, 1]])
    assert CAMERAS[0].fy == CAMERAS[0].fx == 520.0


@pytest.mark.parametrize("camera", CAMERAS, ids=ids)
@pytest.mark.parametrize("factor", [0.5, 2.0, 0.25])
def test_resizing_keeps_every_ray(camera, factor):
    """A pixel's centre u lies at (u + 0.5) * factor - 0.5 in the resized image."""
    small = camera.resized(int(640 * factor), int(480 * factor))
    pixels = np.random.default_rng(1).uniform([0, 0], [639, 479], size=(50, 2))
    resized = (pixels + 0.5) * factor - 0.5
    np.testing.assert_allclose(small.unproject(resized), camera.unproject(pixels), atol=1e-9)


def test_a_half_size_picture_shows_the_point_where_the_half_size_camera_says():
    """Area averaging of a 2x2 block puts its centre at the block's centre: no half-pixel slip."""
    camera = Camera("SIMPLE_PINHOLE", 64, 48, (50.0, 31.5, 23.5))
    picture = np.zeros((48, 64), dtype=np.float32)
    picture[20:22, 40:42] = 1  # centred on (40.5, 20.5)
    half = cv2.resize(picture, (32, 24), interpolation=cv2.INTER_AREA)
    v, u = np.argwhere(half == 1)[0]
    np.testing.assert_allclose(
        camera.resized(32, 24).project(camera.unproject([40.5, 20.5])), [u, v], atol=1e-12
    )


def test_one_focal_length_cannot_be_squeezed():
    with pytest.raises(GeometryError, match="one focal length"):
        CAMERAS[0].resized(640, 240)
    assert CAMERAS[1].resized(640, 240).fy == pytest.approx(257.5)


@pytest.mark.parametrize(
    ("model", "width", "params", "message"),
    [
        ("FISHEYE", 640, (1, 1, 1), "'FISHEYE' came"),
        ("PINHOLE", 640, (1, 1, 1), "PINHOLE wants 4 parameters, 3 came"),
        ("PINHOLE", 0, (1, 1, 1, 1), "positive size"),
        ("PINHOLE", 640, (1, -1, 1, 1), "positive focal"),
        ("SIMPLE_PINHOLE", 640, (1, np.nan, 1), "finite"),
    ],
)
def test_cameras_that_cannot_be_are_refused(model, width, params, message):
    with pytest.raises(GeometryError, match=message):
        Camera(model, width, 480, params)


def test_every_model_is_tried_here():
    assert {camera.model for camera in CAMERAS} == set(CAMERA_MODELS)


@pytest.mark.parametrize("model", list(CAMERA_MODELS))
def test_a_cropped_camera_sees_the_same_pixels(model: str) -> None:
    focals, distortion = CAMERA_MODELS[model]
    numbers = (*(500.0, 480.0)[:focals], 310.0, 250.0, *(0.02, -0.01, 0.001, 0.002)[:distortion])
    camera = Camera(model, 640, 480, numbers)
    part = camera.cropped(100, 40, 227, 200)
    assert (part.model, part.width, part.height) == (model, 227, 200)
    points = np.random.default_rng(0).uniform([-0.5, -0.5, 1], [0.5, 0.5, 4], (10, 3))
    np.testing.assert_allclose(part.project(points), camera.project(points) - [100, 40], atol=1e-9)
