"""The network's hypotheses, their loss, and the pose that cells agree on."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import painted_box as box
from sightline.errors import InputError, TrainingError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import rotation_angle_deg
from sightline.tasks.absolute.config import AbsoluteConfig, scratch_config
from sightline.tasks.absolute.scene.loss import (
    SceneCoordinateLoss,
    angle_from_ray,
    region_weights,
)
from sightline.tasks.absolute.scene.model import SceneModel, solve
from sightline.tasks.absolute.scene.network import SceneNet, create_network
from sightline.tasks.absolute.scene.samples import SceneBatch, cells_size

CONFIG = AbsoluteConfig(
    model="scene_coordinates", width=96, height=128, crop="stretch", regions=6, min_inliers=12
)


# --- points to a pose -------------------------------------------------------------------------


def exact_cells(pose: Pose, camera: Camera, config: AbsoluteConfig) -> np.ndarray:
    pixels = cells_size(config).pixel_centres(camera.width, camera.height)
    return box.seen(pose, camera.unproject(pixels))


@pytest.mark.parametrize("crop", ["stretch", "center"])
@pytest.mark.parametrize(
    "camera",
    [
        box.CAMERA,
        box.CAMERA.resized(288, 384),
        Camera("PINHOLE", 300, 200, (180.0, 190.0, 140, 99)),
    ],
    ids=lambda c: f"{c.width}x{c.height}",
)
def test_exact_points_give_the_exact_pose(camera: Camera, crop: str) -> None:
    """Half a pixel of any of the sizes would show as 1e-3."""
    config = dataclasses.replace(CONFIG, crop=crop)
    pose = box.walk(7)[2]
    points = exact_cells(pose, camera, config)
    answer = solve(points, np.ones(points.shape[:2]), camera, config)
    assert answer.world_from_cam is not None
    np.testing.assert_allclose(answer.world_from_cam.translation, pose.translation, atol=1e-5)
    assert rotation_angle_deg(answer.world_from_cam.q_wxyz, pose.q_wxyz) < 1e-4
    assert answer.inliers == answer.cells == round(0.6 * 192)


def test_wrong_points_are_outvoted_and_counted() -> None:
    pose = box.walk(7)[4]
    rng = np.random.default_rng(0)
    points = exact_cells(pose, box.CAMERA, CONFIG)
    likely = rng.uniform(0.5, 1.0, points.shape[:2])
    wrong = rng.uniform(size=likely.shape) < 0.5
    points[wrong] = rng.uniform(0, box.SIZE, (int(wrong.sum()), 3))
    answer = solve(points, likely, box.CAMERA, CONFIG)
    assert answer.world_from_cam is not None
    assert np.linalg.norm(answer.world_from_cam.translation - pose.translation) < 0.02
    assert 0.4 * answer.cells < answer.inliers < 0.65 * answer.cells
    likely[wrong] = 0.1  # known to be doubtful, most of them are not asked
    sure = solve(points, likely, box.CAMERA, CONFIG)
    assert sure.inliers > 1.4 * answer.inliers


def test_cells_that_do_not_agree_give_no_answer() -> None:
    points = np.random.default_rng(0).uniform(0, box.SIZE, (16, 12, 3))
    config = dataclasses.replace(CONFIG, min_inliers=60)
    answer = solve(points, np.ones((16, 12)), box.CAMERA, config)
    assert answer.world_from_cam is None
    assert answer.inliers == 0


class Known(torch.nn.Module):
    """A network that knows the room: it says what a camera at one pose sees."""

    def __init__(self, pose: Pose, camera: Camera = box.CAMERA) -> None:
        super().__init__()
        self.contract = SceneNet(2, 96, 128).contract
        self.register_buffer("centres", torch.zeros(2, 3))
        self._points = torch.from_numpy(exact_cells(pose, camera, CONFIG))[None]
        self.frames: list[Tensor] = []

    def decode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.frames.append(images)
        points = self._points.expand(len(images), -1, -1, -1)
        return points, torch.ones(points.shape[:3])


def test_images_of_any_size_are_answered_through_their_own_camera() -> None:
    pose = box.walk(7)[1]
    network = Known(pose)
    model = SceneModel.ready(network, CONFIG, box.CAMERA)  # type: ignore[arg-type]
    large = box.CAMERA.resized(240, 320)
    found = model.predict([box.picture(pose), box.picture(pose, large)], batch=1)
    for one in found:
        assert one is not None
        np.testing.assert_allclose(one.translation, pose.translation, atol=1e-4)
    # the network gets the same picture, whichever size it came in
    assert (network.frames[0] - network.frames[1]).abs().mean() < 0.05
    (frame,) = model.predict_frames(box.picture(pose)[None])
    np.testing.assert_allclose(frame.translation, pose.translation, atol=1e-4)
    assert model.predict([]) == []
    with pytest.raises(InputError, match="uint8 RGB"):
        model.predict([np.zeros((4, 4))])  # type: ignore[list-item]


def assert_at(found: Pose | None, pose: Pose) -> None:
    assert found is not None
    np.testing.assert_allclose(found.translation, pose.translation, atol=1e-4)


def test_files_are_answered_through_their_own_cameras(tmp_path: Path) -> None:
    """A picture of another shape: by the field of view, by EXIF, by what is known of it."""
    pose = box.walk(7)[1]

    def landscape(focal: float) -> Camera:
        return Camera("SIMPLE_PINHOLE", 150, 100, (focal, 74.5, 49.5))

    def answer(camera: Camera, file: Path, **known: object) -> Pose | None:
        model = SceneModel.ready(Known(pose, camera), CONFIG, box.CAMERA)  # type: ignore[arg-type]
        (found,) = model.predict_files([file], **known)  # type: ignore[arg-type]
        return found

    plain, told = tmp_path / "plain.png", tmp_path / "told.jpg"
    picture = Image.fromarray(box.picture(pose, landscape(100.0)))
    picture.save(plain)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 30  # FocalLengthIn35mmFilm, on the diagonal
    picture.save(told, exif=exif)
    same_field_of_view = 80.0 / 128 * 150
    assert_at(answer(landscape(same_field_of_view), plain), pose)
    assert_at(answer(landscape(30 * np.hypot(150, 100) / np.hypot(36, 24)), told), pose)
    wide = landscape(70.0)
    assert_at(answer(wide, told, cameras=[wide]), pose)
    assert_at(answer(wide.resized(300, 200), plain, cameras=[wide.resized(300, 200)]), pose)
    # frames that were read before are taken as they are
    frames = np.zeros((1, 128, 96, 3), np.uint8)
    assert_at(answer(landscape(same_field_of_view), plain, frames=frames), pose)


# --- hypotheses -----------------------------------------------------------------------------------


def network_of(centres: list[list[float]], spread: float = 1.0) -> SceneNet:
    torch.manual_seed(0)
    network = SceneNet(len(centres), 32, 40)
    network.centres.copy_(torch.tensor(centres))
    network.spread.fill_(spread)
    return network.eval()


def test_hypotheses_start_at_the_regions() -> None:
    network = network_of([[0.0, 0, 0], [10, 0, 0], [0, 20, 5]], spread=2.0)
    logits, points = network(torch.randn(2, 3, 40, 32))
    assert logits.shape == (2, 5, 4, 3)
    assert points.shape == (2, 5, 4, 3, 3)
    assert (points - network.centres).abs().max() < 1.0
    assert logits.abs().max() < 0.5


def test_regions_that_agree_count_together() -> None:
    """Two regions say nearly the same; the third says another, and is likelier than either."""
    network = network_of([[0.0, 0, 0], [2, 0, 0], [0, 50, 0]], spread=1.0)
    last = network.head[-1]
    torch.nn.init.zeros_(last.weight)
    # logit and offset of each region: 0 + 1.0, 2 - 0.8, 50
    said = torch.tensor([[0.35, 1.0, 0, 0], [0.25, -0.8, 0, 0], [0.4, 0, 0, 0]])
    said[:, 0] = said[:, 0].log()
    last.bias.data.copy_(said.flatten())
    points, sure = network.decode(torch.randn(1, 3, 40, 32))
    np.testing.assert_allclose(sure.detach(), 0.6, atol=1e-5)
    mean = (0.35 * 1.0 + 0.25 * 1.2) / 0.6
    np.testing.assert_allclose(points.detach()[..., 0], mean, atol=1e-5)
    np.testing.assert_allclose(points.detach()[..., 1:], 0, atol=1e-5)


def test_regions_divide_the_place() -> None:
    points = np.repeat([[0.0, 0, 0], [8, 0, 0], [0, 8, 0]], 40, axis=0)
    points += np.random.default_rng(0).normal(0, 0.1, points.shape)
    network = SceneNet(3, 32, 40)
    network.set_regions(points, seed=0)
    found = network.centres.numpy()
    np.testing.assert_allclose(
        found[np.lexsort(found.round().T)], [[0, 0, 0], [8, 0, 0], [0, 8, 0]], atol=0.1
    )
    assert 0.05 < float(network.spread) < 0.3
    again = SceneNet(3, 32, 40)
    again.set_regions(points, seed=0)
    torch.testing.assert_close(again.centres, network.centres)
    with pytest.raises(TrainingError, match="12 cells with a known depth"):
        network.set_regions(points[:11], seed=0)


def test_the_network_of_the_settings_is_small() -> None:
    network = create_network(scratch_config("scene_coordinates", 60))
    assert network.cells == (16, 12)
    assert network.trainable_parameters() < 1_500_000


# --- loss -----------------------------------------------------------------------------------------


def test_an_error_along_the_ray_has_no_angle() -> None:
    seen = torch.tensor([[0.0, 0, 4], [3, 0, 4]])
    error = torch.stack([0.3 * seen[:, None], torch.tensor([[[0.0, 0.2, 0]], [[0, 0.2, 0]]])], 1)
    angle = angle_from_ray(error.squeeze(2), seen)
    np.testing.assert_allclose(angle, [[0, 0.2 / 4], [0, 0.2 / 5]], atol=1e-7)


def test_regions_count_by_nearness() -> None:
    centres = torch.tensor([[0.0, 0, 0], [2, 0, 0], [30, 0, 0]])
    weights = region_weights(torch.tensor([[0.0, 0, 0], [1, 0, 0]]), centres, torch.tensor(1.0))
    np.testing.assert_allclose(weights[1], [0.5, 0.5, 0], atol=1e-6)
    near = 1 / (1 + np.exp(-2))
    np.testing.assert_allclose(weights[0], [near, 1 - near, 0], atol=1e-6)


class Said(torch.nn.Module):
    """Hypotheses that were put in."""

    def __init__(self, logits: Tensor, points: Tensor, centres: Tensor) -> None:
        super().__init__()
        self.logits, self.points = torch.nn.Parameter(logits), torch.nn.Parameter(points)
        self.centres, self.spread = centres, torch.tensor(2.0)

    def forward(self, _images: Tensor) -> tuple[Tensor, Tensor]:
        return self.logits, self.points


def test_the_loss_is_least_at_the_truth_and_its_parts_are_as_said() -> None:
    true = torch.tensor([0.0, 0, 4])
    centres = torch.tensor([[0.0, 0, 4], [100, 0, 0]])
    batch = SceneBatch(
        torch.zeros(1, 3, 8, 16),
        true.expand(1, 1, 2, 3),
        torch.tensor([[[True, False]]]),
        torch.zeros(1, 3),
    )
    loss = SceneCoordinateLoss(reprojection=3.0)
    points = true.expand(1, 1, 2, 2, 3).clone()
    points[..., 0] += 0.2
    points[0, 0, 1] = torch.nan  # an unknown cell may say what it likes
    said = Said(torch.tensor([[[[9.0, -9], [0, 0]]]]), points, centres)
    terms = {name: value.item() for name, value in loss(said, batch).items()}
    wanted = {"region": 0, "offset": 0.2 / 2, "angle": 0.2 / 4, "loss": 0.1 + 3 * 0.05}
    assert terms == pytest.approx(wanted, abs=1e-5)
    exact = loss(Said(said.logits.data, true.expand(1, 1, 2, 2, 3).clone(), centres), batch)
    assert exact["loss"].item() == pytest.approx(0, abs=1e-6)
    exact["loss"].backward()  # no infinite gradient at zero


def test_a_batch_in_which_nothing_is_known_has_a_loss_without_gradient() -> None:
    network = SceneNet(3, 32, 40)
    batch = SceneBatch(
        torch.randn(2, 3, 40, 32),
        torch.zeros(2, 5, 4, 3),
        torch.zeros(2, 5, 4, dtype=torch.bool),
        torch.zeros(2, 3),
    )
    terms = SceneCoordinateLoss(1.0)(network, batch)
    terms["loss"].backward()
    assert terms["loss"].item() == 0
    assert all(p.grad is None or not p.grad.any() for p in network.parameters())
