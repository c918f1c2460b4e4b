"""``sightline predict utility`` by a network whose answers are known: how bright a picture is."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sightline
from sightline.catalog import Catalog
from sightline.cli.main import main
from sightline.errors import InputError
from sightline.learning.runs import save_weights
from sightline.media import read_photo
from sightline.tasks import BatchPredictor, ClosingPredictor, Picture
from sightline.tasks.utility import photos as module
from sightline.tasks.utility.config import UtilityConfig, write_config
from sightline.tasks.utility.model import create_model
from sightline.tasks.utility.photos import UtilityOptions, make_predictor
from sightline.tasks.utility.predict import load_predictor
from sightline.tasks.utility.sheet import ContactSheet, thumbnail, with_caption


@dataclass
class Brightness:
    """Utility is the mean grey level over 255; NaN for a pure blue picture."""

    name: str = "brightness"
    threshold: float = 0.5
    batches: list[int] = field(default_factory=list)

    def utility(self, images: Sequence[np.ndarray]) -> np.ndarray:
        self.batches.append(len(images))
        blue = [bool((i[..., 2] == 255).all() and not i[..., :2].any()) for i in images]
        means = [np.nan if b else i.mean() / 255 for b, i in zip(blue, images, strict=True)]
        return np.array(means, np.float32)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Brightness:
    """The network that every predictor gets here."""
    made = Brightness()
    monkeypatch.setattr(module, "_model", lambda run: made)
    return made


@dataclass(frozen=True)
class Shell:
    """The command, and what it says."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> tuple[int, list[str], list[str]]:
        self.capture.readouterr()
        code = main(["predict", "utility", *map(str, arguments)])
        said = self.capture.readouterr()
        errors = [line for line in said.err.splitlines() if module._BUNDLED_NOTE not in line]
        return code, said.out.splitlines(), errors


@pytest.fixture
def shell(
    network: Brightness, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    tasks = Catalog("task", [("utility", "sightline.tasks.utility:TASK")])
    monkeypatch.setattr("sightline.catalog.TASKS", tasks)
    monkeypatch.setattr("sightline.cli.commands.predict.TASKS", tasks)
    return Shell(capfd)


def save(path: Path, grey: int, side: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((side, side, 3), grey, np.uint8)).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five greys, named in another order than they are bright."""
    for name, grey in (("a", 153), ("b", 0), ("c", 255), ("d", 51), ("e", 128)):
        save(tmp_path / "photos" / f"{name}.png", grey)
    return tmp_path / "photos"


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def test_a_line_a_photo(shell: Shell, folder: Path, network: Brightness) -> None:
    code, out, err = shell(folder)
    assert code == 0
    assert out == [
        f"0.6000  useful      {folder}/a.png",
        f"0.0000  not useful  {folder}/b.png",
        f"1.0000  useful      {folder}/c.png",
        f"0.2000  not useful  {folder}/d.png",
        f"0.5020  useful      {folder}/e.png",
    ]
    assert err == ["5 images: 5 answered, 0 failed"]
    assert network.batches == [5]


def test_json_sorted_and_with_another_threshold(shell: Shell, folder: Path) -> None:
    code, out, _ = shell(folder, "--json", "--sort", "--threshold", 0.55)
    assert code == 0
    rows = [json.loads(line) for line in out]
    assert [Path(row["image"]).name for row in rows] == [f"{n}.png" for n in "caedb"]
    assert [row["useful"] for row in rows] == [True, True, False, False, False]
    assert rows[1] == {"image": f"{folder}/a.png", "utility": pytest.approx(0.6), "useful": True}


def test_the_table_is_exactly_as_specified(shell: Shell, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "tables" / "scores.csv"
    code, _, err = shell(folder, "--csv", path)
    assert code == 0
    assert f"note: {path}: 5 images" in err
    assert path.read_text().startswith(
        f"image,utility,useful\n{folder}/a.png,0.60000002,1\n{folder}/b.png,0.00000000,0\n"
    )
    assert len(table(path)) == 6
    shell(folder, "--csv", path, "--sort")
    rows = table(path)[1:]
    assert [Path(name).name for name, _, _ in rows] == [f"{n}.png" for n in "caedb"]
    for name, utility, useful in rows:
        assert np.float32(utility) == np.float32(read_photo(Path(name)).mean() / 255)
        assert useful == str(int(float(utility) >= 0.5))


def test_odd_pictures_are_scored_and_bad_ones_named_and_counted(
    shell: Shell, tmp_path: Path
) -> None:
    odd = tmp_path / "odd"
    white = Image.new("RGB", (40, 30), "white")
    save(odd / "1x1.png", 255, side=1)
    white.convert("L").save(odd / "grey.png")
    white.convert("CMYK").save(odd / "cmyk.jpg")
    Image.new("RGBA", (40, 30), (0, 0, 0, 0)).save(odd / "alpha.png")
    Image.fromarray(np.full((9, 9), 65535, np.uint16)).save(odd / "deep.png")
    white.save(odd / "moving.gif", save_all=True, append_images=[Image.new("RGB", (40, 30))] * 2)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(odd / "broken.jpg")
    (odd / "broken.jpg").write_bytes((odd / "broken.jpg").read_bytes()[:900])
    (odd / "text.jpg").write_text("no photo")
    (odd / "empty.jpg").touch()
    Image.new("RGB", (8, 8), "blue").save(odd / "nan.png")
    path = tmp_path / "scores.csv"
    code, out, err = shell(odd, "--csv", path)
    assert code == 1
    good = ["1x1.png", "alpha.png", "cmyk.jpg", "deep.png", "grey.png", "moving.gif"]
    assert [Path(row[0]).name for row in table(path)[1:]] == good
    assert {row[1] for row in table(path)[1:]} == {"1.00000000"}
    assert len(out) == 6
    bad = ("broken.jpg", "empty.jpg", "nan.png", "text.jpg")
    errors = [line for line in err if line.startswith("error: ")]
    assert all(f"{odd}/{name}" in line for name, line in zip(bad, errors, strict=True))
    assert "brightness says nan" in errors[2]
    assert err[-1] == "10 images: 6 answered, 4 failed"


def test_nothing_but_bad_photos(shell: Shell, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    for name in ("1.jpg", "2.jpg"):
        (bad / name).write_text("no photo")
    before = tmp_path / "scores.csv"
    before.write_text("an earlier table\n")
    code, out, err = shell(bad, "--csv", before, "--sheet", tmp_path / "sheet.html")
    assert (code, out) == (1, [])
    assert err[-1] == "2 images: 0 answered, 2 failed"
    assert before.read_text() == "an earlier table\n"
    assert not (tmp_path / "sheet.html").exists()
    code, out, err = shell(bad / "1.jpg")
    assert (code, out, len(err)) == (2, [], 1)


def test_interrupted_work_keeps_what_is_done_and_what_was_there(
    shell: Shell, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: Brightness
) -> None:
    real = module.UtilityReader.collect
    seen: list[object] = []

    def interrupt(self: module.UtilityReader, answers: module.PhotoUtility) -> None:
        real(self, answers)
        seen.append(answers)
        if len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(module.UtilityReader, "collect", interrupt)
    path = tmp_path / "scores.csv"
    path.write_text("an earlier table\n")
    code, out, err = shell(folder, "--csv", path, "--sheet", tmp_path / "sheet.html", "--sort")
    assert code == 130
    assert path.read_text() == "an earlier table\n"
    partial = tmp_path / "scores.partial.csv"
    assert [Path(row[0]).name for row in table(partial)[1:]] == ["c.png", "a.png", "b.png"]
    assert len(out) == 3  # what was held back for its order
    assert f"note: {partial}: 3 images" in err
    assert not (tmp_path / "sheet.html").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--threshold", "1.5"), "a --threshold from 0 to 1 is wanted, 1.5 came"),
        (("--threshold", "nan"), "a --threshold from 0 to 1 is wanted, nan came"),
        (("--sheet-images", "0"), "one image or more is wanted on the sheet, 0 came"),
        (("--csv", "{folder}/a.png"), "--csv wants a file that ends in .csv"),
        (("--sheet", "{folder}/sheet.csv"), "--sheet wants a file that ends in .html or .htm"),
        (("--csv", "{tmp}/folder.csv"), "folder.csv is a folder"),
        (("--csv", "{folder}/a.png/scores.csv"), "a.png cannot be written to"),
    ],
)
def test_what_is_refused_before_any_work(
    shell: Shell, folder: Path, tmp_path: Path, network: Brightness,
    flags: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    (tmp_path / "folder.csv").mkdir()
    code, out, err = shell(folder, *(f.format(folder=folder, tmp=tmp_path) for f in flags))
    assert (code, out, len(err)) == (2, [], 1)
    assert said in err[0]
    assert network.batches == []


def test_a_folder_without_rights_is_said_before_any_work(
    shell: Shell, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    # what the system answers to anybody but root
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name != "locked")
    code, _, err = shell(folder, "--csv", tmp_path / "locked" / "scores.csv")
    assert code == 2
    assert "locked cannot be written to" in err[0]


class Pictures(HTMLParser):
    """What an HTML file shows, and all that it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.fetched: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href") and not (value or "").startswith("data:"):
                self.fetched.append(str(value))
        if tag == "img":
            self.shown.append(dict(attrs)["alt"] or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_contact_sheet_opens_offline(shell: Shell, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "sheet.html"
    code, _, err = shell(folder, "--sheet", path, "--sheet-images", 2)
    assert code == 0
    assert f"note: {path}: 3 of 5 images useful (60.0%; utility 0.5 or more)" in err
    page = Pictures(path.read_text())
    assert page.fetched == []
    assert page.shown == [
        "How the scores spread",
        f"1.0000 useful: {folder}/c.png",
        f"0.6000 useful: {folder}/a.png",
        f"0.0000 not useful: {folder}/b.png",
        f"0.2000 not useful: {folder}/d.png",
    ]
    assert "3 of 5 images useful (60.0%; utility 0.5 or more), by brightness." in page.words


def test_the_sheet_keeps_the_best_and_worst_of_many() -> None:
    """Against sorting all: ties go to those that came first, none is shown twice."""
    scores = np.random.default_rng(0).integers(0, 40, 500) / 39
    sheet = ContactSheet(0.5, 10)
    for k, score in enumerate(scores):
        sheet.add(str(k), float(score), np.full((4, 4, 3), k % 256, np.uint8))
    order = sorted(range(500), key=lambda k: (-scores[k], k))
    assert [name for name, _ in sheet.best()] == [str(k) for k in order[:10]]
    order = sorted(range(500), key=lambda k: (scores[k], k))
    assert [name for name, _ in sheet.worst()] == [str(k) for k in order[:10]]
    assert len(sheet._best) == len(sheet._worst) == 10
    few = ContactSheet(0.5, 10)
    for k in range(13):
        few.add(str(k), k / 12, np.zeros((1, 1, 3), np.uint8))
    assert [name for name, _ in few.best()] == [str(k) for k in range(12, 2, -1)]
    assert [name for name, _ in few.worst()] == ["0", "1", "2"]


def test_small_copies() -> None:
    wide = np.zeros((10, 1000, 3), np.uint8)
    assert thumbnail(wide, 100).shape == (1, 100, 3)
    assert thumbnail(wide[:, :20], 100).shape == (10, 20, 3)
    assert not np.shares_memory(thumbnail(wide[:, :20], 100), wide)
    drawn = with_caption(np.zeros((1, 1, 3), np.uint8), "0.50 useful", good=True)
    assert drawn.shape[1] > 60  # the text fits
    assert (drawn[0, 0] == (22, 128, 61)).all()


def test_captioned_pictures(shell: Shell, folder: Path, tmp_path: Path) -> None:
    code, _, err = shell(folder, "--out", tmp_path / "out")
    assert code == 0
    assert err == [f"5 images: 5 written to {tmp_path / 'out'}, 0 failed"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{n}.jpg" for n in "abcde"]
    red = read_photo(tmp_path / "out" / "b.jpg")[0, 0].astype(int)
    green = read_photo(tmp_path / "out" / "c.jpg")[0, 0].astype(int)
    assert red[0] > red[1] + 50
    assert green[1] > green[0] + 50


def test_from_python(network: Brightness, folder: Path) -> None:
    answer = sightline.predict_utility(folder / "a.png")
    assert answer.utility == pytest.approx(0.6)
    assert answer.useful
    assert not sightline.predict_utility(folder / "a.png", threshold=0.7).useful
    array = np.full((5, 4, 3), 51, np.uint8)
    assert sightline.predict_utility(array).utility == pytest.approx(0.2)
    assert sightline.predict_utility(array, threshold=0.0).useful
    with pytest.raises(InputError, match=r"uint8 RGB picture of shape \(H, W, 3\) is wanted"):
        sightline.predict_utility(array.astype(np.float32))


def test_a_run_folder(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    """The network itself, untrained: what the command says is what it says, in batches or not."""
    run = tmp_path / "run"
    config = UtilityConfig(backbone="resnet18", width=0.0625, frame_px=32)
    torch.manual_seed(0)
    write_config(run / "config.toml", config, run={"threshold": 0.25, "calibration": [0.5, 2.0]})
    save_weights(run / "model.safetensors", create_model(config, weights="none"))
    noise = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "f.png")
    tasks = Catalog("task", [("utility", "sightline.tasks.utility:TASK")])
    monkeypatch.setattr("sightline.catalog.TASKS", tasks)
    monkeypatch.setattr("sightline.cli.commands.predict.TASKS", tasks)
    code, out, err = Shell(capfd)(run, folder, "--json")
    assert (code, err) == (0, ["6 images: 6 answered, 0 failed"])
    model = load_predictor(run)
    for line in out:
        row = json.loads(line)
        wanted = float(model.utility([read_photo(Path(row["image"]))])[0])
        assert row["utility"] == pytest.approx(wanted, abs=1e-6)
        assert row["useful"] == (wanted >= 0.25)
        assert sightline.predict_utility(row["image"], run).utility == wanted
    assert len({json.loads(line)["utility"] for line in out}) == 6


def test_the_predictor_is_what_the_command_takes_it_for(network: Brightness) -> None:
    predictor = make_predictor(None, UtilityOptions())
    assert isinstance(predictor, BatchPredictor)
    assert isinstance(predictor, ClosingPredictor)
    pictures = [Picture(str(k), np.full((4, 4, 3), k, np.uint8)) for k in range(9)]
    together = [said.answer for said in predictor.answer(pictures)]
    assert [a.utility for a in together] == [predictor(p).answer.utility for p in pictures]
