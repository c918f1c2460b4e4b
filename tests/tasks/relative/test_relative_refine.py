"""Guided refinement: a rough pose becomes a good one, or the answer says that it does not."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose
from sightline.reconstruction.two_view.estimation import sampson_px
from sightline.reconstruction.two_view.features import KeypointCache
from sightline.reconstruction.two_view.guided import GuidedConfig, guided_matches
from sightline.records.views import View
from sightline.tasks.relative.refine import refine_relative
from two_walls import CAMERA, DISTORTED, MOVED, errors_deg, view_of_planes


@pytest.fixture(scope="module")
def caches() -> list[KeypointCache]:
    return [KeypointCache("sift")]


@pytest.fixture(scope="module")
def first() -> View:
    view = view_of_planes(Pose.identity(), noise=1)
    return View(view.image, view.camera, key="first")


@pytest.fixture(scope="module")
def second() -> View:
    view = view_of_planes(MOVED, DISTORTED, noise=2)
    return View(view.image, view.camera, key="second")


def off_by(degrees: float, seed: int = 0) -> Pose:
    """Return the true pose, its rotation and its direction wrong by an angle each."""
    axes = np.random.default_rng(seed).normal(size=(2, 3))
    turns = Rotation.from_rotvec(
        np.radians(degrees) * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    )
    return Pose.from_rotation(turns[0] * MOVED.rotation, 3.0 * turns[1].apply(MOVED.translation))


@pytest.mark.parametrize("seed", range(3))
def test_a_rough_pose_becomes_a_good_one(
    seed: int, first: View, second: View, caches: list[KeypointCache]
) -> None:
    estimate = refine_relative(first, second, off_by(6.0, seed), caches=caches)
    assert estimate.status == "ok"
    rotation, direction = errors_deg(estimate, MOVED)
    assert rotation < 0.05
    assert direction < 0.3
    assert estimate.confidence > 0.8


def test_guidance_finds_more_than_the_plain_ratio_test(
    first: View, second: View, caches: list[KeypointCache]
) -> None:
    from sightline.tasks.relative.classical import classical_method

    plain = classical_method("sift").relate(first, second)
    guided = refine_relative(first, second, off_by(4.0), caches=caches)
    assert plain.inliers is not None
    assert guided.inliers is not None
    assert guided.inliers > 1.03 * plain.inliers


def test_the_other_order_gives_the_inverse(
    first: View, second: View, caches: list[KeypointCache]
) -> None:
    coarse = off_by(5.0)
    forth = refine_relative(first, second, coarse, caches=caches)
    back = refine_relative(second, first, coarse.inverse(), caches=caches)
    np.testing.assert_allclose((forth.pose() @ back.pose()).matrix, np.eye(4), atol=1e-9)


def test_guided_matches_lie_in_the_band(
    first: View, second: View, caches: list[KeypointCache]
) -> None:
    keypoints = (caches[0].get(first.image, "first"), caches[0].get(second.image, "second"))
    coarse = off_by(3.0)
    narrow = guided_matches(first, second, keypoints, coarse, 0.01, 0.9)
    wide = guided_matches(first, second, keypoints, coarse, 0.1, 0.9)
    assert 10 < len(narrow) < len(wide)
    assert (sampson_px(coarse, narrow) * narrow.pixel).max() < 0.01 * 1.001
    assert (sampson_px(coarse, wide) * wide.pixel).max() > 0.01


def test_views_of_different_things_are_said_to_lead_nowhere(
    first: View, caches: list[KeypointCache]
) -> None:
    rng = np.random.default_rng(0)
    noise = np.kron(rng.integers(0, 255, (60, 80, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    estimate = refine_relative(first, View(noise, CAMERA), off_by(0.0), caches=caches)
    assert estimate.status == "failed"
    assert estimate.b_from_a is None
    assert estimate.confidence == 0.0
    assert "match" in estimate.reason


def test_a_narrow_band_around_a_wrong_pose_leads_nowhere(
    first: View, second: View, caches: list[KeypointCache]
) -> None:
    config = GuidedConfig(band_deg=0.5)
    wrong = Pose.from_rotation(Rotation.from_rotvec([0.0, 0.0, 1.2]), [0.0, 1.0, 0.0])
    estimate = refine_relative(first, second, wrong, config, caches)
    assert estimate.status == "failed"
    assert "0.5 degrees" in estimate.reason or "matches" in estimate.reason


def test_no_translation_no_epipolar_lines(first: View, second: View) -> None:
    estimate = refine_relative(first, second, Pose.identity())
    assert estimate.status == "failed"
    assert "no translation" in estimate.reason


def test_blank_views(first: View) -> None:
    blank = View(np.zeros((360, 480, 3), np.uint8), Camera.guess(480, 360))
    estimate = refine_relative(blank, first, MOVED)
    assert estimate.status == "failed"
    assert estimate.matches == 0
