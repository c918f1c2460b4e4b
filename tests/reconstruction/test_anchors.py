"""Anchors on a synthetic map: exact poses, wrong matches, and frames beside that (dis)agree."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose
from sightline.reconstruction.anchors import (
    ALONE_INLIERS,
    NO_POSE,
    NOBODY_BESIDE,
    OTHER_MOTION,
    Anchor,
    believed,
    find_anchor,
    matches_to_map,
    speaks_for,
    typical_focal,
)
from sightline.records.colmap import MapFrame, MapModel

CAMERA = Camera("SIMPLE_PINHOLE", 640, 480, (500.0, 319.5, 239.5))
TRUE = Pose.from_rotation(Rotation.from_rotvec([0.05, -0.2, 0.02]), np.array([0.4, -0.1, 0.3]))
POINTS = 120


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(0).uniform([-2, -1.5, 4], [2, 1.5, 7], (POINTS, 3))


@pytest.fixture
def model(points: np.ndarray) -> MapModel:
    """Frames "a" and "b" see half of the points each; ids are not rows."""
    ids = 10 + 3 * np.arange(POINTS)
    frames = {}
    for name, rows in (("a", np.arange(0, 60)), ("b", np.arange(60, POINTS))):
        point_ids = np.full(POINTS, -1)
        point_ids[rows] = ids[rows]
        pixels = CAMERA.project(points)
        frames[name] = MapFrame(name, 1, Pose.identity(), pixels, point_ids)
    zeros = np.zeros(POINTS)
    colors = np.zeros((POINTS, 3), np.uint8)
    return MapModel({1: CAMERA}, frames, ids, points, colors, zeros, zeros.astype(np.int64))


def seen(points: np.ndarray, pose: Pose = TRUE) -> np.ndarray:
    return CAMERA.project(pose.inverse().apply(points))


def same_rows(rows: np.ndarray) -> np.ndarray:
    return np.stack([rows, rows], axis=1)


def anchor_of(pixels: np.ndarray, model: MapModel, matches: dict[str, np.ndarray]) -> Anchor:
    found = find_anchor(pixels, matches_to_map(model, matches), model, CAMERA, max_error_px=2.0)
    assert not isinstance(found, str), found
    return found[0]


def test_matches_lead_to_points_through_the_frames(model: MapModel) -> None:
    matched = matches_to_map(model, {"a": np.array([[7, 3], [8, 70]]), "b": np.array([[9, 70]])})
    # Keypoint 70 of frame a shows no point.
    assert matched.keypoints.tolist() == [7, 9]
    assert matched.points.tolist() == [3, 70]
    assert matched.frames.tolist() == [0, 1]
    assert matches_to_map(model, {}).points.tolist() == []


def test_the_pose_is_true_though_one_frame_gives_wrong_matches(
    points: np.ndarray, model: MapModel
) -> None:
    wrong = np.stack([np.arange(60, 100), np.roll(np.arange(60, 100), 7)], axis=1)
    anchor = anchor_of(seen(points), model, {"a": same_rows(np.arange(60)), "b": wrong})
    np.testing.assert_allclose(anchor.world_from_cam.translation, TRUE.translation, atol=1e-6)
    assert anchor.agreeing["a"] == 1.0
    assert anchor.agreeing["b"] < 0.2
    assert set(range(60)) <= set(anchor.keypoints.tolist())
    known = dict(zip(anchor.keypoints.tolist(), anchor.points.tolist(), strict=True))
    assert all(known[i] == i for i in range(60))


def test_too_few_and_senseless_matches_give_none(points: np.ndarray, model: MapModel) -> None:
    pixels = seen(points)
    few = matches_to_map(model, {"a": same_rows(np.arange(29))})
    assert find_anchor(pixels, few, model, CAMERA, max_error_px=2.0) == (
        "29 matches to map points, 30 wanted"
    )
    rng = np.random.default_rng(1)
    senseless = np.stack([np.arange(60), rng.permutation(60)], axis=1)
    matched = matches_to_map(model, {"a": senseless})
    assert find_anchor(pixels, matched, model, CAMERA, max_error_px=2.0) == NO_POSE


def test_another_lens_is_found(points: np.ndarray, model: MapModel) -> None:
    other = Camera("SIMPLE_PINHOLE", 640, 480, (410.0, 319.5, 239.5))
    pixels = other.project(TRUE.inverse().apply(points))
    matches = {"a": same_rows(np.arange(60)), "b": same_rows(np.arange(60, POINTS))}
    found = find_anchor(
        pixels, matches_to_map(model, matches), model, CAMERA, max_error_px=2.0, free_focal=True
    )
    assert not isinstance(found, str)
    assert found[1].fx == pytest.approx(410.0, abs=0.01)
    assert typical_focal([(9, CAMERA), (80, other), (90, other)]) == 410.0


def test_a_frame_beside_confirms_a_true_pose_and_no_other(points: np.ndarray) -> None:
    pixels, known = seen(points), np.arange(POINTS)
    matches = same_rows(np.arange(0, POINTS, 2))
    ask = {"max_error_px": 2.0}
    assert speaks_for(known, matches, points, pixels, TRUE, CAMERA, **ask) is True
    # Matches of the same recording, a pose somewhere else: a place that merely looks alike.
    elsewhere = Pose(TRUE.q_wxyz, TRUE.translation + np.array([0.5, 0.0, 0.0]))
    assert speaks_for(known, matches, points, pixels, elsewhere, CAMERA, **ask) is False
    behind = Pose.from_rotation(Rotation.from_rotvec([0, np.pi, 0]), np.zeros(3))
    assert speaks_for(known, matches, points, pixels, behind, CAMERA, **ask) is False
    assert speaks_for(known, matches[:7], points, pixels, TRUE, CAMERA, **ask) is None
    nothing = np.full(POINTS, -1)
    assert speaks_for(nothing, matches, points, pixels, TRUE, CAMERA, **ask) is None


def test_who_is_believed() -> None:
    assert believed(30, [True, True, False]) == ""
    assert believed(30, [True, False]) == ""
    assert believed(500, [True, False, False]) == OTHER_MOTION
    assert believed(500, [None, False]) == OTHER_MOTION
    assert believed(ALONE_INLIERS - 1, [None]) == NOBODY_BESIDE
    assert believed(ALONE_INLIERS, []) == ""
