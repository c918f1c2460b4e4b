"""A place is calibrated on its own frames and on another walk, and asked with what was learnt."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from floor_place import FloorPlace
from sightline.app.calibration.asking import Asked
from sightline.app.calibration.calibrate import (
    calibrate_place,
    fit,
    held_out_confidences,
    score,
    vectors_of,
)
from sightline.app.calibration.config import CalibrateConfig
from sightline.app.calibration.report import score_rows, write_answers, write_network_answers
from sightline.app.localize import Localizer, localize_source
from sightline.app.place_confidence import SavedAnswers, read_answers
from sightline.cli.main import main
from sightline.errors import InputError
from sightline.reconstruction.evidence import PoseEvidence
from sightline.records import Place, PosedFrame
from sightline.records.frames import write_poses_csv
from sightline.tasks.absolute.confidence import SHIPPED, ConfidenceModel

QUICK = CalibrateConfig(photos=4, copies=1, degraded="blur:2 jpeg:10")


@pytest.fixture
def own(floor: FloorPlace, tmp_path: Path) -> Place:
    """A copy of the floor's place, which a test may write to."""
    return Place.open(shutil.copytree(floor.root, tmp_path / "place"))


@pytest.mark.egl
@pytest.mark.slow
def test_own_frames_do_not_see_themselves(
    own: Place, floor: FloorPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden: list[set[str]] = []
    judge = Localizer.judge

    def watched(self: Localizer, image, focal_px=None, refiner=None):  # type: ignore[no-untyped-def]
        hidden.append({f.image for f in own.frames()} - set(refiner.index.names))
        return judge(self, image, focal_px, refiner)

    monkeypatch.setattr(Localizer, "judge", watched)
    made = calibrate_place(own, QUICK)
    names = [f.image for f in own.registered()]
    asked = list(csv.DictReader((made.folder / "answers.csv").read_text().splitlines()))
    # four photos, each as it is and in one degraded copy
    assert [a["distortion"] for a in asked] == ["none", "blur:2", "none", "jpeg:10"] * 2
    for row, without in zip(asked, hidden, strict=True):
        at = names.index(row["image"])
        assert without == set(names[max(0, at - 2) : at + 3])
    pristine = [float(a["error"]) for a in asked if a["distortion"] == "none"]
    assert max(pristine) < 0.1
    assert {p.name for p in made.folder.iterdir()} == {
        "answers.csv", "answers.png", "confidence.toml", "metrics.json", "refined.png",
        "report.html",
    }  # fmt: skip
    assert made.metrics == json.loads((made.folder / "metrics.json").read_text())
    assert made.model.refined is SHIPPED["refined"]  # 8 answers teach nothing
    assert made.model.about["photos"] == 4

    # a second call asks nothing; another radius is only another verdict
    monkeypatch.setattr(Localizer, "judge", None)
    again = calibrate_place(own, CalibrateConfig(**{**vars(QUICK), "radius": 0.001}))
    assert again.metrics["answers"]["wrong"] > 0.5
    assert ConfidenceModel.read(again.folder / "confidence.toml").radius == 0.001


@pytest.mark.egl
@pytest.mark.slow
def test_another_walk_and_what_is_withheld(
    own: Place, floor: FloorPlace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    walk = tmp_path / "walk"
    shutil.copytree(floor.queries[0].parent, walk / "images")
    frames = [
        PosedFrame(path.name, None, floor.true_queries[i]) for i, path in enumerate(floor.queries)
    ]
    write_poses_csv(walk / "poses.csv", frames)
    damaged = walk / "images" / frames[3].image
    damaged.write_bytes(damaged.read_bytes()[:200])
    arguments = ["calibrate", str(own.root), "--walk", str(walk), "--copies", "0", "--json"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    metrics = json.loads(out.strip().splitlines()[-1])
    assert metrics["photos"] == len(frames) - 1
    assert metrics["refined"]["wrong"] == 0.0
    assert "skipped: " in err
    assert frames[3].image in err

    assert main(["localize", str(own.root), str(floor.queries[0]), "--max-wrong", "0.2"]) == 0
    assert main(["localize", str(own.root), str(floor.queries[0]), "--max-wrong", "0.01"]) == 2
    assert "at least 99 photos are wanted" in capsys.readouterr().err
    assert main(["localize", str(own.root), str(floor.queries[0]), "--min-confidence", "1"]) == 1
    assert "don't know (confidence 0.9" in capsys.readouterr().out
    sure = Localizer.open(own, min_confidence=1.0)
    (answer,) = localize_source(sure, floor.queries[0])
    assert (answer.status, answer.world_from_cam, answer.inliers) == ("unknown", None, 0)
    assert 0.5 < answer.confidence < 1

    # a calibration that does not read stops localize, and is replaced by calibrate
    toml = own.root / "confidence" / "confidence.toml"
    toml.write_text(toml.read_text().replace("[refined.weights]", "[refined.w]"))
    with pytest.raises(InputError, match="run `sightline calibrate` again"):
        Localizer.open(own)
    assert main(arguments) == 0
    assert Localizer.open(own).confidence.folder == toml.parent


# --- fitting, without a map -----------------------------------------------------------------------


def asked(number: int, status: str, error: float, spread: float, *, seen: bool = False) -> Asked:
    return Asked(
        image=f"{number}.jpg",
        distortion="none",
        source=number,
        status=status,
        error=None,
        network_error=error,
        evidence=None,
        network_apart=None,
        spread=spread,
        similarity=1.0,
        trained_on=seen,
    )


def test_a_network_is_not_judged_by_what_it_was_trained_on() -> None:
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.05, 2.0, 400)
    error = spread * rng.uniform(0.1, 2.0, 400)
    fresh = [asked(i, "regressed", error[i], spread[i]) for i in range(400)]
    learnt = [asked(400 + i, "regressed", 0.01, spread[i], seen=True) for i in range(400)]
    alone, both = fit("regressed", fresh, 0.5), fit("regressed", [*fresh, *learnt], 0.5)
    assert alone.weights.origin == "fitted"
    assert both.weights.values == pytest.approx(alone.weights.values)
    np.testing.assert_allclose(both.confidence[:400], alone.confidence)
    assert np.isfinite(both.confidence).all()
    nothing = fit("refined", fresh, 0.5)
    assert nothing.weights is SHIPPED["refined"]
    confidence = held_out_confidences(fresh, {"refined": nothing, "regressed": alone})
    np.testing.assert_array_equal(confidence, alone.confidence)
    saved = SavedAnswers(("regressed",) * 400, confidence, error)
    scores = score({"answers": saved, "network": saved}, 0.5, "m")
    assert scores["answers"] == scores["regressed"] == scores["network"]
    assert scores["refined"]["answers"] == 0
    assert scores["regressed"]["calibration_error"] < 0.07
    assert scores["regressed"]["wrong_without_10"] < scores["regressed"]["wrong"]


def test_a_network_agrees_with_what_it_was_trained_on_and_that_says_nothing() -> None:
    evidence = PoseEvidence(
        inliers=100, share=0.4, support=0.7, coverage=0.5, similarity=1.0, error=0.2,
        deviation=0.01, halves=0.02, rival=0.0, rival_apart=0.0,
    )  # fmt: skip
    fresh = dataclasses.replace(
        asked(0, "refined", 0.1, 0.1), evidence=evidence, error=0.02, network_apart=0.1
    )
    learnt = dataclasses.replace(fresh, trained_on=True)
    alone = dataclasses.replace(fresh, network_apart=None)
    said = vectors_of("refined", [fresh, learnt, alone], 0.5).vectors
    np.testing.assert_array_equal(said[1], said[2])
    assert (said[0] != said[2]).any()


def test_a_networks_answers_to_what_it_was_trained_on_promise_nothing(tmp_path: Path) -> None:
    rows = [asked(i, "regressed", 0.01, 0.1, seen=i < 30) for i in range(40)]
    rows += [asked(40 + i, "unknown", 0.01, 0.1, seen=True) for i in range(5)]
    write_answers(tmp_path / "answers.csv", rows, np.full(45, 0.5))
    saved = read_answers(tmp_path / "answers.csv")
    assert [saved.status.count(s) for s in ("regressed", "unknown")] == [40, 5]
    assert len(saved.of("regressed")) == 10  # what is scored
    # half refined and right, half a network's answers to what it was trained on
    rows = [
        asked(i, "refined" if i < 200 else "regressed", 0.01, 0.1, seen=True) for i in range(400)
    ]
    write_answers(tmp_path / "answers.csv", rows, np.repeat([0.99, 0.075], 200))
    scores = score({"answers": read_answers(tmp_path / "answers.csv")}, 0.5, "m")
    assert scores["thresholds"]
    for row in scores["thresholds"]:
        assert row["min_confidence"] > 0.075, row
        assert row["answered"] == 0.5


def test_unknown_photos_count_for_thresholds_alone(tmp_path: Path) -> None:
    rows = [asked(i, "regressed" if i % 2 else "unknown", 0.1, 0.1) for i in range(40)]
    confidence = np.array([0.9 if r.status == "regressed" else 0.0 for r in rows])
    write_answers(tmp_path / "answers.csv", rows, confidence)
    saved = read_answers(tmp_path / "answers.csv")
    np.testing.assert_array_equal(saved.confidence, confidence)
    scores = score({"answers": saved}, 0.5, "m")
    assert (scores["photos"], scores["answers"]["answers"]) == (40, 20)
    assert scores["thresholds"] == [{"max_wrong": 0.05, "min_confidence": 0.0, "answered": 0.5}]
    assert "network" not in scores
    assert len(score_rows(scores)) == 4


def test_only_what_a_network_had_not_seen_is_saved_of_it(tmp_path: Path) -> None:
    rows = [asked(i, "unknown", 0.1 * i, 0.1, seen=i % 2 == 0) for i in range(6)]
    path = tmp_path / "confidence.csv"
    write_network_answers(path, rows, np.linspace(0, 1, 6))
    saved = read_answers(path)
    np.testing.assert_allclose(saved.error, [0.1, 0.3, 0.5])
    np.testing.assert_allclose(saved.confidence, [0.2, 0.6, 1.0])


@pytest.mark.parametrize(
    "wrong", [{"photos": 0}, {"copies": -1}, {"radius": -1.0}, {"neighbours": -1}]
)
def test_settings_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        CalibrateConfig(**wrong)
    with pytest.raises(InputError, match="KIND:LEVEL"):
        CalibrateConfig(degraded="fog:3")


def test_copies_go_through_the_list_in_turn() -> None:
    config = CalibrateConfig(copies=2, degraded="blur:1 blur:2 blur:3")
    names = [[str(d) for d in config.of_photo(i)] for i in range(3)]
    assert names == [
        ["none", "blur:1", "blur:2"], ["none", "blur:3", "blur:1"], ["none", "blur:2", "blur:3"],
    ]  # fmt: skip
    assert [str(d) for d in CalibrateConfig(degraded="").of_photo(0)] == ["none"]
