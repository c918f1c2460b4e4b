"""Jumps, turns on the spot and cameras on their side, against walks made with them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.geometry import Pose
from sightline.reconstruction.diagnosis.trajectory import (
    drawn_from_above,
    find_jumps,
    find_spot_turns,
    lies_on_its_side,
    rolls_deg,
    steps_in_time,
    walk_normal,
)

COUNT = 30


def turned(degrees: np.ndarray) -> Rotation:
    """Return turns about z, one for each angle."""
    return Rotation.from_euler("z", np.asarray(degrees, float)[:, None], degrees=True)


#: A camera that looks along +x of a world with z up.
LEVEL = Rotation.from_matrix(np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], float))


def walk(seed: int = 0) -> tuple[np.ndarray, Rotation, np.ndarray]:
    """Return centres, rotations and times of a hand-held walk at about 1.2 m/s and 5 frames/s."""
    rng = np.random.default_rng(seed)
    steps = np.c_[rng.uniform(0.15, 0.33, COUNT), rng.normal(0, 0.03, (COUNT, 2))]
    turns = turned(np.cumsum(rng.normal(0, 4, COUNT))) * LEVEL
    return np.cumsum(steps, axis=0), turns, 0.2 * np.arange(COUNT)


def jumps(centres: np.ndarray, turns: Rotation, seconds: np.ndarray):
    poses = Pose.from_rotation(turns, centres)
    return find_jumps(poses, steps_in_time(poses, seconds))


@pytest.mark.parametrize("seed", range(5))
def test_a_walk_has_no_jump(seed: int) -> None:
    assert jumps(*walk(seed)) == []


def test_a_frame_that_stands_alone_is_one_jump() -> None:
    centres, turns, seconds = walk()
    centres[12] += [0.0, 4.0, 0.0]
    (jump,) = jumps(centres, turns, seconds)
    assert (jump.a, jump.b, jump.lone) == (11, 12, 12)
    step = np.linalg.norm(centres[12] - centres[11])
    assert jump.speed == pytest.approx(step / 0.2)
    assert jump.times > 10


def test_two_parts_put_together_wrongly() -> None:
    centres, turns, seconds = walk()
    centres[17:] += [0.0, 3.0, 0.0]
    (jump,) = jumps(centres, turns, seconds)
    assert (jump.a, jump.b, jump.lone) == (16, 17, None)


def test_frames_left_out_are_no_jump() -> None:
    centres, turns, seconds = walk()
    keep = np.r_[0:10, 20:COUNT]
    assert jumps(centres[keep], turns[keep], seconds[keep]) == []
    # Nor is a pause between two recordings, wherever the next one begins.
    seconds[15:] += 10.0
    centres[15:] += [2.0, 2.0, 0.0]
    assert jumps(centres, turns, seconds) == []


def test_a_halt_is_no_jump() -> None:
    centres, turns, seconds = walk()
    steps = np.diff(centres, axis=0, prepend=0)
    steps[8:16] *= 0.01
    assert jumps(np.cumsum(steps, axis=0), turns, seconds) == []


def test_a_turned_frame_is_a_jump_and_a_slow_turn_is_none() -> None:
    centres, turns, seconds = walk()
    matrices = turns.as_matrix()
    matrices[9] = (Rotation.from_euler("z", 150, degrees=True) * turns[9]).as_matrix()
    (jump,) = jumps(centres, Rotation.from_matrix(matrices), seconds)
    assert (jump.a, jump.lone) == (8, 9)
    assert jump.turn_deg > 100
    round_ = turned(50.0 * np.arange(COUNT)) * LEVEL
    assert jumps(centres, round_, seconds) == []


def test_few_frames_or_equal_times_make_no_jump() -> None:
    centres, turns, seconds = walk()
    assert jumps(centres[:3] * [[1], [9], [1]], turns[:3], seconds[:3]) == []
    assert jumps(centres[:1], turns[:1], seconds[:1]) == []
    assert jumps(centres, turns, np.zeros(COUNT)) == []


@pytest.mark.parametrize(("sway_m", "found"), [(0.05, True), (0.45, False)])
def test_turns_on_the_spot(sway_m: float, found: bool) -> None:
    # 60 degrees in 12 frames at a depth of 4 m: 1.5 degrees of parallax are 10.5 cm.
    turns = turned(5.0 * np.arange(13)) * LEVEL
    centres = np.c_[np.linspace(0, sway_m, 13), np.zeros((13, 2))]
    ahead = np.c_[np.arange(1, 11) * 0.3 + sway_m, np.zeros((10, 2))]
    poses = Pose.from_rotation(
        Rotation.concatenate([turns, *[turns[-1]] * 10]), np.concatenate([centres, ahead])
    )
    spots = find_spot_turns(poses, np.full(23, 4.0))
    if not found:
        assert spots == []
        return
    (turn,) = spots
    assert (turn.a, turn.b) == (0, 12)
    assert turn.turn_deg == pytest.approx(60.0)
    assert turn.parallax == pytest.approx(sway_m / 4)


@pytest.mark.parametrize("roll", [0.0, 30.0, 90.0, -90.0, 180.0])
def test_rolls(roll: float) -> None:
    # The camera turned about its own axis by minus r has the world's up r clockwise of its own.
    held = Rotation.from_euler("z", 37, degrees=True) * LEVEL
    held = held * Rotation.from_euler("z", -roll, degrees=True)
    poses = Pose.from_rotation(Rotation.concatenate([held]), np.zeros((1, 3)))
    (found,) = rolls_deg(poses, np.array([0.0, 0.0, 1.0]))
    assert np.cos(np.deg2rad(found - roll)) == pytest.approx(1.0)


def ring(roll: float) -> Pose:
    angle = np.linspace(0, 330, COUNT)
    held = turned(angle) * LEVEL
    held = held * Rotation.from_euler("z", roll, degrees=True)
    radians = np.deg2rad(angle)
    centres = np.stack([4 * np.cos(radians), 3 * np.sin(radians), 0.02 * np.cos(9 * radians)], 1)
    tilt = Rotation.from_euler("x", 40, degrees=True)  # the map's own frame is any frame
    return Pose.from_rotation(tilt * held, tilt.apply(centres))


@pytest.mark.parametrize(("roll", "side"), [(0, False), (15, False), (90, True), (-80, True)])
def test_a_video_on_its_side(roll: float, side: bool) -> None:
    poses = ring(roll)
    normal = walk_normal(poses.translation)
    assert normal is not None
    assert lies_on_its_side(poses, normal) is side


def test_a_straight_or_short_walk_tells_no_floor() -> None:
    centres, _, _ = walk()
    assert walk_normal(centres) is None
    assert walk_normal(ring(0).translation[:5]) is None


def test_from_above() -> None:
    centres, _, _ = walk()
    np.testing.assert_array_equal(drawn_from_above(centres, np.array([0, 0, 1.0])), centres[:, :2])
    flat = drawn_from_above(ring(0).translation, None)
    assert np.ptp(flat, axis=0) == pytest.approx([8, 6], rel=0.02)
