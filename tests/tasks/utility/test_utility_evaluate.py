"""Evaluation: what is saved is read back, and every figure follows from it, None labels apart."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_utility import LEVELS, SIDE, make_toy_labels

from sightline.errors import InputError, WeightsError
from sightline.learning.runs import save_weights
from sightline.records.utility import UtilitySet
from sightline.tasks.utility import evaluate as evaluate_module
from sightline.tasks.utility.answers import Answers, answers_of, read_answers, write_answers
from sightline.tasks.utility.checkpoint import bundle_run
from sightline.tasks.utility.config import UtilityConfig, write_config
from sightline.tasks.utility.evaluate import evaluate_runs, judge_runs, run_labels
from sightline.tasks.utility.measures import MEASURES
from sightline.tasks.utility.model import create_model
from sightline.tasks.utility.predict import load_predictor
from sightline.tasks.utility.report import notes, score_rows
from sightline.tasks.utility.scores import score_answers
from sightline.tasks.utility.scoring import UtilityScoring, score

CONFIG = UtilityConfig(width=0.0625, frame_px=SIDE)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> UtilitySet:
    return make_toy_labels(tmp_path_factory.mktemp("toy"), train=6, validation=4, test=4)


def make_run(run_dir: Path, seed: int = 0, **said: object) -> Path:
    """Write a run folder with random weights."""
    torch.manual_seed(seed)
    write_config(run_dir / "config.toml", CONFIG, run={"threshold": 0.5, **said})
    save_weights(run_dir / "model.safetensors", create_model(CONFIG))
    return run_dir


def saved(toy: UtilitySet, probability: list[float]) -> Answers:
    items = toy.part("test").items[: len(probability)]
    blank = {name: np.full(len(items), np.nan) for name in MEASURES}
    return answers_of(items, [i.source for i in items], np.array(probability), blank)


def test_answers_are_read_back_as_they_were_written(toy: UtilitySet, tmp_path: Path) -> None:
    answers = saved(toy, [0.9, 0.25, 0.5, 0.125])
    answers.measures["psnr"][:] = [31.5, np.nan, 20.0, 100.0]
    write_answers(tmp_path / "predictions.csv", answers)
    again = read_answers(tmp_path / "predictions.csv")
    for name in ("images", "distortions", "seeds", "augmented", "splits", "sources", "outcomes"):
        assert getattr(again, name) == getattr(answers, name)
    assert again.outcomes == ("useful", "useless", "useful", "between")
    assert np.array_equal(again.probability, answers.probability)
    # of the network's numbers no digit is lost: near a threshold they decide as before
    near = saved(toy, [float(p) for p in np.float32([0.4999998, 1e-9, 1 - 6e-8, 1 / 3])])
    write_answers(tmp_path / "near.csv", near)
    found = read_answers(tmp_path / "near.csv").probability.astype(np.float32)
    assert np.array_equal(found, near.probability.astype(np.float32))
    for name in MEASURES:
        assert np.array_equal(again.measures[name], answers.measures[name], equal_nan=True)


@pytest.mark.parametrize("cell", ["1.5", "nan", "", "x"])
def test_a_changed_file_is_named_with_its_line(toy: UtilitySet, tmp_path: Path, cell: str) -> None:
    path = tmp_path / "predictions.csv"
    write_answers(path, saved(toy, [0.9, 0.875]))
    path.write_text(path.read_text().replace("0.875", cell))
    with pytest.raises(InputError, match=r"line 3: .*evaluate again"):
        read_answers(path)


def test_scores_count_labelled_images_only(toy: UtilitySet) -> None:
    # useful, useless, useful, without a label; twice
    answers = saved(toy, [0.9, 0.2, 0.4, 0.99, 0.8, 0.6, 0.7, 0.01])
    scores = score_answers(answers, 0.5)
    assert scores["images"] == 6
    assert scores["counts"] == {
        "useful": 4, "useless": 2, "between": 2, "disagreeing": 0, "failed": 0
    }  # fmt: skip
    assert scores["accuracy"] == pytest.approx(4 / 6)
    assert scores["confusion"] == [[1, 1], [1, 3]]
    assert scores["auc"] == pytest.approx(7 / 8)
    assert sum(row["images"] for row in scores["reliability"]) == 6
    rows = {row["distortion"]: row for row in scores["by_distortion"]}
    assert list(rows) == ["blur:0.5", "noise:4", "noise:20", "noise:60"]
    assert rows["noise:60"]["accuracy"] == 0.5
    assert rows["blur:0.5"] == {
        "distortion": "blur:0.5", "images": 2, "without_label": 0, "useful": 1.0,
        "said_useful": 0.5, "accuracy": 0.5,
    }  # fmt: skip
    assert rows["noise:20"]["without_label"] == 2
    assert rows["noise:20"]["accuracy"] is None
    # what is said of images without a label changes nothing
    other = replace(answers, probability=np.where(answers.labelled, answers.probability, 0.5))
    same = ("accuracy", "auc", "intervals", "calibration_error")
    assert all(score_answers(other, 0.5)[key] == scores[key] for key in same)


def test_runs_are_judged_once_beside_rules_that_know_the_distortion(
    toy: UtilitySet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run")
    metrics = evaluate_runs([run], [toy], tmp_path / "out")
    one = metrics["judged"][0]
    assert one["scores"]["images"] == 12
    assert one["fitted_on"] == "12 validation images"
    # the toy's label is a function of the level, which noise in the picture shows
    for name in ("distortion and level known", "PSNR", "sharpness", "energy (OOD)"):
        assert one["baselines"][name]["accuracy"] == 1.0
        ahead = one["baselines"][name]["ahead"]
        assert ahead["accuracy"] == pytest.approx(one["scores"]["accuracy"] - 1.0)
    assert one["baselines"]["commoner label"]["accuracy"] == pytest.approx(2 / 3)
    assert "file size" not in one["baselines"]  # all are alike
    assert "JPEG quality alone" not in one["baselines"]  # there are none
    folder = Path(one["folder"])
    for name in ("predictions.csv", "report.html", "plots/curves.png", "plots/histograms.png"):
        assert (folder / name).is_file()
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == metrics
    assert not list(folder.glob("*.npy"))
    header, *rows = score_rows(metrics)
    assert [len(row) for row in rows] == [len(header)] * (1 + len(one["baselines"]))
    assert any("4 (between the thresholds)" in note for note in notes(metrics))
    answers = read_answers(folder / "predictions.csv")
    model = load_predictor(run)
    images = evaluate_module.Copies(toy.images_root, toy.part("test").items)
    expected = model.utility([images(k)[1] for k in range(len(answers))])
    assert answers.probability == pytest.approx(expected, abs=1e-5)
    monkeypatch.setattr(evaluate_module, "_probabilities", None)
    again = judge_runs([run], [toy], tmp_path / "out")[0]
    assert np.array_equal(again.answers.probability, answers.probability)
    other = make_run(tmp_path / "other", seed=1)
    with pytest.raises(TypeError):  # another network is not taken for it
        judge_runs([other], [toy], tmp_path / "out")


def test_answers_are_kept_for_the_same_sources_and_energies_only(
    toy: UtilitySet, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run")
    first = judge_runs([run], [toy], tmp_path / "out")[0]
    joined = replace(toy, items=tuple(replace(i, source=f"{i.split} film") for i in toy.items))
    again = judge_runs([run], [joined], tmp_path / "out")[0]
    assert set(again.answers.sources) == {"test film"} != set(first.answers.sources)
    cold = tuple(
        replace(i, machines=tuple(replace(m, energy=-7.0) for m in i.machines)) for i in toy.items
    )
    other = judge_runs([run], [replace(toy, items=cold)], tmp_path / "out")[0]
    assert set(other.answers.measures["energy"]) == {-7.0}


def test_rules_do_not_learn_from_copies_for_balance(toy: UtilitySet, tmp_path: Path) -> None:
    # ten copies of each useless image, at the level of a useful one, as balancing may draw them
    copies = tuple(
        replace(item, augmented=k, utility=0, distortion=LEVELS[0][0])
        for item in toy.part("train").items
        if item.utility == 0
        for k in range(1, 11)
    )
    balanced = replace(toy, items=(*toy.items, *copies))
    run = make_run(tmp_path / "run")
    for data in (balanced, replace(balanced, items=tuple(
        i for i in balanced.items if i.split != "validation"
    ))):  # fmt: skip
        rule = judge_runs([run], [data], tmp_path / "out")[0].baselines[
            "distortion and level known"
        ]
        assert rule.useful.tolist() == [True, False, True] * 4


def test_a_damaged_photo_is_left_out_and_counted(tmp_path: Path) -> None:
    data = make_toy_labels(tmp_path / "toy", train=1, validation=2, test=2)
    run = make_run(tmp_path / "run")
    (data.images_root / "0004.png").write_bytes(b"no picture")
    judged = judge_runs([run], [data], tmp_path / "out")[0]
    assert judged.left_out == len(LEVELS)
    assert set(judged.answers.images) == {"0003.png"}
    assert [i.image.name for i in judged.data.items] == ["0003.png"] * len(LEVELS)
    (data.images_root / "0003.png").write_bytes(b"no picture either")
    with pytest.raises(InputError, match=r"0003\.png"):
        judge_runs([run], [data], tmp_path / "out2")


def test_what_cannot_be_judged_is_one_line(toy: UtilitySet, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    with pytest.raises(InputError, match=r"test images with a label are wanted, there are 0"):
        evaluate_runs([run], [toy.part("train")], tmp_path / "out")
    unlabelled = replace(toy, items=tuple(replace(i, utility=None) for i in toy.items))
    with pytest.raises(InputError, match=r"16 without one \(with one: none anywhere\)"):
        evaluate_runs([run], [unlabelled], tmp_path / "out")
    with pytest.raises(InputError, match="a finished run is wanted"):
        evaluate_runs([tmp_path], [toy], tmp_path / "out")
    with pytest.raises(InputError, match="is there twice"):
        evaluate_runs([run, run], [toy], tmp_path / "out")
    with pytest.raises(InputError, match="not there any more"):
        run_labels(make_run(tmp_path / "far", folder=str(tmp_path / "gone")))
    with pytest.raises(InputError, match="nothing came"):
        score([], UtilityScoring(), lambda *_: None)
    with pytest.raises(InputError, match="max_images of 1 or more"):
        score([run], UtilityScoring(max_images=0), lambda *_: None)


def test_one_class_alone_has_scores_and_no_rules(toy: UtilitySet, tmp_path: Path) -> None:
    useful = replace(toy, items=tuple(i for i in toy.items if i.utility == 1))
    metrics = evaluate_runs([make_run(tmp_path / "run")], [useful], tmp_path / "out")
    one = metrics["judged"][0]
    assert one["scores"]["auc"] is None
    assert one["scores"]["balanced_accuracy"] is None
    assert one["baselines"] == {}
    assert any("no rules stand beside" in note for note in notes(metrics))


def test_a_bundled_predictor_answers_as_its_run_does(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run", calibration=[0.5, 1.5], machines=["a", "b"], task="detection",
        folder="/home/somebody/labels", set="objects", operator="common", training_images=1200,
        training_useful=500, validation_auc=0.97, seconds=130.0,
    )  # fmt: skip
    bundled = bundle_run(run, tmp_path / "weights", "Accuracy 93.2%.")
    images = [np.random.default_rng(k).integers(0, 256, (40, 40, 3), np.uint8) for k in range(3)]
    before, after = load_predictor(run), load_predictor(bundled)
    assert after.utility(images) == pytest.approx(before.utility(images), abs=2e-3)
    assert (after.name, after.machines, after.task) == ("run", ("a", "b"), "detection")
    card = (bundled / "README.md").read_text()
    for said in ("Accuracy 93.2%.", "detection, joined by `common`): a, b", "1,200", "auc: 0.97"):
        assert said in card
    assert "somebody" not in card + (bundled / "config.toml").read_text()
    (run / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="its training did not end"):
        bundle_run(run, tmp_path / "weights")
    with pytest.raises(InputError, match=r"config\.toml is wanted"):
        bundle_run(tmp_path / "nothing", tmp_path / "weights")
