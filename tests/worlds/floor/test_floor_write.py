"""The floor as files."""

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError, RenderError
from sightline.geometry import Camera
from sightline.media.photo import list_photos
from sightline.records import FloorPlan, read_poses_csv
from sightline.records.depth import read_depth_set
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor import write as writing
from sightline.worlds.floor.geometry import FloorWorld, build_floor
from sightline.worlds.floor.walks import mapping_walk, second_exposures
from sightline.worlds.floor.write import FloorFiles, write_floor
from sightline.worlds.renderer import MeshRenderer

pytestmark = pytest.mark.egl

SMALL = FloorConfig(
    seed=2, loops=0.04, second_frames=3, image_width=240, image_height=320, blur_samples=2
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> FloorFiles:
    stages: list[tuple[str, float]] = []
    files = write_floor(
        tmp_path_factory.mktemp("floor"), SMALL, lambda stage, part: stages.append((stage, part))
    )
    fractions = [part for _, part in stages]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    return files


@pytest.fixture(scope="module")
def world() -> FloorWorld:
    return build_floor(SMALL)


@pytest.fixture(scope="module")
def renderer(world: FloorWorld) -> Iterator[MeshRenderer]:
    with MeshRenderer(world) as made:
        yield made


def _decode(path: Path) -> tuple[list[np.ndarray], list[float], int, tuple[int, int]]:
    import av

    pictures, stamps, rotation = [], [], 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        stored = (stream.width, stream.height)
        for frame in container.decode(video=0):
            rotation = frame.rotation
            pictures.append(np.rot90(frame.to_ndarray(format="rgb24"), rotation // 90))
            stamps.append(float(frame.time))
    return pictures, stamps, rotation, stored


def test_video_is_portrait_by_rotation_and_its_truth_fits(
    written: FloorFiles, renderer: MeshRenderer
):
    pictures, stamps, rotation, stored = _decode(written.video)
    truth = read_poses_csv(written.truth)
    assert stored == (SMALL.image_height, SMALL.image_width)
    assert rotation % 180 == 90
    assert len(truth) == len(pictures) == len(mapping_walk(SMALL))
    np.testing.assert_allclose([f.timestamp_s for f in truth], stamps, atol=1e-5)
    for k in (0, len(truth) - 1):
        assert truth[k].world_from_cam is not None
        sharp = renderer.render_rgb(truth[k].world_from_cam, SMALL.camera).astype(float)
        seen = pictures[k].astype(float)
        assert seen.shape == sharp.shape
        error = np.abs(seen - sharp).mean()
        # Right way up, and the right frame: a turned or another one is much farther off.
        assert error < 0.25 * np.abs(seen[::-1, ::-1] - sharp).mean()
        assert 0.5 < error < 8


def test_second_walk_has_its_own_exposure(written: FloorFiles, renderer: MeshRenderer):
    frames = read_poses_csv(written.second_truth)
    assert [f.image for f in frames] == ["0000.jpg", "0001.jpg", "0002.jpg"]
    exposures = second_exposures(SMALL)
    assert np.ptp(exposures) > 0.01
    for frame, exposure in zip(frames, exposures, strict=True):
        photo = np.asarray(Image.open(written.second_images / frame.image), float)
        assert frame.world_from_cam is not None
        picture = renderer.render_rgb(frame.world_from_cam, SMALL.camera, exposure=float(exposure))
        assert np.abs(photo - picture).mean() < 4
        assert photo.mean() == pytest.approx(picture.mean(), abs=1.5)


def test_second_walk_has_its_exact_depth_beside(written: FloorFiles, renderer: MeshRenderer):
    data = read_depth_set(written.second_depth)
    assert data.splits() == {"test": 3}
    assert [p.name for p in list_photos(written.second_images)] == [
        i.image.name for i in data.items
    ]
    camera = SMALL.camera
    for item, frame in zip(data.items, read_poses_csv(written.second_truth), strict=True):
        assert item.image.name == frame.image
        exact = (camera.fx, camera.fy, camera.cx, camera.cy)
        assert item.intrinsics == pytest.approx(exact, abs=1e-5)
        assert data.read_image(item).shape == (SMALL.image_height, SMALL.image_width, 3)
        assert frame.world_from_cam is not None
        _, depth = renderer.render(frame.world_from_cam, camera)
        np.testing.assert_allclose(data.read_target(item), depth, atol=6e-4)


def test_an_older_floor_gets_the_depth_and_nothing_else_changes(
    tmp_path: Path, written: FloorFiles, world: FloorWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writing, "build_floor", lambda _: world)
    old = FloorFiles.at(tmp_path / "floor")
    shutil.copytree(written.root, old.root)
    old.second_depth.unlink()
    shutil.rmtree(old.second_depth.parent / writing.SECOND_DEPTH)
    before = {p: p.stat().st_mtime_ns for p in old.root.rglob("*") if p.is_file()}

    def no_egl(*_: object, **__: object) -> None:
        raise RenderError("no EGL here")

    with monkeypatch.context() as patched:
        patched.setattr(writing, "MeshRenderer", no_egl)
        told: list[str] = []
        assert write_floor(old.root, SMALL, lambda text, _: told.append(text)) == old
    assert any("no EGL here" in text for text in told)
    assert not old.second_depth.exists()
    write_floor(old.root, SMALL)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert old.second_depth.read_bytes() == written.second_depth.read_bytes()
    for depth in (written.second_depth.parent / writing.SECOND_DEPTH).iterdir():
        twin = old.second_depth.parent / writing.SECOND_DEPTH / depth.name
        assert twin.read_bytes() == depth.read_bytes()


def test_camera_and_plan_can_be_read(written: FloorFiles):
    content = tomllib.loads(written.camera.read_text())
    camera = Camera(content["model"], content["width"], content["height"], tuple(content["params"]))
    assert camera == SMALL.camera
    plan = FloorPlan.read(written.plan)
    assert plan.walkable is not None
    assert plan.walkable_mask().any()


def test_a_written_floor_is_left_as_it_is(written: FloorFiles, monkeypatch: pytest.MonkeyPatch):
    before = {p: p.stat().st_mtime_ns for p in written.root.rglob("*")}

    def fail(*_: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr(writing, "build_floor", fail)
    assert write_floor(written.root, SMALL) == written
    assert {p: p.stat().st_mtime_ns for p in written.root.rglob("*")} == before


def test_a_folder_with_other_things_is_refused_and_kept(tmp_path: Path, written: FloorFiles):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other things"):
        write_floor(tmp_path, SMALL)
    with pytest.raises(InputError, match="holds other things"):
        write_floor(written.root, FloorConfig(seed=9))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(writing, "write_video", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_floor(tmp_path / "floor", SMALL)
    assert list(tmp_path.iterdir()) == []
