"""``auto`` takes the cheap chain where it is sure, tries more where not, asks a network last."""

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from sightline.geometry import Camera, Pose
from sightline.records.views import RelativeEstimate, View
from sightline.tasks.relative.auto import AutoConfig, AutoMethod
from two_walls import CAMERA, DISTORTED, MOVED, errors_deg, view_of_planes

BLANK = View(np.full((360, 480, 3), 90, np.uint8), CAMERA)


@dataclass
class Network:
    """Stands for a network: gives one pose, and remembers how often it was asked."""

    pose: Pose | None
    confidence: float
    asked: list[int] = field(default_factory=list)
    name: str = "cnn"

    def relate(self, a: View, b: View) -> RelativeEstimate:
        self.asked.append(1)
        if self.pose is None:
            return RelativeEstimate("failed", self.name, None, reason="no")
        return RelativeEstimate("ok", self.name, self.pose, confidence=self.confidence)


@pytest.fixture(scope="module")
def first() -> View:
    return view_of_planes(Pose.identity(), noise=1)


@pytest.fixture(scope="module")
def second() -> View:
    return view_of_planes(MOVED, DISTORTED, noise=2)


def test_a_clear_pair_is_settled_by_sift_alone(first: View, second: View) -> None:
    network = Network(MOVED, 1.0)
    estimate = AutoMethod(network).relate(first, second)
    assert estimate.method == "auto: sift"
    assert estimate.confidence >= 0.9
    assert not network.asked
    rotation, direction = errors_deg(estimate, MOVED)
    assert rotation < 0.05
    assert direction < 0.3


def test_where_sift_is_not_sure_more_is_tried_and_the_surest_taken(
    first: View, second: View
) -> None:
    never = AutoMethod(config=AutoConfig(sure=1.1))
    estimate = never.relate(first, second)
    rotation, direction = errors_deg(estimate, MOVED)
    assert rotation < 0.1
    assert direction < 0.5
    assert estimate.confidence >= AutoMethod().relate(first, second).confidence


def test_the_other_order_gives_the_inverse(first: View, second: View) -> None:
    method = AutoMethod(config=AutoConfig(sure=1.1, more=("akaze", "orb")))
    forth, back = method.relate(first, second), method.relate(second, first)
    assert forth.method == back.method
    np.testing.assert_allclose((forth.pose() @ back.pose()).matrix, np.eye(4), atol=1e-12)


def test_a_network_answers_where_there_is_nothing_to_match(first: View) -> None:
    network = Network(MOVED, 0.3)
    estimate = AutoMethod(network).relate(BLANK, first)
    assert estimate.method == "auto: cnn"
    assert estimate.confidence == 0.3
    assert estimate.b_from_a is not None
    np.testing.assert_array_equal(estimate.b_from_a.matrix, MOVED.matrix)


def test_without_a_network_or_with_one_that_fails_the_answer_is_failed(first: View) -> None:
    for method in (AutoMethod(), AutoMethod(Network(None, 0.0))):
        estimate = method.relate(BLANK, first)
        assert estimate.status == "failed"
        assert "matches" in estimate.reason


def test_a_networks_rough_pose_leads_to_a_good_one(first: View, second: View) -> None:
    # No classical chain counts as likely, so that the network is asked; what its pose leads to is
    # likelier than the network itself.
    rough = Pose(MOVED.q_wxyz, MOVED.translation + np.array([0.0, 0.05, 0.03]))
    config = AutoConfig(sure=1.1, weak=1.1, more=())
    network = Network(rough, 0.4)
    estimate = AutoMethod(network, config).relate(first, second)
    assert network.asked == [1]
    rotation, direction = errors_deg(estimate, MOVED)
    assert rotation < 0.05
    assert direction < 0.3
    assert estimate.confidence > 0.4


def test_a_repeated_pattern_is_told_apart_from_a_pose() -> None:
    # A checkerboard's corners match anything: whatever comes out is not to be trusted.
    board = (np.indices((360, 480)) // 30).sum(axis=0) % 2 * 200 + 20
    image = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    moved = cv2.warpAffine(image, np.float32([[0.9, 0.1, 4], [-0.1, 0.9, 40]]), (480, 360))
    estimate = AutoMethod().relate(View(image, CAMERA), View(moved, CAMERA))
    assert estimate.status in {"ok", "failed"}
    assert estimate.confidence < 0.9


def test_identical_images_and_sizes_that_differ(first: View) -> None:
    estimate = AutoMethod().relate(first, first)
    assert (estimate.status, estimate.method) == ("rotation_only", "auto: sift")
    half = cv2.resize(first.image, (240, 180), interpolation=cv2.INTER_AREA)
    small = View(half, CAMERA.resized(240, 180))
    estimate = AutoMethod().relate(first, small)
    assert estimate.status == "rotation_only"
    assert estimate.b_from_a is not None
    assert np.degrees(estimate.b_from_a.rotation.magnitude()) < 0.1


def test_a_tiny_image() -> None:
    tiny = View(np.zeros((2, 2, 3), np.uint8), Camera.guess(2, 2))
    assert AutoMethod().relate(tiny, tiny).status == "failed"
