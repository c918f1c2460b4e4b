"""The demo's scores; the demo itself is what `.ci/run` runs last."""

from pathlib import Path

import numpy as np
import pytest

from sightline.app.demo_scores import Answer, Track
from sightline.geometry import Pose
from sightline.records import PosedFrame


def poses(x: list[float], turn_deg: float = 0.0) -> list[Pose]:
    half = np.deg2rad(turn_deg) / 2
    q = np.array([np.cos(half), 0.0, 0.0, np.sin(half)])
    return [Pose(q, np.array([v, 0.0, 0.0])) for v in x]


@pytest.fixture
def track() -> Track:
    true = poses([0.0, 1.0, 2.0, 3.0])
    frames = [PosedFrame(f"{i}.jpg", None, pose) for i, pose in enumerate(true)]
    return Track("walk", Path("images"), frames, None)


def test_shares_are_of_all_frames_asked(track: Track) -> None:
    near = poses([0.1, 1.2], 1.0)
    far = poses([4.5], 1.0)
    answer = Answer.of(track, "net", [near[0], None, near[1], far[0]])
    scores = answer.to_json()
    assert scores["answered"] == 0.75
    # 0.1 m off is within; 0.8 m is neither; 1.5 m is wrong; one of four was not answered.
    assert scores["within"] == pytest.approx(0.25)
    assert scores["wrong"] == pytest.approx(0.25)
    assert scores["median_m"] == pytest.approx(0.8)
    assert scores["median_deg"] == pytest.approx(1.0)


def test_no_answer_at_all_has_a_row(track: Track) -> None:
    answer = Answer.of(track, "map", [None] * 4)
    assert answer.row() == ("walk", "map", "0%", "-", "-", "-", "-", "-")
