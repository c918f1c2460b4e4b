"""`--min-utility` of `sightline build`: which frames are taken, what is said of the others."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.app.build import BuildConfig, build
from sightline.app.frame_gate import LEFT_OUT, FrameGate, describe_left_out, read_left_out
from sightline.cli.main import main
from sightline.errors import InputError, ReconstructionError
from sightline.media.distortions import distort, parse_distortion
from sightline.media.encode import write_video
from sightline.records import Place

CONFIG = BuildConfig(min_utility=0.5)
#: What is done to each photo of the folder.
DONE = ["none", "blur:9", "none", "jpeg:1", "none", "none"]
KEPT = [0, 2, 4, 5]


@pytest.fixture(autouse=True)
def stop_before_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are what is tested here; a map of six photos takes seconds and changes nothing."""

    def stop(*_: object, **__: object) -> None:
        raise ReconstructionError("stopped by the test")

    monkeypatch.setattr("sightline.reconstruction.pipeline.reconstruct", stop)


def boards(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = np.full((320, 240, 3), 128, np.uint8)
    for _ in range(400):
        y, x, h, w = (*rng.integers(0, [320, 240]), *rng.integers(3, 40, 2))
        image[y : y + h, x : x + w] = rng.integers(40, 216, 3)
    return np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def pictures(done: list[str]) -> list[np.ndarray]:
    return [distort(boards(i), parse_distortion(d), 0) for i, d in enumerate(done)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, picture in enumerate(pictures(DONE)):
        Image.fromarray(picture).save(folder / f"hall {i}.png")
    return folder


def extracted(source: Path, root: Path, config: BuildConfig = CONFIG) -> tuple[Place, list[str]]:
    """Return the place that a build has begun, and what it said."""
    said: list[str] = []
    with pytest.raises(ReconstructionError, match="stopped by the test"):
        build(source, root, config, lambda text, _done: said.append(text))
    return Place.open(root), said


def test_photos_of_no_use_are_left_out_named_and_counted(photos: Path, tmp_path: Path) -> None:
    place, said = extracted(photos, tmp_path / "place")
    names = [f"{k:04d}.jpg" for k in range(len(KEPT))]
    assert sorted(p.name for p in place.images_dir.iterdir()) == names
    assert [f.image for f in place.frames()] == names
    with (place.root / "sources.csv").open(newline="") as stream:
        assert [row["source"] for row in csv.DictReader(stream)] == [f"hall {i}.png" for i in KEPT]
    left = read_left_out(place.root / LEFT_OUT)
    assert [(f.source, f.timestamp_s, f.reason) for f in left] == [
        ("hall 1.png", None, "too blurred"),
        ("hall 3.png", None, "too compressed"),
    ]
    assert all(0 <= f.score < 0.5 for f in left)
    table = place.content["frames"]
    assert (table["count"], table["min_utility"], table["left_out"]) == (4, 0.5, 2)
    line = next(text for text in said if "left out" in text)
    assert line.startswith(
        f"taking frames: 2 frames of too little use left out: hall 1.png too blurred "
        f"({left[0].score:.2f}), hall 3.png too compressed"
    )


def test_all_are_taken_where_nothing_is_asked_for(photos: Path, tmp_path: Path) -> None:
    place, said = extracted(photos, tmp_path / "place", BuildConfig())
    assert len(place.frames()) == len(DONE)
    assert not (place.root / LEFT_OUT).exists()
    assert "left_out" not in place.content["frames"]
    assert not any("left out" in text for text in said)


def test_another_bound_takes_the_frames_again(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "place"
    assert len(extracted(photos, root)[0].frames()) == len(KEPT)
    before = (root / "images" / "0000.jpg").stat().st_mtime_ns
    extracted(photos, root)
    assert (root / "images" / "0000.jpg").stat().st_mtime_ns == before  # the stage is done
    place, _ = extracted(photos, root, BuildConfig())
    assert len(place.frames()) == len(DONE)
    assert not (root / LEFT_OUT).exists()


def test_frames_of_a_video_are_named_by_their_time(tmp_path: Path) -> None:
    video = tmp_path / "walk.mp4"
    write_video(video, pictures(["none", "none", "blur:9", "none"]), fps=5, crf=0)
    place, _ = extracted(video, tmp_path / "place")
    assert [f.timestamp_s for f in place.frames()] == pytest.approx([0.0, 0.2, 0.6], abs=1e-3)
    (left,) = read_left_out(place.root / LEFT_OUT)
    assert (left.name, left.source) == ("0.40 s", "walk.mp4")
    assert "0.40 s too blurred" in describe_left_out([left])


def test_too_few_is_one_line_and_leaves_nothing(photos: Path, tmp_path: Path) -> None:
    for i in (0, 2):
        (photos / f"hall {i}.png").unlink()
    with pytest.raises(InputError) as info:
        build(photos, tmp_path / "place", CONFIG)
    text = str(info.value)
    assert text.startswith("3 frames of utility 0.5 or more are wanted for a map, 2 of 4 have it")
    assert "lower --min-utility" in text
    assert "\n" not in text
    assert not (tmp_path / "place").exists()


def test_a_failed_second_build_leaves_the_first(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "place"
    extracted(photos, root, BuildConfig())
    with pytest.raises(InputError, match="3 frames of utility 1 or more"):
        build(photos, root, replace(CONFIG, min_utility=1.0))
    assert len(list((root / "images").iterdir())) == len(DONE)
    assert len(Place.open(root).frames()) == len(DONE)


@pytest.mark.parametrize("value", ["-0.1", "1.5", "nan"])
def test_a_bound_is_a_probability(
    value: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", str(photos), str(tmp_path / "place"), "--min-utility", value]) == 2
    assert "a utility from 0 to 1 is wanted for --min-utility" in capsys.readouterr().err


def test_the_flag_reaches_the_frames(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "place"
    assert main(["build", str(photos), str(root), "--min-utility", "0.5"]) == 2  # the test's stop
    assert len(Place.open(root).frames()) == len(KEPT)


def test_the_key_names_bound_and_gate() -> None:
    keys = [FrameGate.open(least).key for least in (0.5, 0.5, 0.6)]
    assert keys[0] == keys[1] != keys[2]
