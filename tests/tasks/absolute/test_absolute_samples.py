"""Batches: paired by name, tuples in video order, exact labels, one way to standardise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.errors import PlaceError, TrainingError
from sightline.geometry import Pose
from sightline.geometry.pose import relative_pose
from sightline.learning.backbones import InputContract
from sightline.learning.cache import cache_frames
from sightline.records import Place, PosedFrame, stack_poses
from sightline.records.cameras import common_camera
from sightline.tasks.absolute.augment import CameraRotation
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.samples import (
    PoseBatches,
    TranslationStatistics,
    frame_tuples,
    in_video_order,
    network_size,
    source_size,
    training_frames,
)

CONTRACT = InputContract(20, 24)


def config(**changes: object) -> AbsoluteConfig:
    values: dict[str, object] = {
        "backbone": "compact",
        "weights": "none",
        "width": 20,
        "height": 24,
        "batch": 3,
    }
    return AbsoluteConfig(**{**values, **changes})  # type: ignore[arg-type]


def batches(place: Place, settings: AbsoluteConfig, **more: object) -> PoseBatches:
    frames = training_frames(place)
    names = [f.image for f in frames][::-1]  # cached in another order than the labels
    cache = cache_frames(place.images_dir, names, network_size(settings), place.cache_dir)
    statistics = TranslationStatistics.of(stack_poses(frames))
    return PoseBatches(frames, cache, CONTRACT, settings, statistics, **more)  # type: ignore[arg-type]


def test_images_meet_their_own_poses(place: Place) -> None:
    """The bar in each picture stands where its pose's x says."""
    settings = config(model="posenet")
    frames = training_frames(place)
    statistics = TranslationStatistics.of(stack_poses(frames))
    seen = []
    for batch in batches(place, settings).epoch(0):
        bar = batch.inputs[:, 0, :4].mean(dim=1).argmax(dim=-1) / 19.0
        x = batch.translation.numpy() * statistics.scale + statistics.mean
        np.testing.assert_allclose(bar.numpy(), x[:, 0] / 4, atol=0.06)
        seen.extend(np.round(x[:, 0], 3))
    assert sorted(seen) == [round(float(f.world_from_cam.translation[0]), 3) for f in frames]


def test_tuples_are_k_apart_in_video_order() -> None:
    assert frame_tuples(6, config(step=3, skip=2)).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert frame_tuples(3, config(model="posenet")).tolist() == [[0], [1], [2]]
    with pytest.raises(TrainingError, match="more than 4 training frames"):
        frame_tuples(4, config(step=3, skip=2))


def test_mapnet_batches_hold_whole_tuples(place: Place) -> None:
    settings = config(step=3, skip=2, batch=2)
    x = {
        round(float(f.world_from_cam.translation[0]), 3): i
        for i, f in enumerate(training_frames(place))
    }
    statistics = TranslationStatistics.of(stack_poses(training_frames(place)))
    count = 0
    for batch in batches(place, settings).epoch(3):
        world = batch.translation.numpy() * statistics.scale + statistics.mean
        order = [x[round(float(v), 3)] for v in world[:, 0]]
        for start in range(0, len(order), 3):
            assert np.diff(order[start : start + 3]).tolist() == [2, 2]
            count += 1
    assert count == 6  # ten training frames: tuples start at 0..5


def test_an_epoch_is_a_function_of_seed_and_number(place: Place) -> None:
    settings = config(augment_colour=0.2)
    made = batches(place, settings)

    def draw(source: PoseBatches, number: int) -> torch.Tensor:
        return torch.cat([b.inputs for b in source.epoch(number)])

    torch.testing.assert_close(draw(made, 4), draw(batches(place, settings), 4))
    assert not torch.equal(draw(made, 4), draw(made, 5))
    assert not torch.equal(draw(made, 4), draw(batches(place, config(seed=1)), 4))


def test_a_turned_camera_stays_where_it_was(place: Place) -> None:
    settings = config(model="posenet", batch=50, augment_yaw_deg=20.0, augment_resolution=1.0)
    camera = common_camera(place)
    assert camera is not None
    plain = batches(place, config(model="posenet", batch=50))
    rotated = batches(place, settings, rotation=CameraRotation(camera, network_size(settings)))
    (a,), (b,) = list(plain.epoch(2)), list(rotated.epoch(2))
    torch.testing.assert_close(a.translation, b.translation)
    turn = relative_pose(
        Pose(a.q_wxyz.numpy(), np.zeros((10, 3))), Pose(b.q_wxyz.numpy(), np.zeros((10, 3)))
    )
    yaw = turn.rotation.as_euler("YXZ", degrees=True)
    assert np.abs(yaw[:, 1:]).max() < 1e-3  # about the camera's own vertical axis alone
    assert 5 < np.abs(yaw[:, 0]).max() <= 20
    assert not torch.allclose(a.inputs, b.inputs, atol=0.1)


def test_statistics_standardise_to_zero_mean_and_one_scale() -> None:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(100, 3)) * [5.0, 2.0, 0.01] + [10.0, -3.0, 1.5]
    poses = Pose(np.tile([1.0, 0, 0, 0], (100, 1)), centres)
    standard = TranslationStatistics.of(poses).standardise(centres)
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-12)
    assert standard.var(axis=0).mean() == pytest.approx(1.0)
    ratio = standard.std(axis=0) / centres.std(axis=0)
    np.testing.assert_allclose(ratio, ratio[0])  # one scale, so that rotations still act on it
    with pytest.raises(TrainingError, match="more than one point"):
        TranslationStatistics.of(Pose.identity((4,)))


def test_video_order_is_by_time_and_by_name_without_times() -> None:
    timed = [PosedFrame("b", 1.0, None), PosedFrame("a", 2.0, None), PosedFrame("c", 0.5, None)]
    assert [f.image for f in in_video_order(timed)] == ["c", "b", "a"]
    untimed = [PosedFrame("b", 1.0, None), PosedFrame("a", None, None)]
    assert [f.image for f in in_video_order(untimed)] == ["a", "b"]


def test_a_place_without_training_frames_says_so(make_place: Callable[..., Place]) -> None:
    place = make_place("unsplit")
    place.write_frames([f.with_split("") for f in place.frames()])
    with pytest.raises(PlaceError, match="no registered frames in its split 'train'"):
        training_frames(place)


def test_unregistered_frames_are_never_samples(place: Place) -> None:
    frames = place.frames()
    place.write_frames([frames[0].with_pose(None), *frames[1:]])
    assert frames[0].split == "train"
    assert frames[0].image not in [f.image for f in training_frames(place)]


def test_frames_are_cached_larger_only_for_rotation() -> None:
    assert source_size(config()).width == 20
    assert source_size(config(augment_yaw_deg=5.0)).width == 30


def test_a_place_without_camera_has_none(tmp_path: Path) -> None:
    assert common_camera(Place.create(tmp_path / "p", source="x")) is None
