"""Cameras moved by depth: against pictures of a room that are known from anywhere."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

import painted_box as box
from sightline.errors import InputError, PlaceError
from sightline.geometry import Camera, Pose
from sightline.learning.backbones import InputContract
from sightline.learning.cache import FrameSize, cache_frames
from sightline.records import Place, PosedFrame, stack_poses
from sightline.records.cameras import set_cameras
from sightline.tasks.absolute.augment import CameraMotion, CameraRotation, random_turns
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.samples import (
    PoseBatches,
    TranslationStatistics,
    source_size,
    training_frames,
)
from sightline.tasks.absolute.scene.depth_maps import ObservedPoints, filled
from sightline.tasks.absolute.task import train
from sightline.tasks.absolute.views import depth_size, training_views, turning_camera

CAMERAS = [
    Camera("SIMPLE_PINHOLE", 160, 120, (150.0, 79.5, 59.5)),
    Camera("OPENCV", 160, 120, (150.0, 148.0, 79.5, 59.5, 0.05, -0.02, 0.003, -0.002)),
]
SETTINGS = AbsoluteConfig(
    model="posenet", backbone="compact", weights="none", width=48, height=64, crop="stretch",
    batch=6, epochs=1, augment_yaw_deg=6.0, augment_shift=0.2, augment_resolution=2.0,
)  # fmt: skip


@pytest.fixture
def room(tmp_path: Path) -> Place:
    return box.write_place(tmp_path / "place")


def painted(points: np.ndarray) -> np.ndarray:
    return np.sin(2 * points) + 0.5 * np.cos(3 * points[..., [1, 2, 0]])


def wall_seen(pose: Pose, camera: Camera, size: FrameSize) -> tuple[torch.Tensor, torch.Tensor]:
    """The picture and the inverse depths of a painted wall, n . x = 1 in the world."""
    normal = np.array([0.06, -0.04, 0.25])
    rays = camera.unproject(size.pixel_centres(camera.width, camera.height))
    turned = pose.rotation.apply(rays.reshape(-1, 3)).reshape(rays.shape)
    inverse = turned @ normal / (1 - pose.translation @ normal)
    points = pose.translation + turned / inverse[..., None]
    colour = torch.from_numpy(painted(points)).permute(2, 0, 1).float()
    return colour, torch.from_numpy(inverse).float()


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda c: c.model)
@pytest.mark.parametrize("shift", [(0.3, 0, 0), (0, -0.2, 0), (0, 0, 0.5), (-0.2, 0.1, -0.3)])
@pytest.mark.parametrize("angles", [(0, 0, 0), (9, -4, 5)])
def test_a_moved_picture_of_a_wall_is_the_moved_cameras(
    camera: Camera, shift: tuple[float, float, float], angles: tuple[float, float, float]
) -> None:
    old = Pose.from_rotation(Rotation.from_euler("xyz", [4, -7, 3], degrees=True), [0.2, 0.1, -0.3])
    turn = Rotation.from_euler("YXZ", angles, degrees=True)
    new = old @ Pose.from_rotation(turn, np.array(shift))
    size, source, coarse = FrameSize(80, 60), FrameSize(240, 180), FrameSize(40, 30)
    motion = CameraMotion(camera, size, source, coarse)
    frame, _ = wall_seen(old, camera, source)
    _, inverse = wall_seen(old, camera, coarse)
    matrix = torch.from_numpy(turn.as_matrix()).float()[None]
    step = torch.tensor([shift]).float()
    made = motion(frame[None], inverse[None], matrix, step)[0]
    mask = motion(torch.ones(1, 1, 180, 240), inverse[None], matrix, step)[0, 0] > 0.999
    wanted, _ = wall_seen(new, camera, size)
    assert mask.float().mean() > 0.5
    mask[[0, 1, -2, -1]] = mask[:, [0, 1, -2, -1]] = False  # depth beyond the edge is drawn out
    assert (made - wanted)[:, mask].abs().max() < 0.02
    before, _ = wall_seen(old, camera, size)
    assert (before - wanted)[:, mask].abs().max() > 0.1


def test_far_away_things_do_not_move() -> None:
    size = FrameSize(40, 30)
    motion, rotation = CameraMotion(CAMERAS[0], size, size, size), CameraRotation(CAMERAS[0], size)
    frames = torch.randn(2, 3, 30, 40)
    turns = torch.from_numpy(random_turns(np.random.default_rng(0), 2, (9, 4, 3))).float()
    far = motion(frames, torch.zeros(2, 30, 40), turns, torch.full((2, 3), 0.3))
    torch.testing.assert_close(far, rotation(frames, turns))
    still = motion(frames, torch.rand(2, 30, 40), turns, torch.zeros(2, 3))
    torch.testing.assert_close(still, rotation(frames, turns))


def test_a_surface_at_the_moved_camera_stays_finite() -> None:
    size = FrameSize(40, 30)
    motion = CameraMotion(CAMERAS[0], size, size, size)
    eye, ahead = torch.eye(3)[None], torch.tensor([[0.0, 0, 2.0]])
    for inverse in (0.5, 0.6, 50.0):  # at it, behind it
        made = motion(torch.randn(1, 3, 30, 40), torch.full((1, 30, 40), inverse), eye, ahead)
        assert torch.isfinite(made).all()


def test_unknown_depth_is_the_nearest_known() -> None:
    camera = box.CAMERA
    rays = camera.unproject(FrameSize(24, 32, "stretch").pixel_centres(camera.width, camera.height))
    pose = box.walk(7)[1]
    points = box.wall_points()
    left = points[camera.project(pose.inverse().apply(points))[:, 0] < 40]
    observed = ObservedPoints(camera, {"a": left, "b": left[:0]})
    frames = [PosedFrame(name, None, pose) for name in "ab"]
    maps = observed.inverse_depths(frames, rays)
    whole = filled(maps)
    known = maps[0, 1] > 0
    assert 0.2 < known.mean() < 0.7
    assert (maps[0, 0][~known] == 0).all()
    np.testing.assert_array_equal(whole[0][known], maps[0, 0][known])
    rows, columns = np.nonzero(known)
    for row, column in ((3, 22), (16, 23), (30, 20)):
        gap = (rows - row) ** 2 + (columns - column) ** 2
        nearest = maps[0, 0][rows, columns][gap == gap.min()]
        assert whole[0, row, column] in nearest
    assert (whole[1] == 0).all()


def batches(room: Place, settings: AbsoluteConfig) -> tuple[PoseBatches, TranslationStatistics]:
    frames = training_frames(room)
    names = [f.image for f in frames]
    cache = cache_frames(room.images_dir, names[::-1], source_size(settings), room.cache_dir)
    rotation, depths = training_views(room, settings, frames, lambda _text, _done: None)
    statistics = TranslationStatistics.of(stack_poses(frames))
    made = PoseBatches(
        frames, cache, InputContract(), settings, statistics, rotation=rotation, depths=depths
    )
    return made, statistics


def test_frames_of_several_cameras_are_turned_by_the_middle_one(tmp_path: Path) -> None:
    place = Place.create(tmp_path / "place", source="x")
    names = [f"{i}.png" for i in range(3)]
    frames = [PosedFrame(name, None, Pose.identity()) for name in names]
    cameras = [Camera("SIMPLE_PINHOLE", 64, 48, (f, 31.5, 23.5)) for f in (90.0, 50.0, 60.0)]
    said: list[str] = []
    set_cameras(place, dict(zip(names, cameras, strict=True)), names)
    assert turning_camera(place, frames, lambda text, _: said.append(text)) == cameras[2]
    assert "several cameras" in said.pop()
    set_cameras(place, dict.fromkeys(names, cameras[0]), names)
    assert turning_camera(place, frames, lambda text, _: said.append(text)) == cameras[0]
    set_cameras(place, {}, names)
    place.images_dir.mkdir(exist_ok=True)
    Image.new("RGB", (64, 48)).save(place.images_dir / names[0])
    guess = turning_camera(place, frames, lambda text, _: said.append(text))
    assert guess == Camera.guess(64, 48)
    assert len(said) == 1


def test_pictures_and_poses_of_moved_cameras_belong_together(room: Place) -> None:
    """Each picture of a batch is that which the room shows from the pose beside it."""
    made, statistics = batches(room, SETTINGS)
    camera = box.CAMERA.resized(48, 64)
    (batch,) = list(made.epoch(1))
    centres = batch.translation.double().numpy() * statistics.scale + statistics.mean
    true = stack_poses(training_frames(room)).translation
    moved = np.abs(np.linalg.norm(centres[:, None] - true, axis=2)).min(axis=1)
    assert 0.1 < moved.max() < 0.2 * np.sqrt(3) + 1e-3
    errors, unmoved = [], []
    for i in range(len(centres)):
        pose = Pose(batch.q_wxyz[i].double().numpy(), centres[i])
        still = Pose(pose.q_wxyz, true[np.linalg.norm(true - centres[i], axis=1).argmin()])
        shown = batch.inputs[i] != 0  # beyond the old picture's edge
        for at, found in ((pose, errors), (still, unmoved)):
            picture = torch.from_numpy(box.picture(at, camera)).permute(2, 0, 1)
            wanted = InputContract().normalise(picture[None])[0]
            found.append(float((batch.inputs[i] - wanted)[shown].abs().median()))
    assert np.median(errors) < 0.06  # of some 2.5 between darkest and brightest
    assert np.median(errors) < 0.4 * np.median(unmoved)


def test_depth_is_kept_at_half_the_size() -> None:
    assert depth_size(SETTINGS) == FrameSize(24, 32, "stretch")
    assert depth_size(dataclasses.replace(SETTINGS, width=45)).width == 23


@pytest.mark.parametrize("model", ["posenet", "mapnet"])
def test_a_network_is_trained_on_moved_cameras(room: Place, model: str) -> None:
    settings = dataclasses.replace(SETTINGS, model=model, augment_yaw_deg=0.0)
    run = train(room, settings, room.runs_dir / "r")
    assert run.fit is not None
    points = room.model_dir / "points3D.bin"
    points.write_bytes(points.read_bytes() + b"\0")
    with pytest.raises(InputError, match="holds a training on other"):
        train(room, settings, room.runs_dir / "r")
    room.model_dir.rename(room.root / "elsewhere")
    with pytest.raises(PlaceError, match="no map, which --augment-shift wants; run `sightline"):
        train(room, settings, room.runs_dir / "other")
