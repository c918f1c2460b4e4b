"""Tiny runs on painted objects: saved, used again, scored from the file, nothing mixed up."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from painted_objects import make_painted_objects
from untrained_runs import make_run

from sightline.datasets.objects import open_objects
from sightline.errors import InputError, MediaError
from sightline.learning.judging import METRICS
from sightline.records.objects import OBJECTS_CSV, ObjectSet, write_objects_csv
from sightline.tasks.objects import predict, report
from sightline.tasks.objects.evaluate import (
    PREDICTIONS,
    evaluate_runs,
    judge_runs,
    objects_digest,
    run_objects,
)
from sightline.tasks.objects.metrics import score_predictions
from sightline.tasks.objects.predictions import read_predictions


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="session")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a painted set with its own ``objects.csv``."""
    root = tmp_path_factory.mktemp("on-disk")
    painted = make_painted_objects(root, {"train": 3, "test": 4})
    write_objects_csv(root / OBJECTS_CSV, painted.views)
    return root


@pytest.fixture(autouse=True)
def _without_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests look at numbers alone; pictures take seconds."""
    if "report" not in request.node.name:
        monkeypatch.setattr(report, "write_report", lambda *_: None)


def test_scores_come_from_the_file_alone(painted: ObjectSet, run: Path, tmp_path: Path) -> None:
    metrics = evaluate_runs([run], [painted], tmp_path)
    (one,) = metrics["judged"]
    folder = Path(one["folder"])
    assert folder.name.startswith("tiny-on-painted-")
    assert one["scores"]["objects"] == 24  # the test part
    assert one["scores"] == score_predictions(read_predictions(folder / PREDICTIONS))
    assert json.loads((tmp_path / METRICS).read_text()) == metrics
    assert "pose-err" in (tmp_path / "table.md").read_text()
    # change one saved answer: the next call reads it, and computes nothing again
    lines = (folder / PREDICTIONS).read_text().splitlines(keepends=True)
    (folder / PREDICTIONS).write_text("".join(lines[:-1]))
    again = evaluate_runs([run], [painted], tmp_path)
    assert again["judged"][0]["scores"]["objects"] == 23


def test_rows_are_in_the_sets_order(painted: ObjectSet, run: Path, tmp_path: Path) -> None:
    (one,) = judge_runs([run], [painted], tmp_path)
    test = painted.part("test")
    assert list(one.predictions.images) == [view.image.as_posix() for view in test.views]
    assert one.predictions.names() == [view.category for view in test.views]
    direct = predict.load_run(run).predict_views(test)
    np.testing.assert_allclose(one.predictions.of(), direct.of(), atol=1e-8)


def test_other_weights_or_objects_are_never_taken_for_these(
    painted: ObjectSet, run: Path, tmp_path: Path
) -> None:
    other = make_run(tmp_path / "tiny", seed=1)
    fewer = dataclasses.replace(painted, views=painted.views[:-1])
    out = tmp_path / "out"
    folders = {
        judge_runs([which], [data], out)[0].folder
        for which in (run, other)
        for data in (painted, fewer)
    }
    assert len(folders) == 4
    assert judge_runs([run], [painted], out)[0].folder in folders


def test_the_digest_sees_changed_files_and_not_where_they_lie(
    painted: ObjectSet, tmp_path: Path
) -> None:
    test = painted.part("test")
    moved = tmp_path / "elsewhere"
    (moved / "images").mkdir(parents=True)
    for view in test.views:
        (moved / view.image).write_bytes(test.path(view).read_bytes())
    there = dataclasses.replace(test, root=moved)
    assert objects_digest(there) == objects_digest(test)
    (moved / test.views[3].image).write_bytes(b"other")
    assert objects_digest(there) != objects_digest(test)


def test_a_set_without_splits_is_judged_whole(
    painted: ObjectSet, run: Path, tmp_path: Path
) -> None:
    plain = tuple(dataclasses.replace(view, split="") for view in painted.part("test").views)
    (one,) = judge_runs([run], [dataclasses.replace(painted, views=plain)], tmp_path)
    assert len(one.predictions) == 24
    (one,) = judge_runs([run], [painted], tmp_path, split="validation")
    assert {view.split for view in one.data.views} == {"validation"}
    (one,) = judge_runs([run], [painted], tmp_path, split="all")
    assert len(one.predictions) == len(painted)
    with pytest.raises(InputError, match="split 'tests' are wanted"):
        judge_runs([run], [painted], tmp_path, split="tests")


def test_categories_go_by_name_and_unknown_ones_are_left_out(
    painted: ObjectSet, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "two", ("sofa", "car"))
    metrics = evaluate_runs([run], [painted], tmp_path / "out")
    (one,) = metrics["judged"]
    assert one["unknown"] == {"bus": 8, "chair": 8}
    assert one["scores"]["counts"] == {"sofa": 0, "car": 8}
    (judged,) = judge_runs([run], [painted], tmp_path / "out")
    assert set(judged.predictions.names()) == {"car"}
    assert judged.predictions.categories == ("sofa", "car")
    assert judged.constant is not None
    assert judged.constant.probabilities[0].tolist() == [0.0, 1.0]


def test_damaged_pictures_are_left_out_and_counted(
    on_disk: Path, run: Path, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    shutil.copytree(on_disk, root)
    data = open_objects(root)
    broken = data.path(data.part("test").views[0])
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    for _ in range(2):  # made, then read back
        (one,) = evaluate_runs([run], [data], tmp_path / "out")["judged"]
        assert one["scores"]["objects"] == data.splits()["test"] - 1
        assert one["left_out"] == {f"damaged image (first: {broken})": 1}
    for view in data.views:
        data.path(view).write_bytes(b"nothing")
    with pytest.raises(MediaError):
        evaluate_runs([run], [data], tmp_path / "all")


def test_a_set_of_unknown_categories_is_refused(painted: ObjectSet, tmp_path: Path) -> None:
    run = make_run(tmp_path / "none", ("sofa", "boat"))
    with pytest.raises(InputError, match=r"sofa, boat are wanted.*there are bus, car, chair"):
        judge_runs([run], [painted], tmp_path / "out")


def test_the_constant_knows_the_training_part_and_no_renderings(
    painted: ObjectSet, run: Path, tmp_path: Path
) -> None:
    (one,) = judge_runs([run], [painted], tmp_path)
    assert one.constant is not None
    assert one.constant_of == "painted"
    train = {view.cam_from_object for view in painted.part("train").views}
    assert any(np.allclose(one.constant.of()[0], q) for q in train)
    rendered = tuple(dataclasses.replace(view, rendered=True) for view in painted.views)
    only = dataclasses.replace(painted, views=rendered)
    (two,) = judge_runs([run], [only], tmp_path)
    assert two.constant is None  # nor is what the run was trained on anywhere


def test_a_set_without_a_training_part_takes_the_runs(
    painted: ObjectSet, on_disk: Path, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", folder=str(on_disk))
    alone = dataclasses.replace(painted.part("test"), name="alone")
    (one,) = judge_runs([run], [alone], tmp_path / "out")
    assert one.constant_of == run_objects(run).name != "alone"
    assert one.constant is not None


def test_a_killed_call_goes_on(
    painted: ObjectSet, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = judge_runs([run], [painted], tmp_path)[0]
    other = make_run(tmp_path / "other", seed=3)
    loaded: list[Path] = []
    real = predict.load_run

    def load(path: Path) -> predict.ObjectsModel:
        loaded.append(path)
        return real(path)

    monkeypatch.setattr(predict, "load_run", load)
    both = judge_runs([run, other], [painted], tmp_path)
    assert loaded == [other]
    assert both[0].folder == first.folder


def test_runs_of_one_name_are_told_apart_and_the_same_twice_is_refused(
    painted: ObjectSet, run: Path, tmp_path: Path
) -> None:
    other = make_run(tmp_path / "tiny", seed=1)
    names = [one.run for one in judge_runs([run, other], [painted], tmp_path / "out")]
    assert names == [f"tiny ({run})", f"tiny ({other})"]
    for runs, sets in (([run, run], [painted]), ([run], [painted, painted])):
        with pytest.raises(InputError, match="is there twice; leave one out"):
            judge_runs(runs, sets, tmp_path / "out")
    with pytest.raises(InputError, match="a finished run is wanted"):
        judge_runs([tmp_path], [painted], tmp_path / "out")
    with pytest.raises(InputError, match="no set came"):
        judge_runs([run], [], tmp_path / "out")
    with pytest.raises(InputError, match="none came"):
        judge_runs([], [painted], tmp_path / "out")


def test_progress_rises_to_the_end(painted: ObjectSet, run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", seed=3)
    seen: list[float] = []
    evaluate_runs([run, other], [painted], tmp_path / "out", lambda _, f: seen.append(f))
    assert seen == sorted(seen)
    assert min(seen) == 0.5 < max(seen) == 1.0  # 24 objects are one batch


def test_the_report_opens_offline(painted: ObjectSet, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    step = run / "steps" / "1-pose-12345678" / "history.csv"
    step.parent.mkdir(parents=True)
    step.write_text("epoch,train_loss,score\n1,2.5,\n2,1.5,0.9\n")
    views = list(painted.part("test").views)
    views[0] = dataclasses.replace(views[0], cam_from_object=None)
    some = dataclasses.replace(painted, views=tuple(views))
    metrics = evaluate_runs([run], [some], tmp_path / "out")
    folder = Path(metrics["judged"][0]["folder"])
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "http" not in text
    assert text.count("data:image/png;base64,") == 9
    names = {path.name for path in (folder / "plots").iterdir()}
    assert names == {
        *("errors.png", "categories.png", "azimuths.png", "confusion.png", "confidence.png"),
        *("losses.png", "best.png", "worst.png", "random.png"),
    }
    assert "1 objects have no true pose" in text
