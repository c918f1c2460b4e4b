"""The network that comes with the package, on shapes that it was not trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sightline
from sightline.cli.main import main
from sightline.learning.bundle import CARD
from sightline.records.objects import ObjectSet
from sightline.tasks.objects.checkpoint import BUNDLED
from sightline.tasks.objects.metrics import right_mask, score_predictions
from sightline.tasks.objects.predict import ObjectsModel, need_default_model
from sightline.tasks.objects.predictions import ObjectPredictions
from sightline.worlds.objects.config import ObjectsWorldConfig
from sightline.worlds.objects.write import write_objects

pytestmark = pytest.mark.egl

NEW = ObjectsWorldConfig(
    instances=4, views_per_instance=8, validation_share=0.0, test_share=0.25, seed=77
)


@pytest.fixture(scope="module")
def new_objects(tmp_path_factory: pytest.TempPathFactory) -> ObjectSet:
    return write_objects(tmp_path_factory.mktemp("new") / "objects", NEW)


@pytest.fixture(scope="module")
def bundled() -> ObjectsModel:
    return need_default_model()


@pytest.fixture(scope="module")
def answers(new_objects: ObjectSet, bundled: ObjectsModel) -> ObjectPredictions:
    """Of every view: none of these shapes is the bundled network's, whatever its split here."""
    return bundled.predict_views(new_objects)


def test_it_knows_new_shapes(answers: ObjectPredictions) -> None:
    """On 384 views, so with room for chance; the card has the figures on 2,880."""
    scores = score_predictions(answers)
    assert scores["category"]["accuracy"]["mean"] > 0.9
    assert scores["rules"][answers.rule]["rotation_symmetric"]["median_deg"]["mean"] < 12.0


def test_its_confidence_means_something(answers: ObjectPredictions) -> None:
    right = right_mask(answers)
    order = np.argsort(answers.confidence)
    third = len(order) // 3
    assert right[order[-third:]].mean() > right[order[:third]].mean() + 0.05
    assert abs(answers.confidence.mean() - right.mean()) < 0.1


def test_it_answers_a_photo_from_python(new_objects: ObjectSet) -> None:
    view = new_objects.views[0]
    with Image.open(new_objects.path(view)) as image:
        photo = np.asarray(image.convert("RGB"))
    answer = sightline.predict_object(photo, view.box)
    assert set(answer.to_json()["probabilities"]) == set(new_objects.categories)


def test_the_command_says_once_what_it_knows(
    new_objects: ObjectSet, capfd: pytest.CaptureFixture[str]
) -> None:
    photos = [str(new_objects.path(view)) for view in new_objects.views[:2]]
    assert main(["predict", "objects", *photos, "--json"]) == 0
    said = capfd.readouterr()
    assert [json.loads(line)["image"] for line in said.out.splitlines()] == photos
    assert said.err.count("knows rendered objects") == 1


def test_it_is_small_and_says_what_it_cannot_do() -> None:
    assert sum(file.stat().st_size for file in Path(BUNDLED).iterdir()) < 8 * 2**20
    card = (Path(BUNDLED) / CARD).read_text(encoding="utf-8")
    assert "## Limits" in card
    assert "real photos" in card
