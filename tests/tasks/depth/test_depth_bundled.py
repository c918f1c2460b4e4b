"""The network that comes with the package, on scenes that it was not trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sightline
from sightline.cli.main import main
from sightline.datasets.depth import open_depth
from sightline.learning.bundle import CARD
from sightline.records.depth import DepthSet
from sightline.tasks.depth.checkpoint import BUNDLED, need_default_model
from sightline.tasks.depth.evaluate import evaluate_models
from sightline.tasks.depth.scoring import DepthScoring
from sightline.worlds.depth.config import DepthWorldConfig
from sightline.worlds.depth.write import write_depth_world

#: None of these scenes is one of the bundled network's.
NEW = DepthWorldConfig(scenes=20, views_per_scene=4, validation_share=0.0, test_share=0.9, seed=77)


@pytest.fixture(scope="module")
def new_scenes(tmp_path_factory: pytest.TempPathFactory) -> DepthSet:
    return write_depth_world(tmp_path_factory.mktemp("new") / "scenes", NEW)


def _scores(data: DepthSet, split: str, out: Path) -> dict[str, dict[str, Any]]:
    scoring = DepthScoring(split=split, alignment="disparity", pictures=0)
    judged = evaluate_models([need_default_model()], data, out, scoring)["judged"][0]
    return {row["model"]: row["mean"] for row in judged["scores"]}


@pytest.mark.egl
def test_it_knows_new_scenes(new_scenes: DepthSet, tmp_path: Path) -> None:
    """On 72 pictures, so with room for chance; the card has the figures on 1,200."""
    scores = _scores(new_scenes, "test", tmp_path)
    own = scores.pop(need_default_model().name)
    assert len(scores) == 2
    for other in scores.values():
        assert own["abs_rel"] < 0.8 * other["abs_rel"]


@pytest.mark.shared
def test_on_real_photos_it_is_better_than_predictors_that_never_look(
    shared_data: Path, tmp_path: Path
) -> None:
    scores = _scores(open_depth(shared_data / "depth"), "all", tmp_path)
    own = scores.pop(need_default_model().name)
    assert set(scores) == {"constant", "row_mean"}
    for other in scores.values():
        assert own["abs_rel"] < other["abs_rel"]
        assert own["a1"] > other["a1"]


@pytest.mark.egl
def test_it_answers_from_python_and_at_the_command_line(
    new_scenes: DepthSet, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photo = new_scenes.path(new_scenes.items[0].image)
    answer = sightline.predict_depth(photo)
    assert (answer.quantity, answer.unit) == ("disparity", "relative")
    assert main(["predict", "depth", str(photo), "--out", str(tmp_path / "out")]) == 0
    said = json.loads((tmp_path / "out" / f"{photo.stem}.json").read_text())
    assert said["model"] == need_default_model().name
    np.testing.assert_allclose(np.load(tmp_path / "out" / f"{photo.stem}.npy"), answer.values)
    assert not (tmp_path / "out" / f"{photo.stem}.png").exists()  # millimetres: there are none
    capfd.readouterr()


def test_it_is_small_and_says_what_it_cannot_do() -> None:
    assert sum(file.stat().st_size for file in BUNDLED.iterdir()) < 8 * 2**20
    card = (BUNDLED / CARD).read_text(encoding="utf-8")
    assert "## Limits" in card
    assert "real photos" in card
