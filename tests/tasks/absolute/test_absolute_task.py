"""Train, kill, resume, evaluate, load: the run folder end to end on a place of thirty frames."""

import dataclasses
import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.errors import InputError, PlaceError, TrainingError, WeightsError
from sightline.learning import cache as cache_module
from sightline.records import Place
from sightline.records.config_file import config_from_table
from sightline.records.tables import markdown_table
from sightline.tasks.absolute.checkpoint import load_run
from sightline.tasks.absolute.config import (
    AbsoluteConfig,
    read_config,
    write_config,
)
from sightline.tasks.absolute.metrics import pose_errors, read_predictions
from sightline.tasks.absolute.report import score_rows
from sightline.tasks.absolute.task import evaluate, interleaved, predict, train

Picture = Callable[[float], np.ndarray]

QUICK = AbsoluteConfig(
    model="mapnet",
    backbone="compact",
    weights="none",
    width=32,
    height=40,
    rotation="6d",
    loss="l2",
    step=2,
    batch=4,
    epochs=60,
    learning_rate=2e-3,
    validate_every=5,
    precision="float32",
)


def quick(**changes: object) -> AbsoluteConfig:
    return dataclasses.replace(QUICK, **changes)  # type: ignore[arg-type]


@pytest.fixture
def run(place: Place) -> Path:
    return train(place, quick(epochs=2), place.runs_dir / "two").directory


@pytest.mark.slow
def test_it_learns_the_place_and_reports(with_plan: Place, walk: Path) -> None:
    place = with_plan
    stages: list[tuple[str, float]] = []
    run_dir = place.runs_dir / "good"
    run = train(place, quick(augment_colour=0.1), run_dir, lambda s, f: stages.append((s, f)))
    assert run.fit is not None
    assert any("from scratch" in text for text, _ in stages)
    assert all(0 <= fraction <= 1 for _, fraction in stages)
    metrics = evaluate(run_dir)
    test = metrics["splits"]["test"]
    assert test["median_position"] < 0.4
    assert test["median_rotation_deg"] < 10
    assert test["frames"] == 10
    assert test["interleaved"] is True
    assert test["nearest_frame"]["median_position"] == pytest.approx(0.157, abs=0.05)
    assert json.loads((run_dir / "metrics.json").read_text()) == metrics
    saved = read_predictions(run_dir / "predictions.csv").of_split("test")
    errors = pose_errors(saved.predicted, saved.true)
    assert test["median_position"] == pytest.approx(np.median(errors.position))
    second = evaluate(run_dir, walk)
    assert list(second["splits"]) == ["walk"]
    assert second["splits"]["walk"]["median_position"] < 0.5
    for name in ("errors", "trajectories", "errors-second", "trajectories-second", "losses"):
        with Image.open(run_dir / "plots" / f"{name}.png") as drawn:
            assert min(drawn.size) > 300
            assert len(np.unique(np.asarray(drawn.convert("L")))) > 5
    card = (run_dir / "card.md").read_text()
    assert "from scratch" in card
    assert "leak" in card
    assert "second" in card
    assert {p.name for p in run_dir.iterdir()} >= {
        "config.toml",
        "model.safetensors",
        "history.csv",
        "predictions.csv",
        "metrics.json",
        "predictions-second.csv",
        "metrics-second.json",
        "plots",
        "card.md",
    }
    assert not (run_dir / "last.ckpt").exists()


@pytest.mark.parametrize("model", ["posenet", "mapnet"])
@pytest.mark.parametrize("rotation", ["quaternion", "logq", "6d"])
def test_every_model_trains_with_every_rotation(
    place: Place, picture: Picture, model: str, rotation: str
) -> None:
    tuples = {"step": 2} if model == "mapnet" else {"step": 3}
    settings = quick(
        model=model, rotation=rotation, epochs=1, augment_yaw_deg=10.0, loss="l1", **tuples
    )
    run = train(place, settings, place.runs_dir / "r")
    assert run.model.predict([picture(0.5)]).shape == (1,)


def test_a_loaded_run_answers_as_the_trained_one(place: Place, run: Path, picture: Picture) -> None:
    trained = train(place, quick(epochs=2), run).model  # already there: loaded, not trained
    images = [picture(t) for t in (0.1, 0.5, 0.9)]
    loaded = load_run(run)
    np.testing.assert_array_equal(
        loaded.predict(images).translation, trained.predict(images).translation
    )
    one_by_one = [loaded.predict([image]).translation[0] for image in images]
    np.testing.assert_allclose(one_by_one, loaded.predict(images).translation, atol=1e-5)
    assert not any(p.requires_grad for p in loaded.network.parameters())
    assert len(loaded.predict([])) == 0


def test_files_and_arrays_give_the_same_answer(place: Place, run: Path) -> None:
    model = load_run(run)
    path = place.images_dir / "0003.png"
    with Image.open(path) as opened:
        array = np.asarray(opened)
    np.testing.assert_allclose(
        predict(model, [path]).translation, model.predict([array]).translation, atol=1e-6
    )
    with pytest.raises(InputError, match="uint8 RGB"):
        model.predict([array.astype(np.float32)])  # type: ignore[list-item]


def test_threads_get_the_same_answers(run: Path, picture: Picture) -> None:
    model = load_run(run)
    images = [picture(t) for t in np.linspace(0, 1, 8)]
    wanted = model.predict(images).translation
    got: dict[int, np.ndarray] = {}

    def ask(i: int) -> None:
        for _ in range(5):
            got[i] = model.predict([images[i]]).translation[0]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(np.stack([got[i] for i in range(8)]), wanted, atol=1e-5)


class Killed(BaseException):
    pass


def test_a_killed_training_ends_as_an_unbroken_one(make_place: Callable[..., Place]) -> None:
    settings = quick(epochs=6, validate_every=1, checkpoint_every_s=0.0, augment_yaw_deg=8.0)
    whole, broken = make_place("whole", 18), make_place("broken", 18)
    unbroken = train(whole, settings, whole.runs_dir / "r").model

    def kill(text: str, _fraction: float) -> None:
        if text.startswith("epoch 4/"):
            raise Killed

    with pytest.raises(Killed):
        train(broken, settings, broken.runs_dir / "r", kill)
    assert (broken.runs_dir / "r" / "last.ckpt").is_file()
    with pytest.raises(WeightsError, match="resumes"):
        load_run(broken.runs_dir / "r")
    run = train(broken, settings, broken.runs_dir / "r")
    assert run.fit is not None
    assert run.fit.epochs == 6
    for name, value in unbroken.network.state_dict().items():
        assert torch.equal(value, run.model.network.state_dict()[name]), name


def test_a_finished_run_is_not_trained_again(place: Place, run: Path) -> None:
    before = (run / "model.safetensors").stat().st_mtime_ns
    again = train(place, quick(epochs=2), run)
    assert again.fit is None
    assert (run / "model.safetensors").stat().st_mtime_ns == before


def test_another_configuration_or_other_data_is_refused(place: Place, run: Path) -> None:
    with pytest.raises(InputError, match="another epochs, seed"):
        train(place, quick(epochs=3, seed=4), run)
    frames = place.frames()
    place.write_frames([frames[0].with_split("test"), *frames[1:]])
    with pytest.raises(InputError, match="other poses or splits"):
        train(place, quick(epochs=2), run)
    assert (run / "model.safetensors").is_file()


def test_frozen_features_are_computed_once_and_train_the_same(
    make_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With features cached or computed every epoch, the trained head is the same."""
    settings = quick(freeze=True, epochs=2, validate_every=1, head="linear", learning_rate=1e-4)
    cached, recomputed = make_place("cached"), make_place("recomputed")
    a = train(cached, settings, cached.runs_dir / "r").model
    assert list(cached.cache_dir.glob("features-compact-*.npy"))
    from sightline.tasks.absolute import task as task_module

    monkeypatch.setattr(task_module, "cache_features", lambda *_a, **_k: None)
    b = train(recomputed, settings, recomputed.runs_dir / "r").model
    assert not list(recomputed.cache_dir.glob("features-*"))
    for (name, x), y in zip(
        a.network.state_dict().items(), b.network.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-4, msg=name)


def test_augmentation_of_a_frozen_backbone_is_named_as_uncached(place: Place) -> None:
    said: list[str] = []
    settings = quick(freeze=True, epochs=1, augment_colour=0.1)
    train(place, settings, place.runs_dir / "r", lambda s, _f: said.append(s))
    assert any("computed every epoch" in text for text in said)
    assert not list(place.cache_dir.glob("features-*"))


def test_frames_are_decoded_once(place: Place, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(cache_module, "read_frame", fail)
    train(place, quick(epochs=1), place.runs_dir / "other")
    evaluate(run)


def test_evaluation_names_what_is_missing(place: Place, run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.toml"):
        evaluate(tmp_path)
    with pytest.raises(InputError, match=r"poses\.csv"):
        evaluate(run, tmp_path)
    (place.root / "place.toml").rename(tmp_path / "gone.toml")
    with pytest.raises(PlaceError, match="not there any more"):
        evaluate(run)


def test_weights_that_do_not_fit_the_configuration_are_refused(run: Path) -> None:
    config = read_config(run / "config.toml")
    write_config(run / "config.toml", dataclasses.replace(config, head="linear"))
    with pytest.raises(WeightsError, match="does not fit") as caught:
        load_run(run)
    assert "\n" not in str(caught.value)


def test_too_few_frames_for_a_tuple(place: Place) -> None:
    with pytest.raises(TrainingError, match="more than 20 training frames"):
        train(place, quick(step=3, skip=10), place.runs_dir / "r")


def test_the_configuration_survives_its_file(tmp_path: Path) -> None:
    settings = quick(alpha=2, weights="/some/file.pth", augment_yaw_deg=12.5)
    write_config(tmp_path / "c.toml", settings, run={"unit": "m"})
    assert read_config(tmp_path / "c.toml") == settings


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"epoch": 3}, "unknown key epoch; there are alpha"),
        ({"epochs": "3"}, "epochs wants int"),
        ({"freeze": 1}, "freeze wants bool"),
        ({"loss": "huber"}, "l1, smooth_l1, mse, l2"),
        ({"step": 1}, "step = 1 is out of range"),
        ({"width": 5}, "width = 5 is out of range"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        config_from_table(AbsoluteConfig, table, "c.toml")


def test_leaks_are_told_from_honest_splits(place: Place) -> None:
    frames = place.frames()
    assert interleaved(frames, "test")
    blocks = [f.with_split("train" if i < 20 else "test") for i, f in enumerate(frames)]
    assert not interleaved(blocks, "test")
    assert not interleaved(blocks, "validation")


def test_the_table_has_a_row_an_answer(run: Path) -> None:
    rows = score_rows(evaluate(run))
    assert [r[0] for r in rows[1:]] == [
        "test (leak: between training frames)",
        "",
        "validation (leak: between training frames)",
        "",
        "train",
    ]
    assert [r[1] for r in rows[1:]] == [
        "two",
        "nearest training frame",
        "two",
        "nearest training frame",
        "two",
    ]
    lines = markdown_table(rows).splitlines()
    assert len(lines) == len(rows) + 1
    assert len({len(line) for line in lines}) == 1
