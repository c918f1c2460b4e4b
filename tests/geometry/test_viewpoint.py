"""Azimuth, elevation and tilt: against hand-made views, the toolkit's formula, and themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sightline.geometry.rotation import rotation_angle, rotation_from_wxyz
from sightline.geometry.viewpoint import (
    FRONT_WXYZ,
    cam_from_object,
    mirrored,
    object_from_turn,
    symmetric_angle,
    turn_from_front,
    viewpoint,
)

FRONT, BACK, RIGHT, UP = (0, -1, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1)
# In the picture (OpenCV: x right, y down, z away).
TO_THE_LEFT, TO_THE_RIGHT, UPWARDS, DOWNWARDS = (-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0)
TO_THE_VIEWER, AWAY = (0, 0, -1), (0, 0, 1)

angles = st.floats(-np.pi, np.pi)
elevations = st.floats(-1.5, 1.5)


def degrees(azimuth, elevation=0.0, tilt=0.0):
    return cam_from_object(*np.radians([azimuth, elevation, tilt]))


def seen(q, axis):
    return rotation_from_wxyz(q).apply(np.array(axis, dtype=float))


def project_3d(points, azimuth, elevation, theta, d=5.0, f=1.0, viewport=3000.0, centre=(250, 180)):
    """PASCAL3D+'s project_3d.m, line by line; angles in radians."""
    a, e, M = azimuth, elevation, viewport
    C = np.array([d * np.cos(e) * np.sin(a), -d * np.cos(e) * np.cos(a), d * np.sin(e)])
    a = -a
    e = -(np.pi / 2 - e)
    Rz = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    Rx = np.array([[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]])
    R = Rx @ Rz
    P = np.diag([M * f, M * f, -1]) @ np.c_[R, -R @ C]
    x = P @ np.c_[points, np.ones(len(points))].T
    x = x[:2] / x[2]
    R2d = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    x = (R2d @ x).T
    x[:, 1] *= -1
    return x + centre


@pytest.mark.parametrize(
    ("azimuth", "axis", "direction"),
    [
        (0, FRONT, TO_THE_VIEWER),
        (0, RIGHT, TO_THE_RIGHT),
        (0, UP, UPWARDS),
        (90, FRONT, TO_THE_LEFT),
        (90, RIGHT, TO_THE_VIEWER),
        (180, FRONT, AWAY),
        (180, RIGHT, TO_THE_LEFT),
        (270, FRONT, TO_THE_RIGHT),
        (270, UP, UPWARDS),
    ],
)
def test_the_camera_walks_counter_clockwise_round_the_object(azimuth, axis, direction):
    np.testing.assert_allclose(seen(degrees(azimuth), axis), direction, atol=1e-12)


def test_elevation_lifts_the_camera():
    above = degrees(0, 90)
    np.testing.assert_allclose(seen(above, UP), TO_THE_VIEWER, atol=1e-12)
    np.testing.assert_allclose(seen(above, FRONT), DOWNWARDS, atol=1e-12)
    np.testing.assert_allclose(seen(degrees(0, -90), UP), AWAY, atol=1e-12)
    assert seen(degrees(40, 20), UP)[2] < 0  # the top is turned to the viewer
    assert seen(degrees(40, -20), UP)[2] > 0


def test_tilt_leans_the_upper_end_to_the_left():
    np.testing.assert_allclose(seen(degrees(0, 0, 90), UP), TO_THE_LEFT, atol=1e-12)
    np.testing.assert_allclose(seen(degrees(33, 0, -90), UP), TO_THE_RIGHT, atol=1e-12)
    assert seen(degrees(200, 10, 15), UP)[0] < 0


@settings(max_examples=50)
@given(angles, elevations, angles)
def test_it_projects_as_the_toolkit_does(a, e, t):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    cam = rotation_from_wxyz(cam_from_object(a, e, t)).apply(points) + np.array([0, 0, 5])
    here = 3000 * cam[:, :2] / cam[:, 2:] + [250, 180]
    np.testing.assert_allclose(here, project_3d(points, a, e, t), atol=1e-6)


@settings(max_examples=200)
@given(angles, elevations, angles)
def test_angles_come_back(a, e, t):
    found = np.array(viewpoint(cam_from_object(a, e, t)))
    wrapped = (found - [a, e, t] + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(wrapped, 0, atol=1e-7)
    assert 0 <= found[0] < 2 * np.pi
    assert abs(found[1]) <= np.pi / 2
    assert -np.pi - 1e-12 < found[2] <= np.pi


def test_an_azimuth_a_hair_below_zero_is_zero_not_a_whole_turn():
    q = rotation_from_wxyz(FRONT_WXYZ) * Rotation.from_rotvec([0, 0, 1e-17])
    azimuths = [viewpoint(cam_from_object(a, 0.0, 0.0))[0] for a in (1e-17, -1e-17, 1e-300)]
    assert max(*azimuths, viewpoint(q.as_quat(scalar_first=True))[0]) < 1e-6


@pytest.mark.parametrize("elevation", [90, -90])
@pytest.mark.parametrize("azimuth", [0, 40, 275])
@pytest.mark.parametrize("tilt", [0, 25, -170])
def test_at_the_poles_azimuth_and_tilt_are_one_turn(azimuth, elevation, tilt):
    q = degrees(azimuth, elevation, tilt)
    a, e, t = viewpoint(q)
    assert float(t) == 0.0
    assert np.degrees(e) == pytest.approx(elevation, abs=1e-5)
    assert float(rotation_angle(cam_from_object(a, e, t), q)) < 1e-6
    # Seen from above the two turns add up, from below they cancel.
    expected = azimuth - tilt if elevation > 0 else azimuth + tilt
    assert (np.degrees(a) - expected + 180) % 360 - 180 == pytest.approx(0, abs=1e-5)


def test_shapes_are_kept():
    q = cam_from_object(np.zeros((2, 3)), 0.1, np.zeros(3))
    assert q.shape == (2, 3, 4)
    assert [v.shape for v in viewpoint(q)] == [(2, 3)] * 3
    assert turn_from_front(q).shape == mirrored(q).shape == (2, 3, 4)
    assert cam_from_object(0.0, 0.0, 0.0).shape == (4,)
    assert symmetric_angle(q, q, 0).shape == symmetric_angle(q, q, 2).shape == (2, 3)


@settings(max_examples=100)
@given(angles, elevations, angles)
def test_the_mirrored_view_has_the_other_azimuth_and_tilt(a, e, t):
    flipped = mirrored(cam_from_object(a, e, t))
    assert float(rotation_angle(flipped, cam_from_object(-a, e, -t))) < 1e-6


def test_mirroring_a_picture_mirrors_a_symmetric_objects_points():
    # A body whose left and right halves are alike: its points come in pairs (x, -x).
    half = np.random.default_rng(1).uniform([0, -1, -1], [1, 1, 1], (6, 3))
    q = degrees(35, 20, 12)
    pictured = rotation_from_wxyz(q).apply(np.r_[half, half * [-1, 1, 1]])
    flipped = rotation_from_wxyz(mirrored(q)).apply(np.r_[half * [-1, 1, 1], half])
    np.testing.assert_allclose(flipped, pictured * [-1, 1, 1], atol=1e-12)


@settings(max_examples=50)
@given(angles, elevations, angles)
def test_the_turn_starts_at_the_front_and_comes_back(a, e, t):
    q = cam_from_object(a, e, t)
    turn = turn_from_front(q)
    assert float(rotation_angle(object_from_turn(turn), q)) < 1e-6
    product = rotation_from_wxyz(turn) * rotation_from_wxyz(FRONT_WXYZ)
    np.testing.assert_allclose(product.as_matrix(), rotation_from_wxyz(q).as_matrix(), atol=1e-9)


def test_the_level_front_is_no_turn_and_an_upright_object_turns_about_the_cameras_y():
    np.testing.assert_allclose(turn_from_front(degrees(0)), [1, 0, 0, 0], atol=1e-12)
    for azimuth in (30, 90, 170):
        # The front goes from the viewer to the left: about the camera's y, which points down.
        vector = rotation_from_wxyz(turn_from_front(degrees(azimuth))).as_rotvec(degrees=True)
        np.testing.assert_allclose(vector, [0, azimuth, 0], atol=1e-9)


def test_without_symmetry_the_angle_is_the_rotations():
    a, b = degrees(10, 5, 2), degrees(80, -5, 9)
    assert symmetric_angle(a, b, 1) == pytest.approx(rotation_angle(a, b))
    assert np.degrees(symmetric_angle(degrees(10), degrees(80), 1)) == pytest.approx(70)


@pytest.mark.parametrize(
    ("turned", "expected"), [(0, 0), (70, 70), (90, 90), (110, 70), (180, 0), (250, 70)]
)
def test_a_table_looks_the_same_after_half_a_turn(turned, expected):
    angle = np.degrees(symmetric_angle(degrees(20, 15, 4), degrees(20 + turned, 15, 4), 2))
    assert angle == pytest.approx(expected, abs=1e-6)


def test_a_bottle_has_no_azimuth():
    for azimuth in (0, 77, 180, 300):
        a, b = degrees(10, 20, 5), degrees(azimuth, 20, 5)
        assert float(symmetric_angle(a, b, 0)) == pytest.approx(0, abs=1e-12)
    # What is left is how the axis leans: elevation and tilt still count.
    assert np.degrees(symmetric_angle(degrees(10, 20), degrees(200, 50), 0)) == pytest.approx(30)
    assert np.degrees(symmetric_angle(degrees(10), degrees(99, 0, 180), 0)) == pytest.approx(180)


def test_a_bottles_angle_is_the_best_of_all_its_turns():
    a, b = degrees(10, 25, -8), degrees(140, -30, 20)
    about = Rotation.from_euler("z", np.linspace(0, 2 * np.pi, 20001)[:, None])
    turned = (rotation_from_wxyz(a) * about).as_quat(scalar_first=True)
    best = np.min(rotation_angle(turned, np.broadcast_to(b, turned.shape)))
    assert float(symmetric_angle(a, b, 0)) == pytest.approx(float(best), abs=1e-6)
