"""Stages end to end on toy scenes: they learn, resume after a kill, and refuse what cannot be."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from toy_depth import make_toy_depth

from sightline.datasets.depth import open_depth
from sightline.errors import InputError, TrainingError, WeightsError
from sightline.learning.backbones import read_state
from sightline.learning.fit import read_history
from sightline.learning.resnet import create_resnet
from sightline.learning.runs import read_run_table
from sightline.records.depth import DepthSet
from sightline.tasks.depth import task as task_module
from sightline.tasks.depth.config import DepthConfig, read_config
from sightline.tasks.depth.task import train_depth

QUICK = DepthConfig(
    width=0.125,
    frame_width=48,
    frame_height=32,
    batch=8,
    epochs=2,
    learning_rate=1e-2,
    ema=0.9,
    precision="float32",
    checkpoint_every_s=0.0,
    validate_every=1,
    threads=1,
)


def quick(**changes: object) -> DepthConfig:
    return dataclasses.replace(QUICK, **changes)  # type: ignore[arg-type]


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    return read_state(run_dir / "model.safetensors")


def constant_absrel(data: DepthSet) -> float:
    """Return the AbsRel of the best constant disparity of each image: all that a fit can give."""
    errors = []
    for item in data.part("validation").items:
        depth = data.read_target(item)
        errors.append(np.mean(np.abs(1.0 / np.mean(1.0 / depth) - depth) / depth))
    return float(np.mean(errors))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> DepthSet:
    return make_toy_depth(tmp_path_factory.mktemp("toy") / "set")


@pytest.fixture(scope="module")
def teacher(toy: DepthSet) -> Path:
    """A teacher that has learned the toy scenes."""
    config = quick(epochs=40, validate_every=10, checkpoint_every_s=100.0)
    return train_depth(toy, config, toy.runs_dir / "teacher").directory


@pytest.fixture(scope="module")
def labels(toy: DepthSet, teacher: Path) -> Path:
    config = quick(stage="label", teacher=str(teacher), shard=10)
    return train_depth(toy, config, toy.runs_dir / "labels").directory


@pytest.fixture(scope="module")
def aligned_with(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("resnet") / "net.safetensors"
    torch.manual_seed(0)
    save_file(create_resnet("resnet18", 0.0625).state_dict(), file)
    return f"resnet18@0.0625:{file}"


def test_a_teacher_learns_depth_that_beats_a_constant_twice(toy: DepthSet, teacher: Path) -> None:
    table = read_run_table(teacher)
    assert table["score"] == table["validation_absrel"] < 0.5 * constant_absrel(toy)
    assert table["validation_delta1"] > 0.9
    assert (table["training_images"], table["validation_images"]) == (24, 8)
    assert (table["left_out"], table["weights_from"]) == (0, "none: trained from scratch")
    names = sorted(path.name for path in teacher.iterdir())
    assert names == ["config.toml", "history.csv", "model.safetensors"]
    rows = read_history(teacher / "history.csv")
    assert len(rows) == 40
    assert min(row["score"] for row in rows if "score" in row) == pytest.approx(
        table["score"], abs=1e-4
    )
    assert rows[-1]["train_labelled"] == pytest.approx(rows[-1]["train_loss"])


def test_its_labels_are_a_depth_set_that_teaches_a_student(
    toy: DepthSet, labels: Path, tmp_path: Path
) -> None:
    found = open_depth(labels)
    assert len(found) == 24
    assert {item.quantity for item in found.items} == {"disparity"}
    assert read_run_table(labels)["labelled"] == 24
    config = quick(stage="student", labels=str(labels), epochs=12, validate_every=4)
    run = train_depth(toy, config, tmp_path / "student")
    table = read_run_table(run.directory)
    assert run.model is not None
    assert run.model.unit == "relative"
    assert table["pseudo_labelled_images"] == 24
    assert table["labelled_by"] == [found.items[0].labelled_by]
    assert table["score"] < 0.5 * constant_absrel(toy)
    row = read_history(run.directory / "history.csv")[0]
    assert row["train_loss"] == pytest.approx(row["train_labelled"] + row["train_pseudo"], rel=1e-4)


def test_a_student_starts_anew_and_not_from_the_teacher(
    toy: DepthSet, teacher: Path, labels: Path, tmp_path: Path
) -> None:
    slow = quick(epochs=1, learning_rate=1e-9, ema=0.0)
    fresh = train_depth(toy, slow, tmp_path / "fresh").directory
    config = dataclasses.replace(slow, stage="student", labels=str(labels))
    student = train_depth(toy, config, tmp_path / "student").directory
    key = "encoder.layer1.0.conv1.weight"
    torch.testing.assert_close(weights(student)[key], weights(fresh)[key], rtol=0, atol=1e-6)
    assert not torch.allclose(weights(student)[key], weights(teacher)[key], atol=1e-3)
    tuned = train_depth(
        toy, dataclasses.replace(config, fine_tune=str(teacher)), tmp_path / "tuned"
    ).directory
    torch.testing.assert_close(weights(tuned)[key], weights(teacher)[key], rtol=0, atol=1e-6)
    assert read_run_table(tuned)["weights_from"] == f"fine-tuned from {teacher}"


def test_alignment_is_a_term_and_its_projection_is_thrown_away(
    toy: DepthSet, labels: Path, aligned_with: str, tmp_path: Path
) -> None:
    config = quick(
        stage="student", labels=str(labels), features=aligned_with, feature_weight=0.5, epochs=3
    )
    run = train_depth(toy, config, tmp_path / "aligned").directory
    rows = read_history(run / "history.csv")
    for row in rows:
        parts = row["train_labelled"] + row["train_pseudo"] + 0.5 * row["train_features"]
        assert row["train_loss"] == pytest.approx(parts, rel=1e-4)
    assert rows[-1]["train_features"] < rows[0]["train_features"]
    assert read_run_table(run)["features"] == "resnet18@0.0625, through a learned linear map"
    assert not [key for key in weights(run) if "projection" in key]
    plain = train_depth(
        toy, quick(stage="student", labels=str(labels)), tmp_path / "plain"
    ).directory
    assert weights(run).keys() == weights(plain).keys()


@pytest.mark.parametrize("stage", ["teacher", "student"])
def test_a_killed_stage_goes_on_to_the_same_weights(
    stage: str, toy: DepthSet, labels: Path, aligned_with: str, tmp_path: Path
) -> None:
    config = quick(epochs=3)
    if stage == "student":
        config = quick(stage=stage, labels=str(labels), features=aligned_with, epochs=3)
    train_depth(toy, config, tmp_path / "whole")

    def kill(text: str, _fraction: float) -> None:
        if "epoch 2" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_depth(toy, config, tmp_path / "killed", kill)
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    said: list[str] = []
    train_depth(toy, config, tmp_path / "killed", lambda text, _f: said.append(text))
    assert [t.split(",")[0] for t in said if t.startswith("epoch")] == ["epoch 2/3", "epoch 3/3"]
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(whole[key], value) for key, value in killed.items())


def test_labelling_that_was_killed_goes_on_with_the_shards_that_lack(
    toy: DepthSet, teacher: Path, labels: Path, tmp_path: Path
) -> None:
    config = quick(stage="label", teacher=str(teacher), shard=6)

    def kill(_text: str, fraction: float) -> None:
        if fraction >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_depth(toy, config, tmp_path / "labels", kill)
    done = sorted((tmp_path / "labels").glob("shard-*/*.png"))
    assert 6 <= len(done) < 24
    said: list[str] = []
    student = quick(stage="student", labels=str(tmp_path / "labels"), epochs=1)
    train_depth(toy, student, tmp_path / "student", lambda text, _f: said.append(text))
    assert any("of 4 shards are there; label again to go on" in text for text in said)
    times = [path.stat().st_mtime_ns for path in done]
    run = train_depth(toy, config, tmp_path / "labels")
    assert run.model is None
    assert [path.stat().st_mtime_ns for path in done] == times
    again, before = open_depth(tmp_path / "labels"), open_depth(labels)
    for a, b in zip(again.items, before.items, strict=True):
        np.testing.assert_allclose(again.read_target(a), before.read_target(b), atol=1e-3)
    with pytest.raises(InputError, match="another batch"):
        train_depth(toy, dataclasses.replace(config, batch=3), tmp_path / "labels")


def test_metric_fine_tuning_says_metres(toy: DepthSet, teacher: Path, tmp_path: Path) -> None:
    config = quick(stage="metric", fine_tune=str(teacher), max_depth_m=8.0, epochs=20)
    config = dataclasses.replace(config, validate_every=10, crop=0.0)
    run = train_depth(toy, config, tmp_path / "metric")
    assert run.model is not None
    assert (run.model.quantity, run.model.unit) == ("depth", "m")
    table = read_run_table(run.directory)
    assert table["weights_from"] == f"fine-tuned from {teacher}"
    assert table["score"] < 0.15  # as it is: nothing was aligned
    item = toy.part("validation").items[0]
    said, true = run.model.predict([toy.read_image(item)])[0].values, toy.read_target(item)
    assert float(np.mean(np.abs(said - true) / true)) < 0.3


def test_a_finished_run_is_returned_and_another_one_refused(toy: DepthSet, tmp_path: Path) -> None:
    run = train_depth(toy, QUICK, tmp_path / "run")
    assert run.fit is not None
    assert read_config(run.directory / "config.toml") == QUICK
    again = train_depth(toy, QUICK, tmp_path / "run")
    assert again.fit is None
    assert again.model is not None
    with pytest.raises(InputError, match="another batch"):
        train_depth(toy, quick(batch=4), tmp_path / "run")
    fewer = dataclasses.replace(toy, items=toy.items[2:])
    with pytest.raises(InputError, match="other images, depth"):
        train_depth(fewer, QUICK, tmp_path / "run")


def test_a_training_killed_between_its_last_two_files_is_not_finished(
    toy: DepthSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def killed(*_args: object, **_about: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(task_module, "save_weights", killed)
        with pytest.raises(KeyboardInterrupt):
            train_depth(toy, QUICK, tmp_path / "run")
    run = train_depth(toy, QUICK, tmp_path / "run")
    assert run.fit is not None
    assert "score" in read_run_table(run.directory)


def test_files_that_do_not_read_are_left_out_and_listed(tmp_path: Path) -> None:
    data = make_toy_depth(tmp_path / "set", train=10, validation=2, unlabelled=0)
    data.path(data.items[3].image).write_text("no picture")
    said: list[str] = []
    run = train_depth(data, quick(epochs=1), tmp_path / "run", lambda t, _f: said.append(t))
    assert read_run_table(run.directory)["left_out"] == 1
    assert "0003.png" in (run.directory / "left_out.json").read_text()
    assert any("without 1 unreadable of 10 images" in text for text in said)


def test_a_loss_that_is_not_finite_stops_with_its_name(
    toy: DepthSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.tasks.depth import teaching

    def broken(loss: torch.Tensor, _counts: torch.Tensor) -> torch.Tensor:
        return loss.sum() * torch.nan

    monkeypatch.setattr(teaching, "mean_of_counting", broken)
    with pytest.raises(TrainingError, match="'labelled' is nan"):
        train_depth(toy, QUICK, tmp_path / "run")


def test_without_validation_images_the_loss_tells_the_best_weights(
    toy: DepthSet, tmp_path: Path
) -> None:
    run = train_depth(toy.part("train"), quick(epochs=1), tmp_path / "run")
    row = read_history(run.directory / "history.csv")[0]
    assert row["score"] == pytest.approx(row["train_loss"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage": "metric"}, "a finished run to start from is wanted .*--fine-tune"),
        ({"stage": "label"}, "a teacher is wanted .*--teacher"),
        ({"stage": "student"}, "labels are wanted for the stage student; .*--labels"),
        ({"stage": "student", "labels": "/nowhere/labels"}, "it does not exist; make them"),
        ({"frame_width": 60}, "multiples of 16 are wanted, 60 x 32"),
    ],
    ids=["metric", "label", "student", "missing", "frame"],
)
def test_a_stage_without_what_it_starts_from_says_what_to_pass(
    changes: dict[str, object], message: str, toy: DepthSet, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        train_depth(toy, quick(**changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_student_refuses_labels_in_metres_or_none(toy: DepthSet, tmp_path: Path) -> None:
    config = quick(stage="student", labels=str(toy.root))
    with pytest.raises(InputError, match="labels of disparity are wanted"):
        train_depth(toy, config, tmp_path / "run")
    empty = make_toy_depth(tmp_path / "set", train=0, validation=0, unlabelled=3)
    config = quick(stage="student", labels=str(empty.root))
    with pytest.raises(InputError, match="it has none; check `--labels`"):
        train_depth(toy, config, tmp_path / "run")


def test_labels_of_images_that_are_judged_on_teach_nothing(
    toy: DepthSet, teacher: Path, tmp_path: Path
) -> None:
    """PITFALLS 11: a folder of photos to label may hold those of the validation part."""
    config = quick(stage="label", teacher=str(teacher), unlabelled=str(toy.root / "images"))
    labels = train_depth(toy, config, tmp_path / "labels").directory
    assert len(open_depth(labels)) == 56
    said: list[str] = []
    student = quick(stage="student", labels=str(labels), epochs=1)
    run = train_depth(toy, student, tmp_path / "run", lambda t, _f: said.append(t))
    assert read_run_table(run.directory)["pseudo_labelled_images"] == 48
    assert any("without 8 labels of images that set is judged on" in text for text in said)
    own = toy.items[0]
    others = (dataclasses.replace(item, split="test") for item in toy.items[1:])
    config = dataclasses.replace(config, unlabelled=str(tmp_path / "list.txt"))
    (tmp_path / "list.txt").write_text(f"{toy.path(toy.items[1].image).resolve()}\n")
    labels = train_depth(toy, config, tmp_path / "one").directory
    student = dataclasses.replace(student, labels=str(labels))
    with pytest.raises(InputError, match="all 1 are of images that "):
        train_depth(dataclasses.replace(toy, items=(own, *others)), student, tmp_path / "other")


def test_a_set_without_training_depth_is_refused(toy: DepthSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="training images with depth are wanted"):
        train_depth(toy.unlabelled(), QUICK, tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "unfinished"), [({"width": 0.25}, False), ({}, True)], ids=["other", "unfinished"]
)
def test_fine_tuning_wants_a_finished_run_of_the_same_network(
    changes: dict[str, object],
    unfinished: bool,
    toy: DepthSet,
    teacher: Path,
    tmp_path: Path,
    make_unfinished: Callable[[Path], Path],
) -> None:
    source = make_unfinished(teacher) if unfinished else teacher
    config = quick(stage="metric", fine_tune=str(source), **changes)
    with pytest.raises(WeightsError, match="the same network, finished, is wanted"):
        train_depth(toy, config, tmp_path / "run")


@pytest.fixture
def make_unfinished(tmp_path: Path) -> Callable[[Path], Path]:
    def make(run: Path) -> Path:
        folder = tmp_path / "unfinished"
        folder.mkdir()
        (folder / "config.toml").write_bytes((run / "config.toml").read_bytes())
        return folder

    return make
