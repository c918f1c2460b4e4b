"""Classical methods on warped and rendered views whose truth is exact."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.reconstruction.two_view import features
from sightline.records.views import View
from sightline.tasks.relative.classical import (
    CLASSICAL,
    ClassicalConfig,
    ClassicalMethod,
    available,
    classical_method,
)
from two_walls import CAMERA, DISTORTED, MOVED, TURN, errors_deg, view_of_planes

THERE = [name for name in ("sift", "orb", "akaze", "brisk", "kaze") if available(name) is None]


@pytest.fixture(scope="module")
def first() -> View:
    return view_of_planes(Pose.identity(), noise=1)


@pytest.fixture(scope="module")
def second() -> View:
    return view_of_planes(MOVED, DISTORTED, noise=2)


@pytest.mark.parametrize("name", THERE)
def test_every_detector_finds_the_pose(name: str, first: View, second: View) -> None:
    estimate = classical_method(name).relate(first, second)
    assert estimate.status == "ok"
    rotation, direction = errors_deg(estimate, MOVED)
    assert rotation < 1.0  # ORB; the others reach a tenth of it
    assert direction < 4.0
    assert estimate.inliers is not None
    assert estimate.matches is not None
    assert 40 < estimate.inliers <= estimate.matches
    assert estimate.confidence > 0.8
    assert estimate.seconds > 0


@pytest.mark.parametrize("suffix", ["+opencv", "+magsac"])
def test_opencvs_estimators_find_it_less_well(suffix: str, first: View, second: View) -> None:
    estimate = classical_method(f"sift{suffix}").relate(first, second)
    rotation, direction = errors_deg(estimate, MOVED)
    assert rotation < 2.0
    assert direction < 8.0


def test_sift_is_exact_to_a_hundredth_of_a_degree(first: View, second: View) -> None:
    # A bias of half a pixel, from a border crossed wrongly, would be 0.07 degrees here.
    rotation, direction = errors_deg(classical_method("sift").relate(first, second), MOVED)
    assert rotation < 0.05
    assert direction < 0.3


def test_the_other_order_gives_the_inverse(first: View, second: View) -> None:
    method = classical_method("sift")
    forth, back = method.relate(first, second), method.relate(second, first)
    np.testing.assert_allclose((forth.pose() @ back.pose()).matrix, np.eye(4), atol=1e-12)
    assert (forth.inliers, forth.matches) == (back.inliers, back.matches)
    assert forth.confidence == back.confidence


def test_twice_gives_the_same(first: View, second: View) -> None:
    one, two = (classical_method("akaze").relate(first, second) for _ in range(2))
    np.testing.assert_array_equal(one.pose().matrix, two.pose().matrix)


@pytest.mark.parametrize("name", THERE)
def test_identical_images_have_not_moved(name: str, first: View) -> None:
    estimate = classical_method(name).relate(first, first)
    assert estimate.status == "rotation_only"
    assert estimate.b_from_a is not None
    assert np.degrees(estimate.b_from_a.rotation.magnitude()) < 1e-6
    assert not estimate.b_from_a.translation.any()
    assert estimate.to_json()["t"] is None


def test_a_camera_that_turned_has_not_moved(first: View) -> None:
    turned = view_of_planes(Pose.from_rotation(TURN, np.zeros(3)), noise=2)
    estimate = classical_method("sift").relate(first, turned)
    assert estimate.status == "rotation_only"
    assert estimate.b_from_a is not None
    assert np.degrees((estimate.b_from_a.rotation * TURN.inv()).magnitude()) < 0.03


def test_large_images_are_shrunk_and_pixels_stay_the_views_own(first: View, second: View) -> None:
    method = ClassicalMethod(ClassicalConfig(max_side=240))
    estimate = method.relate(first, second)
    rotation, direction = errors_deg(estimate, MOVED)
    assert rotation < 0.4
    assert direction < 2.0


@pytest.mark.parametrize("name", ["sift", "orb", "akaze", "sift+opencv"])
def test_images_that_show_nothing_fail_with_a_reason(name: str, first: View) -> None:
    blank = View(np.full((360, 480, 3), 128, np.uint8), CAMERA)
    tiny = View(np.zeros((3, 2, 3), np.uint8), Camera.guess(2, 3))
    method = classical_method(name)
    for pair in ((blank, blank), (blank, first), (first, blank), (tiny, first), (tiny, tiny)):
        estimate = method.relate(*pair)
        assert estimate.status == "failed"
        assert estimate.b_from_a is None
        assert estimate.confidence == 0.0
        assert "matches" in estimate.reason


def test_features_are_taken_once_an_image(
    monkeypatch: pytest.MonkeyPatch, first: View, second: View
) -> None:
    taken: list[tuple[int, ...]] = []
    detect = features.detect
    monkeypatch.setattr(
        features, "detect", lambda *args: (taken.append(args[1].shape), detect(*args))[1]
    )
    a = View(first.image, first.camera, key="a")
    b = View(second.image, second.camera, key="b")
    method = classical_method("orb")
    for _ in range(3):
        method.relate(a, b)
        method.relate(b, a)
    assert len(taken) == 2
    # Another crop of the same file is another image; without a key nothing is kept.
    cropped = Camera("PINHOLE", 400, 360, CAMERA.params)
    method.relate(View(np.ascontiguousarray(a.image[:, :400]), cropped, key="a"), b)
    assert len(taken) == 3
    method.relate(first, b)
    method.relate(first, b)
    assert len(taken) == 5


def test_few_images_are_held_at_a_time() -> None:
    cache = features.KeypointCache("orb", capacity=2)
    images = [np.full((40, 40, 3), i, np.uint8) for i in range(4)]
    kept = [cache.get(image, str(i)) for i, image in enumerate(images)]
    assert cache.get(images[3], "3") is kept[3]
    assert cache.get(images[2], "2") is kept[2]
    assert cache.get(images[0], "0") is not kept[0]
    assert cache.get(images[3], "3") is not kept[3]  # put out by "0"


def test_threads_share_a_method(first: View, second: View) -> None:
    method = classical_method("orb")
    wanted = method.relate(first, second).pose().matrix
    got: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: got.append(method.relate(first, second).pose().matrix))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 3
    for matrix in got:
        np.testing.assert_array_equal(matrix, wanted)


def test_names_say_limits_and_thresholds() -> None:
    name = classical_method("sift").name
    assert name == "RootSIFT 8000 r0.8 + PoseLib 5pt LO-RANSAC 1.0 px"
    assert classical_method("SIFT+PoseLib").name == name
    assert classical_method("orb+opencv").name == "ORB 8000 r0.8 + OpenCV 5pt RANSAC 1.0 px"
    names = [classical_method(n).name for n in CLASSICAL if available(n) is None]
    assert len(set(names)) == len(names) >= 12


def test_what_is_not_there_is_named() -> None:
    for wrong in ("sfit", "sift+ransac", ""):
        with pytest.raises(InputError, match="sift"):
            classical_method(wrong)
        with pytest.raises(InputError, match="sift"):
            available(wrong)
    if available("surf") is not None:
        assert "OPENCV_ENABLE_NONFREE" in str(available("surf+opencv"))
        with pytest.raises(InputError, match="non-free"):
            classical_method("surf")


@pytest.mark.shared
def test_a_fountain(shared_data: Path) -> None:
    import json

    folder = shared_data / "pose_strecha_fountain_P11"
    frames = json.loads((folder / "poses.json").read_text())["frames"]
    views, poses = [], []
    for frame in frames[3:6]:
        image = cv2.imread(str(folder / frame["file"]))[..., ::-1].copy()
        intrinsics = tuple(frame[k] for k in ("fx", "fy", "cx", "cy"))
        views.append(View(image, Camera("PINHOLE", 1024, 683, intrinsics), key=frame["file"]))
        poses.append(Pose(np.array(frame["qwxyz_c2w"]), np.array(frame["center_xyz"])))
    method = classical_method("sift")
    for i, j in ((0, 1), (1, 2), (0, 2)):
        rotation, direction = errors_deg(
            method.relate(views[i], views[j]), poses[j].inverse() @ poses[i]
        )
        assert rotation < 0.15
        assert direction < 0.3
