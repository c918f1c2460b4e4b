"""Train, kill, resume, fine-tune, load: the run folder end to end on four small rooms."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.errors import InputError, TrainingError, WeightsError
from sightline.learning.fit import read_history
from sightline.learning.runs import read_run_table
from sightline.records.pairs import PairSet, depth_beside
from sightline.tasks.relative.config import RelativeConfig, read_config
from sightline.tasks.relative.model import RelativeOutput
from sightline.tasks.relative.predict import load_run, run_pairs
from sightline.tasks.relative.samples import PairFrames, centre_batches, usable_pairs
from sightline.tasks.relative.task import (
    RelativeTask,
    ValidationPairs,
    train_relative,
)

QUICK = RelativeConfig(
    model="siamese",
    short_side=48,
    train_size=48,
    test_size=48,
    aspect=4 / 3,
    batch=8,
    epochs=2,
    learning_rate=1e-3,
    validate_every=1,
    checkpoint_every_s=0,
    precision="float32",
)


def quick(**changes: object) -> RelativeConfig:
    return dataclasses.replace(QUICK, **changes)  # type: ignore[arg-type]


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    return load_run(run_dir).network.state_dict()


def test_a_run_folder_says_what_it_is(boxes: PairSet, tmp_path: Path) -> None:
    stages: list[tuple[str, float]] = []
    run = train_relative(boxes, QUICK, tmp_path / "run", lambda s, f: stages.append((s, f)))
    assert any("from scratch" in text for text, _ in stages)
    assert all(0 <= fraction <= 1 for _, fraction in stages)
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == ["config.toml", "history.csv", "model.safetensors"]
    assert read_config(tmp_path / "run" / "config.toml") == QUICK
    table = read_run_table(tmp_path / "run")
    assert (table["training_pairs"], table["validation_pairs"]) == (24, 8)
    assert table["parameters"] == run.model.network.parameter_count()
    assert table["confidence"] == run.model.confidence == table["validation_solved"]
    history = read_history(tmp_path / "run" / "history.csv")
    assert len(history) == 2
    assert {"train_matching", "validation_median_roe_deg"} <= set(history[0])
    assert run_pairs(tmp_path / "run").name == "boxes"
    # a second call returns it, and says that nothing was fitted
    again = train_relative(boxes, QUICK, tmp_path / "run")
    assert again.fit is None
    assert again.model.name == "siamese (run)"
    with pytest.raises(InputError, match="another beta"):
        train_relative(boxes, quick(beta=3.0), tmp_path / "run")
    fewer = dataclasses.replace(boxes, pairs=boxes.pairs[2:])
    with pytest.raises(InputError, match="other pairs, poses or splits"):
        train_relative(fewer, QUICK, tmp_path / "run")


def test_a_killed_training_goes_on_to_the_same_weights(boxes: PairSet, tmp_path: Path) -> None:
    train_relative(boxes, quick(epochs=3), tmp_path / "whole")
    calls = 0

    def kill(text: str, _fraction: float) -> None:
        nonlocal calls
        calls += text.startswith("epoch 2")
        if calls:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_relative(boxes, quick(epochs=3), tmp_path / "killed", kill)
    with pytest.raises(WeightsError, match="did not end"):
        load_run(tmp_path / "killed")
    run = train_relative(boxes, quick(epochs=3), tmp_path / "killed")
    assert run.fit is not None
    assert run.fit.epochs == 3
    for key, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, run.model.network.state_dict()[key]), key


def test_fine_tuning_starts_from_the_run(boxes: PairSet, tmp_path: Path) -> None:
    first = train_relative(boxes, quick(epochs=1), tmp_path / "first")
    config = quick(epochs=1, fine_tune=str(tmp_path / "first"), learning_rate=1e-9, seed=7)
    second = train_relative(boxes, config, tmp_path / "second")
    before, after = weights(tmp_path / "first"), weights(tmp_path / "second")
    for key in (k for k in before if k.endswith("weight")):
        torch.testing.assert_close(before[key], after[key], atol=1e-5, rtol=0)
    assert "fine-tuned from" in read_run_table(second.directory)["weights_from"]
    other = quick(model="menet", width=0.05, short_side=227, train_size=0, test_size=0)
    changed = dataclasses.replace(other, fine_tune=str(first.directory))
    with pytest.raises(WeightsError, match="is a siamese; the same model"):
        train_relative(boxes, changed, tmp_path / "third")


def test_without_validation_the_last_weights_are_kept(boxes: PairSet, tmp_path: Path) -> None:
    only = dataclasses.replace(boxes, pairs=tuple(p for p in boxes.pairs if p.split == "train"))
    run = train_relative(only, quick(epochs=1), tmp_path / "run")
    assert run.model.confidence == 0
    bare = tuple(dataclasses.replace(p, b_from_a=None) for p in only.pairs)
    with pytest.raises(TrainingError, match="have no pose"):
        train_relative(dataclasses.replace(only, pairs=bare), QUICK, tmp_path / "none")


def test_validation_scores_are_errors_of_a_known_answer(boxes: PairSet) -> None:
    """A network that always gives one fixed pose: its errors, computed another way."""

    class Fixed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, a: torch.Tensor, *_: torch.Tensor) -> object:
            raw = torch.tensor([[2.0, 0, 0, 0, 0, 0, 3.0]]).expand(len(a), 7)
            return RelativeOutput(raw)

    usable = usable_pairs(boxes, "validation")
    frames = PairFrames(boxes.root, usable.pairs, QUICK, boxes.root / "cache")
    held_out = ValidationPairs(usable, frames, QUICK)
    network = Fixed()
    scores = RelativeTask(network, QUICK, held_out).validate(network)  # type: ignore[arg-type]
    roe = np.rad2deg(usable.b_from_a.rotation.magnitude())
    rte = np.rad2deg(np.arccos(usable.b_from_a.translation[:, 2]))
    assert scores["median_roe_deg"] == pytest.approx(np.median(roe))
    assert scores["median_rte_deg"] == pytest.approx(np.median(rte))
    assert scores["solved"] == np.mean((roe < 10) & (rte < 10))
    assert scores["score"] == pytest.approx(np.median(roe) + np.median(rte))
    assert len(list(centre_batches(usable, frames, QUICK, 3))) == 3


def test_depth_teaches_where_it_lies_beside_the_images(boxes: PairSet, tmp_path: Path) -> None:
    """The run says so, and its matching term is the likelihood of 192 cells, not a share."""
    root = Path(shutil.copytree(boxes.root, tmp_path / "boxes"))
    for pair in boxes.pairs:
        for image in (pair.image_a, pair.image_b):
            flat = np.full((24, 32), 2000, np.uint16)
            Image.fromarray(flat).save(depth_beside(root / image))
    pairs = dataclasses.replace(boxes, root=root)
    said: list[str] = []
    config = dataclasses.replace(QUICK, epochs=1, max_seconds=0.0)
    run_dir = tmp_path / "run"
    train_relative(pairs, config, run_dir, lambda text, _fraction: said.append(text))
    assert "matching is taught by the depth beside the images" in said
    assert read_history(run_dir / "history.csv")[0]["train_matching"] > 2


def test_it_learns_to_match(boxes: PairSet, tmp_path: Path) -> None:
    """Pairs of four rooms, ten times over: every term falls."""
    config = quick(epochs=10, learning_rate=3e-3, matching=5.0, validate_every=10)
    run = train_relative(boxes, config, tmp_path / "run")
    assert run.fit is not None
    first, last = run.fit.history[0], run.fit.history[-1]
    assert last["train_matching"] < 0.9 * first["train_matching"]
    assert last["train_coarse"] < 0.8 * first["train_coarse"]
