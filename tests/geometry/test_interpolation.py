"""Poses between poses, against closed forms."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry import Pose
from sightline.geometry.interpolation import interpolate_poses
from sightline.geometry.rotation import rotation_angle_deg

STAMPS = np.array([1.0, 2.0, 4.0])
POSES = Pose.from_rotation(
    Rotation.from_euler("z", [[0.0], [90.0], [90.0]], degrees=True),
    np.array([[0.0, 0, 0], [1, 0, 0], [1, 2, 0]]),
)


def test_halfway_and_on_the_poses() -> None:
    found, known = interpolate_poses(STAMPS, POSES, [1.0, 1.5, 2.0, 3.5, 4.0], 1.0)
    assert known.all()
    expected = [[0, 0, 0], [0.5, 0, 0], [1, 0, 0], [1, 1.5, 0], [1, 2, 0]]
    np.testing.assert_allclose(found.translation, expected, atol=1e-12)
    half = Rotation.from_euler("z", 45, degrees=True).as_quat(scalar_first=True)
    assert rotation_angle_deg(found.q_wxyz[1], half) < 1e-9
    assert rotation_angle_deg(found.q_wxyz[2], POSES.q_wxyz[1]) < 1e-9


def test_nothing_is_said_over_gaps_and_far_outside() -> None:
    found, known = interpolate_poses(STAMPS, POSES, [0.3, 0.6, 1.5, 3.0, 4.0, 4.4, 4.6], 0.5)
    np.testing.assert_array_equal(known, [False, True, True, False, True, True, False])
    np.testing.assert_allclose(found.translation[1], [0, 0, 0])
    np.testing.assert_allclose(found.translation[5], [1, 2, 0])
    np.testing.assert_allclose(found.q_wxyz[3], [1, 0, 0, 0])


def test_one_pose_and_none() -> None:
    found, known = interpolate_poses([2.0], POSES[1:2], [1.9, 5.0], 0.5)
    np.testing.assert_array_equal(known, [True, False])
    np.testing.assert_allclose(found.translation[0], POSES.translation[1])
    assert rotation_angle_deg(found.q_wxyz[0], POSES.q_wxyz[1]) < 1e-9
    _, known = interpolate_poses([], Pose.stack([]), [1.0], 0.5)
    assert not known.any()


def test_times_must_increase() -> None:
    with pytest.raises(GeometryError, match="an increasing time"):
        interpolate_poses([1.0, 1.0, 2.0], POSES, [1.5], 1.0)
    with pytest.raises(GeometryError, match="an increasing time"):
        interpolate_poses([1.0, 2.0], POSES, [1.5], 1.0)
