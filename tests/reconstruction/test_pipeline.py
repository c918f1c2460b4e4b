"""The whole reconstruction on a small rendered scene, against its exact truth."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.errors import PlaceError, ReconstructionError
from sightline.geometry.trajectory import absolute_trajectory_error
from sightline.reconstruction import pipeline
from sightline.reconstruction.config import ReconstructionConfig
from sightline.reconstruction.pairing import frame_pairs
from sightline.reconstruction.pipeline import read_report, reconstruct
from sightline.records import Place, PosedFrame, stack_poses
from sightline.records.colmap import read_model

CONFIG = ReconstructionConfig(threads=2)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The worker commands that were really run."""
    called: list[str] = []
    run = pipeline.run_worker

    def note(command: str, *args: object, **kwargs: object) -> object:
        called.append(command)
        return run(command, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "run_worker", note)
    return called


def trajectory_error_m(place: Place, scene) -> float:
    frames = place.registered()
    rows = [scene.names.index(frame.image) for frame in frames]
    truth = scene.world_from_cam[np.array(rows)]
    return absolute_trajectory_error(stack_poses(frames), truth).rmse


def test_a_video_becomes_a_map(make_place: Callable[..., Place], scene, commands) -> None:
    place = make_place()
    seen: dict[str, list[float]] = {}
    report = reconstruct(place, CONFIG, lambda text, f: seen.setdefault(text, []).append(f))
    assert commands == ["features", "matches", "map", "inspect"]
    assert report.registered == report.frames == 16
    assert report.unregistered == {}
    assert report.loops == {"closed": False, "reason": "16 frames are too few for a loop"}
    assert report.agreement["share"] > 0.9
    assert report.agreement["doubted"] == {}
    assert [attempt["seed"] for attempt in report.attempts] == [0]
    # 2.6 m of path, seen at 3 to 5 m: a centimetre is half a pixel.
    assert trajectory_error_m(place, scene) < 0.01
    assert [f.split for f in place.frames()] == ["train" if i % 3 else "test" for i in range(16)]
    assert place.content["camera"]["model"] == "SIMPLE_RADIAL"
    assert place.content["camera"]["params"][0] == pytest.approx(290, rel=0.03)
    model = read_model(place.model_dir)
    lines = (place.root / "points.csv").read_text().splitlines()
    assert len(lines) == 1 + len(model.points) == 1 + report.points
    assert json.loads((place.reconstruction_dir / "doctor.json").read_text())["registered"] == 16
    assert "mapping frames" in seen
    assert all(0 <= f <= 1 for fractions in seen.values() for f in fractions)
    assert read_report(place) == report
    leftovers = {p.name for p in place.reconstruction_dir.iterdir()}
    assert leftovers == {
        "database.db", "doctor.json", "log.txt", "loops.json", "model", "models", "pairs.txt"
    }  # fmt: skip

    commands.clear()
    assert reconstruct(place, CONFIG) == report
    assert commands == []
    reconstruct(place, ReconstructionConfig(threads=2, loop_closing=False))
    assert commands == ["inspect"]

    commands.clear()
    globally = reconstruct(place, ReconstructionConfig(threads=2, mapper="global"))
    assert commands == ["map", "inspect"]
    assert [attempt["mapper"] for attempt in globally.attempts] == ["global"]
    assert globally.registered == 16


def test_the_same_seed_gives_the_same_poses(make_place, tmp_path: Path) -> None:
    config = ReconstructionConfig(threads=1)
    centres = []
    for _ in range(2):
        place = make_place(rows=range(8))
        reconstruct(place, config)
        centres.append(stack_poses(place.registered()).translation)
        place.root.rename(tmp_path / f"place-{len(centres)}")
    np.testing.assert_array_equal(centres[0], centres[1])


def test_known_intrinsics_stay_as_given(make_place, scene) -> None:
    config = ReconstructionConfig(
        camera_model="PINHOLE",
        camera_params=(290.0, 290.0, 159.5, 119.5),
        refine_intrinsics=False,
        threads=2,
    )
    place = make_place(video=False)
    reconstruct(place, config)
    assert tuple(place.content["camera"]["params"]) == pytest.approx((290, 290, 159.5, 119.5))
    assert trajectory_error_m(place, scene) < 0.005


def test_a_killed_build_goes_on_where_it_stopped(make_place, commands, monkeypatch) -> None:
    place = make_place()
    noted = pipeline.run_worker

    def killed(command: str, *args: object, **kwargs: object) -> object:
        if command == "matches":
            raise KeyboardInterrupt
        return noted(command, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "run_worker", killed)
        with pytest.raises(KeyboardInterrupt):
            reconstruct(place, CONFIG)
    # What a kill -9 leaves: the next run sweeps it away.
    stale = place.reconstruction_dir / ".database.db.1-2.tmp.db-wal"
    stale.write_bytes(b"half")
    stamp = place.database_path.stat().st_mtime_ns
    assert commands == ["features"]
    report = reconstruct(Place.open(place.root), CONFIG)
    assert commands == ["features", "matches", "map", "inspect"]
    assert report.registered == 16
    assert not stale.exists()
    assert place.database_path.stat().st_mtime_ns > stamp


def test_frames_left_out_have_a_cause(make_place, scene) -> None:
    blurred = cv2.GaussianBlur(scene.images[0], (0, 0), 9)
    grey = np.full_like(scene.images[15], 128)
    place = make_place({0: blurred, 15: grey + (np.arange(320) % 2).astype(np.uint8) * 40})
    report = reconstruct(place, CONFIG)
    assert report.unregistered["0000.png"] == "blur"
    assert report.unregistered["0015.png"] in ("textureless", "too little overlap")
    assert len(report.hints) >= 2
    poses = {f.image: f.world_from_cam for f in place.frames()}
    assert poses["0000.png"] is None
    assert poses["0007.png"] is not None


def test_images_that_share_nothing_are_refused_in_one_line(make_place, scene, commands) -> None:
    rng = np.random.default_rng(0)
    noise = {i: cv2.resize(rng.integers(0, 255, (60, 80), np.uint8), (320, 240)) for i in range(6)}
    place = make_place(noise, rows=range(6))
    with pytest.raises(ReconstructionError, match=r"^0 of 6 frames registered; at least 3") as info:
        reconstruct(place, CONFIG)
    assert "\n" not in str(info.value)
    assert place.database_path.is_file()
    assert len(list(place.images_dir.iterdir())) == 6
    assert read_report(place).registered == 0
    commands.clear()
    with pytest.raises(ReconstructionError, match="0 of 6"):
        reconstruct(place, CONFIG)
    assert commands == []


def test_dense_is_refused_before_any_work(make_place, commands) -> None:
    import pycolmap

    if pycolmap.has_cuda:
        pytest.fail("this test is for builds without CUDA; run the dense stage here instead")
    place = make_place()
    with pytest.raises(ReconstructionError, match="CUDA"):
        reconstruct(place, ReconstructionConfig(dense=True))
    assert commands == []


def test_too_few_and_missing_images(make_place) -> None:
    place = make_place(rows=range(2))
    with pytest.raises(ReconstructionError, match="3 or more images"):
        reconstruct(place, CONFIG)
    place.write_frames([PosedFrame(f"{i}.png", None, None) for i in range(4)])
    with pytest.raises(PlaceError, match=r"0\.png is in poses\.csv but not there"):
        reconstruct(place, CONFIG)


def test_an_image_that_is_none(make_place) -> None:
    place = make_place(rows=range(4))
    (place.images_dir / "0002.png").write_bytes(b"no image")
    with pytest.raises(PlaceError, match=r"0002\.png cannot be read"):
        reconstruct(place, CONFIG)


def test_report_before_reconstruction(make_place) -> None:
    with pytest.raises(PlaceError, match="no reconstruction yet"):
        read_report(make_place(rows=range(3)))


def frames(count: int, *, video: bool) -> list[PosedFrame]:
    return [PosedFrame(f"{i}.jpg", i / 10 if video else None, None) for i in range(count)]


def test_pairs() -> None:
    exhaustive = frame_pairs(frames(5, video=False), ReconstructionConfig())
    assert exhaustive == [(a, b) for a in range(5) for b in range(a + 1, 5)]
    pairs = frame_pairs(frames(100, video=True), ReconstructionConfig())
    assert sorted(b for a, b in pairs if a == 10) == [11, 12, 13, 14, 18, 26, 42]
    assert len(pairs) == len(set(pairs))
    assert all(a < b < 100 for a, b in pairs)
    many = frame_pairs(frames(101, video=False), ReconstructionConfig(overlap=1))
    assert many == [(a, a + 1) for a in range(100)]
    asked = frame_pairs(frames(4, video=True), ReconstructionConfig(pairs="exhaustive"))
    assert len(asked) == 6


@pytest.mark.shared
@pytest.mark.slow
def test_phone_photos_of_a_fox(shared_data: Path, tmp_path: Path) -> None:
    """Every third of 50 stills: all in one map, near the published COLMAP poses."""
    from PIL import Image

    from sightline.geometry import Pose

    entries = json.loads((shared_data / "pose_fox_phone" / "poses.json").read_text())["frames"]
    truth = {Path(e["file"]).name: e for e in entries}
    names = sorted(truth)[::3]
    place = Place.create(tmp_path / "fox", source="fox")
    place.images_dir.mkdir()
    for name in names:
        with Image.open(shared_data / "pose_fox_phone" / "images" / name) as image:
            image.resize((270, 480)).save(place.images_dir / name, quality=95)
    place.write_frames([PosedFrame(name, None, None) for name in names])
    report = reconstruct(place, CONFIG)
    assert report.registered == len(names) == 17
    frames = place.registered()
    true = Pose(
        np.array([truth[f.image]["qwxyz_c2w"] for f in frames]),
        np.array([truth[f.image]["center_xyz"] for f in frames]),
    )
    error = absolute_trajectory_error(stack_poses(frames), true)
    size = np.linalg.norm(np.ptp(true.translation, axis=0))
    assert error.rmse < 0.02 * size
