"""`build.toml`: how a place was built, for building it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.app.build import BUILD_TOML, BuildConfig, FramesConfig, build, build_config_of
from sightline.cli.main import main
from sightline.errors import InputError, PlaceError, ReconstructionError
from sightline.reconstruction.config import ReconstructionConfig
from sightline.records import Place


@pytest.fixture(autouse=True)
def stop_before_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise ReconstructionError("stopped by the test")

    monkeypatch.setattr("sightline.reconstruction.pipeline.reconstruct", stop)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(np.full((24, 32, 3), 60 * i, np.uint8)).save(folder / f"{i}.png")
    return folder


def begin(photos: Path, root: Path, config: BuildConfig | None = None) -> Place:
    with pytest.raises(ReconstructionError, match="stopped by the test"):
        build(photos, root, config)
    return Place.open(root)


def test_what_a_place_was_built_with_is_kept(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (32, 24), 255).save(tmp_path / "mask.png")
    config = BuildConfig(
        frames=FramesConfig(fps=2.0, sharpest=True, max_side=None),
        reconstruction=ReconstructionConfig(
            quality="high", camera_params=(30.0, 16.0, 12.0, -0.1), refine_intrinsics=False
        ),
        split="block",
        masks=Path("mask.png"),
    )
    monkeypatch.chdir(tmp_path)
    place = begin(photos, tmp_path / "place", config)
    # The path is whole: the command may be run from anywhere.
    assert build_config_of(place) == replace(config, masks=tmp_path / "mask.png")


def test_the_weights_of_a_mask_finder_are_found_from_anywhere(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sightline.app.build.make_masks", lambda *_: None)
    for name in ("nano.onnx", "some.pth"):
        (tmp_path / name).write_bytes(b"")
    for given, kept in (
        ("nano.onnx", f"{tmp_path}/nano.onnx"),
        ("maskrcnn_resnet50_fpn:some.pth", f"maskrcnn_resnet50_fpn:{tmp_path}/some.pth"),
        ("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn"),
    ):
        config = BuildConfig(mask_classes="person", mask_weights=given)
        place = begin(photos, tmp_path / "place", config)
        assert build_config_of(place).mask_weights == kept


def test_the_file_builds_another_place_the_same_way(photos: Path, tmp_path: Path, capsys) -> None:
    first = begin(photos, tmp_path / "first", BuildConfig(split="block", min_utility=0.0))
    file = first.root / BUILD_TOML
    arguments = ["build", str(photos), str(tmp_path / "second"), "--config", str(file)]
    assert main([*arguments, "--frames.max-side", "16"]) == 2
    assert "stopped by the test" in capsys.readouterr().err
    config = build_config_of(Place.open(tmp_path / "second"))
    assert config == BuildConfig(split="block", frames=FramesConfig(max_side=16))


def test_the_last_call_counts_and_the_same_call_writes_nothing(
    photos: Path, tmp_path: Path
) -> None:
    place = begin(photos, tmp_path / "place")
    written = (place.root / BUILD_TOML).stat().st_mtime_ns
    assert build_config_of(begin(photos, place.root)) == BuildConfig()
    assert (place.root / BUILD_TOML).stat().st_mtime_ns == written
    other = BuildConfig(reconstruction=ReconstructionConfig(quality="low"))
    assert build_config_of(begin(photos, place.root, other)) == other
    (place.root / BUILD_TOML).write_text("damaged = [")
    assert build_config_of(begin(photos, place.root, other)) == other


def test_a_call_that_gave_no_frames_does_not_count(photos: Path, tmp_path: Path) -> None:
    place = begin(photos, tmp_path / "place", BuildConfig(split="block"))
    text = (place.root / BUILD_TOML).read_text()
    (photos / "0.png").write_bytes(b"no picture")
    with pytest.raises(InputError):
        build(photos, place.root, BuildConfig(split="second-walk"))
    assert (place.root / BUILD_TOML).read_text() == text
    with pytest.raises(InputError):
        build(photos, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_refused_build_of_an_extended_place_does_not_count(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal asks for the flags of before, and only build.toml has them."""
    place = begin(photos, tmp_path / "place", BuildConfig(split="block"))
    place.update(added=[{"prefix": "walk2-"}])
    text = (place.root / BUILD_TOML).read_text()

    def refuse(place: Place, *_: object, **__: object) -> None:
        place.refuse_anew("features")

    monkeypatch.setattr("sightline.reconstruction.pipeline.reconstruct", refuse)
    Image.new("L", (32, 24), 255).save(tmp_path / "mask.png")
    for other, stage in (
        (BuildConfig(reconstruction=ReconstructionConfig(quality="low")), "features"),
        (BuildConfig(masks=tmp_path / "mask.png"), "masks"),
        (BuildConfig(frames=FramesConfig(max_side=16)), "frames"),
    ):
        with pytest.raises(PlaceError, match=f"stage {stage} anew would lose"):
            build(photos, place.root, other)
        assert (place.root / BUILD_TOML).read_text() == text
        assert not place.masks_dir.exists()


def test_a_place_of_before_tells_what_it_can(tmp_path: Path) -> None:
    place = Place.create(tmp_path / "place", source="walk.mp4")
    assert build_config_of(place) == BuildConfig()
    place.update(
        frames={"fps": 2.5, "min_utility": 0.4},
        features={"max_image_size": 2400},
        masks={"made_of": "mine"},
    )
    assert build_config_of(place) == BuildConfig(
        frames=FramesConfig(fps=2.5),
        reconstruction=ReconstructionConfig(quality="extreme"),
        min_utility=0.4,
        masks=Path("MASKS"),
    )
    # What is damaged, or of no level, says nothing.
    place.update(frames="five", features={"max_image_size": 1234}, masks=None)
    assert build_config_of(place) == BuildConfig()
