"""Visual odometry on pictures whose poses are exact, and the doubt of a two-view pose."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.pose import relative_pose
from sightline.geometry.pose_graph import (
    PoseGraph,
    PosePriors,
    diagonal_covariance,
    solve_pose_graph,
)
from sightline.geometry.rotation import rotation_angle_deg
from sightline.reconstruction.odometry import (
    Odometry,
    OdometryConfig,
    VisualOdometry,
    odometry_of_trajectory,
)
from sightline.reconstruction.two_view.estimation import Estimator, Matches, estimate_pose
from sightline.reconstruction.two_view.uncertainty import pose_covariance, ranges_to_points
from two_walls import CAMERA, view_of_planes

WIDE = Camera("PINHOLE", 640, 480, (450.0, 450.0, 319.5, 239.5))
MOVED = Pose.from_rotation(Rotation.from_rotvec(np.radians([4.0, -9.0, 3.0])), [0.8, 0.1, 0.3])


def matched(b_from_a: Pose, count: int, noise_px: float, seed: int) -> tuple[Matches, np.ndarray]:
    """Return matches of points 2 to 6 m away, and the points in a's frame."""
    rng = np.random.default_rng(seed)
    a_px = rng.uniform((0, 0), (639, 479), (20 * count, 2))
    points = WIDE.unproject(a_px) * rng.uniform(2, 6, len(a_px))[:, None]
    b_px = WIDE.project(b_from_a.apply(points))
    seen = np.isfinite(b_px).all(axis=1) & (b_px >= 0).all(axis=1) & (b_px < (640, 480)).all(axis=1)
    rows = np.flatnonzero(seen)[:count]
    noise = rng.normal(0, noise_px, (2, count, 2))
    matches = Matches.of(a_px[rows] + noise[0], b_px[rows] + noise[1], (WIDE, WIDE), (1.0, 1.0))
    return matches, points[rows]


def test_covariance_is_that_of_the_errors() -> None:
    """Over many draws of noise the errors of five numbers are as long as the covariance says."""
    true = Pose(MOVED.q_wxyz, MOVED.translation / np.linalg.norm(MOVED.translation))
    squares = []
    for seed in range(60):
        matches, _ = matched(MOVED, 150, 1.0, seed)
        found = estimate_pose(matches, Estimator(threshold_px=4.0))
        turn = (true.rotation.inv() * found.rotation).as_rotvec()
        error = np.concatenate([found.translation - true.translation, turn])
        covariance = pose_covariance(found, matches, inflation=1.0)
        squares.append(error @ np.linalg.solve(covariance, error))
    # Five of 60 draws: 5 with a standard deviation of 0.4; linearisation and robust loss add.
    assert 3.0 < np.mean(squares) < 7.5


def test_covariance_falls_with_matches_and_rises_with_inflation() -> None:
    few, _ = matched(MOVED, 40, 0.5, 1)
    many, _ = matched(MOVED, 640, 0.5, 1)
    unit = Pose(MOVED.q_wxyz, MOVED.translation / np.linalg.norm(MOVED.translation))
    small, large = (np.sqrt(np.diag(pose_covariance(unit, m))) for m in (many, few))
    np.testing.assert_allclose(large / small, 4.0, rtol=0.5)
    np.testing.assert_allclose(
        pose_covariance(unit, many, 4.0), 4.0 * pose_covariance(unit, many, 2.0), rtol=1e-3
    )
    assert (np.linalg.eigvalsh(pose_covariance(unit, few)) > 0).all()


def test_ranges_are_the_distances() -> None:
    matches, points = matched(MOVED, 50, 0.0, 2)
    length = float(np.linalg.norm(MOVED.translation))
    unit = Pose(MOVED.q_wxyz, MOVED.translation / length)
    range_a, range_b, doubt = ranges_to_points(unit, matches)
    np.testing.assert_allclose(range_a * length, np.linalg.norm(points, axis=1), rtol=1e-9)
    there = np.linalg.norm(MOVED.apply(points), axis=1)
    np.testing.assert_allclose(range_b * length, there, rtol=1e-9)
    # A pixel's angle over the parallax: about 1/450 of some 10 degrees.
    assert 0.005 < np.median(doubt) < 0.05


def walk() -> Pose:
    """Sideways past the two walls with uneven steps, turning a little."""
    x = np.array([-0.9, -0.6, -0.45, 0.05, 0.25, 0.85])
    turn = Rotation.from_euler("y", np.array([10.0, 8, 4, 1, -3, -9])[:, None], degrees=True)
    centres = np.stack([x, 0.1 * np.sin(5 * x), 0.2 * np.cos(3 * x)], axis=1)
    return Pose.from_rotation(turn, centres)


@pytest.fixture(scope="module")
def walked() -> tuple[Pose, Odometry]:
    true, odometry = walk(), VisualOdometry()
    for i in range(len(true)):
        odometry.add(view_of_planes(true[i].inverse(), noise=i + 1).image, CAMERA)
    return true, odometry.result()


def test_every_frame_is_tied_to_the_two_before(walked: tuple[Pose, Odometry]) -> None:
    true, found = walked
    relative = found.relative
    assert sorted(zip(relative.a.tolist(), relative.b.tolist(), strict=True)) == [
        (i, i + k) for i in range(6) for k in (1, 2) if i + k < 6
    ]
    assert not relative.metric.any()
    expected = relative_pose(true[relative.b], true[relative.a])
    assert rotation_angle_deg(relative.b_from_a.q_wxyz, expected.q_wxyz).max() < 0.5
    length = np.linalg.norm(expected.translation, axis=1, keepdims=True)
    off = np.linalg.norm(relative.b_from_a.translation - expected.translation / length, axis=1)
    assert np.degrees(off).max() < 6.0
    assert found.tied().all()


def test_lengths_of_steps_compare(walked: tuple[Pose, Odometry]) -> None:
    true, found = walked
    relative, ratios = found.relative, found.ratios
    apart = true.translation[relative.a] - true.translation[relative.b]
    length = np.linalg.norm(apart, axis=1)
    expected = np.log(length[ratios.second] / length[ratios.first])
    assert len(ratios) >= 8
    off = np.abs(ratios.log_ratio - expected)
    assert np.median(off) < 0.05
    assert np.mean(off < 3 * ratios.sigma) > 0.85


def test_two_ends_give_the_whole_walk(walked: tuple[Pose, Odometry]) -> None:
    true, found = walked
    ends = PosePriors(np.array([0, 5]), true[np.array([0, 5])], diagonal_covariance(0.001, 0.001))
    solved = solve_pose_graph(PoseGraph(6, ends, found.relative, found.ratios))
    off = np.linalg.norm(solved.world_from_cam.translation - true.translation, axis=1)
    # The walk is 1.8 m long.
    assert off.max() < 0.05
    assert rotation_angle_deg(solved.world_from_cam.q_wxyz, true.q_wxyz).max() < 0.5


def test_a_camera_that_only_turns_stays_where_it_is() -> None:
    odometry = VisualOdometry(OdometryConfig(reach=1, still=0.07))
    turn = Rotation.from_euler("y", [[0.0], [9.0]], degrees=True)
    true = Pose.from_rotation(turn, np.zeros((2, 3)))
    for i in range(2):
        odometry.add(view_of_planes(true[i].inverse()).image, CAMERA)
    relative = odometry.result().relative
    np.testing.assert_array_equal(relative.metric, [True])
    np.testing.assert_array_equal(relative.b_from_a.translation, [[0.0, 0.0, 0.0]])
    expected = relative_pose(true[1], true[0])
    assert rotation_angle_deg(relative.b_from_a.q_wxyz[0], expected.q_wxyz) < 0.3
    assert relative.covariance[0, 0, 0] == pytest.approx(0.07**2)


def test_frames_that_show_nothing_known_are_not_tied() -> None:
    odometry = VisualOdometry()
    pictures = [view_of_planes(Pose.identity()).image]
    pictures.append(np.random.default_rng(0).integers(0, 256, pictures[0].shape, np.uint8))
    pictures.append(np.zeros_like(pictures[0]))
    for picture in pictures:
        odometry.add(picture, CAMERA)
    found = odometry.result()
    assert found.frames == 3
    assert len(found.relative) == len(found.ratios) == 0
    assert not found.tied().any()


def test_nothing_added() -> None:
    found = VisualOdometry().result()
    assert found.frames == 0
    assert len(found.tied()) == 0


def test_settings_that_mean_nothing() -> None:
    with pytest.raises(InputError, match="a reach of 1"):
        OdometryConfig(reach=0)
    with pytest.raises(InputError, match="a still above 0"):
        dataclasses.replace(OdometryConfig(), still=0.0)


# --- a trajectory that is given -------------------------------------------------------------------


def test_a_given_trajectory_counts_by_its_steps_alone() -> None:
    true, stamps = walk(), np.arange(6) * 0.5
    other_world = Pose.from_rotation(Rotation.from_rotvec([0.4, 1.0, -2.0]), [5.0, -3.0, 9.0])
    found = odometry_of_trajectory(stamps + 0.0, other_world @ true, stamps.tolist())
    assert found.relative.metric.all()
    expected = relative_pose(true[1:], true[:-1])
    np.testing.assert_allclose(found.relative.b_from_a.translation, expected.translation, atol=1e-9)
    assert rotation_angle_deg(found.relative.b_from_a.q_wxyz, expected.q_wxyz).max() < 1e-6


def test_frames_between_and_beyond_the_poses_given() -> None:
    stamps = np.array([0.0, 1.0, 2.0, 9.0])
    centres = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [9, 0, 0]])
    poses = Pose(np.tile([1.0, 0, 0, 0], (4, 1)), centres)
    found = odometry_of_trajectory(stamps, poses, [0.25, 0.75, 1.5, 5.0, 9.0])
    np.testing.assert_array_equal(found.relative.a, [0, 1])
    np.testing.assert_allclose(found.relative.b_from_a.translation[:, 0], [-0.5, -0.75])
    np.testing.assert_array_equal(found.tied(), [True, True, False, False])
    with pytest.raises(InputError, match=r"\(100.000 to 101.000 s\).*shift its clock"):
        odometry_of_trajectory(stamps, poses, [100.0, 101.0])
