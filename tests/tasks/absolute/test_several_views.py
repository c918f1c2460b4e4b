"""Turned copies of a picture: each turned back to the picture's own pose, then joined."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation
from torch import Tensor

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import rotation_angle_deg
from sightline.learning.backbones import InputContract
from sightline.learning.cache import FrameSize
from sightline.tasks.absolute import several_views
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.several_views import joined, predict_in_views, view_turns

CONFIG = AbsoluteConfig(width=41, height=31, crop="stretch", augment_yaw_deg=20.0)
LEVEL = Rotation.from_matrix([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
CAMERAS = [
    Camera("SIMPLE_PINHOLE", 123, 93, (110.0, 61.0, 46.0)),
    Camera("PINHOLE", 205, 155, (150.0, 150.0, 102.0, 77.0)),
]


def level(heading_deg: np.ndarray) -> Pose:
    turn = Rotation.from_euler("z", heading_deg[:, None], degrees=True)
    return Pose.from_rotation(turn * LEVEL, np.zeros((len(heading_deg), 3)))


def sky(heading_deg: float, camera: Camera) -> np.ndarray:
    """A picture at infinity: its colours are the viewing directions."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.unproject(np.stack([u, v], axis=-1))
    pose = level(np.array([heading_deg]))[0]
    seen = pose.rotation.apply(rays.reshape(-1, 3)).reshape(rays.shape)
    seen /= np.linalg.norm(seen, axis=-1, keepdims=True)
    return np.round(127.5 + 127.5 * seen).astype(np.uint8)


class Compass:
    """A model that reads where a level camera looks off the middle of its image."""

    config, size = CONFIG, FrameSize(41, 31, "stretch")
    network = SimpleNamespace(backbone=SimpleNamespace(contract=InputContract(41, 31)))

    def answer(self, inputs: Tensor) -> Pose:
        contract = InputContract()
        middle = inputs[:, :, 15, 20].double().numpy()
        ahead = (middle * contract.std + contract.mean) * 2 - 1
        heading = np.rad2deg(np.arctan2(ahead[:, 1], ahead[:, 0]))
        centre = np.stack([heading, 0 * heading, 0 * heading], axis=1)
        return Pose(level(heading).q_wxyz, centre)


@pytest.fixture
def asked(tmp_path: Path) -> tuple[list[Path], list[Camera], np.ndarray]:
    headings, cameras = np.array([10.0, 75.0, -40.0]), [CAMERAS[0], CAMERAS[1], CAMERAS[0]]
    files = []
    for i, (heading, camera) in enumerate(zip(headings, cameras, strict=True)):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(sky(heading, camera)).save(files[-1])
    return files, cameras, headings


def test_each_copy_answers_for_the_picture(
    asked: tuple[list[Path], list[Camera], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    files, cameras, headings = asked
    monkeypatch.setattr(several_views, "joined", lambda answers: answers)
    found = predict_in_views(Compass(), files, cameras, 3)  # type: ignore[arg-type]
    assert found.shape == (3, 3)
    for view, turn in enumerate((-10.0, 0.0, 10.0)):
        # the copy was turned: it looked elsewhere, to the right where the turn is positive
        np.testing.assert_allclose(found.translation[view, :, 0], headings - turn, atol=1.0)
        assert rotation_angle_deg(found.q_wxyz[view], level(headings).q_wxyz).max() < 1.0


def test_the_joined_answer_is_the_pictures_pose(
    asked: tuple[list[Path], list[Camera], np.ndarray],
) -> None:
    files, cameras, headings = asked
    found = predict_in_views(Compass(), files, cameras, 5)  # type: ignore[arg-type]
    assert rotation_angle_deg(found.q_wxyz, level(headings).q_wxyz).max() < 0.7
    np.testing.assert_allclose(found.translation[:, 0], headings, atol=1.0)


def test_an_outlier_among_the_answers_does_not_move_the_middle() -> None:
    centres = np.zeros((5, 1, 3))
    centres[:, 0, 0] = [1.0, 1.1, 0.9, 1.0, 40.0]
    answers = Pose(np.tile([1.0, 0, 0, 0], (5, 1, 1)), centres)
    np.testing.assert_allclose(joined(answers).translation, [[1.0, 0, 0]])


def test_turns_are_even_and_within_what_was_trained() -> None:
    yaw = Rotation.from_matrix(view_turns(CONFIG, 5)).as_euler("YXZ", degrees=True)
    np.testing.assert_allclose(yaw[:, 0], [-10, -5, 0, 5, 10], atol=1e-9)
    np.testing.assert_allclose(yaw[:, 1:], 0, atol=1e-9)
    still = AbsoluteConfig()
    np.testing.assert_array_equal(view_turns(still, 1), np.eye(3)[None])
    with pytest.raises(InputError, match="an odd number of views is wanted, 4 came"):
        view_turns(CONFIG, 4)
    with pytest.raises(InputError, match="--augment-yaw-deg is wanted for 3 views"):
        view_turns(still, 3)
