"""People in the mapping walk: where they are, what they hide, exact masks of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.media.masks import mask_name, read_mask
from sightline.media.video import iter_frames
from sightline.records import read_poses_csv
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor import write as writing
from sightline.worlds.floor.geometry import FloorWorld, build_floor
from sightline.worlds.floor.people import Crowd
from sightline.worlds.floor.walks import mapping_pose, mapping_walk
from sightline.worlds.floor.write import FloorFiles, write_floor
from sightline.worlds.renderer import MeshRenderer

CONFIG = FloorConfig(
    seed=2, loops=0.03, second_frames=1, image_width=240, image_height=320, people=4
)


@pytest.fixture(scope="module")
def world() -> FloorWorld:
    return build_floor(CONFIG)


@pytest.fixture(scope="module")
def crowd(world: FloorWorld) -> Crowd:
    return Crowd(world)


@pytest.fixture(scope="module")
def renderer(crowd: Crowd) -> Iterator[MeshRenderer]:
    with MeshRenderer(crowd.world) as made:
        yield made


def test_nobody_walks_into_the_camera_or_a_wall(crowd: Crowd) -> None:
    walk = mapping_walk(replace(CONFIG, loops=1.08), 4.0)
    island = np.array([CONFIG.corridor_m, CONFIG.corridor_m])
    outer = np.array([CONFIG.width_m, CONFIG.depth_m])
    nearest = []
    for second, pose in walk:
        places = crowd.places(second)[:, :2]
        assert ((places > 0.15) & (places < outer - 0.15)).all()
        assert not ((places > island - 0.1) & (places < outer - island + 0.1)).all(axis=1).any()
        nearest.append(np.linalg.norm(places - pose.translation[:2], axis=1).min())
    # Nobody's middle comes nearer than half a body; who is met is passed closely.
    assert 0.3 < min(nearest) < 1.0
    assert max(nearest) < 3.0  # someone is always ahead


def test_they_walk(crowd: Crowd) -> None:
    seconds = np.arange(0.0, 8.0, 0.25)
    places = np.array([crowd.places(s) for s in seconds])
    speed = np.linalg.norm(np.diff(places[..., :2], axis=0), axis=-1) / 0.25
    assert ((speed > 0.05) & (speed < 3.5)).all()
    camera = mapping_pose(CONFIG, seconds)
    gap = np.linalg.norm(places[..., :2] - camera.translation[:, None, :2], axis=-1)
    assert (np.ptp(gap[:, 0::2], axis=0) < 1.3).all()  # those ahead stay ahead
    assert (np.ptp(gap[:, 1::2], axis=0) > 3.0).all()  # the others come and go
    ahead = crowd.places(0.0)[0]
    forward = camera[0].rotation_matrix[:2, 2]
    assert (ahead[:2] - camera[0].translation[:2]) @ forward > 1.0


@pytest.mark.egl
def test_a_mask_holds_what_they_hide_and_nothing_else(
    crowd: Crowd, renderer: MeshRenderer, world: FloorWorld
) -> None:
    with MeshRenderer(world) as empty:
        for second in (0.0, 3.0, 9.0):
            pose = mapping_pose(CONFIG, np.array([second]))[0]
            picture, people = crowd.photograph(renderer, second, pose, CONFIG.camera)
            alone, depth = empty.render(pose, CONFIG.camera)
            np.testing.assert_array_equal(picture[~people], alone[~people])
            assert 0.02 < people.mean() < 0.7
            assert (picture[people] != alone[people]).any(axis=1).mean() > 0.9
            # The middle of each person in view is masked, unless a wall is before it.
            for x, y, _ in crowd.places(second):
                in_cam = pose.inverse().apply([(x, y, 1.15)])[0]
                u, v = np.rint(CONFIG.camera.project(in_cam[None])[0]) if in_cam[2] > 0 else (-1, 0)
                if 0 <= u < 240 and 0 <= v < 320 and in_cam[2] < depth[int(v), int(u)]:
                    assert people[int(v), int(u)]
            crowd.leave(renderer)
            np.testing.assert_array_equal(renderer.render_rgb(pose, CONFIG.camera), alone)


@pytest.mark.egl
def test_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: FloorWorld):
    monkeypatch.setattr(writing, "build_floor", lambda _: world)
    peopled = write_floor(tmp_path / "peopled", CONFIG)
    empty = write_floor(tmp_path / "empty", replace(CONFIG, people=0))
    assert not empty.masks.exists()
    truth = read_poses_csv(peopled.truth)
    names = sorted(mask_name(frame.image) for frame in truth)
    assert sorted(path.name for path in peopled.masks.iterdir()) == names
    assert peopled.truth.read_bytes() == empty.truth.read_bytes()
    for photo in empty.second_images.iterdir():  # nobody is on the second walk
        assert (peopled.second_images / photo.name).read_bytes() == photo.read_bytes()

    def frames(files: FloorFiles) -> list[np.ndarray]:
        return [f.image.astype(float) for f in iter_frames(files.video, fps=CONFIG.video_fps)]

    for frame, seen, alone in zip(truth, frames(peopled), frames(empty), strict=True):
        counts = read_mask(peopled.masks / mask_name(frame.image))
        off = np.abs(seen - alone).mean(axis=2)
        assert counts.shape == off.shape
        assert off[~counts].mean() > 6 * off[counts].mean()


def test_floors_without_people_stay_what_they_were() -> None:
    # As the version before wrote it into floor.toml.
    assert writing._made_from(FloorConfig()) == "289a19fb7ab1555e"
    assert writing._made_from(FloorConfig(people=1)) != "289a19fb7ab1555e"
    with pytest.raises(InputError, match="0 or more people are wanted, -1 came"):
        FloorConfig(people=-1)
