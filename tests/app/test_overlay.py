"""The overlay video: its frames, its times, and what is drawn where."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.app import overlay
from sightline.app.localize import Localization
from sightline.app.overlay import write_overlay
from sightline.app.trajectory import Trajectory
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.media import iter_frames, write_video
from sightline.records import FloorPlan, Place

SIZE = (240, 320)
ORANGE = np.array([213, 94, 0])


def answer(i: int, pose: Pose | None, status: str = "smoothed") -> Localization:
    return Localization(
        image=f"walk.mp4#{0.5 * i:.3f}", status=status, world_from_cam=pose,  # type: ignore[arg-type]
        unit="m", plan_xy_px=None, walkable_xy_px=None, on_walkable=None, heading_deg=None,
        confidence=0.9 if pose is not None else 0.0, inliers=0, seconds=0.1, timestamp_s=0.5 * i,
    )  # fmt: skip


def looking_east(x: float, y: float) -> Pose:
    turn = Rotation.from_matrix([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    return Pose.from_rotation(turn, np.array([x, y, 1.5]))


def trajectory(known: tuple[bool, ...] = (True,) * 5) -> Trajectory:
    answers = [
        answer(i, looking_east(2.0 + i, 3.0) if here else None, "refined" if here else "unknown")
        for i, here in enumerate(known)
    ]
    return Trajectory(answers, None, 0.5 * np.arange(len(known)))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place in metres with a white plan, 20 pixels a metre."""
    place = Place.create(tmp_path / "place", source="test")
    place.update(unit="m")
    Image.new("RGB", (200, 120), "white").save(place.root / "plan.png")
    affine = np.array([[20.0, 0.0, 0.0], [0.0, -20.0, 119.0]])
    FloorPlan(place.root / "plan.png", None, 200, 120, affine).write(place.plan_path)
    return place


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "walk.mp4"
    write_video(path, [np.full((*SIZE, 3), 60, np.uint8)] * 21, fps=10)
    return path


def bluish(picture: np.ndarray) -> np.ndarray:
    """A thin blue line, its colour halved by the video's."""
    return picture[..., 2].astype(int) - picture[..., 0] > 35


def near(picture: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return np.abs(picture.astype(int) - colour).max(axis=-1) < 45


def test_a_confidence_is_not_rounded_up(place: Place, video: Path, monkeypatch) -> None:
    words, found = [], trajectory()
    sure = [dataclasses.replace(a, confidence=0.9999) for a in found.answers]
    monkeypatch.setattr(overlay, "_write_words", lambda _frame, lines, _margin: words.append(lines))
    out = video.with_name("overlay.mp4")
    write_overlay(out, video, dataclasses.replace(found, answers=sure), place, fps=2)
    assert words[0][1] == "refined, confidence 0.99"


def test_every_frame_of_the_video_with_the_plan(place: Place, video: Path, tmp_path: Path) -> None:
    out, shown = tmp_path / "overlay.mp4", []
    write_overlay(
        out, video, trajectory(), place, fps=2, progress=lambda _text, done: shown.append(done)
    )
    frames = list(iter_frames(out))
    assert [round(f.timestamp_s, 3) for f in frames] == [round(i / 10, 3) for i in range(21)]
    assert frames[0].image.shape == (*SIZE, 3)
    assert shown[-1] == 1.0
    # The plan: 0.42 of 240 wide, in the upper right corner, on grey.
    last = frames[-1].image
    assert last[20:60, 225:310].mean() > 200
    assert abs(last[100:150, 20:100].mean() - 60) < 4
    # The words: white on a dark strip at the bottom.
    assert last[-30:].max() > 200
    assert last[-8:, -20:].mean() < 30


def test_the_arrow_goes_along_the_path_and_looks_east(
    place: Place, video: Path, tmp_path: Path
) -> None:
    write_overlay(tmp_path / "overlay.mp4", video, trajectory(), place, fps=2)
    frames = [f.image for f in iter_frames(tmp_path / "overlay.mp4")]
    scale, left = 101 / 200, 320 - 4 - 101
    places = []
    for k in (0, 10, 20):
        rows, cols = np.nonzero(near(frames[k], ORANGE))
        inside = rows < 80
        places.append((cols[inside].mean(), rows[inside].mean()))
    x = [left + scale * 20 * (2.0 + i) for i in (0, 2, 4)]
    y = 4 + scale * (119 - 20 * 3.0)
    np.testing.assert_allclose([p[0] for p in places], x, atol=4.0)
    np.testing.assert_allclose([p[1] for p in places], y, atol=3.0)
    _, cols = np.nonzero(bluish(frames[20])[:80])
    assert cols.min() < x[0] + 6
    assert not bluish(frames[0])[:80, round(x[1]) :].any()


def test_frames_that_nobody_knows_have_no_arrow(place: Place, video: Path, tmp_path: Path) -> None:
    known = trajectory((True, True, False, False, True))
    write_overlay(tmp_path / "overlay.mp4", video, known, place, fps=2)
    frames = [f.image for f in iter_frames(tmp_path / "overlay.mp4")]
    arrows = [bool(near(f, ORANGE)[:80].sum() > 8) for f in frames]
    assert all(arrows[:6])
    assert not any(arrows[9:17])
    assert arrows[20]


def test_without_a_plan_the_walk_is_seen_from_above(
    place: Place, video: Path, tmp_path: Path
) -> None:
    place.plan_path.unlink()
    write_overlay(tmp_path / "overlay.mp4", video, trajectory(), place, fps=2)
    last = [f.image for f in iter_frames(tmp_path / "overlay.mp4")][-1]
    assert near(last, ORANGE)[:100].sum() > 8
    nobody = trajectory((False,) * 5)
    write_overlay(tmp_path / "nobody.mp4", video, nobody, place, fps=2)
    assert len(list(iter_frames(tmp_path / "nobody.mp4"))) == 21


def test_photos_of_any_size_become_frames(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, size in enumerate(((161, 121), (121, 161), (40, 30), (161, 121), (1601, 1201))):
        Image.new("RGB", size, (200, 40, 40)).save(folder / f"{i}.png")
    write_overlay(tmp_path / "overlay.mp4", folder, trajectory(), place, fps=2)
    frames = list(iter_frames(tmp_path / "overlay.mp4"))
    assert [round(f.timestamp_s, 3) for f in frames] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert {f.image.shape for f in frames} == {(120, 160, 3)}
    # Held upright, the second is in the middle.
    assert frames[1].image[60, 5].max() < 40
    assert frames[1].image[60, 55, 0] > 150


def test_a_stopped_run_ends_the_video_there(place: Place, video: Path, tmp_path: Path) -> None:
    part = trajectory((True, True))
    write_overlay(tmp_path / "overlay.mp4", video, part, place, fps=2)
    frames = list(iter_frames(tmp_path / "overlay.mp4"))
    assert 0.5 <= frames[-1].timestamp_s <= 1.0 + 1e-6


def test_nothing_to_show(place: Place, video: Path, tmp_path: Path) -> None:
    empty = dataclasses.replace(trajectory(), answers=[], timestamps_s=np.zeros(0))
    with pytest.raises(InputError, match="none were localised"):
        write_overlay(tmp_path / "overlay.mp4", video, empty, place, fps=2)
    with pytest.raises(InputError, match=r"ending in \.mp4"):
        write_overlay(tmp_path / "overlay.avi", video, trajectory(), place, fps=2)
    assert not (tmp_path / "overlay.avi").exists()
