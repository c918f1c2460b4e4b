"""A second video added to a built place, against exact truth; what is refused, killed, kept."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from floor_place import (
    CONFIG,
    FAR_S,
    FIRST_S,
    FPS,
    FRAMES,
    OTHER_LENS,
    ROTATION_DEG,
    FloorPlace,
    floor_config,
    render,
    walk_poses,
)
from sightline.app import extend_stages
from sightline.app.build import assign_splits, build
from sightline.app.extend import GAP_S, Extension, extend, find_left_out
from sightline.app.extend_stages import ExtendConfig
from sightline.app.summary import describe_extension
from sightline.errors import InputError, PlaceError, ReconstructionError
from sightline.geometry import Pose
from sightline.media.encode import write_video
from sightline.media.extract import extract_frames
from sightline.reconstruction.map_index import MapIndex
from sightline.reconstruction.pipeline import read_report
from sightline.records import Place, stack_poses
from sightline.records.cameras import common_camera, place_cameras
from sightline.records.colmap import read_model
from sightline.records.files import locked_folder
from sightline.records.place import JOURNAL
from sightline.worlds.floor.geometry import build_floor
from sightline.worlds.floor.walks import mapping_pose
from sightline.worlds.renderer import MeshRenderer

pytestmark = [pytest.mark.egl, pytest.mark.slow]

SECOND = 14
EXTEND = ExtendConfig(threads=1)


@dataclass(frozen=True)
class Videos:
    """A second walk through the floor, on the other side of the corridor; a walk elsewhere."""

    second: Path
    true_second: Pose
    elsewhere: Path
    other_lens: Path


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Videos:
    folder = tmp_path_factory.mktemp("videos")
    poses = mapping_pose(floor_config(), FIRST_S + 0.6 + 0.2 * np.arange(SECOND))
    turn = Rotation.from_euler("Z", 5.0, degrees=True)
    aside = np.array([0.1, 0.15, -0.06])
    second = Pose.from_rotation(turn * poses.rotation, poses.translation + aside)
    files = [folder / f"{name}.mp4" for name in ("second", "lens", "elsewhere")]
    with MeshRenderer(build_floor(floor_config())) as renderer:
        pictures = [render(renderer, second), render(renderer, second, OTHER_LENS)]
    with MeshRenderer(build_floor(floor_config(seed=11))) as renderer:
        pictures.append(render(renderer, walk_poses(FAR_S)[np.arange(10)]))
    for file, frames in zip(files, pictures, strict=True):
        write_video(file, frames, fps=FPS, rotation_deg=ROTATION_DEG, crf=0)
    return Videos(files[0], second, files[2], files[1])


@pytest.fixture
def copy(floor: FloorPlace, tmp_path: Path) -> Place:
    return Place.open(shutil.copytree(floor.root, tmp_path / "place"))


@pytest.fixture(scope="module")
def extended(
    floor: FloorPlace, videos: Videos, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Place, Extension]:
    """The built and aligned place with the second walk in it."""
    root = tmp_path_factory.mktemp("extended") / "place"
    place = Place.open(shutil.copytree(floor.root, root))
    return place, extend(place, videos.second, EXTEND)


def contents(root: Path, without: tuple[str, ...] = ("log.txt",)) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file() and p.name not in without
    }


def rows(place: Place) -> list[str]:
    return place.poses_path.read_text().splitlines()


def test_the_second_walk_stands_where_it_was_walked(
    floor: FloorPlace, videos: Videos, extended: tuple[Place, Extension]
) -> None:
    place, found = extended
    assert found.asked == SECOND
    assert len(found.registered) == SECOND, found.left
    assert found.same_lens
    assert found.points > 0
    walk = place.walks()[1]
    off = stack_poses(walk).translation - videos.true_second.translation
    assert np.median(np.linalg.norm(off, axis=1)) < 0.02
    turn = stack_poses(walk).rotation.inv() * videos.true_second.rotation
    assert np.median(np.rad2deg(turn.magnitude())) < 0.3
    assert "14 of 14 frames added" in describe_extension(place, found)


def test_all_that_was_there_stays(floor: FloorPlace, extended: tuple[Place, Extension]) -> None:
    place, _ = extended
    assert rows(place)[: FRAMES + 1] == rows(floor.place)
    assert place.alignment == floor.place.alignment
    before, after = read_model(floor.place.model_dir), read_model(place.model_dir)
    for name, frame in before.frames.items():
        moved = after.frames[name].world_from_cam.translation - frame.world_from_cam.translation
        assert np.abs(moved).max() < 1e-9
    for name in ("plan.toml", "images/0000.jpg", "images/0027.jpg"):
        assert (place.root / name).read_bytes() == (floor.root / name).read_bytes()


def test_tables_times_parts_and_provenance(
    floor: FloorPlace, videos: Videos, extended: tuple[Place, Extension]
) -> None:
    place, _ = extended
    walk = place.walks()[1]
    assert [f.image for f in walk] == [f"walk2-{i:04d}.jpg" for i in range(SECOND)]
    assert all((place.images_dir / f.image).is_file() for f in walk)
    begins = (FRAMES - 1) / FPS + GAP_S
    stamps = [f.timestamp_s for f in walk]
    assert stamps == pytest.approx([begins + i / FPS for i in range(SECOND)], abs=1e-5)
    assert [f.split for f in walk] == [["train", "validation", "test"][i % 3] for i in range(14)]
    (table,) = place.added
    assert table["source"] == str(videos.second)
    assert table["prefix"] == "walk2-"
    assert (table["count"], table["registered"], table["fps"]) == (SECOND, SECOND, FPS)
    assert table["begins_s"] == pytest.approx(begins, abs=1e-5)
    train = (place.root / "train.csv").read_text()
    assert "walk2-0000.jpg" in train
    assert "walk2-0001.jpg" not in train
    report = read_report(place)
    assert (report.frames, report.registered) == (FRAMES + SECOND, FRAMES + SECOND)
    # of all recordings together, judged anew
    assert report.agreement["share"] > 0.9
    assert report.agreement["doubted"] == {}
    assert report.agreement != read_report(Place.open(floor.root)).agreement
    assert table["given"] == {}
    model = read_model(place.model_dir)
    assert report.points == len(model.points)
    assert len((place.root / "points.csv").read_text().splitlines()) == 1 + len(model.points)
    assert sorted(MapIndex.open(place).names) == sorted(f.image for f in place.frames())
    assert not list(place.reconstruction_dir.glob("adding-*"))
    assert not (place.reconstruction_dir / JOURNAL).exists()


def test_a_build_goes_on_but_never_loses_what_was_added(
    floor: FloorPlace, videos: Videos, extended: tuple[Place, Extension]
) -> None:
    place, _ = extended
    before = contents(place.root)
    build(floor.video, place.root, CONFIG)
    assert contents(place.root) == before
    better = replace(CONFIG, reconstruction=replace(CONFIG.reconstruction, quality="medium"))
    with pytest.raises(PlaceError, match="1 recordings added to its map") as info:
        build(floor.video, place.root, better)
    assert "\n" not in str(info.value)
    assert contents(place.root) == before  # build.toml, too: it has the flags to repeat
    with pytest.raises(InputError, match="already"):
        extend(Place.open(place.root), videos.second, EXTEND)
    assert find_left_out(Place.open(place.root), EXTEND) == Extension(0, {})


def test_a_recording_of_another_lens(copy: Place, videos: Videos) -> None:
    found = extend(copy, videos.other_lens, replace(EXTEND, part="test"))
    assert len(found.registered) >= SECOND - 1, found.left
    assert not found.same_lens
    walk = [f for f in copy.walks()[1] if f.world_from_cam is not None]
    assert {f.split for f in walk} == {"test"}
    rows_of = [int(f.image[-8:-4]) for f in walk]
    off = stack_poses(walk).translation - videos.true_second[np.array(rows_of)].translation
    assert np.median(np.linalg.norm(off, axis=1)) < 0.03
    cameras = place_cameras(copy, [f.image for f in copy.frames()])
    assert cameras[walk[0].image].fx == pytest.approx(OTHER_LENS.fx, rel=0.03)
    assert (cameras[walk[0].image].width, cameras[walk[0].image].height) == (300, 300)
    assert cameras["0000.jpg"] == common_camera(copy)
    assert "filmed with another lens" in describe_extension(copy, found)


def test_photos_of_two_lenses(copy: Place, videos: Videos, tmp_path: Path) -> None:
    """Each size has a lens of its own: the map's, and another."""
    photos = tmp_path / "photos"
    for name, video in (("a", videos.second), ("b", videos.other_lens)):
        for frame in extract_frames(video, tmp_path / name, fps=FPS):
            photos.mkdir(exist_ok=True)
            shutil.copyfile(tmp_path / name / frame.image, photos / f"{name}{frame.image}")
    found = extend(copy, photos, EXTEND)
    assert len(found.registered) >= 2 * SECOND - 2, found.left
    assert not found.same_lens
    walk = [f for f in copy.walks()[1] if f.world_from_cam is not None]
    # the folder's order: the photos of one lens, then those of the other
    order = np.array([int(f.image[-8:-4]) % SECOND for f in walk])
    off = stack_poses(walk).translation - videos.true_second[order].translation
    assert np.median(np.linalg.norm(off, axis=1)) < 0.03
    cameras = place_cameras(copy, [f.image for f in walk])
    lenses = {(c.width, c.height): c.fx for c in cameras.values()}
    own = common_camera(copy)
    assert own is not None
    assert lenses[own.width, own.height] == pytest.approx(own.fx, rel=1e-6)
    assert lenses[300, 300] == pytest.approx(OTHER_LENS.fx, rel=0.03)


def test_what_the_camera_hides_is_hidden_in_added_frames(
    copy: Place, videos: Videos, tmp_path: Path
) -> None:
    camera = common_camera(copy)
    assert camera is not None
    counts = np.ones((camera.height, camera.width), dtype=bool)
    counts[: camera.height // 3] = False
    with (tmp_path / "mask.png").open("wb") as file:
        Image.fromarray(np.where(counts, 255, 0).astype(np.uint8)).save(file, format="png")
    build_toml = copy.root / "build.toml"
    build_toml.write_text(f'masks = "{tmp_path / "mask.png"}"\n' + build_toml.read_text())
    found = extend(copy, videos.second, EXTEND)
    assert len(found.registered) >= SECOND - 1, found.left
    top = {}
    with pycolmap.Database.open(str(copy.database_path)) as database:
        for image in database.read_all_images():
            rows = np.asarray(database.read_keypoints(image.image_id))[:, 1]
            top[str(image.name)] = int((rows < camera.height // 3 - 1).sum())
    assert {n for n, count in top.items() if not count} >= {f.image for f in copy.walks()[1]}
    assert all(top[f.image] for f in copy.walks()[0])


def test_a_mask_that_is_gone_is_asked_for(copy: Place, videos: Videos) -> None:
    build_toml = copy.root / "build.toml"
    build_toml.write_text('masks = "/gone/mask.png"\n' + build_toml.read_text())
    before = contents(copy.root)
    with pytest.raises(InputError, match=r"/gone/mask\.png is not there"):
        extend(copy, videos.second, EXTEND)
    assert contents(copy.root) == before


def test_parts_of_an_extended_place(extended: tuple[Place, Extension], tmp_path: Path) -> None:
    place = Place.open(shutil.copytree(extended[0].root, tmp_path / "place"))
    assign_splits(place, "second-walk")
    first, second = place.walks()
    assert {f.split for f in second} == {"test"}
    assert "test" not in {f.split for f in first}


def test_another_place_is_refused_and_nothing_is_changed(copy: Place, videos: Videos) -> None:
    before = contents(copy.root)
    with pytest.raises(ReconstructionError, match="it shows another place") as info:
        extend(copy, videos.elsewhere, EXTEND)
    assert "\n" not in str(info.value)
    assert contents(copy.root) == before
    with pytest.raises(InputError, match="does not exist"):
        extend(copy, copy.root / "nothing.mp4", EXTEND)
    broken = copy.root.parent / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(InputError):
        extend(copy, broken, EXTEND)
    assert contents(copy.root) == before


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, command: str) -> Iterator[list[str]]:
    """Stop at a worker command, as Ctrl-C does; note which ran."""
    ran: list[str] = []
    run = extend_stages.run_worker

    def noting(name: str, *args: object, **kwargs: object) -> object:
        if name == command:
            raise KeyboardInterrupt
        ran.append(name)
        return run(name, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(extend_stages, "run_worker", noting)
        yield ran


def test_a_stopped_extension_goes_on_and_a_half_moved_one_is_finished(
    copy: Place, videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(copy.root)
    with killed_at(monkeypatch, "register"), pytest.raises(KeyboardInterrupt):
        extend(copy, videos.second, EXTEND)
    here = {k: v for k, v in contents(copy.root).items() if "adding-" not in k}
    assert here == before
    # Killed again, in the middle of the moves: the journal is written, some are done.
    moved = 0
    replace_file = Path.replace

    def dying(path: Path, target: Path) -> Path:
        nonlocal moved
        if "adding-" in str(path) and (copy.reconstruction_dir / JOURNAL).exists():
            moved += 1
            if moved == 4:
                raise KeyboardInterrupt
        return replace_file(path, target)

    with killed_at(monkeypatch, "none") as ran, monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            extend(Place.open(copy.root), videos.second, EXTEND)
    assert ran == ["register"]  # frames and features were kept
    place = Place.open(copy.root)  # whatever opens it finishes what was begun
    assert len(place.added) == 1
    with pytest.raises(InputError, match="already"):
        extend(place, videos.second, EXTEND)
    assert len(place.registered()) == FRAMES + SECOND
    assert len(MapIndex.open(place).names) == FRAMES + SECOND
    assert not list(place.reconstruction_dir.glob("adding-*"))


def test_a_build_looks_again_for_frames_left_out(copy: Place, floor: FloorPlace) -> None:
    import pycolmap

    reconstruction = pycolmap.Reconstruction(str(copy.model_dir))
    lost = ["0009.jpg", "0010.jpg"]
    for name in lost:
        reconstruction.deregister_frame(reconstruction.find_image_with_name(name).frame_id)
    reconstruction.write_binary(str(copy.model_dir))
    copy.write_frames(
        [f.with_pose(None).with_split("") if f.image in lost else f for f in copy.frames()]
    )
    split = copy.content["stages"]["split"]
    place = build(floor.video, copy.root, CONFIG)
    assert "second-look" in place.content["stages"]
    assert place.alignment == floor.place.alignment
    assert place.content["stages"]["split"] == split
    frames = place.frames()
    off = stack_poses(frames).translation - floor.true_frames.translation
    assert np.linalg.norm(off[9:11], axis=1).max() < 0.03
    assert [f.split for f in frames[8:12]] == ["test", "train", "validation", "test"]
    assert read_report(copy).registered == FRAMES
    assert find_left_out(place, EXTEND) == Extension(0, {})


def test_two_extensions_at_once_and_too_few_photos_are_refused(
    copy: Place, floor: FloorPlace, tmp_path: Path
) -> None:
    before = contents(copy.root)
    for i in range(3):
        shutil.copy(floor.place.images_dir / f"000{i}.jpg", tmp_path / f"{i}.jpg")
    with pytest.raises(InputError, match="5 frames or more are wanted, 3 came"):
        extend(copy, tmp_path, EXTEND)
    with (
        locked_folder(copy.images_dir),
        pytest.raises(PlaceError, match="another `sightline extend` is adding"),
    ):
        extend(copy, tmp_path, EXTEND)
    assert contents(copy.root) == before
