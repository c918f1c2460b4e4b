"""What speaks for a pose, against simulation and closed forms."""

from __future__ import annotations

import numpy as np
import pycolmap
import pytest
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose
from sightline.reconstruction import refine
from sightline.reconstruction.evidence import (
    MatchedPose,
    PoseEvidence,
    center_covariance,
    evidence_of,
)
from sightline.records.colmap import estimate_absolute_pose

CAMERA = Camera("SIMPLE_RADIAL", 480, 640, (430.0, 239.5, 319.5, 0.05))
POSE = Pose(np.array([0.9, 0.1, -0.3, 0.2]) / np.sqrt(0.95), np.array([1.0, 2.0, -0.5]))


def seen_by(pose: Pose, count: int, seed: int = 0) -> np.ndarray:
    """Return points in front of a camera, all over its image."""
    rng = np.random.default_rng(seed)
    rays = np.column_stack([rng.uniform(-0.5, 0.5, (count, 2)), np.ones(count)])
    return pose.apply(rays * rng.uniform(2, 9, (count, 1)))


def matched(
    points: np.ndarray, px: np.ndarray, agree: np.ndarray, pose: Pose = POSE
) -> MatchedPose:
    return MatchedPose(pose, CAMERA, np.arange(len(px)), px, points, agree, 5.0)


def project(pose: Pose, points: np.ndarray) -> np.ndarray:
    return CAMERA.project(pose.inverse().apply(points))


def test_the_covariance_is_that_of_many_estimates() -> None:
    rng = np.random.default_rng(1)
    points = seen_by(POSE, 60)
    px = project(POSE, points)
    centers = []
    for _ in range(150):
        noisy = px + rng.normal(0, 0.3, px.shape)
        found = estimate_absolute_pose(noisy, points, CAMERA, max_error_px=5.0)
        assert found is not None
        centers.append(found.world_from_cam.translation)
    measured = np.cov(np.array(centers).T)
    expected = 0.3**2 * center_covariance(POSE, points, CAMERA)
    assert np.sqrt(np.trace(measured)) == pytest.approx(np.sqrt(np.trace(expected)), rel=0.15)
    # along the same directions too
    _, axes = np.linalg.eigh(expected)
    for axis in axes.T:
        assert axis @ measured @ axis == pytest.approx(axis @ expected @ axis, rel=0.5)


def test_the_covariance_follows_scale_and_frame() -> None:
    points = seen_by(POSE, 40)
    base = center_covariance(POSE, points, CAMERA)
    turn = Rotation.from_euler("xyz", [0.4, -1.0, 2.0])
    moved = Pose.from_rotation(turn, np.array([5.0, -3.0, 2.0]))
    there = center_covariance(moved @ POSE, moved.apply(points), CAMERA)
    matrix = turn.as_matrix()
    np.testing.assert_allclose(there, matrix @ base @ matrix.T, rtol=1e-4, atol=1e-12)
    grown = Pose(POSE.q_wxyz, 1000 * POSE.translation)
    np.testing.assert_allclose(
        center_covariance(grown, 1000 * points, CAMERA), 1e6 * base, rtol=1e-4
    )
    # twice as many measurements, half the variance
    twice = center_covariance(POSE, np.concatenate([points, points]), CAMERA)
    np.testing.assert_allclose(twice, base / 2, rtol=1e-6)


def test_two_points_do_not_determine_a_pose() -> None:
    covariance = center_covariance(POSE, seen_by(POSE, 2), CAMERA)
    assert np.isinf(np.diag(covariance)).all()


def test_evidence_of_exact_matches() -> None:
    points = seen_by(POSE, 80)
    px = project(POSE, points)
    agree = np.ones(80, bool)
    agree[60:] = False
    px[60:] = np.random.default_rng(3).uniform(0, 480, (20, 2))
    evidence = evidence_of(matched(points, px, agree), support=0.6, similarity=0.9)
    assert evidence.inliers == 60
    assert evidence.share == pytest.approx(0.75)
    assert (evidence.support, evidence.similarity) == (0.6, 0.9)
    assert evidence.error < 1e-6
    assert evidence.deviation < 1e-6
    assert evidence.halves < 1e-4
    assert evidence.rival <= 6 / 60
    assert 0.4 < evidence.coverage <= 60 / 64


def test_a_keypoint_counts_once() -> None:
    points = seen_by(POSE, 30)
    px = project(POSE, points)
    found = MatchedPose(
        POSE, CAMERA, np.repeat(np.arange(15), 2), px, points, np.ones(30, bool), 5.0
    )
    assert evidence_of(found, 1.0, 1.0).inliers == 15


@pytest.mark.parametrize("seed", range(3))
def test_halves_are_those_of_least_squares(seed: int) -> None:
    """Against a general solver, on each half of the keypoints by itself."""
    points, rng = seen_by(POSE, 80, seed), np.random.default_rng(seed)
    px = project(POSE, points) + rng.normal(0, 0.8, (80, 2))
    pose = estimate_absolute_pose(px, points, CAMERA, max_error_px=5.0).world_from_cam

    def center(half: slice) -> np.ndarray:
        def off(motion: np.ndarray) -> np.ndarray:
            turn = pose.rotation * Rotation.from_rotvec(motion[3:])
            moved = Pose.from_rotation(turn, pose.translation + motion[:3])
            return (project(moved, points[half]) - px[half]).ravel()

        return least_squares(off, np.zeros(6), x_scale="jac", xtol=1e-12).x[:3]

    apart = np.linalg.norm(center(slice(0, None, 2)) - center(slice(1, None, 2)))
    found = evidence_of(matched(points, px, np.ones(80, bool), pose), 1.0, 1.0)
    assert found.halves == pytest.approx(float(apart), rel=0.02)


def test_halves_share_no_keypoint() -> None:
    """Each keypoint is matched to two points, as from two frames, one beside the other."""
    points, rng = seen_by(POSE, 60), np.random.default_rng(9)
    px = project(POSE, points) + rng.normal(0, 1.0, (60, 2))
    once = matched(points, px, np.ones(60, bool))
    twice = MatchedPose(
        POSE, CAMERA, np.repeat(np.arange(60), 2), np.repeat(px, 2, axis=0),
        np.repeat(points, 2, axis=0), np.ones(120, bool), 5.0,
    )  # fmt: skip
    alone, repeated = (evidence_of(found, 1.0, 1.0).halves for found in (once, twice))
    assert alone > 0.002
    assert repeated == pytest.approx(alone, rel=0.2)


def test_noise_shows_in_deviation_and_halves() -> None:
    points = seen_by(POSE, 100)
    rng = np.random.default_rng(5)
    px = project(POSE, points)
    found = []
    for noise in (0.1, 1.0):
        noisy = matched(points, px + rng.normal(0, noise, px.shape), np.ones(100, bool))
        found.append(evidence_of(noisy, 1.0, 1.0))
    assert found[1].deviation / found[0].deviation == pytest.approx(10, rel=0.3)
    assert found[1].halves > 2 * found[0].halves
    expected = np.sqrt(np.trace(center_covariance(POSE, points, CAMERA)))
    assert found[1].deviation == pytest.approx(expected, rel=0.2)


def test_a_second_room_that_looks_alike_is_a_rival() -> None:
    """The same keypoints match points of a room 20 m away as well."""
    here = seen_by(POSE, 50)
    away = Pose(np.array([1.0, 0, 0, 0]), np.array([20.0, 0.0, 0.0]))
    px = project(POSE, here)
    there = away.apply(here[:40])
    found = MatchedPose(
        pose=POSE,
        camera=CAMERA,
        keypoints=np.concatenate([np.arange(50), np.arange(40)]),
        keypoints_px=np.concatenate([px, px[:40]]),
        points=np.concatenate([here, there]),
        agree=np.arange(90) < 50,
        max_error_px=5.0,
    )
    evidence = evidence_of(found, 1.0, 1.0)
    assert evidence.rival == pytest.approx(40 / 50)
    assert evidence.rival_apart == pytest.approx(20.0, rel=1e-3)
    scaled = evidence.scaled(0.5)
    assert scaled.rival_apart == pytest.approx(10.0, rel=1e-3)
    assert scaled.halves == pytest.approx(evidence.halves / 2)
    assert (scaled.rival, scaled.inliers) == (evidence.rival, evidence.inliers)


def test_what_speaks_for_a_pose_is_weighed_once_and_only_when_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points, asked = seen_by(POSE, 30), []
    found = matched(points, project(POSE, points), np.ones(30, bool))

    def weighed(*arguments: object) -> PoseEvidence:
        asked.append(arguments)
        return evidence_of(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(refine, "evidence_of", weighed)
    answer = refine.Refinement(POSE, 30, 30, 0.9, CAMERA, np.arange(30), found, 0.6)
    assert asked == []
    assert answer.evidence == answer.evidence == evidence_of(found, 0.6, 0.9)
    assert asked == [(found, 0.6, 0.9)]
    assert refine.Refinement(None, 0, 30, 0.9).evidence is None


def test_a_focal_length_below_zero_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """COLMAP finds one now and then where the matches are wrong."""
    points = seen_by(POSE, 30)
    find = pycolmap.estimate_and_refine_absolute_pose

    def mirrored(xy, xyz, camera, *options):  # type: ignore[no-untyped-def]
        found = find(xy, xyz, camera, *options)
        camera.params = [-12.0, *camera.params[1:]]
        return found

    monkeypatch.setattr(pycolmap, "estimate_and_refine_absolute_pose", mirrored)
    pinhole = Camera("SIMPLE_PINHOLE", 480, 640, (430.0, 239.5, 319.5))
    px = pinhole.project(POSE.inverse().apply(points))
    assert estimate_absolute_pose(px, points, pinhole, free_focal=True) is None
    assert estimate_absolute_pose(px, points, pinhole) is not None


def test_too_few_to_halve() -> None:
    points = seen_by(POSE, 7)
    found = matched(points, project(POSE, points), np.ones(7, bool))
    assert evidence_of(found, 1.0, 1.0).halves == np.inf
