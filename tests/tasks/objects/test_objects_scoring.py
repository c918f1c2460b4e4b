"""What ``sightline evaluate objects`` takes a run, a set, or both for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from painted_objects import make_painted_objects
from untrained_runs import make_run

from sightline.errors import InputError
from sightline.records.objects import OBJECTS_CSV, write_objects_csv
from sightline.tasks.objects import predict, report
from sightline.tasks.objects.scoring import ObjectsScoring, score


@pytest.fixture(scope="session")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a painted set with its own ``objects.csv``."""
    root = tmp_path_factory.mktemp("on-disk")
    painted = make_painted_objects(root, {"train": 3, "test": 4})
    write_objects_csv(root / OBJECTS_CSV, painted.views)
    return root


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take seconds, and are looked at elsewhere."""
    monkeypatch.setattr(report, "write_report", lambda *_: None)


def test_a_run_alone_is_scored_where_it_was_trained(on_disk: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", folder=str(on_disk))
    metrics = score([run], ObjectsScoring(), lambda *_: None)
    assert metrics["folder"] == str(run / "evaluation")
    assert metrics["judged"][0]["scores"]["objects"] == 12
    fewer = score([run, on_disk], ObjectsScoring(max_objects=5), lambda *_: None)
    assert fewer["judged"][0]["scores"]["objects"] == 5
    assert fewer["judged"][0]["constant"] is not None  # the training part stayed
    with pytest.raises(InputError, match="nothing came"):
        score([], ObjectsScoring(), lambda *_: None)
    with pytest.raises(InputError, match="max_objects of 1 or more"):
        score([run], ObjectsScoring(max_objects=0), lambda *_: None)


def test_a_run_whose_objects_are_gone_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", folder=str(tmp_path / "gone"))
    with pytest.raises(InputError, match=r"gone, which are not there any more; name an object set"):
        score([run], ObjectsScoring(), lambda *_: None)


def test_sets_alone_are_judged_by_the_network_of_the_package(
    on_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run")
    monkeypatch.setattr(predict, "BUNDLED", run)
    monkeypatch.setattr(predict, "need_default_model", lambda: None)
    metrics = score([on_disk], ObjectsScoring(out=tmp_path / "out"), lambda *_: None)
    assert metrics["judged"][0]["run_dir"] == str(run)


def test_several_subjects_get_a_folder_of_their_own(
    on_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [make_run(tmp_path / name, seed=seed) for seed, name in enumerate("ab")]
    metrics = score([*runs, on_disk], ObjectsScoring(), lambda *_: None)
    assert metrics["folder"].startswith("runs/objects-")
    assert [one["run"] for one in metrics["judged"]] == ["a", "b"]
    again = score([*runs, on_disk], ObjectsScoring(), lambda *_: None)
    assert again == metrics


def test_options_and_tables_import_without_torch() -> None:
    code = (
        "import sightline.tasks.objects.scoring, sightline.tasks.objects.report, sys; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
