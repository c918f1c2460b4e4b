"""Paper 003's study: does depth help to classify? On tiny folders, with a stand-in for depth."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from sightline.app.papers.paper003 import classification as classification_module
from sightline.app.papers.paper003.classification import CONTROL, classification_sections
from sightline.app.papers.paper003.config import Paper003Config
from sightline.app.papers.paper003.depth_pictures import draw_depth, nearness, write_depth_pictures
from sightline.app.papers.paper003.image_classes import (
    TRAIN,
    VALIDATION,
    copies,
    open_image_classes,
    split_by_source,
)
from sightline.app.papers.paper003.mlp import MlpSettings, create_mlp, train_mlp
from sightline.app.papers.paper003.published import CLASSES, TABLE_1
from sightline.app.papers.results import Section
from sightline.errors import (
    CatalogError,
    GeometryError,
    InputError,
    TrainingError,
    WeightsError,
)
from sightline.learning.cache import FrameSize
from sightline.media import read_photo
from sightline.tasks.depth.maps import DepthMap

SHARED = Path("/work/shared/data")


class SlopedDepth:
    """Says that brighter pixels are nearer, and counts the pictures that it saw."""

    name, digest, quantity, unit = "sloped", "0", "disparity", "relative"

    def __init__(self) -> None:
        self.seen = 0

    def predict(self, images):
        self.seen += len(images)
        return [
            DepthMap(i.mean(axis=2).astype(np.float32), "disparity", "relative") for i in images
        ]


def paint(path: Path, seed: int, vertical: bool) -> None:
    """Write stripes at random places: two classes by their direction."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = np.random.default_rng(seed).integers(0, 256, 24).repeat(2)
    picture = np.tile(line, (48, 1)).astype(np.uint8)
    Image.fromarray(picture if vertical else picture.T).convert("RGB").save(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(classification_module, "_SIZE", FrameSize(48, 48))  # quicker
    root = tmp_path / "stripes"
    for k in range(12):
        paint(root / "across" / f"{k}.png", k, vertical=False)
        paint(root / "down" / f"{k}.png", 100 + k, vertical=True)
    return root


def quick(root: Path | None, **changes) -> Paper003Config:
    settings = {"images": root, "classifier": "resnet18", "classifier_weights": "none",
                "mlp_epochs": 8, "seeds": 2, "validation": 0.25}  # fmt: skip
    return Paper003Config(**(settings | changes))


def study(config: Paper003Config, out: Path, model: SlopedDepth) -> list[Section]:
    return classification_sections(config, out, lambda: model, lambda _text, _fraction: None)


def test_the_three_rows_come_with_the_reports_under_them(folder: Path, tmp_path: Path) -> None:
    (folder / "down" / "text.jpg").write_text("not a picture")
    model = SlopedDepth()
    table, figure = study(quick(folder), tmp_path / "out", model)
    assert [row[0] for row in table.rows] == [
        "Depth", "Depth: report", "RGB", "RGB: report", "Depth+RGB", "Depth+RGB: report", CONTROL,
    ]  # fmt: skip
    assert table.rows[5][1:] == ("0.074", "0.539", "0.937", "0.897")
    assert model.seen == 24
    assert any("text.jpg" in note and "left out" in note for note in table.notes)
    assert any("a random guess is right in 50.0%" in note for note in table.notes)
    assert any("random weights" in note for note in table.notes)
    assert sum("holds here" in note or "does not hold here" in note for note in table.notes) == 3
    for picture in (*table.pictures, *figure.pictures):
        with Image.open(tmp_path / "out" / picture) as drawn:
            assert len(np.unique(np.asarray(drawn.convert("L")))) > 5


def test_scores_are_those_of_the_saved_answers(folder: Path, tmp_path: Path) -> None:
    table, _ = study(quick(folder), tmp_path, SlopedDepth())
    (saved,) = tmp_path.glob("classification/*/predictions.csv")
    with saved.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == VALIDATION]
    assert len(rows) == 6
    for name in ("Depth", "RGB", "Depth+RGB", CONTROL):
        for seed in range(2):
            right = np.mean([row[f"{name}, training {seed}"] == row["class"] for row in rows])
            assert table.values[name]["val_accuracy"][seed] == pytest.approx(right)
    matrix = np.array(table.values["confusion"])
    assert matrix.sum() == 2 * len(rows)
    both = np.mean(table.values["Depth+RGB"]["val_accuracy"])
    assert np.trace(matrix) / matrix.sum() == pytest.approx(both)
    curves = json.loads((saved.parent / "curves.json").read_text())
    assert len(curves["RGB"][1]["val_loss"]) == 8


def test_depth_and_features_are_computed_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = study(quick(folder), tmp_path, SlopedDepth())
    files = {p: p.stat().st_mtime_ns for p in tmp_path.glob("classification/*/cache/*.npy")}
    assert len(files) == 4  # frames and features of photos and of depth pictures
    model = SlopedDepth()
    again, _ = study(quick(folder), tmp_path, model)
    assert model.seen == 0
    assert {p: p.stat().st_mtime_ns for p in files} == files
    assert again.values == first.values
    other = SlopedDepth()
    other.digest = "1"
    study(quick(folder), tmp_path, other)
    assert other.seen == 24  # another model's pictures are not taken for its own


def test_a_killed_call_keeps_the_pictures_that_are_there(folder: Path, tmp_path: Path) -> None:
    class Killed(SlopedDepth):
        def predict(self, images):
            if self.seen >= 8:
                raise KeyboardInterrupt
            return super().predict(images)

    names = [one.image for one in open_image_classes(folder).images]
    with pytest.raises(KeyboardInterrupt):
        write_depth_pictures(Killed(), folder, names, tmp_path / "drawn", "grey")
    model = SlopedDepth()
    drawn = write_depth_pictures(model, folder, names, tmp_path / "drawn", "grey")
    assert model.seen == 16
    assert all((drawn.folder / drawn.name(name)).is_file() for name in names)
    assert not list((tmp_path / "drawn").rglob("*.tmp*"))


def test_an_image_that_the_model_refuses_is_left_out_and_named(
    folder: Path, tmp_path: Path
) -> None:
    class Refusing(SlopedDepth):
        def predict(self, images):
            if any((image == refused).all() for image in images):
                raise GeometryError("finite depths are wanted")
            return super().predict(images)

    names = [one.image for one in open_image_classes(folder).images]
    refused = read_photo(folder / names[2])
    drawn = write_depth_pictures(Refusing(), folder, names, tmp_path / "drawn", "grey")
    assert drawn.left_out == (
        (names[2], f"{names[2]}: sloped refuses it: finite depths are wanted"),
    )
    there = [(drawn.folder / drawn.name(name)).is_file() for name in names]
    assert there == [name != names[2] for name in names]


def test_without_images_the_command_says_what_it_wants(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="with --images FOLDER"):
        study(quick(None), tmp_path, SlopedDepth())
    (tmp_path / "one" / "class").mkdir(parents=True)
    with pytest.raises(InputError, match="has images of 0 classes"):
        open_image_classes(tmp_path / "one")
    with pytest.raises(InputError, match="is not a folder"):
        open_image_classes(tmp_path / "none")


def test_missing_weights_are_told_before_anything_long(folder: Path, tmp_path: Path) -> None:
    model = SlopedDepth()
    config = quick(folder, classifier_weights=str(tmp_path / "gone.npz"))
    with pytest.raises(WeightsError, match="check `--classifier-weights`"):
        study(config, tmp_path / "out", model)
    assert model.seen == 0
    with pytest.raises(CatalogError, match="no classifier 'resnet51'"):
        study(quick(folder, classifier="resnet51"), tmp_path / "out", model)


def test_the_folders_own_parts_are_kept(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        for label in ("a", "b"):
            for k in range(count):
                paint(tmp_path / "set" / "set" / part / label / f"{k}.png", k, label == "a")
    data = open_image_classes(tmp_path / "set")  # a lone folder stands for the one in it
    assert data.has_split
    assert data.classes == ("a", "b")
    assert len(data.rows(TRAIN)) == 6
    assert len(data.rows(VALIDATION)) == 4  # beside val, test is left alone
    for row in data.rows(VALIDATION):
        assert data.images[row].image.parts[0] == "val"


def test_copies_of_a_picture_stay_in_one_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames, names = [], []
    for label in ("a", "b"):
        for k in range(10):
            low = rng.integers(0, 256, (8, 9, 3)).repeat(7, 0).repeat(7, 1)
            noisy = np.clip(low + rng.integers(-2, 3, low.shape), 0, 255)
            for copy, picture in enumerate((low, noisy)):
                (tmp_path / label).mkdir(exist_ok=True)
                name = tmp_path / label / f"{k}-{copy}.png"
                Image.fromarray(picture.astype(np.uint8)).save(name)
                frames.append(picture.astype(np.uint8))
                names.append((label, k))
    first = copies(np.stack(frames))
    np.testing.assert_array_equal(first, np.arange(40) // 2 * 2)
    data = open_image_classes(tmp_path)
    split = split_by_source(data, np.stack(frames), 0.3, seed=0)
    part = {}
    for one, name in zip(split.images, names, strict=True):
        assert part.setdefault(name, one.split) == one.split
    for label in (0, 1):
        of = [one.split for one in split.images if one.label == label]
        assert of.count(VALIDATION) == 6
    again = split_by_source(data, np.stack(frames), 0.3, seed=0)
    other = split_by_source(data, np.stack(frames), 0.3, seed=1)
    assert again.images == split.images != other.images
    with pytest.raises(InputError, match="two pictures or more of each class"):
        split_by_source(data, np.zeros((40, 63, 63, 3), np.uint8), 0.3, seed=0)


def test_near_is_bright_and_what_is_unknown_is_dark() -> None:
    metres = np.array([[1.0, 2.0, 4.0, np.nan, 0.0]], np.float32)
    near = nearness(DepthMap(metres, "depth", "m"))
    np.testing.assert_allclose(near, [[1.0, 1 / 3, 0.0, 0.0, 0.0]], atol=1e-6)
    disparity = np.array([[-1.0, 0.0, 3.0, np.nan]], np.float32)
    grey = draw_depth(DepthMap(disparity, "disparity", "relative"), "grey")
    np.testing.assert_array_equal(grey, [[0, 64, 255, 0]])
    colour = draw_depth(DepthMap(disparity, "disparity", "relative"), "colour")
    assert colour.shape == (1, 4, 3)
    light = colour.astype(int).sum(axis=2)[0]
    assert light[2] > light[1] > light[0] == light[3]
    flat = np.full((2, 2), 7.0, np.float32)
    assert not nearness(DepthMap(flat, "disparity", "relative")).any()


def test_the_classifier_is_the_reports() -> None:
    net = create_mlp(2000, 90, MlpSettings())
    kinds = [type(module) for module in net]
    assert kinds.count(nn.Linear) == 3
    assert kinds.count(nn.ReLU) == 2
    assert nn.Dropout in kinds
    assert isinstance(net[-1], nn.Linear)
    assert net(torch.zeros(2, 2000)).shape == (2, 90)
    assert MlpSettings().epochs == 30


def test_the_classifier_learns_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = rng.normal(size=(90, 20)).astype(np.float32)
    features[:, :3] += 1000 + 8 * np.eye(3, dtype=np.float32)[labels]
    features[:, 5] = 4.0  # the same for all
    train, val = (features[:60], labels[:60]), (features[60:], labels[60:])
    settings = MlpSettings(hidden=(16, 8), dropout=0.1, epochs=20, learning_rate=1e-2, batch=10)
    one, again, other = (train_mlp(train, val, 3, settings, seed) for seed in (0, 0, 1))
    assert one.val_accuracy[-1] > 0.9
    assert one.val_loss[-1] < one.val_loss[0] < np.log(3) + 0.2
    assert one.val_loss == again.val_loss != other.val_loss
    assert np.mean(one.predicted == val[1]) == pytest.approx(one.val_accuracy[-1])
    broken = features.copy()
    broken[0, 0] = np.nan
    with pytest.raises(TrainingError, match="finite features are wanted"):
        train_mlp((broken[:60], labels[:60]), val, 3, settings, 0)
    wild = MlpSettings(hidden=(16, 8), epochs=5, learning_rate=1e30)
    with pytest.raises(TrainingError, match="lower --mlp-learning-rate"):
        train_mlp(train, val, 3, wild, 0)


def test_shuffled_labels_cannot_be_told() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(400, 10)).astype(np.float32)
    labels = rng.integers(0, 4, 400)
    result = train_mlp(
        (features[:200], labels[:200]),
        (features[200:], labels[200:]),
        4,
        MlpSettings(hidden=(32, 16), epochs=5),
        0,
    )
    assert result.val_accuracy[-1] < 0.4  # four classes: chance is 0.25, no leak


def test_a_claim_within_the_spread_is_said_to_be() -> None:
    verdict = classification_module._verdict
    assert "holds here: x" in verdict("c", 0.1, 0.05, "x")
    assert "holds here, by less than" in verdict("c", 0.01, 0.05, "x")
    assert "does not hold here, by less than" in verdict("c", -0.01, 0.05, "x")
    assert "does not hold here: x" in verdict("c", -0.1, 0.05, "x")


def test_what_the_report_prints() -> None:
    assert f"{100 / CLASSES:.1f}" == "1.1"
    assert float(TABLE_1["Depth+RGB"].val_loss) > float(TABLE_1["RGB"].val_loss)
    for row in TABLE_1.values():
        assert 0 < float(row.val_accuracy) < 1


@pytest.mark.shared
@pytest.mark.slow
def test_real_animals_are_told_far_better_than_by_chance(tmp_path: Path) -> None:
    images = SHARED / "cls_cifar_animals6"
    weights = SHARED / "weights" / "mobilenet_v2_imagenet_dequant_fp16.npz"
    if not images.is_dir() or not weights.is_file():
        pytest.skip(f"{images} and {weights} are not there")
    few = tmp_path / "animals"
    for folder in sorted(images.iterdir()):
        if folder.is_dir():
            (few / folder.name).mkdir(parents=True)
            for photo in sorted(folder.iterdir())[:16]:
                (few / folder.name / photo.name).symlink_to(photo)
    config = quick(few, classifier="mobilenet_v2", classifier_weights=str(weights), mlp_epochs=20)
    table, _ = study(config, tmp_path / "out", SlopedDepth())
    assert np.mean(table.values["RGB"]["val_accuracy"]) > 0.4  # six classes
