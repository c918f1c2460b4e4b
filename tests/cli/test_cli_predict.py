"""``sightline predict objects`` as a shell sees it: a small network, and every odd input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sightline
from sightline.cli.main import main
from sightline.errors import InputError
from sightline.geometry.rotation import rotation_angle_deg
from sightline.geometry.viewpoint import cam_from_object
from sightline.learning.runs import save_weights
from sightline.media import read_photo
from sightline.tasks.objects.config import ObjectsConfig, write_config
from sightline.tasks.objects.model import create_model
from sightline.tasks.objects.predict import load_run

CATEGORIES = ("car", "bus", "sofa", "diningtable", "aeroplane")
KEYS = [
    "image",
    "box",
    "category",
    "probabilities",
    "azimuth_deg",
    "elevation_deg",
    "tilt_deg",
    "q_wxyz",
    "confidence",
]


@dataclass(frozen=True)
class Shell:
    """A run folder, photos, and what the command says of them."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> tuple[int, list[str], list[str]]:
        self.capture.readouterr()
        code = main(["predict", "objects", str(self.folder / "run"), *map(str, arguments)])
        said = self.capture.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()

    def error(self, *arguments: object) -> str:
        """The one line of a call that is refused."""
        code, out, err = self(*arguments)
        assert code == 2
        assert out == []
        assert len(err) == 1
        assert err[0].startswith("error: ")
        return err[0]

    def answers(self, *arguments: object) -> list[dict[str, object]]:
        code, out, err = self(*arguments, "--json")
        assert (code, err) == (0, [])
        return [json.loads(line) for line in out]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("predict")
    config = ObjectsConfig(
        backbone="resnet18",
        width=0.25,
        weights="none",
        crop_px=32,
        head="sixd",
        pose_sizes=(16, 8),
        fusion="top1",
    )
    torch.manual_seed(0)
    write_config(
        root / "run" / "config.toml",
        config,
        run={"categories": list(CATEGORIES), "confidence": 0.375},
    )
    save_weights(root / "run" / "model.safetensors", create_model(config, CATEGORIES))
    photos = root / "photos"
    photos.mkdir()
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((80, 60), Image.Resampling.BICUBIC)
    picture.save(photos / "1.png")
    picture.convert("L").save(photos / "2-grey.png")
    picture.convert("CMYK").save(photos / "3-cmyk.jpg", quality=95)
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(photos / "4-deep.png")
    return root


@pytest.fixture
def shell(folder: Path, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(folder, capfd)


@pytest.fixture
def photo(folder: Path) -> Path:
    return folder / "photos" / "1.png"


def test_one_json_object_a_box(shell: Shell, photo: Path) -> None:
    (answer,) = shell.answers(photo)
    assert list(answer) == KEYS
    assert answer["image"] == str(photo)
    assert answer["box"] == [0, 0, 80, 60]
    likely = answer["probabilities"]
    assert list(likely) == list(CATEGORIES)
    assert sum(likely.values()) == pytest.approx(1, abs=1e-5)
    assert answer["category"] == max(likely, key=likely.get)
    assert answer["confidence"] == 0.375
    angles = [np.deg2rad(answer[key]) for key in ("azimuth_deg", "elevation_deg", "tilt_deg")]
    assert np.linalg.norm(answer["q_wxyz"]) == pytest.approx(1)
    assert rotation_angle_deg(cam_from_object(*angles), answer["q_wxyz"]) < 1e-4
    model = load_run(shell.folder / "run")
    wanted = model.predict_boxes(read_photo(photo), [(0, 0, 80, 60)])
    assert rotation_angle_deg(answer["q_wxyz"], wanted.rotations["top1"][0]) < 1e-3


def test_the_line_for_people(shell: Shell, photo: Path) -> None:
    code, (line,), err = shell(photo)
    (answer,) = shell.answers(photo)
    assert (code, err) == (0, [])
    angles = [round(answer[key]) for key in ("azimuth_deg", "elevation_deg", "tilt_deg")]
    likely = answer["probabilities"][answer["category"]]
    assert line == (
        f"{photo}: {answer['category']} {likely:.2f}, azimuth {angles[0] % 360} deg, elevation "
        f"{angles[1]} deg, tilt {angles[2]} deg (confidence 0.38)"
    )


def test_grey_cmyk_and_deep_photos_are_read(shell: Shell, folder: Path) -> None:
    answers = shell.answers(folder / "photos")
    assert [Path(a["image"]).name for a in answers] == [
        "1.png",
        "2-grey.png",
        "3-cmyk.jpg",
        "4-deep.png",
    ]
    colour, grey, cmyk, deep = (list(a["probabilities"].values()) for a in answers)
    assert grey == pytest.approx(deep, abs=1e-4)
    assert cmyk == pytest.approx(colour, abs=0.1)
    assert grey != pytest.approx(colour, abs=1e-4)


def test_a_box_is_cut_out(shell: Shell, photo: Path, folder: Path) -> None:
    (boxed,) = shell.answers(photo, "--box", 10, 5, 50.5, 45)
    (whole,) = shell.answers(photo)
    assert boxed["box"] == [10, 5, 50.5, 45]
    assert boxed["probabilities"] != whole["probabilities"]
    code, (line,), (note,) = shell(photo, "--json", "--box", -20, 30, 40, 100)
    assert code == 0
    assert json.loads(line)["box"] == [0, 30, 40, 60]
    assert note == (f"note: {photo}: the box -20 30 40 100 is partly outside; 0 30 40 60 is taken")


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((1, 2, 3), "is wanted, 3 numbers came (1 2 3)"),
        ((1, 2, 3, 4, 5), "is wanted, 5 numbers came (1 2 3 4 5)"),
        ((10, 10, 10, 40), "with x0 < x1 and y0 < y1 is wanted, 10 10 10 40 came"),
        ((50, 10, 10, 40), "with x0 < x1 and y0 < y1 is wanted, 50 10 10 40 came"),
        ((80, 0, 120, 60), "with at least a pixel inside it is wanted, 80 0 120 60 came"),
        ((200, 200, 300, 300), "with at least a pixel inside it is wanted, 200 200 300 300 came"),
        ((10, 10, 10.5, 40), "with at least a pixel inside it is wanted, 10 10 10.5 40 came"),
        ((0, 0, "nan", 9), "of finite numbers is wanted, 0 0 nan 9 came"),
        ((0, 0, "inf", 9), "of finite numbers is wanted, 0 0 inf 9 came"),
    ],
)
def test_bad_boxes(shell: Shell, photo: Path, box: tuple[object, ...], said: str) -> None:
    error = shell.error(photo, "--box", *box)
    assert error == f"error: {photo} is 80x60 pixels: a box x0 y0 x1 y1 {said}"


def test_a_known_category(shell: Shell, photo: Path) -> None:
    (plain,) = shell.answers(photo)
    other = next(name for name in CATEGORIES if name != plain["category"])
    (told,) = shell.answers(photo, "--category", other)
    assert told["category"] == other
    assert told["probabilities"] == plain["probabilities"]
    assert rotation_angle_deg(told["q_wxyz"], plain["q_wxyz"]) > 1
    assert shell.error(photo, "--category", "cat") == (
        "error: a category of car, bus, sofa, diningtable, aeroplane is wanted, 'cat' came"
    )


def test_rules(shell: Shell, photo: Path) -> None:
    found = {rule: shell.answers(photo, "--rule", rule)[0] for rule in ("weighted", "chordal")}
    own, top1 = shell.answers(photo)[0], shell.answers(photo, "--rule", "top1")[0]
    assert own == top1
    assert rotation_angle_deg(found["weighted"]["q_wxyz"], own["q_wxyz"]) > 0.1
    assert rotation_angle_deg(found["chordal"]["q_wxyz"], found["weighted"]["q_wxyz"]) > 1e-3


def test_a_broken_photo_does_not_stop_a_folder(shell: Shell, tmp_path: Path, photo: Path) -> None:
    content = photo.read_bytes()
    for name in ("a.png", "c.png"):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "b.png").write_bytes(content[: len(content) // 2])
    code, out, err = shell(tmp_path, "--json")
    assert code == 1
    assert [Path(json.loads(line)["image"]).name for line in out] == ["a.png", "c.png"]
    assert len(err) == 1
    assert err[0].startswith("error: a whole photo is wanted; ")
    assert str(tmp_path / "b.png") in err[0]
    assert str(tmp_path / "b.png") in shell.error(tmp_path / "b.png")
    code, out, err = shell(tmp_path / "a.png", tmp_path / "b.png")
    assert (code, len(out), len(err)) == (1, 1, 1)
    code, out, err = shell(tmp_path, "--box", 70, 0, 79, 10, "--json")
    assert (code, len(out), len(err)) == (1, 2, 1)


def test_what_is_no_photo(shell: Shell, tmp_path: Path, photo: Path) -> None:
    assert shell.error() == "error: a photo, a folder of photos or a video is wanted, nothing came"
    gone = tmp_path / "gone.jpg"
    assert shell.error(photo, gone) == (
        "error: a photo, a folder of photos, a video or a run folder is wanted; "
        f"{gone} does not exist"
    )
    assert f"{tmp_path} holds no files" in shell.error(tmp_path)
    (tmp_path / "text.jpg").write_text("no picture")
    assert "text.jpg is none that is known" in shell.error(tmp_path / "text.jpg")


def test_pictures_with_the_pose_drawn(shell: Shell, folder: Path, tmp_path: Path) -> None:
    photos, out = folder / "photos", tmp_path / "drawn"
    (tmp_path / "1.png").write_bytes((photos / "1.png").read_bytes())
    code, lines, err = shell(photos, tmp_path / "1.png", "--out", out)
    assert (code, len(lines), err) == (0, 5, [])
    assert sorted(p.name for p in out.iterdir()) == [
        "1-2.jpg",
        "1.jpg",
        "2-grey.jpg",
        "3-cmyk.jpg",
        "4-deep.jpg",
    ]
    drawn = read_photo(out / "1.jpg")
    assert drawn.shape == (360, 480, 3)
    plain = np.asarray(Image.open(photos / "1.png").resize((480, 360), Image.Resampling.BICUBIC))
    assert (np.abs(drawn.astype(int) - plain).max(axis=2) > 60).mean() > 0.01
    error = shell.error(photos, "--out", photos)
    assert error == f"error: another folder than the photos' own is wanted for --out, {photos} came"


def test_options_that_exclude_each_other(shell: Shell, photo: Path) -> None:
    detector = ("--detector", "any.onnx")
    assert "--box or --detector is wanted, both came" in shell.error(
        photo, *detector, "--box", 1, 2, 3, 4
    )
    assert "--category or --category-from detector is wanted" in shell.error(
        photo, *detector, "--category", "car", "--category-from", "detector"
    )
    assert "--category-from belongs to a detector" in shell.error(
        photo, "--category-from", "detector"
    )
    assert "--detector-score belongs to a detector" in shell.error(photo, "--detector-score", 0.9)
    assert "any.onnx does not exist" in shell.error(photo, *detector)


@pytest.mark.shared
def test_boxes_of_a_detector(shell: Shell, shared_data: Path, photo: Path) -> None:
    detector = ("--detector", shared_data / "weights" / "nanodet_m.onnx")
    plane = shared_data / "det_coco" / "images" / "000000000081.jpg"
    (found,) = shell.answers(plane, *detector)
    labelled = [38, 41, 623, 358]  # labels/000000000081.txt
    assert found["box"] == pytest.approx(labelled, abs=52)
    code, (line,), _ = shell(plane, *detector)
    assert code == 0
    assert line.endswith("(confidence 0.38; detector: aeroplane 0.69)")
    (told,) = shell.answers(plane, *detector, "--category-from", "detector")
    assert told["category"] == "aeroplane"
    assert told["probabilities"] == found["probabilities"]
    code, out, err = shell(photo, *detector)
    assert (code, out) == (0, [])
    assert err == [f"note: {photo}: nanodet finds no object of a known category"]


def test_tasks_and_runs_that_do_not_fit(
    shell: Shell, capfd: pytest.CaptureFixture[str], tmp_path: Path, photo: Path
) -> None:
    assert main(["predict", "relative", str(photo)]) == 2
    assert capfd.readouterr().err == (
        "error: a task of depth, objects, utility is wanted, relative says nothing of one photo\n"
    )
    (tmp_path / "config.toml").write_text('task = "absolute"\n')
    assert main(["predict", "objects", str(tmp_path), str(photo)]) == 2
    assert "a run of the task objects is wanted, absolute came" in capfd.readouterr().err
    (tmp_path / "config.toml").write_bytes((shell.folder / "run" / "config.toml").read_bytes())
    assert main(["predict", "objects", str(tmp_path), str(photo)]) == 2
    assert "its training did not end" in capfd.readouterr().err


def test_from_python(shell: Shell, photo: Path) -> None:
    run = shell.folder / "run"
    (boxed,) = shell.answers(photo, "--box", 10, 5, 50, 45)
    by_path = sightline.predict_object(photo, (10, 5, 50, 45), run=run)
    by_pixels = sightline.predict_object(read_photo(photo), [10, 5, 50, 45], run=str(run))
    assert by_path.to_json() == boxed
    assert by_pixels.to_json() == boxed | {"image": "the picture"}
    assert sightline.predict_object(photo, run=run, category="bus").category == "bus"
    with pytest.raises(InputError, match="the picture is 80x60 pixels"):
        sightline.predict_object(read_photo(photo), (1, 1, 1, 1), run=run)
    for bad in (read_photo(photo) / 255.0, read_photo(photo)[:, :, 0], read_photo(photo)[:0]):
        with pytest.raises(InputError, match=r"the picture: a uint8 RGB picture .* is wanted"):
            sightline.predict_object(bad, run=run)
