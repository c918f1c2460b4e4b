"""Training of small machines: they learn, resume, and refuse what cannot teach."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file
from small_pictures import CATEGORIES, write_squares

from sightline.errors import InputError, WeightsError
from sightline.learning.bundle import CARD
from sightline.learning.runs import CONFIG, WEIGHTS, read_run_table
from sightline.media import read_photo
from sightline.records.utility import PristineSet
from sightline.tasks.utility.small.bundled import bundled_names
from sightline.tasks.utility.small.checkpoint import bundle_small
from sightline.tasks.utility.small.config import SmallConfig, read_config, write_config
from sightline.tasks.utility.small.machine import ClassifierMachine, load_small
from sightline.tasks.utility.small.scores import classifier_scores, score_small
from sightline.tasks.utility.small.train import train_small

TINY = SmallConfig(
    frame_px=32,
    batch=12,
    epochs=12,
    threads=1,
    ema=0.0,
    precision="float32",
    checkpoint_every_s=0.0,
    zoom=0.05,
)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> PristineSet:
    return write_squares(tmp_path_factory.mktemp("squares"))


@pytest.fixture(scope="module")
def classifier(squares: PristineSet) -> Path:
    return train_small("vgg", squares, TINY, squares.runs_dir / "vgg")


def test_a_classifier_learns(squares: PristineSet, classifier: Path) -> None:
    machine = load_small(classifier)
    assert (machine.kind, machine.name, machine.categories) == ("classification", "vgg", CATEGORIES)
    assert score_small(machine, squares.part("validation"))["accuracy"] == 1.0
    table = read_run_table(classifier)
    assert table["validation_accuracy"] == 1.0
    assert (table["train_images"], table["validation_images"]) == (48, 12)


def test_a_finished_run_is_returned_as_it_is(squares: PristineSet, classifier: Path) -> None:
    before = (classifier / WEIGHTS).stat().st_mtime_ns
    assert train_small("vgg", squares, TINY, classifier) == classifier
    assert (classifier / WEIGHTS).stat().st_mtime_ns == before
    with pytest.raises(InputError, match="another learning_rate"):
        train_small("vgg", squares, replace(TINY, learning_rate=1e-4), classifier)
    with pytest.raises(InputError, match="on other images"):
        train_small("vgg", replace(squares, images=squares.images[1:]), TINY, classifier)


def test_a_detector_learns_on_a_classifiers_trunk(squares: PristineSet, classifier: Path) -> None:
    config = replace(TINY, start=str(classifier / WEIGHTS), epochs=40, learning_rate=4e-3)
    run = train_small("ssd", squares, config, squares.runs_dir / "ssd")
    scores = score_small(load_small(run), squares.part("validation"))
    assert scores["ap50"] > 0.8
    assert scores["useful"] > 0.5


def test_a_killed_training_goes_on(squares: PristineSet, tmp_path: Path) -> None:
    config = replace(TINY, epochs=3)
    whole = train_small("vgg", squares, config, tmp_path / "whole")

    def kill(text: str, _fraction: float) -> None:
        if text.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_small("vgg", squares, config, tmp_path / "killed", kill)
    with pytest.raises(WeightsError, match="did not end"):
        load_small(tmp_path / "killed")
    train_small("vgg", squares, config, tmp_path / "killed")
    one, other = (load_file(tmp_path / run / WEIGHTS) for run in ("whole", "killed"))
    assert whole.is_dir()
    for key, value in one.items():
        np.testing.assert_allclose(other[key].numpy(), value.numpy(), atol=1e-5, err_msg=key)


def test_a_trunk_of_another_family_is_no_start(classifier: Path, squares: PristineSet) -> None:
    config = replace(TINY, start=str(classifier / WEIGHTS))
    with pytest.raises(WeightsError, match="does not fit a trunk resnet"):
        train_small("fcos", squares, config, squares.runs_dir / "wrong")
    with pytest.raises(InputError, match="random weights alone"):
        train_small("alexnet", squares, config, squares.runs_dir / "none")


def test_what_cannot_teach_is_refused(squares: PristineSet, tmp_path: Path) -> None:
    unsplit = replace(squares, images=tuple(replace(i, split="") for i in squares.images))
    with pytest.raises(InputError, match="split train with a class"):
        train_small("vgg", unsplit, TINY, tmp_path / "run")
    bare = replace(squares, images=tuple(replace(i, boxes=()) for i in squares.images))
    with pytest.raises(InputError, match="split train with boxes"):
        train_small("ssd", bare, TINY, tmp_path / "run")
    with pytest.raises(InputError, match="two categories"):
        train_small("vgg", replace(squares, categories=("red",)), TINY, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_categories_are_not_scored(squares: PristineSet, classifier: Path) -> None:
    with pytest.raises(InputError, match="red, green, blue are wanted"):
        score_small(load_small(classifier), replace(squares, categories=("x", "y", "z")))


def test_scores_by_hand(squares: PristineSet, classifier: Path) -> None:
    machine = load_small(classifier)
    assert isinstance(machine, ClassifierMachine)
    photo = read_photo(squares.root / squares.images[0].image)
    said = machine.classify([photo, photo])
    right = int(said.probabilities[0].argmax())
    wrong = int(said.probabilities[0].argmin())
    scores = classifier_scores(said, np.array([right, wrong]))
    assert scores["accuracy"] == 0.5


def test_a_bundled_copy_says_what_it_started_from(classifier: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(classifier, run)
    config = replace(read_config(run / CONFIG), start="/here/a.safetensors")
    write_config(run / CONFIG, config, run=read_run_table(run))
    in_words = bundle_small(run, "objects-classifier-x", tmp_path, origin="the network before it")
    assert read_config(in_words / CONFIG).start == "the network before it"
    plain = bundle_small(run, "objects-classifier-y", tmp_path)
    assert read_config(plain / CONFIG).start == "a.safetensors"


def test_a_bundled_copy_answers_alike(classifier: Path, tmp_path: Path) -> None:
    folder = bundle_small(classifier, "objects-classifier-z", tmp_path, {"accuracy": 0.91234})
    text = (folder / CARD).read_text()
    assert "top-1 accuracy: 0.912" in text
    assert str(classifier.parent.parent) not in text + (folder / "config.toml").read_text()
    assert (folder / WEIGHTS).stat().st_size < 0.6 * (classifier / WEIGHTS).stat().st_size
    machine, copy = load_small(classifier), load_small(folder)
    assert copy.name == "objects-classifier-z"
    assert isinstance(machine, ClassifierMachine)
    assert isinstance(copy, ClassifierMachine)
    photos = [np.full((20, 20, 3), level, np.uint8) for level in (0, 90, 255)]
    np.testing.assert_allclose(
        machine.classify(photos).probabilities, copy.classify(photos).probabilities, atol=0.02
    )
    assert "objects-classifier-z" not in bundled_names()
