"""Training end to end on toy labels: it learns, resumes, calibrates, and refuses what cannot be."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_utility import SIDE, make_toy_labels

from sightline.errors import InputError
from sightline.learning.backbones import read_state
from sightline.learning.fit import read_history
from sightline.learning.runs import read_run_table
from sightline.records.utility import UtilitySet
from sightline.tasks.utility import task as task_module
from sightline.tasks.utility.batches import UtilityBatch
from sightline.tasks.utility.config import UtilityConfig
from sightline.tasks.utility.samples import Copies, Samples, source_of, usable_samples
from sightline.tasks.utility.task import (
    UtilityTeaching,
    calibrate,
    class_weights,
    train_utility,
    training_parts,
)

QUICK = UtilityConfig(
    width=0.0625,
    frame_px=SIDE,
    batch=16,
    epochs=2,
    learning_rate=1e-2,
    ema=0.9,
    precision="float32",
    checkpoint_every_s=0.0,
    validate_every=1,
    threads=1,
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> UtilitySet:
    return make_toy_labels(tmp_path_factory.mktemp("toy"))


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    return read_state(run_dir / "model.safetensors")


def test_it_learns_what_makes_images_useless(toy: UtilitySet) -> None:
    config = dataclasses.replace(QUICK, epochs=6, validate_every=3, checkpoint_every_s=99.0)
    run = train_utility(toy, config, toy.runs_dir / "learned")
    table = read_run_table(run.directory)
    assert (table["training_images"], table["training_useful"]) == (72, 48)
    assert (table["validation_images"], table["without_label"]) == (24, 40)
    assert table["machines"] == ["first", "second"]
    assert table["validation_auc"] > 0.95
    assert run.model is not None
    test = [i for i in toy.part("test").items if i.utility is not None]
    images = [Copies(toy.images_root, test)(k)[1] for k in range(len(test))]
    right = run.model.useful(images) == np.array([i.utility == 1 for i in test])
    assert right.mean() > 0.9
    names = sorted(path.name for path in run.directory.iterdir())
    assert names == ["config.toml", "history.csv", "model.safetensors"]
    again = train_utility(toy, config, run.directory)
    assert again.fit is None
    assert again.model.digest == run.model.digest
    with pytest.raises(InputError, match="another batch"):
        train_utility(toy, dataclasses.replace(config, batch=9), run.directory)
    relabelled = replace(toy, items=(replace(toy.items[0], utility=0), *toy.items[1:]))
    with pytest.raises(InputError, match="a training on other labels"):
        train_utility(relabelled, config, run.directory)


def test_a_killed_training_ends_as_one_that_was_not(
    toy: UtilitySet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(QUICK, optimizer="sgd", learning_rate=1e-2, epochs=3)
    train_utility(toy, config, tmp_path / "whole")
    loss = task_module.UtilityTeaching.terms
    steps = []

    def killed(self: object, batch: object) -> object:
        steps.append(batch)
        if len(steps) > 8:
            raise RuntimeError("killed")
        return loss(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(task_module.UtilityTeaching, "terms", killed)
    with pytest.raises(RuntimeError, match="killed"):
        train_utility(toy, config, tmp_path / "killed")
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    monkeypatch.setattr(task_module.UtilityTeaching, "terms", loss)
    train_utility(toy, config, tmp_path / "killed")
    assert len(read_history(tmp_path / "killed" / "history.csv")) == 3
    whole = weights(tmp_path / "whole")
    assert all(torch.equal(v, whole[k]) for k, v in weights(tmp_path / "killed").items())


def test_validation_is_drawn_by_source_where_there_is_none(toy: UtilitySet) -> None:
    items = tuple(i for i in toy.items if i.split != "validation")
    copy = replace(items[0], augmented=1)
    training, held_out = training_parts(replace(toy, items=(*items, copy)), QUICK)
    assert held_out is not None
    ours, theirs = ({source_of(i) for i in part.items} for part in (training, held_out))
    assert not ours & theirs
    assert len(theirs) == round(0.15 * 12)
    assert {i.utility for i in (*training.items, *held_out.items)} == {0, 1}
    assert {i.split for i in training.items} == {"train"}
    assert not any(i.augmented for i in held_out.items)
    few = tuple(i for i in items if i.source in ("shape0", "shape1"))
    assert training_parts(replace(toy, items=few), QUICK)[1] is None


def test_its_own_validation_part_is_taken_as_it_is(toy: UtilitySet) -> None:
    training, held_out = training_parts(toy, QUICK)
    assert held_out is not None
    assert len(training) == 24 * 3
    assert {i.split for i in held_out.items} == {"validation"}


@pytest.mark.parametrize(
    ("utility", "message"),
    [
        (1, "all 96 are useful; label stronger distortions too"),
        (0, "all 96 are useless; label weaker distortions too"),
        (None, "there are 96 without a label"),
    ],
)
def test_one_class_alone_cannot_be_learned(
    toy: UtilitySet, utility: int | None, message: str, tmp_path: Path
) -> None:
    items = tuple(replace(i, utility=utility) if i.split == "train" else i for i in toy.items)
    with pytest.raises(InputError, match=message):
        train_utility(replace(toy, items=items), QUICK, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_image_only_is_one_line(toy: UtilitySet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all 1 are useful"):
        train_utility(replace(toy, items=toy.items[:1]), QUICK, tmp_path / "run")
    with pytest.raises(InputError, match="there are none at all"):
        train_utility(replace(toy, items=()), QUICK, tmp_path / "run")


def test_many_validation_images_are_thinned_across_all_levels(
    toy: UtilitySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = usable_samples(toy.part("validation"), QUICK)
    levels = {str(item.distortion) for item in whole.items}
    assert len(levels) == 3  # in this order for each photo: every third image is of one level
    monkeypatch.setattr(task_module, "VALIDATION_IMAGES", len(whole) // 3)
    few = task_module._some(whole)
    assert few is not None
    assert len(few) == len(few.rows) == len(few.useful) == len(whole) // 3
    assert {str(item.distortion) for item in few.items} == levels
    assert few.useful.tolist() == [item.utility for item in few.items]
    monkeypatch.setattr(task_module, "VALIDATION_IMAGES", 1)
    assert task_module._some(whole) is None  # of one class: no area under a curve


def test_class_weights_give_both_classes_half_of_the_loss() -> None:
    useful = np.array([1, 1, 1, 0], np.float32)
    found = class_weights(useful, QUICK)
    assert found.tolist() == pytest.approx([2.0, 2 / 3])
    assert float(found[0]) * 1 == pytest.approx(float(found[1]) * 3)
    # a graded image counts for both
    assert class_weights(np.array([1, 0.5, 0.5], np.float32), QUICK).tolist() == [1.5, 0.75]
    plain = dataclasses.replace(QUICK, class_weights="none")
    assert class_weights(useful, plain).tolist() == [1.0, 1.0]


def test_the_loss_is_the_cross_entropy_with_whole_and_with_graded_labels() -> None:
    logits = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([2.0, 0.5])
    teaching = UtilityTeaching(lambda _frames: logits, weights, None)  # type: ignore[arg-type]

    def loss(*target: float) -> float:
        batch = UtilityBatch(torch.zeros(5, 3, 8, 8), torch.tensor(target))
        return float(teaching.terms(batch)["loss"])

    wanted = torch.nn.functional.cross_entropy(
        logits, torch.tensor([1, 0, 1, 1, 0]), weights, reduction="sum"
    )
    assert loss(1, 0, 1, 1, 0) == pytest.approx(float(wanted) / 5)
    halfway = (loss(1, 0, 1, 1, 0) + loss(0, 0, 1, 1, 0)) / 2
    assert loss(0.5, 0, 1, 1, 0) == pytest.approx(halfway)


def test_graded_images_are_for_training_alone(toy: UtilitySet, tmp_path: Path) -> None:
    config = dataclasses.replace(QUICK, targets="confidences")
    training, held_out = training_parts(toy, config)
    assert {i.utility for i in training.items} == {0, 1, None}
    assert held_out is not None
    assert {i.utility for i in held_out.items} == {0, 1}
    drawn = replace(toy, items=tuple(i for i in toy.items if i.split != "validation"))
    training, held_out = training_parts(drawn, config)
    assert held_out is not None
    assert {i.utility for i in held_out.items} == {0, 1}
    assert not {source_of(i) for i in training.items} & {source_of(i) for i in held_out.items}
    about = read_run_table(train_utility(toy, config, tmp_path / "run").directory)
    assert (about["training_images"], about["training_graded"], about["without_label"]) == (
        24 * 4, 24, 16
    )  # fmt: skip


def drawn_logits(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that are twice too sure and one too high, and labels."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, count)
    return 2.0 * odds + 1.0, rng.random(count) < 1 / (1 + np.exp(-odds))


def held_out(toy: UtilitySet, useful: np.ndarray) -> Samples:
    return replace(usable_samples(toy.part("test"), QUICK), target=useful.astype(np.float32))


def test_calibration_undoes_bias_and_scale(
    toy: UtilitySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, useful = drawn_logits(4000, 0)
    monkeypatch.setattr(task_module, "_logits", lambda *_: logits)
    found = calibrate(None, held_out(toy, useful), np.array([0, 1], np.float32), QUICK)  # type: ignore[arg-type]
    # (logit - 1) / 2
    assert found["calibration"] == pytest.approx([-0.5, 0.5], abs=0.06)
    assert found["threshold"] == pytest.approx(0.5, abs=0.08)
    assert found["calibrated_on"] == 4000


def test_too_little_validation_undoes_the_class_weights_only(
    toy: UtilitySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, useful = np.array([-1.0, 4.0]), np.array([0, 1])
    monkeypatch.setattr(task_module, "_logits", lambda *_: logits)
    trained = np.array([1, 1, 1, 0], np.float32)
    few = calibrate(None, held_out(toy, useful), trained, QUICK)  # type: ignore[arg-type]
    assert few["calibration"] == pytest.approx([np.log(3), 1.0])
    assert few["threshold"] == pytest.approx(0.75)  # the usual one is as good as any here
    none = calibrate(None, None, trained, QUICK)  # type: ignore[arg-type]
    assert (none["threshold"], none["calibrated_on"]) == (0.75, 0)
    plain = dataclasses.replace(QUICK, class_weights="none")
    assert calibrate(None, None, trained, plain)["calibration"] == [0.0, 1.0]  # type: ignore[arg-type]


def test_a_threshold_for_accuracy_is_at_even_odds(
    toy: UtilitySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, useful = drawn_logits(4000, 0)
    rarer = useful | (np.arange(4000) % 4 > 0)  # three quarters of the useless are called useful
    monkeypatch.setattr(task_module, "_logits", lambda *_: logits)
    config = dataclasses.replace(QUICK, threshold_for="accuracy")
    trained = np.array([1, 1, 1, 0], np.float32)
    found = calibrate(None, held_out(toy, rarer), trained, config)  # type: ignore[arg-type]
    plain = calibrate(None, held_out(toy, rarer), trained, QUICK)  # type: ignore[arg-type]
    assert found["threshold"] < 0.65 < plain["threshold"]
    assert calibrate(None, None, trained, config)["threshold"] == 0.5  # type: ignore[arg-type]


def test_a_network_that_learned_the_wrong_way_round_keeps_its_order(
    toy: UtilitySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, useful = drawn_logits(400, 1)
    monkeypatch.setattr(task_module, "_logits", lambda *_: -logits)
    found = calibrate(None, held_out(toy, useful), np.array([0, 1], np.float32), QUICK)  # type: ignore[arg-type]
    assert 0 < found["calibration"][1] < 1e-3
    assert 0 < found["threshold"] < 1
