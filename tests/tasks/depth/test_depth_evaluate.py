"""Models with known answers on sets with known depth: figures, files, damage, resuming."""

from __future__ import annotations

import csv
import json
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coded_depth import CodedModel, make_coded_set
from PIL import Image

from sightline.errors import GeometryError, InputError
from sightline.records.depth import DepthImage, DepthSet
from sightline.tasks.depth import evaluate, report
from sightline.tasks.depth.evaluate import (
    chosen_part,
    evaluate_models,
    evaluate_sets,
    protocol_of,
)
from sightline.tasks.depth.metrics import METRICS, depth_scores, judged_pixels
from sightline.tasks.depth.scoring import DepthScoring

PERFECT = dict.fromkeys(METRICS, 0.0) | {"a1": 1.0, "a2": 1.0, "a3": 1.0}


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take seconds, and are looked at elsewhere."""
    monkeypatch.setattr(report, "write_report", lambda *_: None)


@pytest.fixture
def coded(tmp_path: Path) -> DepthSet:
    return make_coded_set(tmp_path / "coded", {"train": 3, "test": 4})


def rows_of(metrics: dict) -> dict[tuple[str, str], dict]:
    return {(s["model"], s["alignment"]): s for s in metrics["judged"][0]["scores"]}


def test_a_relative_model_that_is_right_up_to_scale_and_shift_is_perfect(coded, tmp_path):
    metrics = evaluate_models([CodedModel()], coded, tmp_path / "out")

    rows = rows_of(metrics)
    assert list(rows) == [
        ("coded", "disparity"),
        ("constant", "disparity"),
        ("row_mean", "disparity"),
    ]
    assert rows["coded", "disparity"]["mean"] == pytest.approx(PERFECT, abs=1e-4)
    assert rows["coded", "disparity"]["images"] == 4
    assert metrics["judged"][0]["split"] == "test"
    for name in ("row_mean", "constant"):
        assert rows[name, "disparity"]["mean"]["abs_rel"] > 0.05
    assert (
        rows["constant", "disparity"]["mean"]["abs_rel"]
        > 1.5 * rows["row_mean", "disparity"]["mean"]["abs_rel"]
    )


def test_a_metric_model_is_judged_as_it_is_and_aligned(coded, tmp_path):
    twice = CodedModel(unit="m", factor=1.1)

    rows = rows_of(evaluate_models([twice], coded, tmp_path / "out", DepthScoring(max_depth_m=20)))

    assert rows["coded", "none"]["mean"]["abs_rel"] == pytest.approx(0.1, abs=1e-5)
    assert rows["coded", "disparity"]["mean"]["abs_rel"] == pytest.approx(0.0, abs=1e-4)
    assert ("constant", "none") in rows
    assert rows["coded", "none"]["alignment_name"] == "none (own metres)"


def test_every_figure_is_that_of_the_saved_maps(coded, tmp_path):
    model = CodedModel(unit="m", factor=0.9, noise=8.0)
    scoring = DepthScoring(alignment="none", crop="eigen", min_depth_m=0.6, max_depth_m=5.0)

    metrics = evaluate_models([model], coded, tmp_path / "out", scoring)

    expected = []
    for item in coded.part("test").items:
        true = np.load(coded.path(item.depth)).astype(np.float64)
        (saved,) = Path(rows_of(metrics)["coded", "none"]["predictions"]).glob(
            f"maps/{item.image.stem}-*.npy"
        )
        found = np.clip(np.load(saved).astype(np.float64), 0.6, 5.0)
        expected.append(depth_scores(found, true, judged_pixels(true, "eigen", 0.6, 5.0)))
    row = rows_of(metrics)["coded", "none"]
    for name in METRICS:
        assert row["mean"][name] == pytest.approx(np.mean([e[name] for e in expected]), rel=1e-5)
    folder = Path(metrics["judged"][0]["folder"])
    with (folder / "scores.csv").open() as stream:
        written = [r for r in csv.DictReader(stream) if r["model"] == "coded"]
    assert [float(r["abs_rel"]) for r in written] == pytest.approx(
        [e["abs_rel"] for e in expected], rel=1e-5
    )
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == metrics


def test_what_is_there_is_not_predicted_again_and_another_model_s_is_not_read(coded, tmp_path):
    out = tmp_path / "out"
    model = CodedModel()
    first = evaluate_models([model], coded, out)
    again = CodedModel()
    second = evaluate_models([again], coded, out)

    assert model.calls == 4
    assert again.calls == 0
    assert (
        rows_of(second)["coded", "disparity"]["mean"]
        == rows_of(first)["coded", "disparity"]["mean"]
    )

    worse = CodedModel(noise=30.0)  # of the same name
    third = evaluate_models([worse], coded, out)
    assert worse.calls == 4
    assert rows_of(third)["coded", "disparity"]["mean"]["abs_rel"] > 0.02


def test_a_killed_evaluation_goes_on_where_it_was(coded, tmp_path, monkeypatch):
    monkeypatch.setattr("sightline.tasks.depth.predictions._BATCH", 1)
    model = CodedModel()
    whole = model.predict

    def dies(images):
        if model.calls == 2:
            raise KeyboardInterrupt
        return whole(images)

    model.predict = dies
    with pytest.raises(KeyboardInterrupt):
        evaluate_models([model], coded, tmp_path / "out")
    model.predict = whole
    metrics = evaluate_models([model], coded, tmp_path / "out")

    assert model.calls == 4
    assert rows_of(metrics)["coded", "disparity"]["images"] == 4


def test_damaged_missing_and_unknown_images_are_left_out_named_and_counted(coded, tmp_path):
    test = [item for item in coded.items if item.split == "test"]
    coded.path(test[0].image).write_text("not a picture")
    np.save(coded.path(test[1].depth), np.zeros((24, 32), np.float32))
    blue = int(np.asarray(Image.open(coded.path(test[2].image)))[0, 0, 2])
    more = (
        DepthImage(Path("gone.png"), test[3].depth, split="test"),
        DepthImage(Path("bare.png"), None, split="test"),
        DepthImage(Path("relative.png"), test[3].depth, quantity="disparity", split="test"),
        DepthImage(Path("gone_depth.png"), Path("gone.npy"), split="test"),
    )
    data = replace(coded, items=(*coded.items, *more))

    metrics = evaluate_models([CodedModel(refuses=(blue,))], data, tmp_path / "out")

    judged = metrics["judged"][0]
    assert judged["images"] == 1
    assert judged["left_out"] == {
        "damaged or missing": 3,
        "no known depth within the crop and the caps": 1,
        "refused by a model": 1,
        "without depth": 1,
        "relative depth, no truth in metres": 1,
    }
    named = {file["image"]: file["reason"] for file in judged["left_out_files"]}
    assert "coded: 3 left out: damaged or missing" in metrics["notes"]  # said on the terminal
    assert "test_0.png" in named["test_0.png"]
    assert "that it likes" in named["test_2.png"]
    assert {s["images"] for s in judged["scores"]} == {1}


def test_an_image_whose_map_is_not_finite_is_left_out_alone(coded, tmp_path):
    blue = int(np.asarray(Image.open(coded.root / "test_2.png"))[0, 0, 2])
    model = CodedModel(refuses=(blue,), refusal=GeometryError)

    (judged,) = evaluate_models([model], coded, tmp_path / "out")["judged"]

    assert judged["left_out"] == {"refused by a model": 1}
    assert judged["left_out_files"][0]["image"] == "test_2.png"
    assert judged["images"] == 3


def test_a_set_of_which_nothing_can_be_judged_is_one_line(coded, tmp_path):
    one = replace(coded, items=coded.items[:1])
    coded.path(coded.items[0].image).write_text("not a picture")
    with pytest.raises(InputError, match=r"images that read are wanted, none does \(train_0.png"):
        evaluate_models([CodedModel()], one, tmp_path / "out")
    bare = replace(coded, items=(replace(coded.items[1], depth=None),))
    with pytest.raises(InputError, match=r"none can be judged \(train_1.png: without depth\)"):
        evaluate_models([CodedModel()], bare, tmp_path / "out")


def test_a_model_without_an_answer_is_wrong_not_left_out(coded, tmp_path):
    class Silent(CodedModel):
        def _map(self, image):
            found = super()._map(image)
            found.values[:] = np.nan
            return found

    row = rows_of(evaluate_models([Silent(name="silent")], coded, tmp_path / "out"))

    silent = row["silent", "disparity"]
    assert silent["images"] == 4
    assert silent["unanswered"] == silent["pixels"]
    assert silent["mean"]["a3"] == 0.0


def test_maps_are_judged_at_the_size_of_the_truth(coded, tmp_path):
    for item in coded.items:
        small = np.load(coded.path(item.depth)).reshape(12, 2, 16, 2).mean(axis=(1, 3))
        np.save(coded.path(item.depth), small)

    row = rows_of(evaluate_models([CodedModel()], coded, tmp_path / "out"))["coded", "disparity"]

    assert row["pixels"] == 4 * 12 * 16
    assert row["mean"]["abs_rel"] < 0.05  # means of depth are not means of disparity
    saved = next(Path(row["predictions"]).glob("maps/*.npy"))
    assert np.load(saved).shape == (12, 16)


def test_baselines_say_what_they_were_fitted_on(coded, tmp_path):
    own = rows_of(evaluate_models([CodedModel()], coded, tmp_path / "a"))
    assert own["constant", "disparity"]["fitted_on"] == "the judged images themselves"

    scoring = DepthScoring(baseline_data=coded.root)
    given = rows_of(evaluate_models([CodedModel(unit="m")], coded, tmp_path / "b", scoring))
    assert given["row_mean", "none"]["fitted_on"] == "the training part of coded"
    # disparity of a constant is fitted anew in each image, whatever it was fitted on
    pair = [rows["constant", "disparity"]["mean"]["abs_rel"] for rows in (own, given)]
    assert pair[0] == pytest.approx(pair[1], rel=1e-6)

    bare = DepthScoring(baselines=False)
    assert list(rows_of(evaluate_models([CodedModel()], coded, tmp_path / "c", bare))) == [
        ("coded", "disparity")
    ]


def test_scenes_and_distances_add_up_to_the_whole(coded, tmp_path):
    row = rows_of(evaluate_models([CodedModel(noise=9.0)], coded, tmp_path / "out"))[
        "coded", "disparity"
    ]

    assert [part["images"] for part in row["by_source"].values()] == [2, 2]
    mean = np.mean([part["abs_rel"] for part in row["by_source"].values()])
    assert mean == pytest.approx(row["mean"]["abs_rel"])
    bins = row["by_distance"]
    assert sum(one["pixels"] for one in bins) == row["pixels"]
    pooled = sum(one["pixels"] * one["abs_rel"] for one in bins) / row["pixels"]
    assert pooled == pytest.approx(row["pooled"]["abs_rel"])


def test_the_same_images_are_drawn_for_a_seed_and_all_models(coded, tmp_path):
    scoring = DepthScoring(max_images=2, split="all")
    models = [CodedModel(), CodedModel(name="other", noise=3.0)]

    metrics = evaluate_models(models, coded, tmp_path / "out", scoring)
    again = evaluate_models(models, coded, tmp_path / "out", scoring)

    assert {s["images"] for s in metrics["judged"][0]["scores"]} == {2}
    assert again["judged"][0]["folder"] == metrics["judged"][0]["folder"]
    assert [m.calls for m in models] == [2, 2]


def test_what_cannot_be_evaluated_is_one_line(coded, tmp_path):
    out = tmp_path / "out"
    relative = CodedModel()
    with pytest.raises(InputError, match="wanted for alignment none, coded is relative"):
        evaluate_models([relative], coded, out, DepthScoring(alignment="none"))
    assert relative.calls == 0  # refused before hours go into predictions
    with pytest.raises(InputError, match="a model to judge is wanted"):
        evaluate_models([], coded, out, DepthScoring(baselines=False))
    with pytest.raises(InputError, match="the model coded is there twice"):
        evaluate_models([CodedModel(), CodedModel()], coded, out)
    with pytest.raises(InputError, match="no set came"):
        evaluate_sets([CodedModel()], [], out, DepthScoring())
    with pytest.raises(InputError, match="is there twice; leave one out"):
        evaluate_sets([CodedModel()], [coded, coded], out, DepthScoring())
    with pytest.raises(InputError, match="the split validation is wanted, there are: train, test"):
        evaluate_models([CodedModel()], coded, out, DepthScoring(split="validation"))


def test_parts_are_chosen_by_what_is_there(coded):
    assert chosen_part(coded, "auto")[1] == "test"
    assert chosen_part(coded.part("train"), "auto")[1] == "all"
    assert len(chosen_part(coded, "train")[0]) == 3
    assert len(chosen_part(coded, "all")[0]) == 7


def test_protocols_are_the_published_ones_of_nyu_and_kitti(coded):
    def protocol(name: str, **told):
        found = protocol_of(replace(coded, name=name), DepthScoring(**told))
        return found.crop, found.max_depth_m

    assert protocol("nyuv2") == ("eigen", 10.0)
    assert protocol("KITTI raw") == ("garg", 80.0)
    assert protocol("rooms") == ("none", None)
    assert protocol("nyuv2", crop="none", max_depth_m=5.0) == ("none", 5.0)
    for benchmark, known in (("nyuv2", ("eigen", 10.0)), ("kitti", ("garg", 80.0))):
        # whatever the user called the folder
        data = replace(coded, name="downloads of nyu", benchmark=benchmark)
        found = protocol_of(data, DepthScoring())
        assert (found.crop, found.max_depth_m) == known
    nyu, rooms = (protocol_of(replace(coded, name=name), DepthScoring()) for name in ("nyu", "a"))
    assert nyu.said() == "crop eigen, truth between 0.001 m and 10 m"
    assert rooms.said().endswith("10 m, 80 m in images with truth beyond")


def test_the_cap_of_an_unknown_set_follows_the_image(coded, tmp_path):
    far = np.full((24, 32), 3.0, np.float32)
    far[0, 0] = 30.0
    np.save(coded.path(coded.items[0].depth), far)
    protocol = protocol_of(coded, DepthScoring())

    assert protocol.truth(coded, coded.items[0]).max_depth_m == 80.0
    assert protocol.truth(coded, coded.items[1]).max_depth_m == 10.0


def test_folders_are_apart_for_sets_of_the_same_name(coded, tmp_path):
    other = make_coded_set(tmp_path / "more" / "coded", {"test": 2}, seed=1)

    metrics = evaluate_sets([CodedModel()], [coded, other], tmp_path / "out", DepthScoring())

    assert [one["images"] for one in metrics["judged"]] == [4, 2]
    assert len({one["folder"] for one in metrics["judged"]}) == 2
    assert metrics["judged"][1]["set"] == f"coded ({other.root})"
    table = (tmp_path / "out" / "table.md").read_text()
    assert "scale + shift per image, in disparity" in table
    assert evaluate.METRICS_FILE in {path.name for path in (tmp_path / "out").iterdir()}


def test_no_more_than_a_few_images_are_in_memory_at_once(tmp_path, monkeypatch):
    data = make_coded_set(tmp_path / "coded", {"test": 24}, size=(6, 8))
    living: list[weakref.ref] = []
    most = 0

    def watched(read):
        def reading(self, item):
            nonlocal most
            made = read(self, item)
            living.append(weakref.ref(made))
            most = max(most, sum(ref() is not None for ref in living))
            return made

        return reading

    monkeypatch.setattr(DepthSet, "read_target", watched(DepthSet.read_target))
    monkeypatch.setattr(DepthSet, "read_image", watched(DepthSet.read_image))

    evaluate_models([CodedModel(), CodedModel(name="two", noise=1.0)], data, tmp_path / "out")

    assert len(living) > 24 * 4
    assert most <= 8


@pytest.mark.shared
def test_an_untrained_network_is_judged_on_real_depth_and_loses_to_row_means(shared_data, tmp_path):
    torch = pytest.importorskip("torch")
    from sightline.datasets.depth import open_depth
    from sightline.tasks.depth.config import DepthConfig
    from sightline.tasks.depth.model import create_model
    from sightline.tasks.depth.predict import NetworkModel

    if not (shared_data / "depth").is_dir():
        pytest.skip(f"real depth is not on this machine: {shared_data / 'depth'} is absent")
    torch.manual_seed(0)
    config = DepthConfig(encoder="resnet18", width=0.25, frame_width=96, frame_height=64)
    model = NetworkModel(create_model(config).eval(), config, "untrained")

    metrics = evaluate_models([model], open_depth(shared_data / "depth"), tmp_path / "out")

    rows = {key[0]: row["mean"] for key, row in rows_of(metrics).items()}
    assert metrics["judged"][0]["images"] == 21
    assert metrics["judged"][0]["left_out"] == {}
    # measured once; the alignment gives a constant its best disparity in each image
    assert rows["constant"]["abs_rel"] == pytest.approx(0.3172, abs=5e-4)
    assert rows["row_mean"]["abs_rel"] == pytest.approx(0.2046, abs=5e-4)
    assert rows["row_mean"]["a1"] == pytest.approx(0.6280, abs=5e-4)
    assert rows["untrained"]["abs_rel"] > rows["row_mean"]["abs_rel"]
