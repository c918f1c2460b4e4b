"""Labels of localisation: the definition, what is asked, what is kept, and a real map."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from floor_place import FloorPlace
from sightline.errors import InputError, MediaError, PlaceError
from sightline.geometry import Camera, Pose, Similarity
from sightline.media.distortions import Distortion
from sightline.reconstruction.refine import RefineConfig, Refinement, Refiner
from sightline.records import Place, PosedFrame, write_poses_csv
from sightline.records.utility import read_labels
from sightline.records.utility_files import read_header
from sightline.tasks.utility.localization import (
    Answer,
    PosedPhotos,
    localization_label,
    recognition_threshold,
    write_localization_labels,
)

BLUR, NOISE, JPEG = Distortion("blur", 6), Distortion("noise", 60), Distortion("jpeg", 60)

#: world_from_map of the fake place: twice as large, turned a quarter, moved.
WORLD_FROM_MAP = Similarity(
    2.0, Pose.from_rotation(Rotation.from_euler("z", 90, degrees=True), [5.0, 0.0, 0.0])
)


# --- the definition -------------------------------------------------------------------------------


def test_useful_is_localised_within_both_radii() -> None:
    sure = Answer(200, 0.02, 0.1)
    for off_m, off_deg, wanted in (
        (0.25, 2.0, 1),
        (0.2500001, 2.0, 0),
        (0.25, 2.0000001, 0),
        (math.nan, math.nan, 0),
    ):
        assert localization_label(Answer(50, off_m, off_deg), sure).utility == wanted
    assert localization_label(Answer(50, 0.9, 1.0), sure, 1.0, 5.0).utility == 1


def test_confidences_are_those_of_localize_and_zero_where_wrong() -> None:
    label = localization_label(Answer(40, 0.1, 0.1), Answer(80, 0.0, 0.0))
    assert label.confidence == pytest.approx(1 - math.exp(-1))
    assert label.reference == pytest.approx(1 - math.exp(-2))
    least = 1 - math.exp(-RefineConfig().min_inliers / 40)
    assert recognition_threshold() == pytest.approx(least)
    # Eq. 2, written out.
    wanted = (label.confidence - least) / (1 - (label.reference - least))
    assert label.value == pytest.approx(wanted)
    wrong = localization_label(Answer(400, 3.0, 0.1), Answer(80, 0.0, 0.0))
    assert (wrong.utility, wrong.confidence) == (0, 0.0)
    assert wrong.value < 0


def test_a_photo_that_fails_undistorted_gets_no_label() -> None:
    for pristine in (Answer(0, math.nan, math.nan), Answer(90, 0.3, 0.0), Answer(90, 0.0, 3.0)):
        label = localization_label(Answer(50, 0.0, 0.0), pristine)
        assert label.utility is None
        assert label.failed


# --- what is asked and kept -----------------------------------------------------------------------


@dataclass
class FakeMap:
    """Finds a photo of few grey levels nowhere, one of many a metre off, others where they are.

    The true centre, in the map's own frame, is the photo's mean grey level / 100 along x.
    """

    asked: list[float] = field(default_factory=list)
    config: RefineConfig = field(default_factory=RefineConfig)
    index: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(
            names=["0003.jpg"],
            camera=Camera("SIMPLE_PINHOLE", 64, 48, (60.0, 31.5, 23.5)),
        )
    )

    def refine(self, image: np.ndarray, camera: Camera) -> Refinement:
        assert (camera.width, camera.height) == (image.shape[1], image.shape[0])
        spread = float(image.std())
        self.asked.append(spread)
        if spread < 10:
            return Refinement(None, 0, 30, 0.5)
        x = float(image.mean()) / 100 + (0.5 if spread > 45 else 0.0)
        return Refinement(Pose(np.array([1.0, 0, 0, 0]), np.array([x, 0, 0])), 100, 200, 1.0)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeMap:
    fake = FakeMap()
    monkeypatch.setattr(Refiner, "open", lambda _place, _without=(): fake)
    return fake


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.create(tmp_path / "hall", source="walk.mp4")
    place.set_alignment(WORLD_FROM_MAP, "m")
    return place


def checkers(path: Path, grey: int) -> Pose:
    """Write a photo of mean ``grey``; return its true world_from_cam."""
    board = (np.indices((48, 64)).sum(axis=0) % 4 < 2) * 60 + grey - 30
    Image.fromarray(np.repeat(board[..., None], 3, axis=2).astype(np.uint8)).save(path)
    return WORLD_FROM_MAP.apply_pose(Pose(np.array([1.0, 0, 0, 0]), np.array([grey / 100, 0, 0])))


@pytest.fixture
def photos(tmp_path: Path) -> PosedPhotos:
    folder = tmp_path / "second" / "images"
    folder.mkdir(parents=True)
    names = [f"{i:04d}.png" for i in range(35)]
    frames = [PosedFrame(n, None, checkers(folder / n, 60 + 3 * i)) for i, n in enumerate(names)]
    write_poses_csv(folder.parent / "poses.csv", frames)
    return PosedPhotos.of_walk(folder.parent)


def test_labels_are_written_as_all_others_are(
    fake: FakeMap, place: Place, photos: PosedPhotos, tmp_path: Path
) -> None:
    said: list[float] = []
    counts = write_localization_labels(
        place, photos, tmp_path / "labels", [BLUR, NOISE, JPEG], lambda _, done: said.append(done)
    )
    data = read_labels(tmp_path / "labels")
    assert (data.task, data.machines, len(data)) == ("localization", ("localization",), 105)
    assert data.images_root.resolve() == photos.root.resolve()
    by_kind = {k: [i.utility for i in data.items if i.distortion.kind == k] for k in KINDS}
    assert by_kind == {"blur": [0] * 35, "noise": [0] * 35, "jpeg": [1] * 35}
    assert (counts.combined.useful, counts.combined.useless) == (35, 70)
    assert all(item.bytes > 0 for item in data.items)
    assert said == sorted(said)
    header = read_header(tmp_path / "labels")
    assert header.truth == "data"
    assert "within 0.25 m and 2 degrees" in header.notes[0]


KINDS = ("blur", "noise", "jpeg")


def test_neighbours_of_a_walk_share_a_split(
    fake: FakeMap, place: Place, photos: PosedPhotos, tmp_path: Path
) -> None:
    write_localization_labels(place, photos, tmp_path / "labels", [JPEG])
    items = read_labels(tmp_path / "labels").items
    splits: dict[int, set[str]] = {}
    for i, item in enumerate(items):
        splits.setdefault(i // 10, set()).add(item.split)
    assert all(len(parts) == 1 for parts in splits.values())
    assert {s for parts in splits.values() for s in parts} == {"train", "validation", "test"}


def test_only_what_is_new_is_asked(
    fake: FakeMap, place: Place, photos: PosedPhotos, tmp_path: Path
) -> None:
    label: Callable[..., object] = write_localization_labels
    label(place, photos, tmp_path / "labels", [BLUR])
    assert len(fake.asked) == 70  # the photo and one copy
    first = (tmp_path / "labels" / "labels.csv").read_bytes()
    label(place, photos, tmp_path / "labels", [BLUR])
    assert len(fake.asked) == 70
    assert (tmp_path / "labels" / "labels.csv").read_bytes() == first
    label(place, photos, tmp_path / "labels", [BLUR, JPEG])
    assert len(fake.asked) == 105
    # Another radius is another reading of the same answers: noise is a metre off in the world.
    counts = label(place, photos, tmp_path / "labels", [NOISE], radius_m=1.5)
    assert (len(fake.asked), counts.combined.useful) == (140, 35)
    assert label(place, photos, tmp_path / "labels", [NOISE]).combined.useful == 0
    assert len(fake.asked) == 140


def test_a_call_that_was_stopped_goes_on(
    fake: FakeMap, place: Place, photos: PosedPhotos, tmp_path: Path
) -> None:
    def stop(_text: str, done: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_localization_labels(place, photos, tmp_path / "labels", [BLUR], stop)
    before = len(fake.asked)
    assert 0 < before < 70
    write_localization_labels(place, photos, tmp_path / "labels", [BLUR])
    assert len(fake.asked) == 70


def test_where_nobody_knows_the_pose_the_pristine_answer_is_the_truth(
    fake: FakeMap, place: Place, photos: PosedPhotos, tmp_path: Path
) -> None:
    plain = Image.fromarray(np.full((48, 64, 3), 90, np.uint8))
    plain.save(photos.root / "9999.png")  # not localised even as it is
    found = PosedPhotos.of_folder(photos.root)
    counts = write_localization_labels(place, found, tmp_path / "labels", [BLUR, JPEG])
    assert (counts.combined.useful, counts.combined.useless, counts.combined.failed) == (35, 35, 2)
    assert read_header(tmp_path / "labels").truth == "pristine predictions"


def test_a_photo_that_does_not_read_is_named_and_the_others_labelled(
    fake: FakeMap, place: Place, photos: PosedPhotos, tmp_path: Path
) -> None:
    (photos.root / "0007.png").write_bytes(b"no photo")
    counts = write_localization_labels(place, photos, tmp_path / "labels", [JPEG])
    assert counts.combined.useful == 34
    header = read_header(tmp_path / "labels")
    assert header.left_out == (("cannot be read", 1),)
    assert any("0007.png" in note for note in header.notes)
    for frame in photos.frames:
        (photos.root / frame.image).write_bytes(b"no photo")
    with pytest.raises(MediaError, match=r"0000\.png"):
        write_localization_labels(place, photos, tmp_path / "others", [JPEG])


def test_nothing_to_do_and_no_scale_are_refused(
    fake: FakeMap, place: Place, photos: PosedPhotos, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="35 and 0 came"):
        write_localization_labels(place, photos, tmp_path / "labels", [])
    place.set_alignment(WORLD_FROM_MAP, "arbitrary")
    with pytest.raises(InputError, match="a place in metres is wanted"):
        write_localization_labels(place, photos, tmp_path / "labels", [JPEG])


def test_a_place_without_a_map_is_refused(
    place: Place, photos: PosedPhotos, tmp_path: Path
) -> None:
    with pytest.raises(PlaceError, match="has no reconstruction"):
        write_localization_labels(place, photos, tmp_path / "labels", [JPEG])


# --- a real map -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.egl
def test_a_map_finds_its_photos_until_they_are_ruined(floor: FloorPlace, tmp_path: Path) -> None:
    walk = tmp_path / "walk"
    (walk / "images").mkdir(parents=True)
    frames = []
    for i, path in enumerate(floor.queries[:4]):
        (walk / "images" / path.name).write_bytes(path.read_bytes())
        frames.append(PosedFrame(path.name, None, floor.true_queries[i]))
    write_poses_csv(walk / "poses.csv", frames)
    mild, hopeless = Distortion("jpeg", 70), Distortion("blur", 12)
    counts = write_localization_labels(
        floor.place, PosedPhotos.of_walk(walk), tmp_path / "labels", [mild, hopeless]
    )
    items = read_labels(tmp_path / "labels").items
    assert [i.utility for i in items if i.distortion == mild] == [1] * 4
    assert [i.utility for i in items if i.distortion == hopeless] == [0] * 4
    assert counts.combined.failed == 0


@pytest.mark.slow
@pytest.mark.egl
def test_a_frame_of_the_map_does_not_see_itself(floor: FloorPlace) -> None:
    from sightline.tasks.utility.localization import MapMachine, ask

    photos = PosedPhotos.of_place(floor.place)
    machine, frame = MapMachine(floor.place), photos.frames[10]
    assert frame.image not in machine.without(frame.image).index.names
    assert frame.image in machine.without("a stranger.jpg").index.names
    others = ask(machine, photos.root, frame, [])
    assert others.pristine.within(0.25, 2.0)
