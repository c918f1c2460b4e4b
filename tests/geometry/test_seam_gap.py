"""The gap where a walk comes back, against a known drift."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry import Pose
from sightline.geometry.trajectory import seam_gap


def rounds(count: int, turns: float) -> Pose:
    angle = np.linspace(0, 2 * np.pi * turns, count)
    centres = np.stack([5 * np.cos(angle), 5 * np.sin(angle), np.zeros(count)], axis=1)
    return Pose.from_rotation(Rotation.from_euler("z", angle[:, None]), centres)


def test_a_closed_loop_has_no_gap_in_any_frame_or_unit() -> None:
    true = rounds(120, 1.2)
    turn = Rotation.from_rotvec([0.3, -0.2, 0.9])
    moved = Pose.from_rotation(
        turn * true.rotation, 0.37 * turn.apply(true.translation) + np.array([3.0, 1.0, -2.0])
    )
    gap = seam_gap(moved, true, reach=0.3, apart=60)
    np.testing.assert_allclose(gap.translation, 0.0, atol=1e-9)
    np.testing.assert_allclose(gap.rotation, 0.0, atol=1e-7)


def test_the_second_round_lies_higher_by_the_gap() -> None:
    true = rounds(120, 2.0)
    second = np.arange(120) >= 60
    lifted = Pose(true.q_wxyz, true.translation + 0.2 * second[:, None] * np.array([0, 0, 1.0]))
    gap = seam_gap(lifted, true, reach=0.3, apart=40)
    # The Sim(3) fit halves the step over both rounds and shrinks them hardly.
    assert gap.median == pytest.approx(0.2, rel=0.01)
    with pytest.raises(GeometryError, match=r"within 0\.3 of one 40 or more before"):
        seam_gap(rounds(40, 0.5), rounds(40, 0.5), reach=0.3, apart=40)
