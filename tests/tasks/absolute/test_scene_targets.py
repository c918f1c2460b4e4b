"""What each cell shows: exact on flat walls, whatever the lens, the cut and the turn."""

from pathlib import Path

import numpy as np
import pytest
import torch

import painted_box as box
from sightline.errors import PlaceError
from sightline.geometry import Camera, Pose
from sightline.learning.backbones import InputContract
from sightline.learning.cache import FrameSize, cache_frames
from sightline.records import Place, stack_poses
from sightline.tasks.absolute.augment import random_turns
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.samples import network_size, source_size, training_frames, turned
from sightline.tasks.absolute.scene.depth_maps import ObservedPoints, filled, inverse_depth
from sightline.tasks.absolute.scene.samples import CellTargets, SceneBatches, Step, cells_size

CAMERAS = [
    Camera("SIMPLE_PINHOLE", 160, 120, (150.0, 79.5, 59.5)),
    Camera("PINHOLE", 120, 160, (150.0, 140.0, 55.0, 83.0)),
    Camera("OPENCV", 160, 120, (150.0, 148.0, 79.5, 59.5, 0.05, -0.02, 0.003, -0.002)),
]
#: n . x = 1: a wall seen at a slant, in the camera's frame.
WALL = np.array([0.12, -0.07, 0.25])


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return box.write_place(tmp_path_factory.mktemp("box") / "place", count=18)


def config(**changes: object) -> AbsoluteConfig:
    values = {"model": "scene_coordinates", "width": 48, "height": 64, "batch": 2, "regions": 4}
    return AbsoluteConfig(**{**values, **changes})  # type: ignore[arg-type]


def rays_of(camera: Camera, size: FrameSize) -> np.ndarray:
    return camera.unproject(size.pixel_centres(camera.width, camera.height))


def wall_points(count: int = 400) -> np.ndarray:
    xy = np.random.default_rng(0).uniform(-0.9, 0.9, (count, 2))
    rays = np.column_stack([xy, np.ones(count)])
    return rays / (rays @ WALL)[:, None]


def test_a_wall_between_points_is_exact() -> None:
    rays = rays_of(CAMERAS[0], FrameSize(40, 30))
    value, known = inverse_depth(wall_points(), rays)
    assert known.mean() == 1
    np.testing.assert_allclose(value, rays @ WALL, rtol=1e-5)


def test_outside_of_the_points_nothing_is_known() -> None:
    rays = rays_of(CAMERAS[0], FrameSize(40, 30))
    points = wall_points()
    left = points[points[:, 0] / points[:, 2] < 0]
    value, known = inverse_depth(left, rays)
    assert (value[:, 20:] == 0).all()
    assert (known[:, 20:] == 0).all()
    assert known[:, :18].mean() > 0.95
    behind = inverse_depth(-points, rays)
    assert (behind == 0).all()
    rays[3, 4] = np.nan
    assert inverse_depth(points, rays)[1, 3, 4] == 0
    for few in (points[:0], points[:2], np.linspace([-1.0, 0, 3], [1, 0, 3], 9)):
        assert (inverse_depth(few, rays) == 0).all()


def test_an_edge_in_depth_is_not_bridged() -> None:
    rng = np.random.default_rng(1)
    rays = np.column_stack([rng.uniform(-0.6, 0.6, (600, 2)), np.ones(600)])
    depth = np.where(rays[:, 0] < 0, 1.0, 4.0)
    value, known = inverse_depth(rays * depth[:, None], rays_of(CAMERAS[0], FrameSize(80, 60)))
    found = value[known > 0]
    np.testing.assert_allclose(np.minimum(np.abs(found - 1), np.abs(found - 0.25)), 0, atol=1e-6)
    assert 0.8 < known.mean() < 1


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda c: c.model)
@pytest.mark.parametrize("crop", ["center", "stretch"])
@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
@pytest.mark.parametrize("shift", [None, (0.3, -0.2, 0.4)], ids=["turned", "moved"])
def test_cells_of_turned_frames_show_their_points(
    camera: Camera, crop: str, size: tuple[int, int], shift: tuple[float, float, float] | None
) -> None:
    """Against the crossing of the new camera's own rays with the wall, in the world."""
    settings = config(width=size[0], height=size[1], crop=crop)
    targets = CellTargets(camera, settings)
    rng = np.random.default_rng(4)
    poses = Pose(rng.normal(size=(3, 4)), rng.normal(size=(3, 3)))
    turns = random_turns(rng, 3, (12.0, 6.0, 9.0))
    depths = np.tile(inverse_depth(wall_points(), targets.depth_rays), (3, 1, 1, 1))
    step, moved = None, np.zeros((3, 3))
    if shift is not None:
        moved = np.outer([1.0, -1.0, 0.5], shift)
        step = Step(torch.from_numpy(filled(depths)), torch.from_numpy(moved).float())
    points, known = targets(torch.from_numpy(depths), poses, torch.from_numpy(turns).float(), step)
    after = Pose(turned(poses.q_wxyz, turns), poses.apply(moved))
    rays = rays_of(camera, cells_size(settings)).reshape(-1, 3)
    assert known.float().mean() > 0.4
    for i in range(3):
        normal = turns[i].T @ WALL / (1 - WALL @ moved[i])  # the wall in the new camera's frame
        wanted = after[i].apply(rays / (rays @ normal)[:, None]).reshape(points[i].shape)
        mask = known[i].numpy()
        np.testing.assert_allclose(points[i].numpy()[mask], wanted[mask], atol=4e-3)
    assert (points[~known] == 0).all()


def test_the_maps_points_come_in_the_places_world(room: Place) -> None:
    names = [f.image for f in room.frames()]
    observed = ObservedPoints.read(room, [*names, "other.png"])
    np.testing.assert_allclose(observed.camera.params, box.CAMERA.params, atol=1e-9)
    assert len(observed.by_frame["other.png"]) == 0
    poses, everything = box.walk(18), box.wall_points()
    seen_often = np.zeros(len(everything), int)
    for i in range(18):
        px = box.CAMERA.project(poses[i].inverse().apply(everything))
        seen_often += ((px >= 0) & (px <= [95, 127])).all(axis=1)
    for i, name in enumerate(names):
        points = observed.by_frame[name]
        px = box.CAMERA.project(poses[i].inverse().apply(points))
        assert ((px > -1e-6) & (px < [95 + 1e-6, 127 + 1e-6])).all()
        gap = np.linalg.norm(points[:, None] - everything[None], axis=2)
        assert gap.min(axis=1).max() < 1e-9
        assert seen_often[gap.argmin(axis=1)].min() == 3  # fewer frames are too few


def test_a_place_without_its_map_says_so(room: Place, tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="has no map"):
        ObservedPoints.read(Place.create(tmp_path / "p", source="x"), ["a.png"])
    with pytest.raises(PlaceError, match="none of the frames"):
        ObservedPoints.read(room, ["other.png"])


def batches(room: Place, settings: AbsoluteConfig) -> SceneBatches:
    frames = training_frames(room)
    names = [f.image for f in frames]
    cache = cache_frames(room.images_dir, names[::-1], source_size(settings), room.cache_dir)
    observed = ObservedPoints.read(room, names)
    return SceneBatches(frames, cache, observed, InputContract(), settings)


@pytest.mark.parametrize(("yaw", "shift"), [(0.0, 0.0), (15.0, 0.0), (5.0, 0.2)])
def test_images_points_and_cameras_of_a_batch_belong_together(
    room: Place, yaw: float, shift: float
) -> None:
    """A cell's colour is the paint at its point."""
    settings = config(
        width=96, height=128, augment_yaw_deg=yaw, augment_shift=shift, augment_resolution=1.0
    )
    contract = InputContract()
    for batch in batches(room, settings).epoch(3):
        colour = torch.nn.functional.avg_pool2d(batch.inputs, 2)[:, :, 1::4, 1::4]
        colour = (colour + torch.nn.functional.avg_pool2d(batch.inputs, 2)[:, :, 2::4, 2::4]) / 2
        points = batch.points[batch.known].numpy()
        assert len(points) > 100
        paint = 128 + 60 * np.sin(1.3 * points) + 60 * np.cos(2.9 * points[:, [1, 2, 0]])
        wanted = contract.normalise(torch.from_numpy(paint.clip(0, 255).T.copy())[None, :, :, None])
        error = (colour.permute(0, 2, 3, 1)[batch.known] - wanted[0, :, :, 0].T).abs()
        assert float(error.median()) < 0.06  # of some 2.5 between darkest and brightest
        on_wall = np.minimum(np.abs(points), np.abs(points - box.SIZE)).min(axis=1)
        assert np.median(on_wall) < 0.02  # corners of the room are cut between sparse points
        middle = torch.tensor(box.SIZE / 2).float()
        assert ((batch.centres - middle).abs() < 1.1 + shift).all()
        walked = torch.from_numpy(training_poses(room)).float()
        off = torch.cdist(batch.centres, walked).min(dim=1).values
        assert (off.max() > 0.05) == (shift > 0)


def training_poses(room: Place) -> np.ndarray:
    return stack_poses(training_frames(room)).translation


def test_an_epoch_is_the_same_for_seed_and_number(room: Place) -> None:
    settings = config(augment_yaw_deg=10.0, augment_colour=0.2)
    made, again = batches(room, settings), batches(room, settings)
    for a, b in zip(made.epoch(4), again.epoch(4), strict=True):
        torch.testing.assert_close(a.inputs, b.inputs)
        torch.testing.assert_close(a.points, b.points)
    first, other = next(made.epoch(4)), next(made.epoch(5))
    assert not torch.equal(first.inputs, other.inputs)
    assert len(made) == 3
    assert sum(len(b.inputs) for b in made.epoch(0)) == 6


def test_cells_are_whole() -> None:
    assert (cells_size(config()).width, cells_size(config()).height) == (6, 8)
    assert network_size(config()) == FrameSize(48, 64)
    with pytest.raises(Exception, match="width = 50"):
        config(width=50)
    assert AbsoluteConfig(width=50).width == 50  # PoseNet and MapNet have no cells
