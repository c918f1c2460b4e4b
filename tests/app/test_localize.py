"""Where a photo was taken, against the exact truth of a rendered floor."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from floor_place import FRAMES, FloorPlace
from sightline.app.localize import Localization, Localizer, localize_source
from sightline.app.trained_runs import open_network, trained_runs
from sightline.errors import InputError, MediaError, PlaceError
from sightline.geometry import Pose, Similarity
from sightline.geometry.rotation import rotation_angle_deg
from sightline.media.encode import write_video
from sightline.media.photo import read_photo
from sightline.records import Place

pytestmark = [pytest.mark.egl, pytest.mark.slow]

KEYS = [
    "image", "status", "q_wxyz", "center", "unit", "plan_xy_px", "walkable_xy_px", "on_walkable",
    "heading_deg", "confidence", "inliers", "seconds",
]  # fmt: skip


class Oracle:
    """A network that always answers with one pose."""

    def __init__(self, pose: Pose) -> None:
        self.pose = pose

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> Pose:
        return Pose.stack([self.pose] * len(images))


@pytest.fixture(scope="module")
def localizer(floor: FloorPlace) -> Localizer:
    return Localizer.open(floor.place)


@pytest.fixture(scope="module")
def answers(floor: FloorPlace, localizer: Localizer) -> list[Localization]:
    return list(localize_source(localizer, floor.queries[0].parent))


def errors(answers: Sequence[Localization], truth: Pose) -> tuple[np.ndarray, np.ndarray]:
    poses = Pose.stack([a.world_from_cam for a in answers if a.world_from_cam is not None])
    assert len(poses) == len(truth), [a.status for a in answers]
    off = np.linalg.norm(poses.translation - truth.translation, axis=1)
    return off, rotation_angle_deg(poses.q_wxyz, truth.q_wxyz)


def test_photos_from_beside_the_walk(floor: FloorPlace, answers: list[Localization]) -> None:
    assert [a.image for a in answers] == [p.name for p in floor.queries]
    assert {a.status for a in answers} == {"refined"}
    off, turned = errors(answers, floor.true_queries)
    # Measured: 0.4 to 1.4 cm, 0.1 to 0.35 degrees.
    assert np.median(off) < 0.02
    assert off.max() < 0.06
    assert turned.max() < 0.5
    assert all(a.inliers >= 60 and a.confidence > 0.75 and a.unit == "m" for a in answers)


def test_place_on_the_plan_and_heading(floor: FloorPlace, answers: list[Localization]) -> None:
    px = np.array([a.plan_xy_px for a in answers])
    wanted = floor.plan.to_px(floor.true_queries.translation)
    # 50 pixels a metre.
    assert np.abs(px - wanted).max() < 3.0
    forward = floor.true_queries.rotation_matrix[:, :, 2]
    # The plan's up is the world's +y.
    heading = np.rad2deg(np.arctan2(forward[:, 0], forward[:, 1]))
    off = np.array([a.heading_deg for a in answers]) - heading
    assert np.abs((off + 180) % 360 - 180).max() < 1.0


def test_json_has_the_fields_of_the_format(answers: list[Localization]) -> None:
    content = answers[0].to_json()
    assert list(content) == KEYS
    assert content["status"] == "refined"
    assert np.linalg.norm(content["q_wxyz"]) == pytest.approx(1.0, abs=1e-7)
    assert len(content["center"]) == 3
    assert len(content["plan_xy_px"]) == 2
    assert 0 <= content["heading_deg"] < 360
    assert content["seconds"] > 0


def test_photos_of_elsewhere_are_unknown(floor: FloorPlace, localizer: Localizer) -> None:
    found = list(localize_source(localizer, floor.elsewhere[0].parent))
    assert [a.status for a in found] == ["unknown"] * len(floor.elsewhere)
    content = found[0].to_json()
    assert list(content) == KEYS
    empty = [k for k in KEYS if content[k] is None]
    assert empty == [
        "q_wxyz", "center", "plan_xy_px", "walkable_xy_px", "on_walkable", "heading_deg"
    ]  # fmt: skip
    assert content["inliers"] == 0
    assert content["confidence"] == 0


def test_elsewhere_is_unknown_whatever_the_network_says(
    floor: FloorPlace, localizer: Localizer
) -> None:
    sure = Localizer(
        floor.place, Oracle(floor.true_frames[9]), localizer._refiner, localizer._map_camera
    )
    pictures = [read_photo(p) for p in floor.elsewhere[-2:]]
    noise, black = sure.localize(pictures, ["noise", "black"])
    assert noise.status == black.status == "unknown"


def test_a_photo_that_only_looks_alike_is_regressed(
    floor: FloorPlace, localizer: Localizer
) -> None:
    """Half a photo, mirrored: the map's own patches, and no pose that explains them."""
    pose = floor.true_frames[9]
    network = Localizer(floor.place, Oracle(pose), localizer._refiner, localizer._map_camera)
    mirrored = np.ascontiguousarray(read_photo(floor.queries[4])[:, ::-1])
    (answer,) = network.localize([mirrored], ["mirrored"])
    assert answer.status in ("regressed", "unknown")
    if answer.status == "regressed":
        assert answer.confidence <= 0.5
        np.testing.assert_allclose(answer.world_from_cam.translation, pose.translation)


@pytest.mark.parametrize("size", [(120, 160), (480, 640), (241, 322)])
def test_a_photo_at_another_size(
    floor: FloorPlace, localizer: Localizer, size: tuple[int, int]
) -> None:
    with Image.open(floor.queries[4]) as photo:
        picture = np.asarray(photo.resize(size, Image.Resampling.LANCZOS))
    (answer,) = localizer.localize([picture], ["resized"])
    off, turned = errors([answer], floor.true_queries[4:5])
    assert off[0] < 0.08
    assert turned[0] < 1.0


@pytest.mark.parametrize("turns", [1, 3])
def test_a_photo_held_across(floor: FloorPlace, localizer: Localizer, turns: int) -> None:
    picture = np.ascontiguousarray(np.rot90(read_photo(floor.queries[2]), turns))
    (answer,) = localizer.localize([picture], ["across"])
    assert answer.status == "refined"
    off = answer.world_from_cam.translation - floor.true_queries[2].translation
    assert np.linalg.norm(off) < 0.05


def test_a_lens_nobody_told_of(floor: FloorPlace, localizer: Localizer) -> None:
    """A focal length 15 % off moves the answer by decimetres, unless the matches correct it."""
    found = list(localize_source(localizer, floor.other_lens[0].parent))
    off, turned = errors(found, floor.true_queries)
    # Measured: 0.5 to 3.3 cm; with the focal length assumed 33 to 60 cm.
    assert np.median(off) < 0.03
    assert off.max() < 0.10
    assert turned.max() < 1.0


def test_sources(floor: FloorPlace, localizer: Localizer, tmp_path: Path) -> None:
    (one,) = localize_source(localizer, floor.queries[3])
    assert one.timestamp_s is None
    assert "timestamp_s" not in one.to_json()
    video = tmp_path / "clip.mp4"
    write_video(video, floor.pictures[10:14], fps=2, rotation_deg=90)
    clip = list(localize_source(localizer, video, fps=1, batch=1))
    assert [a.timestamp_s for a in clip] == [0.0, 1.0]
    assert [a.image for a in clip] == ["clip.mp4#0.000", "clip.mp4#1.000"]
    assert clip[1].to_json()["timestamp_s"] == 1.0
    off, _ = errors(clip, floor.true_frames[np.array([10, 12])])
    assert off.max() < 0.05


def test_bad_sources(floor: FloorPlace, localizer: Localizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not there"):
        list(localize_source(localizer, tmp_path / "no.jpg"))
    (tmp_path / "notes.txt").write_text("no photo")
    with pytest.raises(MediaError):
        list(localize_source(localizer, tmp_path / "notes.txt"))
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(floor.queries[0], folder / "0.jpg")
    (folder / "1.jpg").write_bytes(floor.queries[1].read_bytes()[:300])
    # The damaged photo does not cost the answer of the one before it.
    stream = localize_source(localizer, folder)
    assert next(stream).image == "0.jpg"
    with pytest.raises(MediaError, match=r"1\.jpg"):
        next(stream)


def test_threads_get_the_same_answers(floor: FloorPlace, localizer: Localizer, answers) -> None:
    pictures = [read_photo(p) for p in floor.queries[:4]]

    def ask(i: int) -> Localization:
        return localizer.localize([pictures[i % 4]], [str(i % 4)])[0]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, range(8)))
    for i, answer in enumerate(found):
        wanted = answers[i % 4].to_json() | {"image": str(i % 4)}
        came = answer.to_json()
        assert {**came, "seconds": 0} == {**wanted, "seconds": 0}


def test_frames_left_out_of_the_map(floor: FloorPlace) -> None:
    names = [f.image for f in floor.place.frames()]
    hidden = names[1::3]
    localizer = Localizer.open(floor.place, without_frames=hidden)
    assert not set(localizer._refiner.index.names) & set(hidden)
    assert len(localizer._refiner.index.names) == FRAMES - len(hidden)
    chosen = hidden[::3]
    pictures = [read_photo(floor.place.images_dir / n) for n in chosen]
    found = localizer.localize(pictures, chosen)
    off, _ = errors(found, floor.true_frames[np.array([names.index(n) for n in chosen])])
    assert off.max() < 0.05


def test_an_answer_off_the_walkable_floor_is_moved(floor: FloorPlace, tmp_path: Path) -> None:
    root = shutil.copytree(floor.root, tmp_path / "place")
    with Image.open(root / "walkable.png") as picture:
        mask = np.asarray(picture).copy()
    u, v = floor.plan.to_px(floor.true_queries[3].translation).round().astype(int)
    mask[v - 12 : v + 13, u - 9 : u + 10] = 0
    Image.fromarray(mask).save(root / "walkable.png")
    (answer,) = localize_source(Localizer.open(Place.open(root)), floor.queries[3])
    assert answer.on_walkable is False
    assert mask[round(answer.walkable_xy_px[1]), round(answer.walkable_xy_px[0])] > 127
    moved = np.linalg.norm(np.subtract(answer.walkable_xy_px, answer.plan_xy_px))
    assert 7 < moved < 13


# --- networks -------------------------------------------------------------------------------------


@pytest.fixture
def networked(floor: FloorPlace, tmp_path: Path) -> Place:
    """A copy of the place with two runs of untrained (so quickly made) networks."""
    import torch

    from sightline.tasks.absolute.checkpoint import CONFIG, WEIGHTS, save_weights
    from sightline.tasks.absolute.config import AbsoluteConfig, write_config
    from sightline.tasks.absolute.model import create_model

    place = Place.open(shutil.copytree(floor.root, tmp_path / "place"))
    config = AbsoluteConfig(backbone="compact", weights="none", width=48, height=64)
    for i, name in enumerate(("first", "second")):
        torch.manual_seed(i)
        network = create_model(config)
        mean = floor.true_frames.translation.mean(axis=0)
        network.translation_mean.copy_(torch.from_numpy(mean))
        folder = place.runs_dir / name
        save_weights(folder / WEIGHTS, network)
        write_config(folder / CONFIG, config, run={"alignment": {
            k: place.alignment[k] for k in ("scale", "q_wxyz", "translation", "map_digest")
        }})  # fmt: skip
    return place


def test_a_place_with_a_network_alone_regresses(networked: Place, floor: FloorPlace) -> None:
    shutil.rmtree(networked.reconstruction_dir)
    localizer = Localizer.open(networked)
    assert localizer.network_name == "first"
    (answer,) = localize_source(localizer, floor.queries[0])
    assert answer.status == "regressed"
    assert answer.inliers == 0
    assert 0 < answer.confidence <= 0.5
    assert answer.plan_xy_px is not None


def test_both_stages(networked: Place, floor: FloorPlace) -> None:
    localizer = Localizer.open(networked, "second")
    assert localizer.network_name == "second"
    found = list(localize_source(localizer, floor.queries[0].parent, batch=3))
    off, _ = errors(found, floor.true_queries)
    assert off.max() < 0.05
    raw = list(localize_source(Localizer.open(networked, refine=False), floor.queries[0]))
    assert raw[0].status == "regressed"


def test_best_run_by_validation_comes_first(networked: Place) -> None:
    assert trained_runs(networked) == ["first", "second"]
    (networked.runs_dir / "unfinished").mkdir()
    (networked.runs_dir / "second" / "metrics.json").write_text(
        '{"splits": {"validation": {"median_position": 0.5}}}'
    )
    assert trained_runs(networked) == ["second", "first"]
    with pytest.raises(PlaceError, match=r"\(second, first\), 'unfinished' came"):
        Localizer.open(networked, "unfinished")


def test_a_network_follows_its_place_into_another_alignment(
    networked: Place, floor: FloorPlace
) -> None:
    pictures = [read_photo(p) for p in floor.queries[:3]]
    before = open_network(networked, None)[0].predict(pictures)
    map_from_old = networked.world_from_map.inverse()
    moved = (
        Similarity(2.0, Pose(np.array([0.6, 0.0, 0.8, 0.0]), np.array([1.0, -2.0, 0.5])))
        @ networked.world_from_map
    )
    digest = networked.alignment["map_digest"]
    networked.set_alignment(moved, "m", method="control", map_digest=digest)
    after = open_network(networked, None)[0].predict(pictures)
    wanted = moved.apply_pose(map_from_old.apply_pose(before))
    np.testing.assert_allclose(after.translation, wanted.translation, atol=1e-5)
    assert rotation_angle_deg(after.q_wxyz, wanted.q_wxyz).max() < 1e-3


def test_a_network_of_a_map_that_is_no_more(networked: Place, floor: FloorPlace) -> None:
    networked.set_alignment(networked.world_from_map, "m", method="control", map_digest="new")
    localizer = Localizer.open(networked)
    assert localizer.network_name is None
    (answer,) = localize_source(localizer, floor.queries[0])
    assert answer.status == "refined"
    with pytest.raises(PlaceError, match="map that has been remade"):
        Localizer.open(networked, "first")


def test_a_place_with_neither(floor: FloorPlace, tmp_path: Path) -> None:
    place = Place.open(shutil.copytree(floor.root, tmp_path / "place"))
    shutil.rmtree(place.reconstruction_dir)
    with pytest.raises(PlaceError, match="neither a reconstruction nor a trained network") as info:
        Localizer.open(place)
    assert "\n" not in str(info.value)
    with pytest.raises(PlaceError, match="neither"):
        Localizer.open(floor.place, refine=False)


def test_no_photos(localizer: Localizer) -> None:
    assert localizer.localize([], []) == []
