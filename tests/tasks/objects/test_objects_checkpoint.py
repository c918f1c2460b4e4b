"""The model that comes with the package: half the bytes, the same answers, no private paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from sightline.errors import InputError, WeightsError
from sightline.geometry.rotation import rotation_angle_deg
from sightline.learning.bundle import CARD
from sightline.learning.runs import read_run_table, save_weights
from sightline.tasks.objects.checkpoint import bundle_run
from sightline.tasks.objects.config import ObjectsConfig, read_config, write_config
from sightline.tasks.objects.model import create_model
from sightline.tasks.objects.predict import default_model, load_run

CATEGORIES = ("bus", "car")
TABLE = {
    "folder": "/home/me/solids",
    "set": "solids",
    "categories": list(CATEGORIES),
    "training_views": 16200,
    "validation_views": 1800,
    "rendered_views": 0,
    "weights_from": "fine-tuned from /home/me/first",
    "seconds": 1500.0,
    "steps": [{"name": "joint", "folder": "1-joint"}],
    "confidence": 0.75,
    "confidence_weights": [0.1, 0.2, 0.3, 0.4],
    "validation_cat_acc": 0.9625,
}


def write_run(run_dir: Path, **settings: object) -> None:
    chosen = {"width": 0.25, "pose_sizes": (16, 8), "crop_px": 32} | settings
    config = ObjectsConfig(
        backbone="resnet18",
        weights="none",
        head="fisher",
        rendered="/home/me/more",
        fine_tune="/home/me/first",
        **chosen,
    )
    torch.manual_seed(0)
    write_config(run_dir / "config.toml", config, run=TABLE)
    save_weights(run_dir / "model.safetensors", create_model(config, CATEGORIES))


def test_a_bundled_run_answers_like_the_run(tmp_path: Path) -> None:
    write_run(tmp_path / "good")
    folder = bundle_run(tmp_path / "good", tmp_path / "weights", "| test | 0.95 |\n")
    with safe_open(folder / "model.safetensors", framework="pt") as stream:
        kinds = {stream.get_tensor(key).dtype for key in stream.keys()}  # noqa: SIM118
    assert kinds == {torch.float16, torch.int64}
    bundled, run = default_model(folder), load_run(tmp_path / "good")
    assert bundled is not None
    assert (bundled.name, bundled.confidence) == ("good", 0.75)
    assert (bundled.weights, bundled.categories) == (run.weights, run.categories)
    assert next(bundled.network.parameters()).dtype == torch.float32
    crops = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    ours, theirs = bundled.predict(crops), run.predict(crops)
    assert ours.probabilities == pytest.approx(theirs.probabilities, abs=0.01)
    assert np.max(rotation_angle_deg(ours.cam_from_object, theirs.cam_from_object)) < 1


def test_nothing_private_goes_along_and_the_card_says_what_matters(tmp_path: Path) -> None:
    write_run(tmp_path / "good")
    folder = bundle_run(tmp_path / "good", tmp_path / "weights", "| test | 0.95 |\n")
    for name in ("config.toml", CARD):
        assert "/home" not in (folder / name).read_text()
        assert "/me" not in (folder / name).read_text()
    table = read_run_table(folder)
    assert table["weights_from"] == "fine-tuned from first"
    assert table["name"] == "good"
    assert not {"folder", "steps"} & set(table)
    config = read_config(folder / "config.toml")
    assert (config.weights, config.rendered, config.fine_tune) == ("none", "", "")
    card = (folder / CARD).read_text()
    for said in (
        "16,200 objects to train on, 1,800 objects to choose the best weights",
        "25 minutes",
        "validation cat acc: 0.9625",
        "| test | 0.95 |",
        "bus, car",
        "32 x 32 pixels",
        "## Limits",
        "none of these",
    ):
        assert said in " ".join(card.split()), said
    assert "renderings beside them" not in card
    assert "validation views" not in card


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "large", width=1.0)
    with pytest.raises(InputError, match="8 MB or less is wanted for the package"):
        bundle_run(tmp_path / "large", tmp_path / "weights")
    write_run(tmp_path / "loud")
    loud = load_run(tmp_path / "loud").network
    next(loud.parameters()).data[0] = 1e6
    save_weights(tmp_path / "loud" / "model.safetensors", loud)
    with pytest.raises(WeightsError, match="too large for 16 bits"):
        bundle_run(tmp_path / "loud", tmp_path / "weights")
    write_run(tmp_path / "early")
    (tmp_path / "early" / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="its training did not end"):
        bundle_run(tmp_path / "early", tmp_path / "weights")
    assert not (tmp_path / "weights").exists()
