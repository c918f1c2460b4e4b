"""The small machines that come with the package, on shapes that they were not trained on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sightline.learning.bundle import CARD
from sightline.learning.runs import read_run_table
from sightline.records.objects import CATEGORIES, ObjectSet
from sightline.records.utility import PristineImage, PristineSet
from sightline.tasks.utility.small import bundled_names
from sightline.tasks.utility.small.bundled import BUNDLED, bundled_folder
from sightline.tasks.utility.small.config import read_config
from sightline.tasks.utility.small.machine import ClassifierMachine, DetectorMachine, load_small
from sightline.tasks.utility.small.scores import score_small
from sightline.worlds.objects.config import ObjectsWorldConfig
from sightline.worlds.objects.write import write_objects

NEW = ObjectsWorldConfig(
    instances=2, views_per_instance=6, validation_share=0.0, test_share=0.5, seed=78
)


def pristine(objects: ObjectSet) -> PristineSet:
    index = {name: k for k, name in enumerate(CATEGORIES)}
    images = tuple(
        PristineImage(v.image, index[v.category], (v.box,), (index[v.category],), "test", v.source)
        for v in objects.views
    )
    return PristineSet("new", objects.root, images, tuple(CATEGORIES))


@pytest.fixture(scope="module")
def new_objects(tmp_path_factory: pytest.TempPathFactory) -> PristineSet:
    return pristine(write_objects(tmp_path_factory.mktemp("new") / "objects", NEW))


def test_three_classifiers_and_two_detectors_are_bundled() -> None:
    assert len(bundled_names("classification")) == 3
    assert len(bundled_names("detection")) == 2
    assert bundled_names() == bundled_names("classification") + bundled_names("detection")
    machines = [load_small(name) for name in bundled_names()]
    assert [machine.name for machine in machines] == list(bundled_names())
    assert len({machine.architecture.name for machine in machines}) == 5
    assert len({machine.digest for machine in machines}) == 5
    assert {machine.categories for machine in machines} == {tuple(CATEGORIES)}


def test_they_are_small_and_have_cards() -> None:
    assert sum(file.stat().st_size for file in BUNDLED.rglob("*")) < 6 * 2**20
    for name in bundled_names():
        text = (BUNDLED / name / CARD).read_text()
        assert text.startswith(f"# {name}")
        assert "Limits" in text


def test_their_settings_say_what_they_started_from() -> None:
    starts = {name: read_config(BUNDLED / name / "config.toml").start for name in bundled_names()}
    assert [name for name, start in starts.items() if start == "none"] == ["objects-classifier-c"]
    for name, start in starts.items():
        said = read_run_table(BUNDLED / name)["weights_from"]
        assert said == ("none: trained from scratch" if start == "none" else start)
        assert f"Weights before training: {said}." in (BUNDLED / name / CARD).read_text()


def test_names_are_had_without_torch() -> None:
    code = (
        "import sys; from sightline.tasks.utility.small import bundled_names; "
        "assert bundled_names(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_names_are_not_bundled() -> None:
    assert bundled_folder("objects-classifier-a") == BUNDLED / "objects-classifier-a"
    assert bundled_folder("../weights/objects-classifier-a") is None
    assert bundled_folder(str(Path.cwd())) is None


@pytest.mark.egl
@pytest.mark.parametrize("name", bundled_names())
def test_they_know_new_shapes(name: str, new_objects: PristineSet) -> None:
    """On 144 pictures, so with room for chance; the cards have the figures on 2,880."""
    machine = load_small(name)
    scores = score_small(machine, new_objects)
    said = read_run_table(BUNDLED / name)["test"]
    if isinstance(machine, ClassifierMachine):
        assert scores["accuracy"] > said["accuracy"] - 0.1
        assert said["accuracy"] > 0.8
    else:
        assert isinstance(machine, DetectorMachine)
        assert scores["ap50"] > said["ap50"] - 0.1
        assert said["ap50"] > 0.9


@pytest.mark.egl
def test_they_err_differently(new_objects: PristineSet) -> None:
    from sightline.media import read_photo

    photos = [read_photo(new_objects.root / image.image) for image in new_objects.images]
    answers = []
    for name in bundled_names("classification"):
        machine = load_small(name)
        assert isinstance(machine, ClassifierMachine)
        answers.append(machine.classify(photos).probabilities.argmax(axis=1))
    assert not np.array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[1], answers[2])
