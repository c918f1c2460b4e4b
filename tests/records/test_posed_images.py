"""Places made of images with known poses."""

import numpy as np
import pytest

from sightline.errors import InputError, PlaceError
from sightline.geometry import Camera, Pose, Similarity
from sightline.records import Place, PosedFrame
from sightline.records.cameras import place_cameras
from sightline.records.paper_csv import SPLIT_TABLES, write_split_tables
from sightline.records.posed_images import place_from_frames


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    for name in ("seq-01/a.png", "seq-02/a.png"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(name)
    return folder


FRAMES = [
    PosedFrame("seq-01/a.png", 0.0, Pose([1, 0, 0, 0], [1, 2, 3]), "train"),
    PosedFrame("seq-02/a.png", 0.5, None, "test"),
]


@pytest.mark.parametrize("link", [False, True])
def test_images_and_poses_arrive(tmp_path, source, link):
    seen = []
    place_from_frames(
        tmp_path / "place",
        FRAMES,
        source,
        unit="m",
        link=link,
        progress=lambda stage, fraction: seen.append((stage, fraction)),
    )
    place = Place.open(tmp_path / "place")
    assert place.unit == "m"
    first, second = place.frames()
    assert (first.image, first.timestamp_s, first.split) == ("seq-01_a.png", 0.0, "train")
    assert (second.image, second.world_from_cam, second.split) == ("seq-02_a.png", None, "test")
    np.testing.assert_array_equal(first.world_from_cam.translation, [1, 2, 3])
    for frame, origin in zip(place.frames(), FRAMES, strict=True):
        image = place.images_dir / frame.image
        assert image.read_text() == origin.image
        assert image.is_symlink() == link
    assert seen == [("images", 0.5), ("images", 1.0)]


def test_images_are_copied_once(tmp_path, source):
    calls = []

    def note(stage, fraction):
        calls.append(fraction)

    for _ in range(2):
        place_from_frames(tmp_path / "place", FRAMES, source, unit="m", progress=note)
    assert calls == [0.5, 1.0]
    (source / "seq-01" / "a.png").write_text("a new, longer picture")
    place = place_from_frames(tmp_path / "place", FRAMES, source, unit="m", progress=note)
    assert len(calls) == 4
    assert (place.images_dir / "seq-01_a.png").read_text() == "a new, longer picture"


def test_what_cannot_be_made_into_a_place_is_named_and_makes_none(tmp_path, source):
    root = tmp_path / "place"
    absent = PosedFrame("seq-03/a.png", None, None)
    twin = PosedFrame("seq-01_a.png", None, None)
    for frames, message in (
        ([], "frames are wanted, there is none"),
        ([*FRAMES, absent], r"seq-03/a\.png is wanted \(1 of 3 images are missing\)"),
        ([*FRAMES, twin], "the same name"),
    ):
        with pytest.raises(InputError, match=message):
            place_from_frames(root, frames, source, unit="m")
    assert not root.exists()
    (root / "mine").mkdir(parents=True)
    with pytest.raises(PlaceError, match="holds other things"):
        place_from_frames(root, FRAMES, source, unit="m")


def test_cameras_scale_and_notes_arrive_under_the_new_names(tmp_path, source):
    cameras = {"seq-02/a.png": Camera.guess(64, 48)}
    place = place_from_frames(
        tmp_path / "place",
        FRAMES,
        source,
        unit="arbitrary",
        metres_per_unit=0.5,
        cameras=cameras,
        notes=["look"],
    )
    assert (place.unit, place.content["notes"]) == ("m", ["look"])
    np.testing.assert_array_equal(place.frames()[0].world_from_cam.translation, [0.5, 1, 1.5])
    known = place_cameras(place, [f.image for f in place.frames()])
    assert known == {"seq-02_a.png": Camera.guess(64, 48)}
    # Without a word on cameras those that are known stay; notes are those of the last import.
    again = place_from_frames(tmp_path / "place", FRAMES, source, unit="m")
    assert place_cameras(again, list(known)) == known
    assert "notes" not in again.content


def test_images_can_be_developed(tmp_path, source):
    place = place_from_frames(
        tmp_path / "place",
        FRAMES,
        source,
        unit="m",
        develop={"seq-02/a.png": lambda a, path: path.write_text(a.read_text().upper())},
    )
    assert [f.image for f in place.frames()] == ["seq-01_a.png", "seq-02_a.jpg"]
    assert (place.images_dir / "seq-01_a.png").read_text() == "seq-01/a.png"
    assert (place.images_dir / "seq-02_a.jpg").read_text() == "SEQ-02/A.PNG"


def test_what_fails_on_the_way_leaves_no_folder_and_touches_none(tmp_path, source):
    def fail(origin, path):
        raise InputError(f"{origin}: a picture is wanted")

    def make(root, develop):
        return place_from_frames(root, FRAMES, source, unit="m", develop=develop)

    with pytest.raises(InputError, match="a picture is wanted"):
        make(tmp_path / "place", {"seq-02/a.png": fail})
    assert not (tmp_path / "place").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="a picture is wanted"):
        make(tmp_path / "empty", {"seq-02/a.png": fail})
    assert list((tmp_path / "empty").iterdir()) == []
    place = make(tmp_path / "place", None)
    before = {p: p.read_bytes() for p in place.root.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match="a picture is wanted"):
        make(tmp_path / "place", {"seq-02/a.png": fail})
    kept = {p: p.read_bytes() for p in place.root.rglob("*") if p.is_file()}
    assert kept.keys() == before.keys()
    assert all(kept[p] == before[p] for p in before if p.name != "place.toml")


def test_tables_of_parts_that_were_before_go(tmp_path, source):
    place = place_from_frames(tmp_path / "place", FRAMES, source, unit="m")
    write_split_tables(place.root, place.frames())
    place.update(split="block")
    again = place_from_frames(tmp_path / "place", FRAMES, source, unit="m")
    assert not [name for name in SPLIT_TABLES if (place.root / f"{name}.csv").exists()]
    assert "split" not in again.content


def test_an_alignment_and_a_plan_go_with_the_poses_they_were_of(tmp_path, source):
    place = place_from_frames(tmp_path / "place", FRAMES, source, unit="m")
    place.set_alignment(Similarity(7.0, Pose.identity()), "m", method="distance")
    place.plan_path.write_text("plan")
    again = place_from_frames(tmp_path / "place", FRAMES, source, unit="arbitrary")
    assert again.alignment == {}
    assert again.unit == "arbitrary"
    assert not again.plan_path.exists()
    assert (again.root / "plan.old.toml").read_text() == "plan"
