"""Masks of a place's frames: which of the user's belongs to which frame, what cannot be used."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.app import masks as masking
from sightline.app.build import BuildConfig
from sightline.app.masks import MasksConfig, MasksReport, describe_masks, make_masks
from sightline.errors import InputError, PlaceError
from sightline.media.masks import mask_name, read_mask, write_mask
from sightline.records import Place, PosedFrame
from sightline.records.config_file import config_from_table

WIDTH, HEIGHT = 40, 30
NAMES = [f"{i:04d}.jpg" for i in range(4)]


def silent(_text: str, _done: float) -> None:
    pass


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place of four frames."""
    made = Place.create(tmp_path / "place", source="walk")
    made.images_dir.mkdir()
    for i, name in enumerate(NAMES):
        picture = np.full((HEIGHT, WIDTH, 3), 40 * i, np.uint8)
        Image.fromarray(picture).save(made.images_dir / name)
    made.write_frames([PosedFrame(name, None, None) for name in NAMES])
    return made


def half(share: float, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Return a mask whose left share is ignored."""
    counts = np.ones((height, width), bool)
    counts[:, : round(share * width)] = False
    return counts


def folder_of(root: Path, masks: dict[str, np.ndarray]) -> Path:
    root.mkdir()
    for name, counts in masks.items():
        write_mask(root / name, counts)
    return root


def test_frames_and_masks_go_by_name(place: Place, tmp_path: Path) -> None:
    given = folder_of(
        tmp_path / "mine",
        {
            "0000.jpg.png": half(0.5),
            "0002.png": half(0.25, 2 * WIDTH, 2 * HEIGHT),
            "0003.png": half(1.0),
        },
    )
    folder = make_masks(place, MasksConfig(given), silent)
    assert folder == place.masks_dir
    wanted = [half(0.5), half(0.0), half(0.25), half(1.0)]
    for name, counts in zip(NAMES, wanted, strict=True):
        np.testing.assert_array_equal(read_mask(folder / mask_name(name)), counts)
    report = MasksReport.read(folder)
    assert report.shares == dict(zip(NAMES, [0.5, 0.0, 0.25, 1.0], strict=True))
    assert (report.without, report.refused) == ([NAMES[1]], {})
    assert report.masked_share == pytest.approx(0.4375)
    told = describe_masks(Place.open(place.root))
    assert "masks (mine): 43.8% of the pixels ignored" in told
    assert "1 frames have no mask: 0001.jpg" in told


def test_photos_go_by_the_names_the_user_gave_them(place: Place, tmp_path: Path) -> None:
    with (place.root / "sources.csv").open("w", newline="") as stream:
        rows = zip(NAMES, ["b.JPG", "0000.jpg", "a.png", "c.jpg"], strict=True)
        csv.writer(stream).writerows([("image", "source"), *rows])
    given = folder_of(tmp_path / "mine", {"0000.png": half(0.5), "b.JPG.png": half(0.25)})
    make_masks(place, MasksConfig(given), silent)
    report = MasksReport.read(place.masks_dir)
    assert list(report.shares.values()) == [0.25, 0.5, 0.0, 0.0]
    shutil.rmtree(given)
    folder_of(given, {"0001.png": half(0.5)})  # of no photo: then it is the frame's own name
    make_masks(place, MasksConfig(given), silent)
    assert list(MasksReport.read(place.masks_dir).shares.values()) == [0.0, 0.5, 0.0, 0.0]


def test_one_mask_does_for_all(place: Place, tmp_path: Path) -> None:
    write_mask(tmp_path / "bonnet.png", half(0.25, WIDTH // 2, HEIGHT // 2))
    make_masks(place, MasksConfig(tmp_path / "bonnet.png"), silent)
    report = MasksReport.read(place.masks_dir)
    assert set(report.shares.values()) == {0.25}
    assert (report.made_of, report.without) == ("bonnet.png", [])

    turned = np.zeros((WIDTH, HEIGHT, 3), np.uint8)
    Image.fromarray(turned).save(place.images_dir / NAMES[3])  # a photo held the other way
    make_masks(place, MasksConfig(tmp_path / "bonnet.png"), silent)
    report = MasksReport.read(place.masks_dir)
    assert list(report.shares.values()) == [0.25, 0.25, 0.25, 0.0]
    assert list(report.refused) == [f"bonnet.png on {NAMES[3]}"]

    write_mask(tmp_path / "bonnet.png", half(0.25, WIDTH, WIDTH))
    with pytest.raises(InputError, match=r"none does; bonnet\.png on 0000\.jpg: .* 40 x 40 came"):
        make_masks(place, MasksConfig(tmp_path / "bonnet.png"), silent)


def test_one_bad_mask_is_named_and_alone_it_is_an_error(place: Place, tmp_path: Path) -> None:
    given = folder_of(tmp_path / "mine", {"0001.png": half(0.5)})
    (given / "0002.png").write_bytes(b"no picture")
    write_mask(given / "0003.png", half(0.5, HEIGHT, WIDTH))
    make_masks(place, MasksConfig(given), silent)
    report = MasksReport.read(place.masks_dir)
    assert report.without == [NAMES[0]]
    assert list(report.shares.values()) == [0.0, 0.5, 0.0, 0.0]
    assert set(report.refused) == {"0002.png", "0003.png"}
    assert "is it turned?" in report.refused["0003.png"]
    told = describe_masks(Place.open(place.root))
    assert "0002.png is not used: " in told

    before = {p: p.read_bytes() for p in place.masks_dir.iterdir()}
    (given / "0001.png").unlink()
    with pytest.raises(InputError, match=r"none does; 0002\.png: "):
        make_masks(place, MasksConfig(given), silent)
    assert {p: p.read_bytes() for p in place.masks_dir.iterdir()} == before


@pytest.mark.parametrize("names", [[], ["walk.png", "notes.txt"]])
def test_a_folder_without_the_frames_masks_is_refused(
    place: Place, tmp_path: Path, names: list[str]
) -> None:
    given = folder_of(tmp_path / "mine", {})
    for name in names:
        (given / name).write_bytes(b"x")
    count = sum(name.endswith(".png") for name in names)
    with pytest.raises(InputError, match=rf"such as 0000\.jpg\.png; {count} other PNG"):
        make_masks(place, MasksConfig(given), silent)
    assert not place.masks_dir.exists()


def test_what_the_user_laid_into_the_place_is_kept(place: Place, tmp_path: Path) -> None:
    folder_of(place.masks_dir, {"0000.png": half(0.5)})
    given = folder_of(tmp_path / "mine", {"0000.png": half(0.25)})
    with pytest.raises(InputError, match="no build made; move them"):
        make_masks(place, MasksConfig(given), silent)
    for inside in (place.masks_dir, place.masks_dir / "0000.png"):
        with pytest.raises(InputError, match="outside the place"):
            make_masks(place, MasksConfig(inside), silent)
    np.testing.assert_array_equal(read_mask(place.masks_dir / "0000.png"), half(0.5))


def test_recordings_added_since_get_no_masks_and_others_are_refused(
    place: Place, tmp_path: Path
) -> None:
    given = folder_of(tmp_path / "mine", {"0000.png": half(0.5), "walk2-0000.png": half(0.5)})
    make_masks(place, MasksConfig(given), silent)
    added = "walk2-0000.jpg"
    shutil.copyfile(place.images_dir / NAMES[0], place.images_dir / added)
    place.write_frames([*place.frames(), PosedFrame(added, None, None)])
    place.update(added=[{"prefix": "walk2-"}])
    state = {p: p.stat().st_mtime_ns for p in place.root.rglob("*")}
    make_masks(place, MasksConfig(given), silent)
    assert sorted(MasksReport.read(place.masks_dir).shares) == NAMES
    write_mask(given / "0000.png", half(0.25))
    for other in (MasksConfig(given), MasksConfig()):
        with pytest.raises(PlaceError, match="stage masks anew would lose"):
            make_masks(place, other, silent)
    assert {p: p.stat().st_mtime_ns for p in place.root.rglob("*")} == state


def test_the_same_masks_are_not_made_again_and_others_are(place: Place, tmp_path: Path) -> None:
    given = folder_of(tmp_path / "mine", {"0000.png": half(0.5)})
    make_masks(place, MasksConfig(given), silent)
    state = {p: p.stat().st_mtime_ns for p in place.root.rglob("*")}
    make_masks(place, MasksConfig(given), silent)
    assert {p: p.stat().st_mtime_ns for p in place.root.rglob("*")} == state
    write_mask(given / "0000.png", half(0.25))
    make_masks(place, MasksConfig(given), silent)
    assert MasksReport.read(place.masks_dir).shares[NAMES[0]] == 0.25
    assert make_masks(place, MasksConfig(), silent) is None
    assert describe_masks(Place.open(place.root)) == ""


class Finder:
    """Finds the lower rows, and stops once where it is told to."""

    name = "finder"
    digest = "finder-1"

    def __init__(self, stop_at: int = -1) -> None:
        self.seen: list[int] = []
        self.stop_at = stop_at

    def find(self, image: np.ndarray) -> np.ndarray:
        number = round(float(image.mean()) / 40)
        if number == self.stop_at:
            raise KeyboardInterrupt
        self.seen.append(number)
        found = np.zeros(image.shape[:2], bool)
        found[-10 * number :] = number > 0
        return found


def test_a_stopped_run_goes_on_and_both_kinds_join(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = folder_of(tmp_path / "mine", {"0000.png": half(0.5), "0001.png": half(0.5)})
    config = MasksConfig(given, ("person", "car"), "net")
    first, second = Finder(stop_at=2), Finder()
    monkeypatch.setattr(masking, "_open_finder", lambda _: first)
    with pytest.raises(KeyboardInterrupt):
        make_masks(place, config, silent)
    assert not place.masks_dir.exists()
    monkeypatch.setattr(masking, "_open_finder", lambda _: second)
    make_masks(place, config, silent)
    assert (first.seen, second.seen) == ([0, 1], [2, 3])
    report = MasksReport.read(place.masks_dir)
    assert report.shares == pytest.approx(
        dict(zip(NAMES, [1 / 2, 1 / 3 + 1 / 2 - 1 / 6, 2 / 3, 1], strict=True)), abs=1e-5
    )
    assert report.made_of == "mine and person, car by finder"
    assert not list(place.root.glob(".masks.*"))


def test_what_the_settings_ask_for() -> None:
    table = {"mask_classes": " person,car ,", "mask_weights": "nanodet.onnx"}
    config = config_from_table(BuildConfig, table, "build.toml")
    assert config.masking == MasksConfig(None, ("person", "car"), "nanodet.onnx")
    assert not BuildConfig().masking.wanted
    with pytest.raises(InputError, match="finds person is wanted: pass --mask-weights"):
        BuildConfig(mask_classes="person")
    with pytest.raises(InputError, match="beside --mask-weights"):
        BuildConfig(mask_weights="nanodet.onnx")
