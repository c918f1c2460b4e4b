"""The demo's scores; the demo itself is what `.ci/run` runs last."""

from pathlib import Path

import numpy as np
import pytest

from sightline.app.demo_scores import Answer, Track, moved_to_walkable, saved_answers
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records import FloorPlan, PosedFrame, stack_poses
from sightline.tasks.absolute.metrics import Predictions, write_predictions
from sightline.tasks.absolute.walkable import WalkableMap


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


def test_saved_answers_come_in_the_tracks_order(track: Track, tmp_path: Path) -> None:
    x = [0.1, 1.1, 2.1, 3.1]
    answers = [None if i == 1 else pose for i, pose in enumerate(poses(x))]
    order = [3, 1, 0, 2]  # as another listing of the folder would have it
    names = [track.frames[i].image for i in order]
    true = stack_poses([track.frames[i] for i in order])
    saved = Predictions.of(names, ["walk"] * 4, true, [answers[i] for i in order])
    write_predictions(tmp_path / "p.csv", saved)
    found = saved_answers(tmp_path / "p.csv", track)
    assert [None if p is None else round(p.translation[0], 6) for p in found] == [
        0.1,
        None,
        2.1,
        3.1,
    ]


def test_answers_to_other_frames_are_refused(track: Track, tmp_path: Path) -> None:
    stale = Predictions(("0.jpg",), ("walk",), track.true[:1], track.true[:1])
    write_predictions(tmp_path / "p.csv", stale)
    with pytest.raises(
        InputError, match=r"the 4 frames of walk is wanted, 1\.jpg has none; delete"
    ):
        saved_answers(tmp_path / "p.csv", track)


def test_moved_answers_stay_with_their_frames(track: Track) -> None:
    # a corridor 1 m high on the plan, 10 pixels a metre; the answers lie 1.2 m off its middle
    mask = np.zeros((40, 60), bool)
    mask[15:25] = True
    plan = FloorPlan(Path("plan.png"), None, 60, 40, np.array([[10.0, 0, 5], [0, 10.0, 20]]))
    off = [
        Pose(p.q_wxyz, p.translation + np.array([0, 1.2, 0])) for p in poses([0.0, 1.0, 2.0, 3.0])
    ]
    given = [None, off[1], None, off[3]]
    moved = moved_to_walkable(WalkableMap(mask, plan), given)
    assert [p is None for p in moved] == [True, False, True, False]
    answer = Answer.of(track, "moved", moved)
    assert answer.frames == 4
    assert answer.answered == 0.5
    np.testing.assert_allclose(answer.errors.position, 0.4, atol=0.01)  # 0.8 m nearer
