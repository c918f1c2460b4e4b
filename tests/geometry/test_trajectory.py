"""Trajectory errors against values worked out by hand."""

import numpy as np
import pytest

from sightline.errors import GeometryError
from sightline.geometry import Pose, Similarity
from sightline.geometry.trajectory import absolute_trajectory_error, relative_pose_error


def walk(n=50, seed=0):
    rng = np.random.default_rng(seed)
    return Pose(rng.normal(size=(n, 4)), rng.normal(size=(n, 3)).cumsum(axis=0))


@pytest.mark.parametrize(("alignment", "scale"), [("none", 1.0), ("se3", 1.0), ("sim3", 2.5)])
def test_a_moved_copy_has_no_error_after_alignment(alignment, scale):
    true = walk()
    moved = Similarity.identity()
    if alignment != "none":
        moved = Similarity(scale, Pose([0.3, -0.5, 0.2, 0.7], [4, -2, 9]))
    error = absolute_trajectory_error(moved.apply_pose(true), true, alignment)
    assert error.rmse < 1e-12
    assert error.rotation.max() < 1e-12
    assert error.alignment.scale == pytest.approx(1 / scale)


def test_each_alignment_leaves_what_it_does_not_fit():
    true = walk()
    doubled = Similarity(2.0, Pose.identity()).apply_pose(true)
    spread = np.linalg.norm(true.translation - true.translation.mean(axis=0), axis=1)
    error = absolute_trajectory_error(doubled, true, "se3")
    np.testing.assert_allclose(error.translation, spread, atol=1e-12)
    shifted = Pose(true.q_wxyz, true.translation + np.array([3, 4, 0]))
    np.testing.assert_allclose(absolute_trajectory_error(shifted, true, "none").translation, 5)


def test_a_constant_camera_offset_shows_in_rotation_only_after_alignment():
    true = walk()
    tilt = Pose([np.cos(0.05), np.sin(0.05), 0, 0], [0, 0, 0])
    error = absolute_trajectory_error(true @ tilt, true)
    np.testing.assert_allclose(error.translation, 0, atol=1e-12)
    np.testing.assert_allclose(error.rotation, 0.1, atol=1e-12)
    assert error.median_deg == pytest.approx(np.rad2deg(0.1))


def straight(n, step, factor=1.0):
    return Pose(np.tile([1.0, 0, 0, 0], (n, 1)), np.outer(np.arange(n), [0, 0, step * factor]))


def test_a_tenth_too_long_is_a_tenth_of_a_metre_per_metre():
    true, estimated = straight(41, 0.25), straight(41, 0.25, 1.1)
    per_frame = relative_pose_error(estimated, true)
    np.testing.assert_allclose(per_frame.translation, 0.025, atol=1e-12)
    assert len(per_frame.translation) == 40
    per_five = relative_pose_error(estimated, true, delta=5)
    np.testing.assert_allclose(per_five.translation, 0.125, atol=1e-12)
    assert len(per_five.translation) == 36
    per_metre = relative_pose_error(estimated, true, delta=1.0, unit="m")
    np.testing.assert_allclose(per_metre.translation, 0.1, atol=1e-12)
    assert len(per_metre.translation) == 37


def test_metres_are_of_the_true_path_and_frames_that_stand_still_do_no_harm():
    z = np.array([0, 0, 0, 0.4, 0.4, 1.3, 1.3, 2.5])
    true = Pose(np.tile([1.0, 0, 0, 0], (8, 1)), np.outer(z, [0, 0, 1]))
    estimated = Pose(true.q_wxyz, true.translation * 3)
    error = relative_pose_error(estimated, true, delta=1.0, unit="m")
    # 0, 1 and 2 reach 1.3; 3 and 4 (0.4) reach 2.5; 5 and 6 (1.3) reach 2.5; 7 reaches nothing.
    assert len(error.translation) == 7
    np.testing.assert_allclose(error.translation, 2.0)


def test_a_yaw_drift_is_read_in_radians_per_frame_and_per_metre():
    n, drift = 21, 0.01
    true = straight(n, 0.5)
    angle = drift * np.arange(n) / 2
    q = np.stack([np.cos(angle), 0 * angle, np.sin(angle), 0 * angle], axis=1)
    estimated = Pose(q, true.translation)
    np.testing.assert_allclose(relative_pose_error(estimated, true).rotation, drift, atol=1e-14)
    np.testing.assert_allclose(
        relative_pose_error(estimated, true, delta=2, unit="m").rotation, drift / 0.5, atol=1e-14
    )


def test_relative_errors_do_not_see_a_rigid_motion():
    true = walk()
    moved = Pose([0.3, -0.5, 0.2, 0.7], [4, -2, 9]) @ true
    error = relative_pose_error(moved, true, delta=3)
    assert error.translation.max() < 1e-12
    assert error.rotation.max() < 1e-12


def test_summaries_are_the_textbook_ones():
    true = straight(4, 1.0)
    estimated = Pose(true.q_wxyz, true.translation + np.outer([0, 3, 4, 5], [1, 0, 0]))
    error = absolute_trajectory_error(estimated, true, "none")
    assert error.rmse == pytest.approx(np.sqrt(50 / 4))
    assert error.median == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delta": 50}, "no two of the 50 frames are 50 frames apart"),
        ({"delta": 1e6, "unit": "m"}, "no two of the 50"),
        ({"delta": 1.5}, "whole number"),
        ({"delta": 0}, "positive, finite delta"),
        ({"delta": -1.0, "unit": "m"}, "positive, finite delta"),
        ({"delta": np.nan, "unit": "m"}, "positive, finite delta"),
        ({"unit": "seconds"}, "frames, m is wanted"),
    ],
)
def test_relative_errors_refuse_what_they_cannot_mean(arguments, message):
    with pytest.raises(GeometryError, match=message):
        relative_pose_error(walk(), walk(), **arguments)


def test_trajectories_must_pair_up():
    for function in (absolute_trajectory_error, relative_pose_error):
        with pytest.raises(GeometryError, match="same length"):
            function(walk(5), walk(6))
    with pytest.raises(GeometryError, match="'sim2' came"):
        absolute_trajectory_error(walk(), walk(), "sim2")
    with pytest.raises(GeometryError, match="one line"):
        absolute_trajectory_error(straight(9, 1.0), straight(9, 1.0))
