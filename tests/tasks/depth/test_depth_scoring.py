"""What ``sightline evaluate depth`` takes runs, sets and folders of labels for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from coded_depth import CodedModel, make_coded_set

from sightline.errors import InputError
from sightline.learning.runs import CONFIG, WEIGHTS
from sightline.records.files import write_text
from sightline.tasks.depth import report, scoring
from sightline.tasks.depth.config import DepthConfig, write_config
from sightline.tasks.depth.labelling import write_labels
from sightline.tasks.depth.scoring import BUNDLED, DepthScoring, score


@pytest.fixture(autouse=True)
def _coded_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models by name instead of networks; pictures take seconds, and are looked at elsewhere."""

    def load(source, _scoring):
        if source is None:
            return CodedModel(name="package")
        metric = str(source).startswith("metric")
        return CodedModel(name=Path(source).name, unit="m" if metric else "relative", noise=2.0)

    monkeypatch.setattr(scoring, "_load", load)
    monkeypatch.setattr(report, "write_report", lambda *_: None)


def make_run(folder: Path, trained_on: Path, name: str = "") -> Path:
    folder.mkdir(parents=True)
    write_config(folder / CONFIG, DepthConfig(), run={"folder": str(trained_on), "set": name})
    write_text(folder / WEIGHTS, "")
    return folder


def models_of(metrics: dict) -> list[list[str]]:
    baselines = ("constant", "row_mean")
    return [
        [s["model"] for s in one["scores"] if s["model"] not in baselines]
        for one in metrics["judged"]
    ]


def quiet(_stage: str, _fraction: float) -> None:
    pass


def test_a_run_alone_is_judged_on_the_test_part_of_its_own_data(tmp_path):
    data = make_coded_set(tmp_path / "coded", {"train": 3, "test": 2})
    run = make_run(tmp_path / "away" / "mine", data.root)

    metrics = score([run], DepthScoring(), quiet)

    assert models_of(metrics) == [["mine"]]
    assert metrics["judged"][0]["split"] == "test"
    assert metrics["judged"][0]["images"] == 2
    assert Path(metrics["folder"]) == run / "evaluation"
    assert (run / "evaluation" / "metrics.json").is_file()


def test_a_run_that_moved_with_its_data_finds_it_around_itself(tmp_path):
    data = make_coded_set(tmp_path / "coded", {"test": 2})
    run = make_run(data.runs_dir / "mine", tmp_path / "gone")
    assert models_of(score([run], DepthScoring(), quiet)) == [["mine"]]

    lost = make_run(tmp_path / "lost", tmp_path / "gone")
    with pytest.raises(InputError, match="which are not there any more; name a depth set"):
        score([lost], DepthScoring(), quiet)


def test_a_run_that_was_trained_on_a_list_is_judged_on_that_list(tmp_path):
    data = make_coded_set(tmp_path / "coded", {"": 4})
    lines = [f"{item.image} {item.depth}" for item in data.items[:2]]
    write_text(data.root / "few.txt", "\n".join(lines) + "\n")
    run = make_run(tmp_path / "mine", data.root, "few")

    (judged,) = score([run], DepthScoring(), quiet)["judged"]

    assert (judged["set"], judged["images"]) == ("few", 2)


@pytest.mark.parametrize(
    ("splits", "split", "said"),
    [
        ({"": 2}, "auto", True),  # a set without splits is all for training
        ({"train": 2, "test": 2}, "auto", False),
        ({"train": 2, "test": 2}, "all", True),
        ({"train": 2, "": 2}, "auto", True),
    ],
)
def test_figures_on_images_of_the_training_say_so(tmp_path, splits, split, said):
    data = make_coded_set(tmp_path / "coded", splits)
    run = make_run(tmp_path / "mine", data.root)
    other = make_coded_set(tmp_path / "other", splits, seed=1)

    metrics = score([run], DepthScoring(split=split, out=tmp_path / "a"), quiet)
    elsewhere = score([run, other.root], DepthScoring(split=split, out=tmp_path / "b"), quiet)

    warning = "coded: mine learned from these images, or some of them: it does worse on others"
    assert (warning in metrics["notes"]) == said
    assert not any("learned from" in note for note in elsewhere["notes"])


def test_every_run_is_judged_on_every_set(tmp_path):
    first = make_coded_set(tmp_path / "a", {"test": 2})
    second = make_coded_set(tmp_path / "b", {"": 2}, seed=1)
    runs = [make_run(tmp_path / name, first.root) for name in ("one", "two")]

    metrics = score(
        [runs[0], second.root, runs[1], first.root], DepthScoring(out=tmp_path / "o"), quiet
    )

    assert models_of(metrics) == [["one", "two"], ["one", "two"]]
    assert [one["set"] for one in metrics["judged"]] == ["b", "a"]
    assert [one["split"] for one in metrics["judged"]] == ["all", "test"]


def test_sets_alone_are_judged_by_the_package_and_weights_add_models(tmp_path):
    data = make_coded_set(tmp_path / "coded", {"test": 2})
    out = tmp_path / "out"

    assert models_of(score([data.root], DepthScoring(out=out), quiet)) == [["package"]]
    named = DepthScoring(out=out, weights=("some/relative-hf", BUNDLED))
    assert models_of(score([data.root], named, quiet)) == [["relative-hf", "package"]]
    blind = DepthScoring(out=out, weights=("constant",))
    assert models_of(score([data.root], blind, quiet)) == [[]]
    metric = DepthScoring(out=out, weights=("metric/indoor-hf",))
    rows = score([data.root], metric, quiet)["judged"][0]["scores"]
    assert [(s["model"], s["alignment"]) for s in rows[:2]] == [
        ("indoor-hf", "none"),
        ("indoor-hf", "disparity"),
    ]


def test_labels_are_counted_and_judged_where_their_images_have_depth(tmp_path):
    data = make_coded_set(tmp_path / "coded", {"train": 3, "test": 2})
    black = data.path(data.items[0].image)
    black.write_bytes(b"not a picture")
    labels = tmp_path / "labels"
    write_labels(CodedModel(name="teacher"), data.part("train"), labels, shard=2, batch=2)

    beside = score([labels, data.root], DepthScoring(out=tmp_path / "a"), quiet)
    alone = score([labels], DepthScoring(out=tmp_path / "b"), quiet)

    for metrics in (beside, alone):
        (counts,) = metrics["labels"]
        assert (counts["labelled"], counts["skipped"]) == (2, 1)
        assert counts["images_per_second"] > 0
        ((reason, count),) = counts["skipped_reasons"].items()
        assert reason.startswith("a photo (JPEG, PNG")
        assert "; it is none that is known;" in reason
        assert (count, counts["left_out"]) == (1, {})  # counted once
        (judged,) = metrics["judged"]
        assert judged["split"] == "labelled"
        assert judged["images"] == 2
        row = judged["scores"][0]
        assert (row["kind"], row["alignment"]) == ("labels", "disparity")
        assert row["labelled_by"].startswith("teacher")
        assert row["mean"]["abs_rel"] < 1e-3  # 16 bits of disparity


def test_labels_of_plain_photos_are_only_counted(tmp_path):
    data = make_coded_set(tmp_path / "coded", {"train": 2})
    photos = tmp_path / "photos"
    photos.mkdir()
    for item in data.items:
        data.path(item.image).rename(photos / item.image)
    write_labels(CodedModel(name="teacher"), photos, tmp_path / "labels")

    metrics = score([tmp_path / "labels"], DepthScoring(out=tmp_path / "out"), quiet)

    assert metrics["judged"] == []
    assert report.score_rows(metrics)[1][1:3] == ("2", "0")
    other = make_coded_set(tmp_path / "other", {"test": 2})
    with pytest.raises(InputError, match=r"has labels of, there are none"):
        score([tmp_path / "labels", other.root], DepthScoring(out=tmp_path / "out"), quiet)


def test_damage_among_many_is_left_out_and_alone_refused(tmp_path):
    data = make_coded_set(tmp_path / "coded", {"test": 4})
    data.path(data.items[0].depth).write_bytes(b"x")
    np.save(data.path(data.items[1].depth), np.full((24, 32), np.nan, np.float32))

    metrics = score([data.root], DepthScoring(out=tmp_path / "out"), quiet)

    assert metrics["judged"][0]["images"] == 2
    assert sum(metrics["judged"][0]["left_out"].values()) == 2


def test_a_run_that_has_not_ended_is_refused(tmp_path):
    run = make_run(tmp_path / "mine", tmp_path)
    (run / WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"a finished run is wanted, it has no model.safetensors"):
        score([run], DepthScoring(), quiet)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(InputError, match="nothing came"):
        score([], DepthScoring(), quiet)
    with pytest.raises(InputError, match="max_images of 1 or more"):
        DepthScoring(max_images=0)
    with pytest.raises(InputError, match="0 < min_depth_m < max_depth_m"):
        DepthScoring(min_depth_m=2.0, max_depth_m=1.0)
    with pytest.raises(InputError, match="0 or more"):
        DepthScoring(pictures=-1)


def test_the_options_need_no_torch():
    code = "import sys, sightline.tasks.depth.scoring; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
