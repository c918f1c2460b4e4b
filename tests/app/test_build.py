"""`sightline build`, end to end: what it writes, skips, resumes, and how it fails."""

import csv
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from floor_place import (
    CONFIG,
    FPS,
    FRAMES,
    FloorPlace,
    align_by_control,
    write_photos,
)
from sightline.app.build import BuildConfig, FramesConfig, build
from sightline.errors import InputError, PlaceError, ReconstructionError
from sightline.geometry.trajectory import absolute_trajectory_error
from sightline.media.encode import write_video
from sightline.reconstruction.map_index import MapIndex
from sightline.records import Place, read_poses_csv, stack_poses

pytestmark = [pytest.mark.egl, pytest.mark.slow]

#: So few frames are no loop: loop closing needs no worker.
STAGES = ["features", "matches", "map", "inspect"]


@pytest.fixture
def copy(floor: FloorPlace, tmp_path: Path) -> Place:
    """The built and aligned place, to be changed."""
    return Place.open(shutil.copytree(floor.root, tmp_path / "place"))


def contents(root: Path) -> dict[str, tuple[str, int]]:
    """Return each file's digest and time of writing."""
    return {
        str(p.relative_to(root)): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def worker_runs(place: Path) -> list[str]:
    """Return the worker commands that were started, from the log."""
    log = place / "reconstruction" / "log.txt"
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    return [line.removeprefix("== ") for line in lines if line.startswith("== ")]


def leftovers(root: Path) -> list[str]:
    return [str(p) for p in root.rglob("*") if ".tmp" in p.name or p.name.endswith(".old")]


# --- what a build writes --------------------------------------------------------------------------


def test_poses_csv_has_every_frame(floor: FloorPlace) -> None:
    with (floor.root / "poses.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["image", "timestamp_s", "qw", "qx", "qy", "qz", "x", "y", "z", "split"]
    assert [row["image"] for row in rows] == [f"{i:04d}.jpg" for i in range(FRAMES)]
    stamps = [float(row["timestamp_s"]) for row in rows]
    assert stamps == pytest.approx([i / FPS for i in range(FRAMES)], abs=1e-6)
    assert all(row[k] for row in rows for k in ("qw", "qx", "qy", "qz", "x", "y", "z"))
    splits = ["train", "validation", "test"]
    assert [row["split"] for row in rows] == [splits[i % 3] for i in range(FRAMES)]


def test_frames_are_upright(floor: FloorPlace) -> None:
    for i in (0, 13, FRAMES - 1):
        with Image.open(floor.place.images_dir / f"{i:04d}.jpg") as image:
            assert image.size == (240, 320)
            came = np.asarray(image.convert("L"), float)
        wanted = np.asarray(Image.fromarray(floor.pictures[i]).convert("L"), float)
        assert np.abs(came - wanted).mean() < 6
        assert np.abs(came - wanted[::-1, ::-1]).mean() > 20


def test_the_map_is_true(floor: FloorPlace) -> None:
    poses = stack_poses(floor.place.frames())
    assert len(poses) == FRAMES
    # Measured: 0.6 to 1 cm (median) in the world of the control points.
    assert absolute_trajectory_error(poses, floor.true_frames).rmse < 0.02
    off = np.linalg.norm(poses.translation - floor.true_frames.translation, axis=1)
    assert np.median(off) < 0.02
    assert floor.place.unit == "m"


def test_what_place_toml_says(floor: FloorPlace) -> None:
    content = floor.place.content
    assert content["source"] == str(floor.video)
    assert content["frames"]["count"] == FRAMES
    assert content["frames"]["kind"] == "video"
    assert content["frames"]["fps"] == FPS
    assert content["features"] == {"max_image_size": 640, "max_num_features": 1000}
    assert {"frames", "features", "matches", "map", "loops", "poses", "split"} == set(
        content["stages"]
    )
    assert leftovers(floor.root) == []


# --- a second call --------------------------------------------------------------------------------


def test_a_second_call_changes_nothing(floor: FloorPlace, copy: Place) -> None:
    (copy.runs_dir / "mine").mkdir(parents=True)
    (copy.runs_dir / "mine" / "notes.txt").write_text("keep")
    before, started = contents(copy.root), time.monotonic()
    build(floor.video, copy.root, CONFIG)
    assert contents(copy.root) == before
    assert worker_runs(copy.root) == STAGES
    assert time.monotonic() - started < 5


def test_alignment_and_split_of_the_user_survive(floor: FloorPlace, copy: Place) -> None:
    from sightline.app.build import assign_splits

    assign_splits(copy, "block")
    aligned, plan = copy.alignment, (copy.root / "plan.toml").read_bytes()
    assert aligned["method"] == "control"
    build(floor.video, copy.root, CONFIG)
    again = Place.open(copy.root)
    assert again.alignment == aligned
    assert again.unit == "m"
    assert (copy.root / "plan.toml").read_bytes() == plan
    assert again.content["split"] == "block"
    # The same frames by other settings: poses, alignment and split stay.
    poses = contents(copy.root)["poses.csv"][0]
    build(floor.video, copy.root, replace(CONFIG, frames=FramesConfig(fps=FPS, max_side=999)))
    again = Place.open(copy.root)
    assert worker_runs(copy.root) == STAGES
    assert again.alignment == aligned
    assert contents(copy.root)["poses.csv"][0] == poses
    assert len(again.registered()) == FRAMES
    assert [f.split for f in again.frames()].count("test") == 6
    # Another split asked of the build is made.
    build(floor.video, copy.root, replace(CONFIG, split="mod3"))
    assert Place.open(copy.root).content["split"] == "block"
    build(floor.video, copy.root, replace(CONFIG, split="second-walk"))
    assert Place.open(copy.root).content["split"] == "second-walk"
    assert not Place.open(copy.root).registered("test")


def test_another_frame_rate_makes_the_map_anew(floor: FloorPlace, copy: Place) -> None:
    (copy.runs_dir / "mine").mkdir(parents=True)
    (copy.runs_dir / "mine" / "notes.txt").write_text("keep")
    slower = replace(CONFIG, frames=FramesConfig(fps=FPS / 2))
    place = build(floor.video, copy.root, slower)
    assert worker_runs(copy.root) == STAGES * 2
    frames = place.frames()
    assert len(frames) == FRAMES // 2
    assert len(list(place.images_dir.iterdir())) == FRAMES // 2
    assert [f.timestamp_s for f in frames] == pytest.approx([0.4 * i for i in range(FRAMES // 2)])
    assert len(place.registered()) == FRAMES // 2
    # The old alignment belonged to the old map.
    assert place.alignment["method"] == "gravity"
    assert place.unit == "arbitrary"
    truth = floor.true_frames[np.arange(0, FRAMES, 2)]
    poses = stack_poses(frames)
    assert absolute_trajectory_error(poses, truth).rmse < 0.03
    level = poses.translation[:, 2]
    assert np.ptp(level) < 0.2 * np.ptp(poses.translation[:, :2], axis=0).max()
    assert (copy.root / "plan.old.toml").is_file()
    assert (copy.runs_dir / "mine" / "notes.txt").read_text() == "keep"
    assert len(list(place.cache_dir.glob("map-index-*"))) == 1
    assert len(MapIndex.open(place).names) == FRAMES // 2
    # And aligning again brings it home.
    names = [f.image for f in frames]
    rows = [f"{names[i]},{','.join(map(str, truth.translation[i]))}" for i in range(0, 14, 2)]
    control = floor.control.with_name("fewer.csv")
    control.write_text("frame,x,y,z\n" + "\n".join(rows) + "\n")
    align_by_control(place, control)
    off = stack_poses(Place.open(copy.root).frames()).translation - truth.translation
    assert np.median(np.linalg.norm(off, axis=1)) < 0.03


# --- killed, interrupted --------------------------------------------------------------------------


def command(source: Path, root: Path) -> list[str]:
    return [
        sys.executable, "-m", "sightline.cli.main", "build", str(source), str(root),
        "--frames.fps", str(FPS), "--reconstruction.quality", "low",
        "--reconstruction.threads", "2",
    ]  # fmt: skip


def wait_until(check: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


def session_members(session: int) -> list[int]:
    """Return the living processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_a_build_stopped_while_matching_goes_on(
    floor: FloorPlace, tmp_path: Path, how: str
) -> None:
    root = tmp_path / "place"
    child = subprocess.Popen(
        command(floor.video, root), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_until(lambda: "matches" in worker_runs(root) or child.poll() is not None)
    os.killpg(child.pid, signal.SIGKILL if how == "killed" else signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    if how == "interrupted":
        assert child.returncode == 130
        said = [line for line in errors.splitlines() if line and not line.startswith("[")]
        assert said == [
            "interrupted: finished stages are kept, the same command goes on from there"
        ]
        assert leftovers(root) == []
    wait_until(lambda: session_members(child.pid) == [], 10)
    stages = Place.open(root).content["stages"]
    assert set(stages) == {"frames", "features"}
    images = contents(root / "images")
    place = build(floor.video, root, CONFIG)
    assert worker_runs(root) == ["features", "matches", *STAGES[1:]]
    assert contents(root / "images") == images
    assert len(place.registered()) == FRAMES
    assert leftovers(root) == []


def test_killed_between_the_poses_and_the_alignment(floor: FloorPlace, copy: Place) -> None:
    """Poses in the map's own frame beside the alignment of an older map would be wrong."""
    from sightline.app import align as aligning

    def killed(place: Place) -> None:
        raise KeyboardInterrupt

    slower = replace(CONFIG, frames=FramesConfig(fps=FPS / 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aligning, "align_by_gravity", killed)
        with pytest.raises(KeyboardInterrupt):
            build(floor.video, copy.root, slower)
    stopped = Place.open(copy.root)
    assert stopped.alignment == {}
    assert stopped.unit == "arbitrary"
    place = build(floor.video, copy.root, slower)
    assert worker_runs(copy.root) == STAGES * 2
    assert place.alignment["method"] == "gravity"
    assert {f.split for f in place.frames()} == {"train", "validation", "test"}


# --- sources --------------------------------------------------------------------------------------


def few_photos(floor: FloorPlace, folder: Path, *, turned: bool = False) -> Path:
    """Write every second picture of the walk's first half, in an order not that of time."""
    rows = range(0, 16, 2)
    pictures = [floor.pictures[i] for i in rows]
    if not turned:
        write_photos(folder, pictures, "img")
        return folder
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying: turn clockwise to show
    for i, picture in enumerate(pictures):
        name = f"hall, {i}.jpg" if i else 'the "first".jpg'
        Image.fromarray(np.rot90(picture)).save(folder / name, quality=95, exif=exif)
    return folder


def test_a_folder_of_photos(floor: FloorPlace, tmp_path: Path) -> None:
    folder = few_photos(floor, tmp_path / "photos", turned=True)
    (folder / "notes.txt").write_text("not a photo")
    place = build(folder, tmp_path / "place", CONFIG)
    frames = place.frames()
    assert [f.timestamp_s for f in frames] == [None] * 8
    assert len(place.registered()) == 8
    with (place.root / "sources.csv").open(newline="") as stream:
        sources = list(csv.DictReader(stream))
    assert [row["image"] for row in sources] == [f.image for f in frames]
    assert {row["source"] for row in sources} == {p.name for p in folder.glob("*.jpg")}
    order = [0 if "first" in s["source"] else int(s["source"][6:-4]) for s in sources]
    with Image.open(place.images_dir / frames[0].image) as image:
        assert image.size == (240, 320)
        assert not image.getexif().get(0x0112)
    truth = floor.true_frames[2 * np.array(order)]
    assert absolute_trajectory_error(stack_poses(frames), truth).rmse < 0.03
    assert place.content["frames"]["kind"] == "photos"
    # A file that is no photo is no reason to begin again.
    (folder / "more notes.txt").write_text("nor this")
    before = contents(place.root)
    build(folder, place.root, CONFIG)
    assert contents(place.root) == before


def test_a_source_that_moved(floor: FloorPlace, copy: Place, tmp_path: Path) -> None:
    moved = Path(shutil.copy(floor.video, tmp_path / "renamed.mp4"))
    before = contents(copy.root)
    place = build(moved, copy.root, CONFIG)
    assert place.content["source"] == str(moved)
    after = contents(copy.root)
    assert {k for k in before if before[k] != after[k]} == {"place.toml"}
    assert worker_runs(copy.root) == STAGES


def test_another_source_is_refused(floor: FloorPlace, copy: Place, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    write_video(other, floor.pictures[:4], fps=FPS)
    before = contents(copy.root)
    with pytest.raises(PlaceError, match=r"was built from .*walk\.mp4, not from .*other\.mp4"):
        build(other, copy.root, CONFIG)
    assert contents(copy.root) == before


# --- input that makes no place --------------------------------------------------------------------


def test_no_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.mp4 does not exist"):
        build(tmp_path / "no.mp4", tmp_path / "place")
    assert not (tmp_path / "place").exists()


@pytest.mark.parametrize("kind", ["text as video", "empty folder", "folder of text", "cut video"])
@pytest.mark.parametrize("made_before", [False, True])
def test_what_is_no_source_leaves_nothing(
    floor: FloorPlace, tmp_path: Path, kind: str, made_before: bool
) -> None:
    source, root = tmp_path / "source", tmp_path / "place"
    if kind in ("empty folder", "folder of text"):
        source.mkdir()
        if kind == "folder of text":
            (source / "a.txt").write_text("text")
    else:
        source = tmp_path / "source.mp4"
        video = floor.video.read_bytes()
        source.write_bytes(b"text\n" * 100 if kind == "text as video" else video[:4000])
    if made_before:
        root.mkdir()
    with pytest.raises(InputError) as info:
        build(source, root, CONFIG)
    assert "\n" not in str(info.value)
    assert source.name in str(info.value)
    assert root.exists() == made_before
    assert not made_before or list(root.iterdir()) == []


def test_a_folder_with_other_things_is_left_alone(floor: FloorPlace, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(PlaceError, match="holds other things"):
        build(floor.video, tmp_path, CONFIG)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_photos(floor: FloorPlace, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    write_photos(folder, floor.pictures[:2])
    with pytest.raises(
        ReconstructionError, match=r"^3 or more images are wanted .* 2 came"
    ) as info:
        build(folder, tmp_path / "place", CONFIG)
    assert "\n" not in str(info.value)
    # More photos, the same command: it goes on.
    write_photos(folder, floor.pictures[2:14:2], "more")
    place = build(folder, tmp_path / "place", CONFIG)
    assert len(place.registered()) == 8


@pytest.mark.parametrize("kind", ["noise", "unrelated scenes"])
def test_a_video_without_overlap(floor: FloorPlace, tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    if kind == "noise":
        pictures = [rng.integers(0, 256, (320, 240, 3), dtype=np.uint8) for _ in range(6)]
    else:
        # Each from its own set of coloured bars, at its own scale.
        pictures = [
            np.asarray(
                Image.fromarray(rng.integers(0, 256, (8 + 9 * i, 6 + 7 * i, 3), dtype=np.uint8))
                .resize((240, 320), Image.Resampling.BICUBIC)
            )
            for i in range(6)
        ]  # fmt: skip
    video = tmp_path / "video.mp4"
    write_video(video, pictures, fps=FPS)
    with pytest.raises(ReconstructionError, match=r"^\d of 6 frames registered; at least") as info:
        build(video, tmp_path / "place", CONFIG)
    assert "\n" not in str(info.value)
    place = Place.open(tmp_path / "place")
    assert len(list(place.images_dir.iterdir())) == 6
    assert place.registered() == []
    assert leftovers(place.root) == []
    runs = worker_runs(place.root)
    with pytest.raises(ReconstructionError, match="of 6 frames registered"):
        build(video, tmp_path / "place", CONFIG)
    assert worker_runs(place.root) == runs


# --- a full disk ----------------------------------------------------------------------------------

MIB = 2**20


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[int], None] | None]:
    """Mount a disk of ``size`` bytes; yield what changes the size, None where mounting fails."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return

    def resize(bytes_now: int) -> None:
        options = f"remount,size={bytes_now}"
        subprocess.run(["mount", "-o", options, str(folder)], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def run_build(
    source: Path, root: Path, largest_file: int | None = None
) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))

    return subprocess.run(
        command(source, root), capture_output=True, text=True, check=False, preexec_fn=limit
    )


def said(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 2, result.stdout + result.stderr
    (line,) = [x for x in result.stderr.splitlines() if not x.startswith("[")]
    assert line.startswith("error: ")
    return line


def test_a_full_disk(floor: FloorPlace, tmp_path: Path) -> None:
    """While taking frames, then while finding features: one line each; then it goes on."""
    video = tmp_path / "short.mp4"
    write_video(video, floor.pictures[:10], fps=FPS)
    root = tmp_path / "disk" / "place"
    with small_disk(tmp_path / "disk", 160 * 1024) as resize:
        if resize is None:
            line = said(run_build(video, root, largest_file=8 * 1024))
        else:
            line = said(run_build(video, root))
            assert "full" in line or "free" in line
        assert leftovers(tmp_path / "disk") == []
        if resize is not None:
            resize(1 * MIB)
        line = said(run_build(video, root, largest_file=None if resize else 256 * 1024))
        assert resize is None or "full" in line
        images = contents(root / "images")
        assert len(images) == 10
        assert set(Place.open(root).content["stages"]) == {"frames"}
        assert leftovers(root) == []
        if resize is not None:
            resize(64 * MIB)
        result = run_build(video, root)
        assert result.returncode == 0, result.stderr
        assert contents(root / "images") == images
        frames = read_poses_csv(root / "poses.csv")
        assert sum(f.world_from_cam is not None for f in frames) == 10


def test_files_that_may_not_grow(floor: FloorPlace, tmp_path: Path) -> None:
    """A quota on the size of files (RLIMIT_FSIZE): one line, and more room lets it go on."""
    video = tmp_path / "short.mp4"
    write_video(video, floor.pictures[:10], fps=FPS)
    said(run_build(video, tmp_path / "place", largest_file=200 * 1024))
    assert set(Place.open(tmp_path / "place").content["stages"]) == {"frames"}
    assert leftovers(tmp_path / "place") == []
    place = build(video, tmp_path / "place", CONFIG)
    assert len(place.registered()) == 10


def test_default_config_is_the_documented_one() -> None:
    assert BuildConfig().split == "mod3"
    assert BuildConfig().frames.fps == 5.0
