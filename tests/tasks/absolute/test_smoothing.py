"""MapNet+PGO: answers with large errors and odometry with small ones."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.pose import relative_pose
from sightline.geometry.pose_graph import RelativePoses, ScaleRatios, diagonal_covariance
from sightline.geometry.rotation import rotation_angle_deg
from sightline.reconstruction.odometry import Odometry
from sightline.tasks.absolute.pose_graph import Answers, SmoothingConfig, smooth

COUNT = 80


def walk() -> Pose:
    t = np.linspace(0, 2 * np.pi, COUNT)
    centres = np.stack([7 * np.cos(t), 4.5 * np.sin(t), 1.5 + 0 * t], axis=1)
    turn = Rotation.from_euler("z", t[:, None]) * Rotation.from_euler("x", -np.pi / 2)
    return Pose.from_rotation(turn, centres)


def moved(poses: Pose, position: float, angle_deg: float, seed: int) -> Pose:
    rng = np.random.default_rng(seed)
    turn = Rotation.from_rotvec(np.deg2rad(angle_deg) * rng.standard_normal((len(poses), 3)))
    shift = position * rng.standard_normal((len(poses), 3))
    return Pose.from_rotation(poses.rotation * turn, poses.translation + shift)


def odometry(true: Pose, lost: tuple[int, ...] = ()) -> Odometry:
    """Directions and rotations one degree off, ratios of lengths to 5 %; lost at some steps."""
    a = np.array([i for i in range(COUNT - 1) if i not in lost])
    exact = relative_pose(true[a + 1], true[a])
    length = np.linalg.norm(exact.translation, axis=1)
    unit = Pose(exact.q_wxyz, exact.translation / length[:, None])
    steps = moved(unit, np.deg2rad(1.0), 0.3, 5)
    steps = Pose(
        steps.q_wxyz, steps.translation / np.linalg.norm(steps.translation, axis=1)[:, None]
    )
    covariance = diagonal_covariance(np.deg2rad(1.0), np.deg2rad(0.3))
    rows = np.flatnonzero(np.diff(a) == 1)
    ratio = np.log(length[rows + 1] / length[rows])
    noise = 0.05 * np.random.default_rng(6).standard_normal(len(rows))
    return Odometry(
        COUNT,
        RelativePoses(a, a + 1, steps, covariance, np.zeros(len(a), bool)),
        ScaleRatios(rows, rows + 1, ratio + noise, 0.05),
    )


def answers(poses: list[Pose | None], position: float = 1.0, angle_deg: float = 15.0) -> Answers:
    sigmas = np.array(position), np.array(np.deg2rad(angle_deg))
    return Answers(poses, *sigmas, np.array(True))


def each(poses: Pose) -> list[Pose | None]:
    return [poses[i] for i in range(len(poses))]


def errors(poses: list[Pose | None], true: Pose) -> tuple[np.ndarray, np.ndarray]:
    known = Pose.stack([pose for pose in poses if pose is not None])
    assert len(known) == len(true)
    off = np.linalg.norm(known.translation - true.translation, axis=1)
    return off, rotation_angle_deg(known.q_wxyz, true.q_wxyz)


STAMPS = (0.5 * np.arange(COUNT)).tolist()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_errors_fall_by_far_more_than_a_quarter(seed: int) -> None:
    true = walk()
    raw = moved(true, 1.0, 15.0, seed)
    found = smooth(answers(each(raw)), odometry(true), STAMPS)
    off, turned = errors(found.poses, true)
    before, turned_before = errors(each(raw), true)
    # Eighty answers share one trajectory, whose odometry drifts.
    assert np.median(off) < 0.5 * np.median(before)
    assert np.median(turned) < 0.35 * np.median(turned_before)


def test_the_doubt_of_answers_is_judged_by_how_they_fit() -> None:
    true = walk()
    raw = moved(true, 0.8, 12.0, 4)
    for guess in (0.3, 3.0):
        found = smooth(answers(each(raw), guess, 5.0), odometry(true), STAMPS)
        assert found.position_sigma[0] == pytest.approx(0.8, rel=0.3)


def test_wild_answers_are_let_go() -> None:
    true = walk()
    raw = moved(true, 0.5, 8.0, 7)
    rng = np.random.default_rng(8)
    wrong = rng.permutation(COUNT)[: COUNT // 4]
    centres, q = raw.translation.copy(), raw.q_wxyz.copy()
    centres[wrong] = rng.uniform(-9, 9, (len(wrong), 3))
    q[wrong] = Rotation.random(len(wrong), rng=rng).as_quat(scalar_first=True)
    found = smooth(answers(each(Pose(q, centres))), odometry(true), STAMPS)
    off, _ = errors(found.poses, true)
    assert np.median(off) < 0.4
    assert off.max() < 1.0
    right = np.setdiff1d(np.arange(COUNT), wrong)
    assert np.median(found.weights[wrong]) < 0.2 < np.median(found.weights[right])


def test_frames_without_an_answer_are_filled() -> None:
    """Answers of the map at every fifth frame and at the end, none between."""
    true = walk()
    poses = [true[i] if i % 5 == 0 or i == COUNT - 1 else None for i in range(COUNT)]
    sure = Answers(poses, np.array(0.02), np.array(np.deg2rad(0.3)), np.array(False))
    found = smooth(sure, odometry(true), STAMPS)
    off, turned = errors(found.poses, true)
    assert off.max() < 0.08
    assert turned.max() < 1.0
    np.testing.assert_array_equal(found.weights[1:5], 0.0)


def test_lost_odometry_is_bridged_by_a_walk() -> None:
    true = walk()
    poses = [None if 30 <= i < 33 else true[i] for i in range(COUNT)]
    sure = Answers(poses, np.array(0.02), np.array(0.01), np.array(False))
    lost = odometry(true, lost=(29, 30, 31, 32))
    found = smooth(sure, lost, STAMPS)
    off, _ = errors(found.poses, true)
    # Half a metre a step: the frames between lie on the line between their neighbours.
    assert off.max() < 0.3


def test_how_far_the_camera_may_have_strayed_from_frame_to_frame() -> None:
    true = walk()
    poses = [None if 30 <= i < 45 else true[i] for i in range(COUNT)]
    sure = Answers(poses, np.array(0.02), np.array(0.01), np.array(False))
    config = SmoothingConfig(longest_gap_s=1.0)
    found = smooth(sure, odometry(true, lost=tuple(range(29, 45))), STAMPS, config)
    step = np.linalg.norm(np.diff(true.translation, axis=0), axis=1)
    assert found.step_sigma.shape == (COUNT - 1,)
    # a twentieth of a step that is known; 1.5 m/s for half a second where it is lost, within a
    # second of what is known; nothing ties the frames between
    known = [5, 28, 60]
    np.testing.assert_allclose(found.step_sigma[known], 0.05 * step[known], rtol=0.1)
    np.testing.assert_allclose(found.step_sigma[[29, 30, 43, 44]], 0.75)
    assert np.isinf(found.step_sigma[31:43]).all()
    assert [i for i, pose in enumerate(found.poses) if pose is None] == list(range(32, 43))
    nothing = smooth(answers([None] * COUNT), odometry(true), STAMPS)
    assert np.isinf(nothing.step_sigma).all()


def test_frames_that_nothing_reaches_stay_unknown() -> None:
    true = walk()
    poses = [None if 25 <= i < 40 else true[i] for i in range(COUNT)]
    sure = Answers(poses, np.array(0.02), np.array(0.01), np.array(False))
    lost, apart = odometry(true, lost=(26, 30, 36)), SmoothingConfig(longest_gap_s=0.1)
    found = smooth(sure, lost, STAMPS, apart)
    # Frames 25 and 26 hang on one end by a step of unknown length whose ratio is known.
    assert [i for i, pose in enumerate(found.poses) if pose is None] == list(range(27, 37))


def test_one_recognised_frame_says_nothing_of_what_was_filmed_minutes_later() -> None:
    stamps = 0.5 * np.arange(200)
    poses: list[Pose | None] = [None] * 200
    poses[40] = walk()[0]
    sure = Answers(poses, np.array(0.02), np.array(0.01), np.array(False))
    none = Odometry(200, RelativePoses.none(), ScaleRatios.none())
    found = smooth(sure, none, stamps.tolist(), SmoothingConfig(longest_gap_s=5.0))
    assert [i for i, pose in enumerate(found.poses) if pose is not None] == list(range(30, 51))


def test_no_answer_at_all() -> None:
    true = walk()
    found = smooth(answers([None] * COUNT), odometry(true), STAMPS)
    assert found.poses == [None] * COUNT


def test_other_frames_are_refused() -> None:
    true = walk()
    with pytest.raises(InputError, match="odometry and times of 79 frames are wanted, 80 and 80"):
        smooth(answers(each(true)[1:]), odometry(true), STAMPS)
    with pytest.raises(InputError, match="standard deviations above 0"):
        answers(each(true), 0.0)
