"""What kitchen.py makes of answers: shares of all frames, the camera offset, swapped sides."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from _camera_offset import OffsetFit
from kitchen import baselines, in_depth_world, landscape, score
from sightline.geometry import Pose, Similarity
from sightline.tasks.absolute.config import scratch_config

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "kitchen.py"


def line(x: list[float], turn_deg: float = 0.0) -> Pose:
    turns = Rotation.from_rotvec([[0.0, turn_deg, 0.0]] * len(x), degrees=True)
    return Pose.from_rotation(turns, np.array([[v, 0.0, 0.0] for v in x]))


def test_shares_are_of_all_and_medians_of_the_answered():
    truth, near = line([0.0, 1.0, 2.0, 3.0]), line([0.04, 1.3, 4.0], 3.0)
    row = score("x", [near[0], None, near[1], near[2]], truth)
    # errors of the three answers: 0.04, 0.7 and 1.0 m, each 3 degrees
    assert row["answered"] == 0.75
    assert row["median_m"] == pytest.approx(0.7)
    assert row["median_deg"] == pytest.approx(3.0)
    assert (row["within_0.05"], row["within_0.25"], row["within_0.5"]) == (0.25, 0.25, 0.25)
    assert row["over_1"] == 0.0
    turned = line([0.0], 6.0)
    assert score("x", [turned[0]], line([0.0]))["within_0.5"] == 0.0


def test_no_answer_at_all_has_a_row():
    row = score("x", [None, None], line([0.0, 1.0]))
    assert (row["answered"], row["within_0.25"], row["over_1"]) == (0.0, 0.0, 0.0)
    assert "median_m" not in row


def test_baselines_do_not_look():
    constant, nearest = baselines(line([0.0, 2.0, 4.0]), line([4.5, 5.5]))
    assert constant["median_m"] == pytest.approx(3.0)
    assert nearest["median_m"] == pytest.approx(1.0)


def test_answers_of_the_map_are_moved_to_the_depth_camera():
    """Twice as large, 1 m along x, and the depth camera 0.1 m beside the other one."""
    beside = Pose(np.array([1.0, 0, 0, 0]), np.array([0.1, 0.0, 0.0]))
    moved = Pose(np.array([1.0, 0, 0, 0]), np.array([1.0, 0.0, 0.0]))
    fit = OffsetFit(Similarity(2.0, moved), beside)
    found = in_depth_world([line([3.0])[0], None], fit)
    assert found[1] is None
    assert found[0].translation == pytest.approx([7.1, 0.0, 0.0])


@pytest.mark.parametrize("model", ["posenet", "scene_coordinates"])
def test_pictures_wider_than_high_have_their_sides_swapped(model):
    portrait = scratch_config(model, 10.0)
    turned = landscape(portrait)
    assert (turned.width, turned.height) == (portrait.height, portrait.width)
    assert turned.width > turned.height


def test_without_the_clip_it_says_so(tmp_path):
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), "--data", str(tmp_path), "--work", str(tmp_path / "work")],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "it is not there" in ended.stderr
    assert not (tmp_path / "work").exists()
