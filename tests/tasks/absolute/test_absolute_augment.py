"""Camera rotation by homography, against a world whose pictures are known in closed form."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose
from sightline.learning.cache import FrameSize
from sightline.tasks.absolute.augment import (
    CameraRotation,
    change_colour,
    random_turns,
)
from sightline.tasks.absolute.samples import turned

CAMERAS = [
    Camera("SIMPLE_PINHOLE", 160, 120, (150.0, 79.5, 59.5)),
    Camera("PINHOLE", 160, 120, (150.0, 140.0, 75.0, 63.0)),
    Camera("SIMPLE_RADIAL", 160, 120, (150.0, 79.5, 59.5, -0.08)),
    Camera("OPENCV", 160, 120, (150.0, 148.0, 79.5, 59.5, 0.05, -0.02, 0.003, -0.002)),
]


def sky(directions: np.ndarray) -> np.ndarray:
    """A smooth picture at infinity: the colour of each viewing direction."""
    d = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    return np.stack(
        [np.sin(5 * d[..., 0]), np.cos(4 * d[..., 1] + d[..., 0]), np.sin(3 * d[..., 2])], axis=-1
    )


def picture(camera: Camera, world_from_cam: Rotation, size: FrameSize) -> torch.Tensor:
    """What a camera sees of the sky, pixel by pixel of a frame."""
    left, top, right, bottom = size.source_box(camera.width, camera.height)
    u = left + (np.arange(size.width) + 0.5) * (right - left) / size.width - 0.5
    v = top + (np.arange(size.height) + 0.5) * (bottom - top) / size.height - 0.5
    rays = camera.unproject(np.stack(np.meshgrid(u, v), axis=-1))
    colours = sky(world_from_cam.apply(rays.reshape(-1, 3)).reshape(rays.shape))
    return torch.tensor(colours).permute(2, 0, 1).float()


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda c: c.model)
@pytest.mark.parametrize(
    "size", [FrameSize(80, 60), FrameSize(48, 64), FrameSize(64, 64, "stretch")], ids=str
)
@pytest.mark.parametrize("angles", [(15, 0, 0), (0, -8, 0), (0, 0, 10), (-12, 6, -5)])
def test_a_turned_picture_is_the_turned_cameras(
    camera: Camera, size: FrameSize, angles: tuple[float, float, float]
) -> None:
    world_from_old = Rotation.from_euler("xyz", [20, -35, 10], degrees=True)
    old_from_new = Rotation.from_euler("YXZ", angles, degrees=True)
    source = FrameSize(size.width * 3, size.height * 3, size.crop)
    old = picture(camera, world_from_old, source)[None]
    turn = torch.tensor(old_from_new.as_matrix()).float()[None]
    made = CameraRotation(camera, size, source)(old, turn)[0]
    mask = CameraRotation(camera, size, source)(torch.ones_like(old), turn)[0] > 0.999
    label = turned(world_from_old.as_quat(scalar_first=True)[None], old_from_new.as_matrix()[None])
    wanted = picture(camera, Pose(label[0], np.zeros(3)).rotation, size)
    assert mask.float().mean() > 0.4
    assert (made - wanted)[mask].abs().max() < 0.01
    assert (wanted - picture(camera, world_from_old, size))[mask].abs().max() > 0.1


def test_no_turn_changes_nothing() -> None:
    size = FrameSize(40, 30)
    frames = torch.randn(2, 3, 30, 40)
    same = CameraRotation(CAMERAS[2], size)(frames, torch.eye(3).expand(2, 3, 3))
    torch.testing.assert_close(same, frames, atol=1e-3, rtol=0)


def test_what_the_old_picture_does_not_show_is_zero() -> None:
    camera = CAMERAS[0]
    behind = torch.tensor(Rotation.from_euler("y", 170, degrees=True).as_matrix()).float()[None]
    for c in (camera, CAMERAS[2]):
        made = CameraRotation(c, FrameSize(40, 30))(torch.ones(1, 3, 30, 40), behind)
        assert made.abs().max() == 0


def test_turns_stay_within_their_limits_and_come_from_the_generator() -> None:
    turns = random_turns(np.random.default_rng(1), 500, (30.0, 5.0, 0.0))
    angles = Rotation.from_matrix(turns).as_euler("YXZ", degrees=True)
    assert (np.abs(angles) <= [30 + 1e-6, 5 + 1e-6, 1e-6]).all()
    assert (np.abs(angles).max(axis=0)[:2] > [28, 4.5]).all()
    again = random_turns(np.random.default_rng(1), 500, (30.0, 5.0, 0.0))
    np.testing.assert_array_equal(turns, again)


def test_colour_changes_within_its_amount() -> None:
    images = torch.ones(200, 3, 2, 2)
    changed = change_colour(np.random.default_rng(0), images, 0.2)
    assert changed.dtype == images.dtype
    assert ((changed - 1).abs() <= 0.6 + 1e-6).all()
    assert (changed - 1).abs().max() > 0.3
    assert (changed.std(dim=(2, 3)) == 0).all()  # one change for the whole image


def test_the_guess_is_colmaps() -> None:
    camera = Camera.guess(480, 640)
    assert (camera.fx, camera.cx, camera.cy) == (768.0, 239.5, 319.5)
