"""``sightline recommend`` as a shell sees it, by models of a few lines."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.cli.main import main
from sightline.media import read_photo
from sightline.media.distortions import Distortion, encoded

MODELS = '''
import numpy as np


def detail(image):
    return np.abs(np.diff(image.astype(float).mean(axis=2), axis=1)).mean()


def one_hot(classes):
    return np.eye(2)[np.array(classes, dtype=int)]


def grain(images):
    return one_hot([detail(image) > 3 for image in images])


grain.categories = ("smooth", "grainy")
generator = np.random.default_rng(0)


def chance(images):
    return one_hot(generator.integers(0, 2, len(images)))


def nan(images):
    return np.full((len(images), 2), np.nan)


def same(images):
    return one_hot([1] * len(images))


def blind(images):
    return [((), (), ())] * len(images)


def boxes(images):
    """Finds the grain's half of each picture, while there is grain."""
    found = []
    for image in images:
        height, width = image.shape[:2]
        sure = detail(image) > 3
        found.append(([[0, 0, width, height]], [0], [0.9]) if sure else ((), (), ()))
    return found
'''


@dataclass(frozen=True)
class Shell:
    """The command, and what it says."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> tuple[int, list[str], list[str]]:
        self.capture.readouterr()
        code = main(["recommend", *map(str, arguments)])
        said = self.capture.readouterr()
        errors = [line for line in said.err.splitlines() if not line.startswith("[")]
        return code, said.out.splitlines(), errors


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    (tmp_path / "little_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "little_models", raising=False)
    return Shell(capfd)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures of more and more grain, the first of none."""
    root = tmp_path_factory.mktemp("recommend") / "photos"
    (root / "more").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for k in range(8):
        grain = generator.normal(128, 2.5 * k, (40, 48, 1)).repeat(3, axis=2)
        where = root / "more" if k > 5 else root
        Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(where / f"{k}.png")
    return root


def agreement(folder: Path, quality: int, kind: str) -> float:
    """Share of answers of the model above that are kept, without any of what is tested."""

    def detail(image: np.ndarray) -> bool:
        return bool(np.abs(np.diff(image.astype(float).mean(axis=2), axis=1)).mean() > 3)

    kept = []
    for path in folder.rglob("*.png"):
        image = read_photo(path)
        kept.append(detail(image) == detail(encoded(image, Distortion(kind, quality))[0]))
    return float(np.mean(kept))


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_json_against_every_quality(shell: Shell, folder: Path, kind: str) -> None:
    code, (line,), err = shell(
        folder, "--model", "little_models:grain", "--keep", 0.8, "--format", kind, "--json"
    )
    assert (code, err) == (0, [])
    said = json.loads(line)
    shares = {q: agreement(folder, q, kind) for q in range(1, 101)}
    assert {p["quality"]: p["agreement"] for p in said["curve"]} == {
        p["quality"]: shares[p["quality"]] for p in said["curve"]
    }
    assert said["quality"] > 1
    assert shares[said["quality"]] == said["agreement"] >= 0.8
    assert min(shares[q] for q in range(said["quality"], said["quality"] + 4)) >= 0.8
    assert min(shares[q] for q in range(said["quality"])[-1:]) < 0.8
    paths = sorted(folder.rglob("*.png"))
    after = [len(encoded(read_photo(p), Distortion(kind, said["quality"]))[1]) for p in paths]
    assert said["bytes_before"] == sum(p.stat().st_size for p in paths)
    assert said["bytes_after"] == sum(after)
    assert said["saved"] == pytest.approx(1 - sum(after) / said["bytes_before"])
    low, high = said["saved_interval_95"]
    assert low < said["saved"] < high
    assert {c["before"] for c in said["changed"]} == {"grainy"}


def test_lines_for_people_and_a_folder_of_numbers(
    shell: Shell, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found"
    code, lines, err = shell(folder, "--model", "little_models:grain", "--keep", 0.8, "--out", out)
    assert code == 0
    assert err == [f"report: {out / 'report.html'}"]
    said = json.loads((out / "recommendation.json").read_text())
    kept = said["kept"]
    assert lines[0].startswith(
        f"jpeg quality {said['quality']} keeps {kept} of 8 answers of little_models.grain "
        f"({kept / 8:.1%}, 95% interval "
    )
    assert lines[1].startswith(f"bytes: {said['bytes_before']:,} -> {said['bytes_after']:,}, ")
    doubt = "8 images cannot show 0.8 with 95% confidence, even were all answers kept; 16 could"
    assert doubt in lines
    (changed,) = [line for line in lines if line.startswith("changed: ")]
    assert changed.endswith(".png: grainy -> smooth")
    with (out / "curve.csv").open(newline="") as stream:
        curve = list(csv.DictReader(stream))
    assert [int(row["quality"]) for row in curve] == [p["quality"] for p in said["curve"]]
    with (out / "changed.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == len(said["changed"]) == 1
    report = (out / "report.html").read_text()
    assert f"Answers that change at quality {said['quality']}" in report
    assert "http" not in report.replace("http-equiv", "")
    assert report.count("<img") == 2  # the curve, and what changed


def test_detections(shell: Shell, folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    model = ("--model", "little_models:boxes", "--kind", "detection")
    code, lines, _ = shell(folder, *model, "--keep", 0.7, "--out", page)
    assert code == 0
    said = json.loads(shell(folder, *model, "--keep", 0.7, "--json")[1][0])
    # pictures 0 and 1 have too little grain: nothing to keep there
    assert (said["judged"], said["without_detections"], said["images"]) == (6, 2, 8)
    assert "2 images without a detection count apart" in lines
    assert f"{said['things_found_again']} of 6 detections are found again" in lines
    assert "one detection or more is found again" in page.read_text()
    code, out, err = shell(folder, "--model", "little_models:blind", "--kind", "detection")
    assert (code, out, len(err)) == (2, [], 1)
    assert "little_models.blind finds nothing with a score of 0.5 or more on any of 8" in err[0]


def test_a_model_that_answers_at_random_gets_one_clear_line(shell: Shell, folder: Path) -> None:
    code, lines, err = shell(folder, "--model", "little_models:chance")
    assert (code, err) == (1, [])
    assert lines[0].startswith("no jpeg quality keeps 0.99 of the answers: 100 keeps ")
    assert "asked twice about the very same images it gives the same answer for" in lines[0]
    assert all(line.startswith("changed: ") for line in lines[1:])


def test_a_model_that_says_nan(shell: Shell, folder: Path) -> None:
    code, out, err = shell(folder, "--model", "little_models:nan")
    assert (code, out, len(err)) == (2, [], 1)
    assert "none of 8 can; the first: " in err[0]
    assert "NaN or infinity came" in err[0]


def test_a_model_that_always_says_the_same(shell: Shell, folder: Path) -> None:
    code, lines, _ = shell(folder, "--model", "little_models:same")
    assert code == 0
    assert lines[0].startswith("jpeg quality 1 keeps 8 of 8 answers")
    assert "the model says the same of every image (class 1): that tells little" in lines


def test_odd_images(shell: Shell, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    Image.new("RGB", (1, 1)).save(odd / "1x1.png")
    Image.new("RGBA", (30, 20), (0, 0, 0, 0)).save(odd / "alpha.png")
    frames = [Image.new("L", (30, 20), grey) for grey in (0, 9)]
    frames[0].save(odd / "moving.gif", save_all=True, append_images=frames[1:])
    Image.new("CMYK", (30, 20)).save(odd / "cmyk.jpg")
    (odd / "text.jpg").write_text("no photo")
    code, lines, err = shell(odd, "--model", "little_models:same", "--keep", 1)
    assert code == 0
    assert lines[0].startswith("jpeg quality 1 keeps 4 of 4 answers")
    assert "no number of images shows that all answers are kept; a --keep below 1 can be" in lines
    assert any("smaller as they are: left alone" in line for line in lines)
    assert "text.jpg is none that is known" in err[0]
    assert err[1:] == ["note: 1 of 5 images are left out"]
    code, lines, _ = shell(odd / "cmyk.jpg", "--model", "little_models:same")
    assert code == 0
    assert any("one image tells no interval" in line for line in lines)
    assert any(line.startswith("1 image cannot show 0.99") for line in lines)
    code, lines, err = shell(odd / "text.jpg", "--model", "little_models:same")
    assert (code, lines, len(err)) == (2, [], 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("{photos}", "--model", "little_models:grain", "--keep", "2"),
            "up to 1 is wanted, 2 came",
        ),
        (("{photos}", "--model", "little_models:gone"), "has no 'gone'"),
        (("{photos}/gone", "--model", "little_models:grain"), "gone does not exist"),
        (("--model", "little_models:grain"), "photos or folders of photos are wanted"),
        (("{photos}", "--model", "gone.onnx"), "gone.onnx"),
        (("{photos}", "--model", "little_models:grain", "--out", "little_models.py"), "--out"),
    ],
)
def test_what_is_refused(shell: Shell, folder: Path, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = shell(*(a.format(photos=folder) for a in arguments))
    assert (code, out, len(err)) == (2, [], 1)
    assert said in err[0]


@pytest.mark.shared
@pytest.mark.slow
def test_a_real_classifier_on_real_photos(shell: Shell, shared_data: Path) -> None:
    """MobileNet-v2 on ImageNet's own JPEGs: its curve is not monotone there."""
    model = shared_data / "weights" / "mobilenet_v2_1.0_224_quant.tflite"
    code, (line,), err = shell(
        shared_data / "imagenet_samples", "--model", model, "--keep", 0.95, "--json"
    )
    assert (code, err) == (0, [])
    said = json.loads(line)
    assert said["judged"] == 80
    assert said["agreement"] >= 0.95
    assert 10 < said["quality"] < 80
    assert 0.6 < said["saved"] < 0.9
    assert said["bytes_before"] == 7_818_464
    assert len(said["changed"]) == 80 - said["kept"] > 0


@pytest.mark.shared
@pytest.mark.slow
def test_a_real_detector_on_real_photos(shell: Shell, shared_data: Path) -> None:
    model = shared_data / "weights" / "nanodet_m.onnx"
    code, (line,), err = shell(
        shared_data / "det_coco", "--model", model, "--kind", "detection", "--keep", 0.9, "--json"
    )
    assert (code, err) == (0, [])
    said = json.loads(line)
    assert (said["images"], said["judged"], said["without_detections"]) == (40, 33, 7)
    assert said["things"] == 71
    assert said["agreement"] >= 0.9
    assert said["saved"] > 0.3
