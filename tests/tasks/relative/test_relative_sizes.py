"""Images at the paper's sizes: cameras exact, pixels where the camera says."""

from pathlib import Path

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.records.views import RelativeEstimate, View
from sightline.tasks.relative.sizes import SizedMethod, at_size, resized_view, sized_view

CAMERAS = [
    Camera("SIMPLE_PINHOLE", 640, 480, (500.0, 320.0, 250.0)),
    Camera("PINHOLE", 431, 323, (400.0, 410.0, 215.0, 161.0)),
    Camera("SIMPLE_RADIAL", 540, 960, (800.0, 270.0, 470.0, 0.05)),
    Camera("OPENCV", 300, 700, (310.0, 300.0, 140.0, 360.0, 0.1, -0.02, 0.001, 0.002)),
]


def view_of(camera: Camera) -> View:
    ramp = np.zeros((camera.height, camera.width, 3), np.uint8)
    return View(ramp, camera, "given", "photo")


class Recorder:
    """Answers nothing, keeps what it was shown."""

    name = "recorder"

    def __init__(self) -> None:
        self.seen: list[View] = []

    def relate(self, a: View, b: View) -> RelativeEstimate:
        self.seen += [a, b]
        pose = Pose(np.array([1.0, 0, 0, 0]), np.array([1.0, 0, 0]))
        return RelativeEstimate("ok", self.name, pose, seconds=1.0)


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda c: c.model)
def test_a_point_lands_where_its_pixel_goes(camera: Camera) -> None:
    points = np.random.default_rng(0).uniform([-0.3, -0.3, 2], [0.3, 0.3, 5], (20, 3))
    pixels = camera.project(points)
    equal = sized_view(view_of(camera), "equal")
    assert equal.image.shape == (227, 227, 3)
    # the centre of pixel u covers u - 0.5 .. u + 0.5: edges map to edges
    scale = np.array([227 / camera.width, 227 / camera.height])
    np.testing.assert_allclose(
        equal.camera.project(points), (pixels + 0.5) * scale - 0.5, atol=1e-9
    )
    cut = sized_view(view_of(camera), "crop")
    assert cut.image.shape == (227, 227, 3)
    short = 323 / min(camera.width, camera.height)
    size = np.array([round(camera.width * short), round(camera.height * short)])
    corner = (size - 227) // 2
    whole = (pixels + 0.5) * size / [camera.width, camera.height] - 0.5
    np.testing.assert_allclose(cut.camera.project(points), whole - corner, atol=1e-9)


def test_pixels_go_where_the_camera_says() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[200:216, 300:332] = 255  # a blob whose centre of mass is (315.5, 207.5)
    camera = CAMERAS[0]
    ray = camera.unproject([315.5, 207.5])
    for mode in ("equal", "crop"):
        view = sized_view(View(image, camera), mode)
        weight = view.image[..., 0].astype(float)
        v, u = np.indices(weight.shape)
        found = [(weight * u).sum() / weight.sum(), (weight * v).sum() / weight.sum()]
        np.testing.assert_allclose(found, view.camera.project(ray), atol=0.02)


def test_names_and_keys_say_the_size() -> None:
    recorder = Recorder()
    assert at_size(recorder, "full") is recorder
    views = view_of(CAMERAS[0]), view_of(CAMERAS[1])
    names, keys = set(), set()
    for mode in ("equal", "crop"):
        method = at_size(recorder, mode)
        said = method.relate(*views)
        assert said.method == method.name
        assert "227x227" in method.name
        assert said.seconds > 1.0  # resizing takes time too
        names.add(method.name)
        keys.add(recorder.seen[-1].key)
    assert len(names) == len(keys) == 2
    assert sized_view(View(views[0].image, CAMERAS[0]), "equal").key == ""


def test_another_mode_is_refused() -> None:
    with pytest.raises(InputError, match="full, equal, crop"):
        at_size(Recorder(), "half")


def test_a_view_of_no_width_fails_in_words() -> None:
    bad = View(np.zeros((480, 640, 3), np.uint8), CAMERAS[0])
    said = SizedMethod(Failing(), "equal").relate(bad, bad)
    assert (said.status, said.reason) == ("failed", "no keypoints")


class Failing(Recorder):
    def relate(self, a: View, b: View) -> RelativeEstimate:
        return RelativeEstimate("failed", self.name, None, reason="no keypoints")


def test_a_tiny_photo_is_enlarged() -> None:
    camera = Camera("PINHOLE", 40, 30, (40.0, 40.0, 19.5, 14.5))
    assert sized_view(view_of(camera), "crop").image.shape == (227, 227, 3)
    assert resized_view(view_of(camera), 20, 30, "half").camera.params == (20.0, 40.0, 9.5, 14.5)
    assert Path(sized_view(view_of(camera), "crop").key).name == "photo@crop"


def test_a_network_sees_the_resized_pixels_as_they_are() -> None:
    """The crop that a network takes itself, and the one it is handed, are the same pixels."""
    torch = pytest.importorskip("torch")
    from sightline.tasks.relative.config import RelativeConfig
    from sightline.tasks.relative.model import create_model
    from sightline.tasks.relative.predict import ready

    torch.manual_seed(0)
    config = RelativeConfig(model="cnnBspp", width=0.02, weights="none")
    model = ready(create_model(config), config, "run", 0.5)
    rng = np.random.default_rng(0)
    camera = Camera("PINHOLE", 431, 323, (400.0, 400.0, 215.0, 161.0))
    a, b = (View(rng.integers(0, 256, (323, 431, 3), np.uint8), camera) for _ in range(2))
    own = model.relate(a, b).pose()
    cut = at_size(model, "crop").relate(a, b).pose()
    np.testing.assert_allclose(cut.q_wxyz, own.q_wxyz, atol=2e-3)
    np.testing.assert_allclose(cut.translation, own.translation, atol=2e-2)
    squeezed = at_size(model, "equal").relate(a, b).pose()
    assert np.abs(squeezed.translation - own.translation).max() > 1e-9
