"""Spreading a correction over a path, against closed forms."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry import Pose, Similarity
from sightline.geometry.pose import relative_pose
from sightline.geometry.rotation import rotation_angle
from sightline.reconstruction.drift import RelativePoses, move_points, relax


def ring(count: int = 24) -> Pose:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    centres = np.stack([5 * np.cos(angle), np.sin(3 * angle), 5 * np.sin(angle)], axis=1)
    turns = Rotation.from_euler("yx", np.stack([-angle, 0.2 * np.cos(angle)], axis=1))
    return Pose.from_rotation(turns, centres)


def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.r_[np.arange(count - 1), np.arange(count - 3), 0]
    b = np.r_[np.arange(1, count), np.arange(3, count), count - 1]
    return a, b


def test_consistent_measurements_give_the_truth_from_a_drifted_start() -> None:
    truth = ring()
    rng = np.random.default_rng(0)
    units = np.exp(np.r_[0.0, rng.normal(0, 0.1, len(truth) - 1)])
    a, b = pairs(len(truth))
    motion = relative_pose(truth[a], truth[b])
    measured = RelativePoses(
        a,
        b,
        Pose(motion.q_wxyz, motion.translation / units[a, None]),
        units[b] / units[a],
        rng.uniform(0.5, 2, len(a)),
    )
    # Drift: every frame a little more turned, the first one true.
    wrong = Rotation.from_rotvec(np.linspace(0, 0.3, len(truth))[:, None] * [0.5, 1.0, -0.3])
    start = Pose.from_rotation(wrong * truth.rotation, truth.translation)
    found, found_units = relax(start, measured)
    np.testing.assert_allclose(found_units, units, rtol=1e-9)
    np.testing.assert_allclose(found.translation, truth.translation, atol=1e-6)
    assert rotation_angle(found.q_wxyz, truth.q_wxyz).max() < 1e-7


def test_a_loop_spreads_its_correction_evenly() -> None:
    # A straight walk of 10 steps of 1.1 m that the loop says are 10 m in all.
    count = 11
    start = Pose(np.tile([1.0, 0, 0, 0], (count, 1)), np.arange(count)[:, None] * [1.1, 0, 0])
    a, b = np.r_[np.arange(count - 1), 0], np.r_[np.arange(1, count), count - 1]
    steps = np.r_[np.tile([[1.1, 0, 0]], (count - 1, 1)), [[10.0, 0, 0]]]
    motions = Pose(np.tile([1.0, 0, 0, 0], (count, 1)), steps)
    weights = np.r_[np.ones(count - 1), 1e9]
    found, units = relax(start, RelativePoses(a, b, motions, np.ones(count), weights))
    np.testing.assert_allclose(found.translation[:, 0], np.arange(count), atol=1e-6)
    np.testing.assert_allclose(units, 1)


def test_frames_that_nothing_connects_raise() -> None:
    poses = ring(4)
    a, b = np.array([0, 2]), np.array([1, 3])
    measured = RelativePoses(a, b, relative_pose(poses[a], poses[b]), np.ones(2), np.ones(2))
    with pytest.raises(GeometryError, match="connect all frames"):
        relax(poses, measured)


def test_points_follow_the_frames_that_see_them() -> None:
    rng = np.random.default_rng(1)
    before = ring(6)
    moved = Similarity(1.3, Pose.from_rotation(Rotation.from_rotvec([0.2, -0.1, 0.4]), [1, 2, 3]))
    after = moved.apply_pose(before)
    points = rng.normal(size=(10, 3))
    seen_by = np.repeat(np.arange(6), 3)
    seen = rng.integers(0, 9, len(seen_by))
    carried = move_points(points, seen_by, seen, before=before, after=after, units=np.full(6, 1.3))
    watched = np.unique(seen)
    np.testing.assert_allclose(carried[watched], moved.apply(points[watched]), atol=1e-12)
    np.testing.assert_array_equal(carried[9], points[9])
