"""Train, kill, resume, share steps, fine-tune, load: run folders end to end on painted objects."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from painted_objects import make_painted_objects

from sightline.errors import InputError, TrainingError, WeightsError
from sightline.geometry.rotation import rotation_angle_deg
from sightline.learning.fit import read_history
from sightline.learning.runs import read_run_table
from sightline.records.files import read_toml
from sightline.records.objects import OBJECTS_CSV, ObjectSet, rotations, write_objects_csv
from sightline.records.rendered_views import FOLDER
from sightline.tasks.objects import task as task_module
from sightline.tasks.objects.config import ObjectsConfig, read_config
from sightline.tasks.objects.predict import load_run
from sightline.tasks.objects.task import train_objects

QUICK = ObjectsConfig(
    backbone="resnet18",
    width=0.125,
    weights="none",
    pose_sizes=(16, 12),
    crop_px=32,
    batch=24,
    epochs=1,
    learning_rate=3e-3,
    precision="float32",
    checkpoint_every_s=0.0,
    validate_every=1,
)
STEPS = ["1-features", "2-pose-networks", "3-fine-tune", "4-category-network", "5-joint"]


def quick(**changes: object) -> ObjectsConfig:
    return dataclasses.replace(QUICK, **changes)  # type: ignore[arg-type]


def step_folders(folder: Path) -> dict[str, Path]:
    """Return the step folders by name and number, their digests left out."""
    return {path.name.rpartition("-")[0]: path for path in sorted(folder.iterdir())}


def state(run_dir: Path) -> dict[str, torch.Tensor]:
    return load_run(run_dir).network.state_dict()


def test_a_run_folder_and_its_steps_say_what_they_are(painted: ObjectSet, tmp_path: Path) -> None:
    said: list[tuple[str, float]] = []
    run = train_objects(painted, QUICK, tmp_path / "run", lambda t, f: said.append((t, f)))
    assert all(0 <= fraction <= 1 for _, fraction in said)
    assert any("step 3 of 5, fine-tune: features and pose" in text for text, _ in said)
    assert sorted(p.name for p in run.directory.iterdir()) == [
        "config.toml",
        "model.safetensors",
        "steps",
    ]
    assert read_config(run.directory / "config.toml") == QUICK
    table = read_run_table(run.directory)
    assert (table["training_views"], table["validation_views"]) == (72, 24)
    assert table["categories"] == ["bus", "car", "chair"]
    assert table["training_counts"] == {"bus": 24, "car": 24, "chair": 24}
    assert table["parameters"] == run.model.network.parameter_count()
    assert table["confidence"] == run.model.confidence
    folders = step_folders(run.directory / "steps")
    assert list(folders) == STEPS
    assert [row["folder"] for row in table["steps"]] == [path.name for path in folders.values()]
    for row, folder in zip(table["steps"], folders.values(), strict=True):
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["config.toml", "history.csv", "model.safetensors"]
        assert len(read_history(folder / "history.csv")) == 1
        about = read_toml(folder / "config.toml")["run"]["step"]
        assert about | {"folder": folder.name} == row
    assert table["score"] == table["steps"][-1]["score"]
    after = state(run.directory)
    last = state(folders["5-joint"])  # a step is read like a run
    assert all(torch.equal(last[key], value) for key, value in after.items())
    # a second call returns it, and says that nothing was fitted
    again = train_objects(painted, QUICK, tmp_path / "run")
    assert again.fit is None
    with pytest.raises(InputError, match="another batch"):
        train_objects(painted, quick(batch=12), tmp_path / "run")
    fewer = dataclasses.replace(painted, views=painted.views[2:])
    with pytest.raises(InputError, match="other objects, rotations or splits"):
        train_objects(fewer, QUICK, tmp_path / "run")


def test_a_training_killed_in_step_3_goes_on_there_to_the_same_weights(
    painted: ObjectSet, tmp_path: Path
) -> None:
    config = quick(epochs=3)
    train_objects(painted, config, tmp_path / "whole")

    def kill(text: str, _fraction: float) -> None:
        if "fine-tune: epoch 2" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_objects(painted, config, tmp_path / "killed", kill)
    with pytest.raises(WeightsError, match="did not end"):
        load_run(tmp_path / "killed")
    folders = step_folders(tmp_path / "killed" / "steps")
    assert list(folders) == STEPS[:3]
    times = {
        name: (folder / "model.safetensors").stat().st_mtime_ns
        for name, folder in folders.items()
        if (folder / "model.safetensors").is_file()
    }
    assert list(times) == STEPS[:2]
    said: list[str] = []
    train_objects(painted, config, tmp_path / "killed", lambda text, _f: said.append(text))
    fine = [t for t in said if "fine-tune: epoch" in t]
    assert [t.split("epoch ")[1][:3] for t in fine] == ["2/3", "3/3"]
    assert any("pose-networks: already there" in text for text in said)
    for name, time in times.items():
        assert (folders[name] / "model.safetensors").stat().st_mtime_ns == time
    killed = state(tmp_path / "killed")
    for key, value in state(tmp_path / "whole").items():
        assert torch.equal(value, killed[key]), key


def test_a_training_killed_between_its_last_two_files_is_not_finished(
    painted: ObjectSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for finished, it would lack its steps, its scores and its confidence."""
    config = quick(protocol="joint")
    whole = train_objects(painted, config, tmp_path / "whole")
    for name in ("write_config", "save_weights"):
        real = getattr(task_module, name)

        def killed(*args: object, name: str = name, real: object = real, **about: object) -> None:
            if name == "save_weights" or "steps" in about["run"]:  # type: ignore[operator]
                raise KeyboardInterrupt
            real(*args, **about)  # type: ignore[operator]

        with monkeypatch.context() as patch:
            patch.setattr(task_module, name, killed)
            with pytest.raises(KeyboardInterrupt):
                train_objects(painted, config, tmp_path / name)
        run = train_objects(painted, config, tmp_path / name)
        tables = [read_run_table(one.directory) for one in (run, whole)]
        assert tables[0].keys() == tables[1].keys()
        assert run.model.confidence == whole.model.confidence == tables[0]["confidence"]


def test_runs_that_differ_in_lambda_share_all_but_the_joint_step(
    painted: ObjectSet, tmp_path: Path
) -> None:
    shared = tmp_path / "steps"
    one = train_objects(painted, QUICK, tmp_path / "one", steps_dir=shared)
    said: list[str] = []
    other = train_objects(
        painted,
        quick(category_weight=5.0),
        tmp_path / "other",
        lambda text, _f: said.append(text),
        steps_dir=shared,
    )
    rows = [[row["folder"] for row in read_run_table(r.directory)["steps"]] for r in (one, other)]
    assert rows[0][:4] == rows[1][:4]
    assert rows[0][4] != rows[1][4]
    assert sum("already there" in text for text in said) == 4
    assert len(list(shared.iterdir())) == 6
    # what a run alone would have come to
    alone = train_objects(painted, quick(category_weight=5.0), tmp_path / "alone")
    after = state(other.directory)
    for key, value in state(alone.directory).items():
        assert torch.equal(value, after[key]), key


def test_it_learns_categories_and_turns(tmp_path: Path) -> None:
    """Views never seen: every category right, and far nearer than the best constant answer."""
    data = make_painted_objects(
        tmp_path / "many", {"train": 120, "validation": 10, "test": 30}, ("bus", "car")
    )
    config = quick(
        width=0.25,
        pose_sizes=(64, 32),
        head="sixd",
        epochs=8,
        learning_rate=5e-3,
        jitter_turn_deg=2.0,
        validate_every=0,
        checkpoint_every_s=60.0,
        ema=0.9,
    )
    run = train_objects(data, config, tmp_path / "run")
    test = data.part("test")
    found = run.model.predict_views(test)
    assert (found.probabilities.argmax(axis=1) == found.category).mean() > 0.95
    errors = rotation_angle_deg(found.rotations["weighted"], found.true)
    true = rotations(data.part("train").views)
    constant = min(
        float(np.median(rotation_angle_deg(np.tile(q, (len(test), 1)), found.true)))
        for q in true[:50]
    )
    assert constant > 60
    assert np.median(errors) < constant / 3


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": "joint", "head": "fisher", "symmetric": True},
        {"protocol": "balanced", "architecture": "shared", "fusion": "chordal"},
        {"architecture": "sequential", "tuned": "fc", "fusion": "top1"},
        {"architecture": "independent", "head": "bins", "bins": 8},
    ],
    ids=lambda changes: "-".join(str(v) for v in changes.values()),
)
def test_every_kind_of_network_trains(
    changes: dict[str, object], painted: ObjectSet, tmp_path: Path
) -> None:
    run = train_objects(painted, quick(**changes), tmp_path / "run")
    answers = run.model.predict_views(painted.part("test"))
    assert np.isfinite(answers.rotations["oracle"]).all()


def test_fine_tuning_trains_the_joint_step_alone(painted: ObjectSet, tmp_path: Path) -> None:
    first = train_objects(painted, quick(protocol="joint"), tmp_path / "first")
    config = quick(fine_tune=str(first.directory), learning_rate=1e-9, seed=7, ema=0.0)
    second = train_objects(painted, config, tmp_path / "second")
    assert list(step_folders(second.directory / "steps")) == ["1-joint"]
    before, after = state(first.directory), state(second.directory)
    for key in (k for k in before if k.endswith("weight")):
        torch.testing.assert_close(before[key], after[key], atol=1e-5, rtol=0)
    assert "fine-tuned from" in read_run_table(second.directory)["weights_from"]
    with pytest.raises(WeightsError, match="is of integrated, resnet18 and axis_angle"):
        train_objects(painted, dataclasses.replace(config, head="sixd"), tmp_path / "third")
    cars = dataclasses.replace(
        painted,
        views=tuple(v for v in painted.views if v.category == "car"),
        categories=("car",),
    )
    with pytest.raises(WeightsError, match="knows the categories bus, car, chair; car are wanted"):
        train_objects(cars, config, tmp_path / "third")


def test_one_category_and_no_validation_are_enough(painted: ObjectSet, tmp_path: Path) -> None:
    cars = dataclasses.replace(
        painted,
        views=tuple(v for v in painted.views if v.category == "car" and v.split == "train"),
        categories=("car",),
    )
    run = train_objects(cars, QUICK, tmp_path / "run")
    assert run.model.confidence == 0
    folders = step_folders(run.directory / "steps")
    assert list(folders) == ["1-features", "2-pose-networks", "3-fine-tune", "4-joint"]
    assert not (folders["1-features"] / "history.csv").exists()
    (row,) = read_history(folders["4-joint"] / "history.csv")
    assert row["train_category"] == 0
    assert row["score"] == row["train_loss"]


def test_views_without_a_rotation_teach_the_category(painted: ObjectSet, tmp_path: Path) -> None:
    bare = tuple(dataclasses.replace(v, cam_from_object=None) for v in painted.views)
    data = dataclasses.replace(painted, views=bare)
    with pytest.raises(TrainingError, match="protocol joint"):
        train_objects(data, quick(protocol="balanced"), tmp_path / "run")
    run = train_objects(data, quick(protocol="joint"), tmp_path / "joint")
    table = read_run_table(run.directory)
    assert table["without_rotation"] == 72
    assert "validation_median_deg" not in table
    assert table["score"] == pytest.approx(100 * (1 - table["validation_accuracy"]), abs=0.01)


def test_rendered_views_of_another_folder_are_added(painted: ObjectSet, tmp_path: Path) -> None:
    rendered = make_painted_objects(tmp_path / "rendered", {"train": 6}, ("bus", "car"), seed=9)
    write_objects_csv(rendered.root / OBJECTS_CSV, rendered.views)
    config = quick(rendered=str(rendered.root))
    run = train_objects(painted, config, tmp_path / "run")
    table = read_run_table(run.directory)
    assert (table["training_views"], table["rendered_views"]) == (72, 12)
    plain = train_objects(painted, QUICK, tmp_path / "plain")
    same = [
        one["folder"] == other["folder"]
        for one, other in zip(table["steps"], read_run_table(plain.directory)["steps"], strict=True)
    ]
    assert same == [True, False, False, False, False]
    only = dataclasses.replace(
        painted, views=tuple(dataclasses.replace(v, rendered=True) for v in painted.views)
    )
    with pytest.raises(InputError, match="only teach pose"):
        train_objects(only, QUICK, tmp_path / "only")
    chairs = dataclasses.replace(
        painted,
        views=tuple(v for v in painted.views if v.category == "chair"),
        categories=("chair",),
    )
    with pytest.raises(InputError, match="rendered views of chair"):
        train_objects(chairs, config, tmp_path / "chairs")


def test_rendered_images_beside_other_pictures_are_those_that_are_meant(
    painted: ObjectSet, tmp_path: Path
) -> None:
    """`sightline render objects FOLDER --rendered-images N` puts both there."""
    whole = make_painted_objects(tmp_path / "both", {"train": 5}, ("bus", "car"))
    write_objects_csv(whole.root / OBJECTS_CSV, whole.views)
    inner = make_painted_objects(whole.root / FOLDER, {"train": 2}, ("bus", "car"), seed=9)
    write_objects_csv(inner.root / OBJECTS_CSV, inner.views)
    found = task_module._rendered_views(painted, quick(rendered=str(whole.root)))
    assert found.root == inner.root
    assert len(found) == 4


def test_what_was_left_out_of_the_data_is_told(painted: ObjectSet, tmp_path: Path) -> None:
    data = dataclasses.replace(painted, left_out=(("missing image (first: /x/gone.png)", 2),))
    said: list[str] = []
    train_objects(data, quick(protocol="joint"), tmp_path / "run", lambda t, _f: said.append(t))
    logged = [text.split(":")[0] for text in said]  # what a log shows of a text
    assert f"{data.name} without 2 missing image (first /x/gone.png)" in logged


def test_what_a_rendered_folder_keeps_for_tests_is_not_trained_on(
    painted: ObjectSet, tmp_path: Path
) -> None:
    kept = make_painted_objects(tmp_path / "kept", {"validation": 2, "test": 3}, ("bus", "car"))
    write_objects_csv(kept.root / OBJECTS_CSV, kept.views)
    config = quick(rendered=str(kept.root))
    with pytest.raises(InputError, match=r"wanted to train on, none of 10 is one; .*--rendered"):
        train_objects(painted, config, tmp_path / "run")
    bare = tuple(dataclasses.replace(view, split="") for view in kept.views[:4])
    write_objects_csv(kept.root / OBJECTS_CSV, (*bare, *kept.views[4:]))
    run = train_objects(painted, config, tmp_path / "run")
    assert read_run_table(run.directory)["rendered_views"] == 4
    # nor is a folder taken in silence that no step looks at
    for changes, said in (
        ({"protocol": "joint"}, "`--protocol joint` has no step that teaches pose alone"),
        ({"fine_tune": str(run.directory)}, "fine-tuning has no step that teaches pose alone"),
    ):
        with pytest.raises(InputError, match=said):
            train_objects(painted, dataclasses.replace(config, **changes), tmp_path / "none")
