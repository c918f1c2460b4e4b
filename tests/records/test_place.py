"""A place on disk: made once, resumed by digest, written by several at once."""

import threading

import numpy as np
import pytest

from sightline.errors import PlaceError
from sightline.geometry import Pose, Similarity
from sightline.geometry.rotation import rotation_angle
from sightline.records import Place, PosedFrame
from sightline.records.files import read_toml


@pytest.fixture
def place(tmp_path):
    return Place.create(tmp_path / "kitchen", source="video.mp4")


def test_a_new_place_says_what_it_is(place):
    assert read_toml(place.root / "place.toml") == {
        "name": "kitchen",
        "source": "video.mp4",
        "unit": "arbitrary",
    }
    again = Place.open(str(place.root))
    assert (again.name, again.unit, again.plan) == ("kitchen", "arbitrary", None)
    assert [p.name for p in place.root.iterdir()] == ["place.toml"]


def test_create_finds_the_place_again_and_never_takes_another_folder(place, tmp_path):
    place.update(unit="m")
    assert Place.create(place.root, source="video.mp4").unit == "m"
    with pytest.raises(PlaceError, match=r"was built from video\.mp4, not from other\.mp4"):
        Place.create(place.root, source="other.mp4")
    assert Place.open(place.root).unit == "m"
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_text("x")
    (tmp_path / "file").write_text("x")
    for taken in ("photos", "file"):
        with pytest.raises(PlaceError, match="holds other things"):
            Place.create(tmp_path / taken, source="video.mp4")
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["mine.jpg"]


def test_create_goes_on_where_a_killed_create_stopped(tmp_path):
    (tmp_path / "kitchen").mkdir()
    (tmp_path / "kitchen" / ".place.toml.99-ab12.tmp.toml").write_text("na")
    assert Place.create(tmp_path / "kitchen", source="v.mp4").name == "kitchen"


def test_what_is_no_place_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(PlaceError, match=r"not a place \(no place\.toml\)"):
            Place.open(path)


class Stage:
    """Counts its runs, and fails or is killed when told to."""

    def __init__(self, place):
        self.place, self.output, self.runs, self.failure = place, place.root / "out.txt", 0, None

    def __call__(self, digest):
        return self.place.stage("work", digest, [self.output], self.run)

    def run(self):
        self.runs += 1
        if self.failure:
            raise self.failure
        self.output.write_text(str(self.runs))


def test_a_stage_runs_once_until_its_inputs_or_outputs_change(place):
    stage = Stage(place)
    assert (stage("a"), stage("a"), stage.runs) == (True, False, 1)
    stage.place = Place.open(place.root)
    assert (stage("a"), stage.runs) == (False, 1)
    assert (stage("b"), stage("b"), stage.runs) == (True, False, 2)
    stage.output.unlink()
    assert (stage("b"), stage.runs) == (True, 3)
    assert read_toml(place.root / "place.toml")["stages"] == {"work": "b"}


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("broke")])
def test_a_killed_stage_runs_again_even_with_its_old_digest(place, failure):
    stage = Stage(place)
    stage("a")
    stage.failure = failure
    with pytest.raises(type(failure)):
        stage("b")
    stage.failure = None
    stage.place = Place.open(place.root)
    # The killed run may have touched the output of "a": it must not pass as done.
    assert (stage("a"), stage.runs) == (True, 3)


def test_a_stage_that_makes_nothing_is_not_done(place):
    with pytest.raises(PlaceError, match=r"stage work should have made .*out\.txt"):
        place.stage("work", "a", [place.root / "out.txt"], lambda: None)
    assert "work" not in read_toml(place.root / "place.toml").get("stages", {})


def test_two_who_hold_one_place_keep_each_others_changes(place):
    other = Place.open(place.root)
    place.update(unit="m")
    other.update(camera={"model": "PINHOLE"})
    place.stage("work", "a", [], lambda: other.stage("inner", "b", [], lambda: None))
    content = read_toml(place.root / "place.toml")
    assert content["unit"] == "m"
    assert content["camera"] == {"model": "PINHOLE"}
    assert content["stages"] == {"work": "a", "inner": "b"}


def test_many_threads_lose_nothing(place):
    def note(i):
        Place.open(place.root).update(**{f"key{i}": i})

    threads = [threading.Thread(target=note, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = read_toml(place.root / "place.toml")
    assert [content[f"key{i}"] for i in range(16)] == list(range(16))
    assert [p.name for p in place.root.iterdir()] == ["place.toml"]


def test_frames_by_split(place):
    with pytest.raises(PlaceError, match=r"no poses\.csv yet"):
        place.frames()
    pose = Pose([1, 0, 0, 0], [1, 2, 3])
    place.write_frames(
        [
            PosedFrame("a.jpg", 0.0, pose, "train"),
            PosedFrame("b.jpg", 0.1, None, "train"),
            PosedFrame("c.jpg", 0.2, pose, "test"),
        ]
    )
    assert [f.image for f in place.frames()] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [f.image for f in place.registered()] == ["a.jpg", "c.jpg"]
    assert [f.image for f in place.registered("test")] == ["c.jpg"]


def test_the_alignment_comes_back(place):
    assert place.world_from_map.scale == 1.0
    world_from_map = Similarity(2.5, Pose([0.1, -0.7, 0.3, 0.2], [1e-7, -20.0, 3.3]))
    place.set_alignment(world_from_map, "m", method="control points", residuals_m=[0.01, 0.02])
    back = Place.open(place.root)
    assert back.unit == "m"
    assert back.world_from_map.scale == 2.5
    assert rotation_angle(back.world_from_map.pose.q_wxyz, world_from_map.pose.q_wxyz) < 1e-15
    np.testing.assert_array_equal(
        back.world_from_map.pose.translation, world_from_map.pose.translation
    )
    assert back.content["alignment"]["residuals_m"] == [0.01, 0.02]


@pytest.mark.parametrize("table", [{"scale": 1.0}, {"scale": -1.0, "q_wxyz": [1, 0, 0, 0]}])
def test_an_alignment_that_does_not_read_says_so(place, table):
    place.update(alignment={"translation": [0, 0, 0], **table})
    with pytest.raises(PlaceError, match=r"\[alignment\] does not read .*`sightline align"):
        _ = place.world_from_map
