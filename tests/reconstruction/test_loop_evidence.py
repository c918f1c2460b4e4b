"""What speaks against a loop: matches in one part of the view, frames about it that see none."""

from dataclasses import replace

import numpy as np
import pytest

from sightline.geometry import Camera, Pose
from sightline.reconstruction.loop_evidence import (
    DENYING_FRAMES,
    MIN_COVERED,
    WINDOW,
    covered_share,
    denied,
    probes,
)
from sightline.records.colmap import AbsolutePose, MapFrame, MapModel

CAMERA = Camera("SIMPLE_PINHOLE", 640, 480, (400.0, 319.5, 239.5))


def points_before(camera_at: np.ndarray, seed: int, count: int = 200) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return camera_at + rng.uniform([-3.0, -2.2, 4.0], [3.0, 2.2, 5.0], (count, 3))


def test_matches_on_one_picture_cover_little_of_the_view() -> None:
    points = points_before(np.zeros(3), 0, 400)
    pixels = CAMERA.project(points)
    found = AbsolutePose(Pose.identity(), np.ones(400, bool), CAMERA)
    assert covered_share(found, points, pixels) == 1.0
    poster = (np.abs(pixels - [320, 240]) < 75).all(axis=1)
    assert poster.sum() > 10
    assert covered_share(found, points, pixels[poster]) < MIN_COVERED / 1.5
    half = pixels[:, 0] < 320
    assert covered_share(found, points, pixels[half]) == pytest.approx(0.5, abs=0.05)
    behind = AbsolutePose(Pose.identity(), np.ones(400, bool), CAMERA)
    assert covered_share(behind, -points, pixels) == 0.0


@pytest.fixture
def walk() -> tuple[MapModel, list[str]]:
    """A walk along x, half a metre a frame, past sixty walls; the map has no loop."""
    frames, points, names = {}, [], [f"{i:03d}" for i in range(60)]
    for i, name in enumerate(names):
        centre = np.array([0.5 * i, 0.0, 0.0])
        seen = points_before(centre, i, 80)
        pixels = CAMERA.project(seen - centre)
        ids = np.arange(80 * i, 80 * i + 80)
        pose = Pose(np.array([1.0, 0, 0, 0]), centre)
        frames[name] = MapFrame(name, 1, pose, pixels, ids)
        points.append(seen)
    xyz, count = np.concatenate(points), 60 * 80
    grey, zeros = np.zeros((count, 3), np.uint8), np.zeros(count)
    model = MapModel({1: CAMERA}, frames, np.arange(count), xyz, grey, zeros, zeros.astype(int))
    return model, names


def back_by(metres: float) -> Pose:
    return Pose(np.array([1.0, 0, 0, 0]), np.array([-metres, 0.0, 0.0]))


def test_frames_about_a_loop_are_asked_for_what_they_must_see(
    walk: tuple[MapModel, list[str]],
) -> None:
    model, names = walk
    # Frames 40 to 45 are said to stand where 5 to 10 stood: 17.5 m back.
    asked = {b: back_by(17.5) for b in range(40, 46)}
    found = probes(model, names, asked)
    # Farther before the start of the walk than frame 34 there is nothing to see again.
    assert set(found) == {*range(34, 40), *range(46, 46 + WINDOW)}
    for b, earlier in found.items():
        assert all(abs(a - (b - 35)) <= 2 for a in earlier)
    assert probes(model, names, {b: back_by(300.0) for b in range(40, 46)}) == {}


def test_a_frame_that_sees_little_is_not_asked(walk: tuple[MapModel, list[str]]) -> None:
    """Somebody walks through the picture of frames 46 to 48: hardly a map point is in them."""
    model, names = walk
    asked = {b: back_by(17.5) for b in range(40, 46)}
    before = set(probes(model, names, asked))
    for b, left in ((46, 0), (47, 20), (48, 59), (49, 60)):
        ids = model.frames[names[b]].point_ids.copy()
        ids[left:] = -1
        model.frames[names[b]] = replace(model.frames[names[b]], point_ids=ids)
    assert set(probes(model, names, asked)) == before - {46, 47, 48}


def test_unseen_frames_in_the_midst_of_a_loop_deny_what_is_near_them_only() -> None:
    asked = [b for b in range(100, 300) if b not in (150, 151, 152)]
    unseen = dict.fromkeys((150, 151, 152), False)
    near = {*range(150 - WINDOW, 150), *range(153, 153 + WINDOW)}
    assert denied(asked, unseen) == near
    # At its end they deny all of it, as ever.
    assert denied(asked, {**unseen, 300: False, 301: False, 302: False}) == set(asked)
    assert denied(asked, {**unseen, 97: False, 98: False, 99: False}) == set(asked)


def test_a_run_of_frames_that_see_no_loop_denies_it() -> None:
    asked = [40, 41, 42, 44]
    assert denied(asked, {}) == set()
    beyond = range(45, 45 + DENYING_FRAMES)
    assert denied(asked, dict.fromkeys(beyond, False)) == set(asked)
    assert denied(asked, {**dict.fromkeys(beyond, False), 46: True}) == set()
    before = range(40 - DENYING_FRAMES, 40)
    assert denied(asked, dict.fromkeys(before, False)) == set(asked)
    # Another loop, far from there, is another matter.
    assert denied([*asked, 80, 81], dict.fromkeys(beyond, False)) == set(asked)
