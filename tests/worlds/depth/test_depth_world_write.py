"""The set as files: the same from the same seed, split by scene, resumed, never mixed."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.records.depth import DepthSet, read_depth_set
from sightline.worlds import DEPTH
from sightline.worlds.canvas import Picture
from sightline.worlds.depth import DepthWorldConfig, stock
from sightline.worlds.depth import write as writing
from sightline.worlds.depth.render import render_scene, scene_name
from sightline.worlds.depth.write import write_depth_world

pytestmark = pytest.mark.egl


def _content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def _stamps(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in root.rglob("*.jpg")}


def test_the_number_of_processes_changes_no_byte(
    tmp_path: Path, depth_world: DepthSet, depth_config: DepthWorldConfig
):
    seen: list[float] = []
    again = write_depth_world(
        tmp_path / "set", depth_config, lambda _, part: seen.append(part), processes=2
    )
    assert _content(again.root) == _content(depth_world.root)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 1)
    assert len(seen) == depth_config.scenes + 2


def test_another_seed_gives_other_pictures(
    tmp_path: Path, depth_world: DepthSet, depth_config: DepthWorldConfig
):
    render_scene(tmp_path, replace(depth_config, seed=4), 0)
    before = {p.read_bytes() for p in depth_world.root.rglob("*.jpg")}
    others = [p.read_bytes() for p in tmp_path.rglob("*.jpg")]
    assert len(others) == depth_config.views_per_scene
    assert not before & set(others)


def test_what_was_written_is_what_is_read(depth_world: DepthSet, depth_config: DepthWorldConfig):
    there = read_depth_set(depth_world.root)
    assert len(there) == depth_config.scenes * depth_config.views_per_scene
    for a, b in zip(there.items, depth_world.items, strict=True):
        assert (a.image, a.depth, a.split, a.source) == (b.image, b.depth, b.split, b.source)
        assert a.quantity == "depth"
        assert a.intrinsics == pytest.approx(b.intrinsics, abs=1e-5)
        photo, target = there.read_image(a), there.read_target(a)
        assert photo.shape == (depth_config.image_height, depth_config.image_width, 3)
        assert target.shape == photo.shape[:2]
        assert a.depth is not None
        with Image.open(there.path(a.depth)) as stored:
            assert np.asarray(stored).dtype == np.uint16


def test_a_scene_is_in_one_split(depth_world: DepthSet):
    splits: dict[str, set[str]] = {}
    for item in depth_world.items:
        splits.setdefault(item.source, set()).add(item.split)
        assert item.image.parent.name == item.source
    assert all(len(s) == 1 for s in splits.values())
    assert set.union(*splits.values()) == {"train", "validation"}


def test_splits_share_no_texture_and_no_object():
    def painted(split: str) -> Picture:
        return stock.stock_texture(0, split, "wallpaper", 0)

    assert np.abs(painted("train").astype(int) - painted("test")).mean() > 3
    points = [stock.stock_object(0, split, "chair", 0).points for split in ("train", "test")]
    assert points[0].shape != points[1].shape or not np.allclose(*points)


def test_what_is_there_is_not_rendered_again(
    tmp_path: Path, depth_world: DepthSet, depth_config: DepthWorldConfig
):
    def interrupt(_: str, part: float) -> None:
        if part > 0.3:
            raise KeyboardInterrupt

    root = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        write_depth_world(root, depth_config, interrupt, processes=1)
    done = _stamps(root)
    assert len(done) == 2 * depth_config.views_per_scene
    assert not (root / "depth.csv").exists()
    # What a killed process leaves: a scene's folder under its temporary name.
    leftover = root / "images" / f".{scene_name(depth_config, 2)}.1-abc.tmp"
    leftover.mkdir()
    write_depth_world(root, depth_config, processes=1)
    assert _stamps(root).items() >= done.items()
    assert _content(root) == _content(depth_world.root)
    assert not leftover.exists()


def test_a_written_set_is_left_as_it_is(
    depth_world: DepthSet, depth_config: DepthWorldConfig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(writing, "render_all")
    before = _content(depth_world.root)
    assert write_depth_world(depth_world.root, depth_config) == depth_world
    assert _content(depth_world.root) == before
    with pytest.raises(InputError, match=r"another config \(seed 3 there, 5 wanted\)"):
        write_depth_world(depth_world.root, replace(depth_config, seed=5))
    assert _content(depth_world.root) == before


def test_the_kinds_of_scenes_are_chosen(tmp_path: Path, depth_config: DepthWorldConfig):
    config = replace(depth_config, scenes=4, views_per_scene=1, kinds=("room", "desk"))
    data = write_depth_world(tmp_path / "set", config, processes=2)
    found = [item.source for item in data.items]
    assert found == ["room_00000", "desk_00001", "room_00002", "desk_00003"]


def test_threads_render_the_same(
    tmp_path: Path, depth_world: DepthSet, depth_config: DepthWorldConfig
):
    """Each thread keeps its own renderer; another one's cannot be drawn with."""
    worker = threading.Thread(target=render_scene, args=(tmp_path, depth_config, 1))
    worker.start()
    worker.join()
    render_scene(tmp_path, depth_config, 0)
    for index in (0, 1):
        name = scene_name(depth_config, index)
        assert _content(tmp_path / name) == _content(depth_world.root / "images" / name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": -1}, "seed"),
        ({"scenes": 0}, "one scene or more"),
        ({"kinds": ()}, "--kinds room"),
        ({"image_width": 16}, "32 pixels"),
        ({"min_fov_deg": 70.0, "max_fov_deg": 60.0}, "narrowest first"),
        ({"validation_share": 0.6, "test_share": 0.4}, "some scenes to train on"),
        ({"noise": -1.0}, "noise"),
    ],
)
def test_a_config_nobody_can_render_is_refused(change: dict[str, float], words: str):
    with pytest.raises(InputError, match=words):
        DepthWorldConfig(**change)


def test_the_world_is_named_as_it_is():
    assert DEPTH.load("config") is DepthWorldConfig
    assert DEPTH.load("write") is write_depth_world
