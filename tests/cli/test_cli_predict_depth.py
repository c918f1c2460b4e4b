"""``sightline predict depth`` as a shell sees it: every odd input, with a stand-in network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sightline
from sightline.cli.main import main
from sightline.errors import InputError
from sightline.media import iter_frames, read_photo, write_video
from sightline.tasks.depth import models, photos
from stand_in_depth import StandIn, ramp_picture

MODELS = {
    "relative": StandIn(),
    "metric": StandIn(lambda image: 2.0 + image[..., 0] / 100.0, "depth", "m", "metric"),
}


@dataclass(frozen=True)
class Shell:
    """What the command says."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> tuple[int, list[str], list[str]]:
        self.capture.readouterr()
        code = main(["predict", "depth", *map(str, arguments)])
        said = self.capture.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()

    def error(self, *arguments: object) -> str:
        code, out, err = self(*arguments)
        assert (code, out, len(err)) == (2, [], 1)
        assert err[0].startswith("error: ")
        return err[0]


@pytest.fixture
def shell(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Shell:
    monkeypatch.chdir(tmp_path)
    photos._read_model.cache_clear()
    monkeypatch.setattr(models, "load_model", lambda source, device: MODELS[source])
    return Shell(capfd)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photos" / "a.png"
    path.parent.mkdir()
    Image.fromarray(ramp_picture(80, 60)).save(path)
    return path


def test_files_go_to_a_folder_of_their_own(shell: Shell, photo: Path, tmp_path: Path) -> None:
    code, (line,), err = shell(photo, "--weights", "metric")
    assert (code, err) == (0, ["1 image: 1 written to predicted-depth, 0 failed"])
    assert line.startswith(f"{photo}: 80x60, depth 2.00 to 4.55 m, median 3.28, scale: checkpoint,")
    names = {"a.npy", "a.png", "a.json", "a_colour.png"}
    assert {p.name for p in (tmp_path / "predicted-depth").iterdir()} == names
    assert [p.name for p in photo.parent.iterdir()] == ["a.png"]
    depth = np.load(tmp_path / "predicted-depth" / "a.npy")
    np.testing.assert_allclose(depth, 2.0 + ramp_picture(80, 60)[..., 0] / 100.0, rtol=1e-6)


def test_json_is_that_of_the_file(shell: Shell, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, (line,), err = shell(photo, "--weights", "relative", "--json", "--out", out, "--points")
    assert (code, err) == (0, [f"1 image: 1 written to {out}, 0 failed"])
    said = json.loads(line)
    assert said == json.loads((out / "a.json").read_text())
    assert (said["unit"], said["quantity"], said["scale_source"]) == (
        "relative",
        "disparity",
        "none",
    )
    assert said["model_digest"] == StandIn().digest
    assert {p.name for p in out.iterdir()} == {"a.npy", "a.json", "a_colour.png", "a.ply"}


def test_one_bad_photo_among_many_is_named_and_counted(
    shell: Shell, photo: Path, tmp_path: Path
) -> None:
    folder = photo.parent
    picture = Image.fromarray(ramp_picture(80, 60))
    picture.convert("L").save(folder / "b-grey.png")
    picture.convert("CMYK").save(folder / "c-cmyk.jpg", quality=95)
    Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257).save(
        folder / "d-deep.png"
    )
    picture.convert("RGBA").save(folder / "e-alpha.png")
    (folder / "f-text.jpg").write_text("no picture at all")
    (folder / "g-cut.png").write_bytes(photo.read_bytes()[: photo.stat().st_size // 2])
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(folder / "h-pixel.png")
    code, out, err = shell(folder, "--weights", "metric")
    assert code == 1
    assert len(out) == 6
    errors = [line for line in err if line.startswith("error: ")]
    assert len(errors) == 2
    assert "f-text.jpg" in errors[0]
    assert "g-cut.png" in errors[1]
    assert err[-1] == "8 images: 6 written to predicted-depth, 2 failed"
    assert len(list((tmp_path / "predicted-depth").glob("*.json"))) == 6
    assert "none that is known" in shell.error(folder / "f-text.jpg", "--weights", "metric")


def test_a_data_set_s_own_depth_is_safe(shell: Shell, photo: Path, tmp_path: Path) -> None:
    """``rgb/`` and ``depth/`` side by side: predictions are for another folder."""
    measured = tmp_path / "depth" / "a.png"
    measured.parent.mkdir()
    measured.write_bytes(b"measured")
    assert shell(photo.parent, "--weights", "metric")[0] == 0
    error = shell.error(photo.parent, "--weights", "metric", "--out", "depth")
    assert f"{measured.relative_to(tmp_path)} is there and was not written by" in error
    assert [p.name for p in measured.parent.iterdir()] == ["a.png"]
    assert measured.read_bytes() == b"measured"


def test_a_photo_of_one_colour_says_nothing(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("RGB", (40, 30), (90, 90, 90)).save(path)
    code, (line,), err = shell(path, "--weights", "metric", "--json")
    assert code == 0
    assert json.loads(line)["one_colour"]
    assert err[0] == (
        f"note: {path}: it is of one colour, which shows no depth: what the network says means "
        "nothing"
    )


def test_ctrl_c_tells_what_is_there(
    shell: Shell, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b.png", "c.png"):
        (photo.parent / name).write_bytes(photo.read_bytes())

    def interrupted(image: np.ndarray) -> np.ndarray:
        if (tmp_path / "predicted-depth" / "b.json").exists():
            raise KeyboardInterrupt
        return 2.0 + image[..., 0] / 100.0

    monkeypatch.setitem(MODELS, "slow", StandIn(interrupted, "depth", "m", "slow"))
    code, out, err = shell(photo.parent, "--weights", "slow")
    assert (code, len(out)) == (130, 2)
    assert err == [
        "interrupted after 2 images: 2 written to predicted-depth, 0 failed; the same command "
        "goes on from there"
    ]
    calls: list[int] = []

    def counted(image: np.ndarray) -> np.ndarray:
        calls.append(1)
        return 2.0 + image[..., 0] / 100.0

    monkeypatch.setitem(MODELS, "slow", StandIn(counted, "depth", "m", "slow"))
    photos._read_model.cache_clear()
    code, again, err = shell(photo.parent, "--weights", "slow")
    assert (code, again[:2], len(calls)) == (0, out, 1)
    assert err == ["3 images: 1 written to predicted-depth, 2 there already, 0 failed"]


def test_an_answer_is_kept_only_where_it_would_be_the_same(
    shell: Shell, photo: Path, tmp_path: Path
) -> None:
    def kept(*flags: str) -> bool:
        code, out, err = shell(photo, "--weights", "metric", "--json", *flags)
        assert (code, len(out)) == (0, 1)
        return "there already" in err[-1]

    answer = tmp_path / "predicted-depth"
    assert not kept()
    assert kept()
    assert not kept("--points")  # other files are wanted
    assert kept("--points")
    (answer / "a.ply").unlink()
    assert not kept("--points")
    assert not kept("--intrinsics", "90", "90", "39.5", "29.5")
    Image.fromarray(ramp_picture(80, 60)[::-1]).save(photo)  # another photo of that name
    assert not kept("--intrinsics", "90", "90", "39.5", "29.5")
    code, _, err = shell(photo, "--weights", "relative")
    assert (code, err[-1]) == (0, "1 image: 1 written to predicted-depth, 0 failed")


def test_a_known_distance_and_a_known_length(shell: Shell, photo: Path, tmp_path: Path) -> None:
    code, (line,), err = shell(
        photo, "--weights", "relative", "--known-distance", 79, 10, "3.0", "--json"
    )
    assert code == 0
    said = json.loads(line)
    assert (said["unit"], said["scale_source"], said["shift"]) == ("m", "known distance", 0.0)
    assert "shift of the disparity is not known" in err[0]
    assert np.load(tmp_path / "predicted-depth" / "a.npy")[10, 79] == pytest.approx(3.0, rel=1e-5)
    assert (tmp_path / "predicted-depth" / "a.png").is_file()
    length = ("--known-length", 10, 10, 70, 50, 2, "--intrinsics", 90, 90, "39.5", "29.5")
    code, (line,), _ = shell(photo, "--weights", "relative", *length, "--json")
    assert code == 0
    assert json.loads(line)["scale_source"] == "known length"
    error = shell.error(photo, "--weights", "relative", "--known-distance", 80, 10, 3)
    assert f"{photo}: a pixel inside the picture is wanted" in error


def test_a_video_in_colours(shell: Shell, tmp_path: Path) -> None:
    film = tmp_path / "films" / "walk.mp4"
    frames = [np.roll(ramp_picture(81, 60)[:, :80], 2 * k, axis=0) for k in range(6)]
    write_video(film, frames, fps=10)
    code, out, err = shell(film, "--weights", "relative", "--every", 2, "--video")
    assert (code, len(out)) == (0, 3)
    assert err == ["3 images: 3 written to predicted-depth, 0 failed"]
    depth = tmp_path / "predicted-depth"
    assert sorted(p.name for p in depth.glob("*.npy")) == [f"walk_{k:06d}.npy" for k in (0, 2, 4)]
    assert len(list(iter_frames(depth / "walk.mp4"))) == 3
    assert json.loads((depth / "walk_000004.json").read_text())["timestamp_s"] == pytest.approx(0.4)


def test_what_is_refused(shell: Shell, photo: Path, tmp_path: Path) -> None:
    assert shell.error("--weights", "metric") == (
        "error: a photo, a folder of photos or a video is wanted, nothing came"
    )
    own = shell.error(photo.parent, "--weights", "metric", "--out", photo.parent)
    assert "another folder than the photos' own is wanted" in own
    assert "nowhere is not a place" in shell.error(photo, "--metric", tmp_path / "nowhere")


def test_a_large_photo(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(ramp_picture(2600, 1300)).save(path)
    code, (line,), err = shell(path, "--weights", "metric", "--json")
    assert (code, len(err)) == (0, 1)
    said = json.loads(line)
    assert (said["width"], said["height"], said["photo_width"]) == (2048, 1024, 2600)


def test_from_python(shell: Shell, photo: Path, tmp_path: Path) -> None:
    answer = sightline.predict_depth(photo, "metric")
    assert (answer.unit, answer.quantity) == ("m", "depth")
    np.testing.assert_allclose(answer.values, 2.0 + read_photo(photo)[..., 0] / 100.0, rtol=1e-6)
    points, colours = answer.points()
    assert points.shape == colours.shape
    same = sightline.predict_depth(read_photo(photo), "metric", intrinsics=[90, 90, 39.5, 29.5])
    assert same.camera.params == (90, 90, 39.5, 29.5)
    near = sightline.predict_depth(photo, "relative", known_distance=(79, 10, 3))
    assert near.values[10, 79] == pytest.approx(3.0, rel=1e-5)
    near.write(tmp_path / "out", "b")
    assert (tmp_path / "out" / "b.json").is_file()
    with pytest.raises(InputError, match="wants 4 finite numbers"):
        sightline.predict_depth(photo, "metric", intrinsics=[90, 90])
