"""A place of several recordings: its walks, their parts, and stages that would lose them."""

from pathlib import Path

import numpy as np
import pytest

from sightline.errors import PlaceError
from sightline.geometry import Camera, Pose
from sightline.records import Place, PosedFrame
from sightline.records.cameras import (
    CAMERAS_CSV,
    common_camera,
    place_cameras,
    read_cameras_csv,
    write_cameras_csv,
)
from sightline.records.splits import assign_walks, put_into


def frames(count: int, prefix: str = "", lost: tuple[int, ...] = ()) -> list[PosedFrame]:
    return [
        PosedFrame(
            f"{prefix}{i:04d}.jpg",
            i / 5,
            None if i in lost else Pose(np.array([1.0, 0, 0, 0]), np.array([0.1 * i, 0, 0])),
        )
        for i in range(count)
    ]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.create(tmp_path / "place", source="walk.mp4")
    place.write_frames([*frames(6), *frames(4, "walk2-"), *frames(3, "walk3-")])
    return place


def test_walks(place: Place) -> None:
    assert [len(walk) for walk in place.walks()] == [13]
    assert place.added == []
    place.update(added=[{"prefix": "walk2-"}, {"prefix": "walk3-"}])
    walks = Place.open(place.root).walks()
    assert [len(walk) for walk in walks] == [6, 4, 3]
    assert walks[2][0].image == "walk3-0000.jpg"


def test_a_stage_that_would_make_the_map_anew_is_refused(place: Place) -> None:
    ran: list[str] = []
    output = place.root / "poses.csv"
    place.stage("map", "one", [output], lambda: ran.append("first"))
    place.update(added=[{"prefix": "walk2-"}])
    place.stage("map", "one", [output], lambda: ran.append("skipped"))
    with pytest.raises(PlaceError, match="1 recordings added to its map") as info:
        place.stage("map", "two", [output], lambda: ran.append("never"))
    assert "\n" not in str(info.value)
    assert ran == ["first"]
    assert Place.open(place.root).content["stages"]["map"] == "one"
    # With the flags of before, it says what is missing: other flags are no way out.
    output.rename(place.root / "elsewhere.csv")
    with pytest.raises(PlaceError, match=r"poses\.csv anew, which is not there") as info:
        place.stage("map", "one", [output], lambda: ran.append("never"))
    assert "flags" not in str(info.value)
    (place.root / "elsewhere.csv").rename(output)
    # What does not touch the map may run again.
    place.stage("split", "one", [output], lambda: ran.append("split"))
    place.stage("split", "two", [output], lambda: ran.append("split"))
    assert ran == ["first", "split", "split"]


def test_each_walk_is_divided_by_itself() -> None:
    walks = [frames(6, lost=(1,)), frames(4, "b-")]
    mod3 = [f.split for f in assign_walks(walks, "mod3")]
    assert mod3 == ["train", "", "test", "train", "validation", "test", *mod3[6:]]
    assert mod3[6:] == ["train", "validation", "test", "train"]
    second = assign_walks([frames(30), frames(4, "b-", lost=(2,))], "second-walk")
    assert "test" not in {f.split for f in second[:30]}
    assert [f.split for f in second[30:]] == ["test", "test", "", "test"]
    assert {f.split for f in put_into(frames(3), "validation")} == {"validation"}


def test_only_images_that_differ_have_a_camera_of_their_own(place: Place) -> None:
    usual = Camera("SIMPLE_PINHOLE", 640, 480, (500.0, 319.5, 239.5))
    other = Camera("SIMPLE_RADIAL", 320, 240, (260.25, 159.5, 119.5, 0.01))
    place.update(
        camera={"model": usual.model, "width": 640, "height": 480, "params": list(usual.params)}
    )
    write_cameras_csv(place.root / CAMERAS_CSV, {"walk2-0000.jpg": other})
    assert read_cameras_csv(place.root / CAMERAS_CSV) == {"walk2-0000.jpg": other}
    cameras = place_cameras(place, ["0000.jpg", "walk2-0000.jpg"])
    assert cameras == {"0000.jpg": usual, "walk2-0000.jpg": other}
    assert common_camera(place) == usual
