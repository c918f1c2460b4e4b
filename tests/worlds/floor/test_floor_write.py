"""The floor as files."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.geometry import Camera
from sightline.records import FloorPlan, read_poses_csv
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor import write as writing
from sightline.worlds.floor.geometry import build_floor
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


def test_video_is_portrait_by_rotation_and_its_truth_fits(written: FloorFiles):
    pictures, stamps, rotation, stored = _decode(written.video)
    truth = read_poses_csv(written.truth)
    assert stored == (SMALL.image_height, SMALL.image_width)
    assert rotation % 180 == 90
    assert len(truth) == len(pictures) == len(mapping_walk(SMALL))
    np.testing.assert_allclose([f.timestamp_s for f in truth], stamps, atol=1e-5)
    with MeshRenderer(build_floor(SMALL)) as renderer:
        for k in (0, len(truth) - 1):
            assert truth[k].world_from_cam is not None
            sharp = renderer.render_rgb(truth[k].world_from_cam, SMALL.camera).astype(float)
            seen = pictures[k].astype(float)
            assert seen.shape == sharp.shape
            error = np.abs(seen - sharp).mean()
            # Right way up, and the right frame: a turned or another one is much farther off.
            assert error < 0.25 * np.abs(seen[::-1, ::-1] - sharp).mean()
            assert 0.5 < error < 8


def test_second_walk_has_its_own_exposure(written: FloorFiles):
    frames = read_poses_csv(written.second_truth)
    assert [f.image for f in frames] == ["0000.jpg", "0001.jpg", "0002.jpg"]
    exposures = second_exposures(SMALL)
    assert np.ptp(exposures) > 0.01
    with MeshRenderer(build_floor(SMALL)) as renderer:
        for frame, exposure in zip(frames, exposures, strict=True):
            photo = np.asarray(Image.open(written.second_images / frame.image), float)
            assert frame.world_from_cam is not None
            picture = renderer.render_rgb(
                frame.world_from_cam, SMALL.camera, exposure=float(exposure)
            )
            assert np.abs(photo - picture).mean() < 4
            assert photo.mean() == pytest.approx(picture.mean(), abs=1.5)


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
