"""The doctor's commands: the flags a place was built with, and only what has to change."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from ring_place import NAMES, write_ring_place
from sightline.app.align import AlignConfig
from sightline.app.build import BUILD_TOML, BuildConfig, FramesConfig
from sightline.app.doctor import Examination, diagnose, examine_place
from sightline.app.doctor.remedies import (
    build_anew,
    build_flags,
    free_name,
    go_on,
    more_frames,
    next_quality,
    only_useful,
    sharper,
    with_intrinsics,
    without_masks,
)
from sightline.app.extend_stages import ExtendConfig
from sightline.cli.commands.build import BuildOptions
from sightline.cli.commands.extend import ExtendOptions
from sightline.cli.options import parse
from sightline.reconstruction import doctor
from sightline.reconstruction.config import ReconstructionConfig
from sightline.records import Place
from sightline.records.files import write_toml

MINE = BuildConfig(
    frames=FramesConfig(fps=4.0, sharpest=True, max_side=800),
    reconstruction=ReconstructionConfig(
        quality="low",
        camera_model="SIMPLE_PINHOLE",
        shared_intrinsics=False,
        camera_params=(80.5, 79.5, -59.5),
        refine_intrinsics=False,
        overlap=7,
    ),
    split="block",
    masks=Path("/data/my masks"),
)
FLAGS = (
    "--frames.fps 4 --frames.sharpest --frames.max-side 800 --reconstruction.quality low "
    "--reconstruction.camera-model SIMPLE_PINHOLE --reconstruction.no-shared-intrinsics "
    "--reconstruction.camera-params 80.5 79.5 -59.5 --reconstruction.no-refine-intrinsics "
    "--reconstruction.overlap 7 --split block --masks '/data/my masks'"
)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return write_ring_place(tmp_path_factory.mktemp("healthy") / "place")


@pytest.fixture(scope="module")
def measured(healthy: Place) -> Examination:
    return examine_place(healthy)


def built(measured: Examination, config: BuildConfig, **values: Any) -> Examination:
    """Return what was measured of a place that was built otherwise."""
    place = Place(measured.place.root, {**measured.place.content, **values})
    return dataclasses.replace(measured, place=place, config=config)


def with_reconstruction(**values: Any) -> BuildConfig:
    return BuildConfig(reconstruction=ReconstructionConfig(**values))


def test_flags_are_those_of_the_command() -> None:
    assert build_flags(BuildConfig()) == []
    assert shlex.join(build_flags(MINE)) == FLAGS
    masked = BuildConfig(mask_classes="person,car", mask_weights="fcn_resnet50", min_utility=0.25)
    for config in (MINE, masked, BuildConfig(frames=FramesConfig(max_side=None))):
        words = ["walk.mp4", "place", *build_flags(config)]
        default = BuildOptions(Path(), Path(), BuildConfig())
        assert parse(BuildOptions, words, command="build", default=default).config == config


def test_the_flags_are_read_from_the_place_and_repeated(healthy: Place, tmp_path: Path) -> None:
    place = Place.open(shutil.copytree(healthy.root, tmp_path / "place"))
    table = dataclasses.asdict(MINE) | {"masks": str(MINE.masks)}
    write_toml(place.root / BUILD_TOML, table)
    place.update(stages={"frames": "0"})
    exam = examine_place(place)
    assert exam.config == MINE
    source = place.content["source"]
    build = diagnose(exam).findings[0]
    assert build.fix == go_on(exam) == f"sightline build {source} {place.root} {FLAGS}"
    assert build.advice == "finished stages are kept; the command it was begun with goes on"
    anew = build_anew(exam, more_frames(exam))
    changed = FLAGS.replace("fps 4", "fps 8")
    assert anew == f"sightline build {source} {place.root}-2 {changed}"


def test_a_damaged_build_toml_is_a_finding(healthy: Place, tmp_path: Path) -> None:
    place = Place.open(shutil.copytree(healthy.root, tmp_path / "place"))
    (place.root / BUILD_TOML).write_text("quality = 7\n")
    build = diagnose(examine_place(place)).findings[0]
    assert build.severity == "problem"
    assert "1 damaged: build.toml (" in build.measured


def test_frames_are_taken_twice_as_often_until_the_video_has_no_more(measured: Examination) -> None:
    for fps, flags in ((4.0, ["--frames.fps", "8"]), (15.0, ["--frames.fps", "30"])):
        made = more_frames(built(measured, BuildConfig(frames=FramesConfig(fps=fps))))
        assert made is not None
        assert build_flags(made) == flags
    made = more_frames(built(measured, BuildConfig(frames=FramesConfig(fps=16.0))))
    assert made is not None
    assert (made.frames.fps, made.reconstruction.quality) == (16.0, "high")


def test_photos_are_matched_all_with_all_and_then_with_more_features(
    measured: Examination,
) -> None:
    def exam(count: int, pairs: str) -> Examination:
        many = [dataclasses.replace(f, timestamp_s=None) for f in 3 * measured.frames][:count]
        config = with_reconstruction(pairs=pairs)
        photos = built(measured, config, frames={"kind": "photos", "count": count})
        return dataclasses.replace(photos, frames=many)

    assert more_frames(exam(101, "auto")) == with_reconstruction(pairs="exhaustive")
    assert more_frames(exam(40, "sequential")) == with_reconstruction(pairs="exhaustive")
    # So few are matched all with all already.
    assert more_frames(exam(40, "auto")) == with_reconstruction(quality="high")
    assert more_frames(exam(101, "exhaustive")) == with_reconstruction(
        pairs="exhaustive", quality="high"
    )


@pytest.mark.parametrize(
    ("quality", "higher"), [("low", "medium"), ("medium", "high"), ("high", "extreme")]
)
def test_the_next_quality(measured: Examination, quality: str, higher: str) -> None:
    exam = built(measured, with_reconstruction(quality=quality))
    assert next_quality(exam) == with_reconstruction(quality=higher)


def test_above_the_highest_quality_there_is_no_command(measured: Examination) -> None:
    exam = built(measured, with_reconstruction(quality="extreme"))
    assert next_quality(exam) is None
    exam.features = dict.fromkeys(NAMES, 5)
    (texture,) = [f for f in diagnose(exam).findings if f.check == "texture"]
    assert (texture.severity, texture.fix) == ("problem", "")
    assert texture.advice


def test_the_quality_of_an_old_place_of_unknown_size_is_the_usual_one(
    healthy: Place, tmp_path: Path
) -> None:
    place = Place.open(shutil.copytree(healthy.root, tmp_path / "place"))
    place.update(features=None)
    assert next_quality(examine_place(place)) == with_reconstruction(quality="high")


def test_photos_have_no_sharpest_of_an_interval(measured: Examination) -> None:
    photos = built(measured, BuildConfig(), frames={"kind": "photos"})
    assert sharper(photos) == BuildConfig(min_utility=0.3)
    assert sharper(built(measured, BuildConfig())) == BuildConfig(
        frames=FramesConfig(sharpest=True)
    )
    photos.report = {"unregistered": dict.fromkeys(NAMES[5:15], doctor.BLUR)}
    photos.frames = [f.with_pose(None) if 5 <= i < 15 else f for i, f in enumerate(photos.frames)]
    (left,) = [f for f in diagnose(photos).findings if f.check == "frames in the map"]
    assert left.fix.endswith("-2 --min-utility 0.3")
    assert only_useful(built(measured, BuildConfig(min_utility=0.5))) is None


def test_mostly_masked_frames_are_built_without_masks(measured: Examination) -> None:
    exam = built(measured, MINE)
    exam.report = {"unregistered": dict.fromkeys(NAMES[5:15], doctor.MASKED)}
    exam.frames = [f.with_pose(None) if 5 <= i < 15 else f for i, f in enumerate(exam.frames)]
    (left,) = [f for f in diagnose(exam).findings if f.check == "frames in the map"]
    assert left.fix.endswith(FLAGS.removesuffix(" --masks '/data/my masks'"))
    assert without_masks(exam) == dataclasses.replace(MINE, masks=None)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("SIMPLE_PINHOLE", "FOCAL CX CY"),
        ("SIMPLE_RADIAL", "FOCAL CX CY K1"),
        ("OPENCV", "FX FY CX CY K1 K2 P1 P2"),
    ],
)
def test_known_intrinsics_have_the_numbers_of_their_model(
    measured: Examination, model: str, words: str
) -> None:
    fix = with_intrinsics(built(measured, with_reconstruction(camera_model=model)))
    assert f"--reconstruction.camera-params {words} --reconstruction.no-refine" in fix
    numbers = ["7"] * len(words.split())
    filled = shlex.split(fix.replace(words, " ".join(numbers)))[2:]
    default = BuildOptions(Path(), Path(), BuildConfig())
    made = parse(BuildOptions, filled, command="build", default=default).config.reconstruction
    assert made.camera_params == (7.0,) * len(numbers)
    assert made.camera_model == model
    # Intrinsics that were given and are wrong are given anew, once.
    assert with_intrinsics(built(measured, MINE)).count("--reconstruction.camera-params") == 1


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("gravity", ""),
        ("control", " --control control.csv"),
        ("path", " --path path.csv"),
        ("distance", " --distance FRAME_A FRAME_B METRES"),
    ],
)
def test_a_place_that_does_not_say_how_it_was_aligned(
    measured: Examination, method: str, words: str
) -> None:
    table = {k: v for k, v in measured.alignment.items() if k != "given"}
    assert aligned_again(measured, {**table, "method": method}) == words


def test_a_place_is_aligned_again_as_it_was(measured: Examination, tmp_path: Path) -> None:
    config = AlignConfig(
        path=tmp_path / "my path.csv", plan=tmp_path / "plan.png", plan_scale=20.0,
        distance=("a.jpg", "p:7", 2.5), camera_height_m=1.6,
    )  # fmt: skip
    words = aligned_again(measured, {**measured.alignment, "given": config.to_toml()})
    options = words.split(" ", 1)[1]
    assert options == (
        f"--distance a.jpg p:7 2.5 --path '{tmp_path}/my path.csv' --plan {tmp_path}/plan.png "
        "--plan-scale 20 --camera-height-m 1.6"
    )
    assert aligned_again(measured, {**measured.alignment, "given": {}}) == ""


def aligned_again(measured: Examination, table: dict[str, Any]) -> str:
    """Return the flags that a place with this alignment is aligned with once more."""
    exam = built(measured, BuildConfig(), alignment=table)
    exam.map_changed = True
    (found,) = [f for f in diagnose(exam).findings if f.check == "poses and map"]
    usual = f"sightline align {exam.place.root}"
    assert found.fix.startswith(usual)
    return found.fix.removeprefix(usual)


def test_recordings_that_were_added_are_added_again(measured: Examination) -> None:
    given = ExtendConfig(fps=2.0, sharpest=True, part="test").to_toml()
    added = [{"source": "/videos/second walk.mp4", "prefix": "walk2-", "given": given}, {}]
    exam = built(measured, MINE, added=added)
    first, second, third = build_anew(exam, MINE).split(" && ")
    root = first.split()[3]
    assert root == f"{exam.place.root}-2"
    flags = "--fps 2 --sharpest True --part test"
    assert second == f"sightline extend {root} '/videos/second walk.mp4' {flags}"
    assert third == f"sightline extend {root} VIDEO"  # of a place that says no more
    words = shlex.split(second)[2:]
    default = ExtendOptions(Path(), None, ExtendConfig())
    assert parse(ExtendOptions, words, command="extend", default=default).config == ExtendConfig(
        fps=2.0, sharpest=True, part="test"
    )


def test_a_value_that_looks_like_a_flag(measured: Examination) -> None:
    assert build_flags(BuildConfig(masks=Path("-odd"))) == ["--masks=-odd"]


def test_the_free_name_beside_a_place_that_is_named_by_a_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "ring"
    (root / "images").mkdir(parents=True)
    monkeypatch.chdir(root)
    assert free_name(Path()) == tmp_path / "ring-2"
    assert free_name(Path("images/..")) == tmp_path / "ring-2"
    (tmp_path / "ring-2").mkdir()
    assert free_name(root) == tmp_path / "ring-3"
