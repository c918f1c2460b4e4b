"""The table's order is the paper's, and every cell is the score it stands for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.geometry.viewpoint import cam_from_object
from sightline.records.objects import CATEGORIES
from sightline.records.tables import markdown_table
from sightline.tasks.objects import plots
from sightline.tasks.objects.metrics import score_predictions
from sightline.tasks.objects.predictions import RULES, ObjectPredictions
from sightline.tasks.objects.report import notes, score_rows, top_rows, write_table

PAPER = (
    *("aero", "bike", "boat", "bottle", "bus", "car"),
    *("chair", "dtable", "mbike", "sofa", "train", "tv"),
)

SETS = (("car", "bottle"), ("car", "bus"))


def off(
    categories: tuple[str, ...], degrees: dict[str, float], wrong: int = 0
) -> ObjectPredictions:
    """Return one level view of each category, its azimuth off by so many degrees by each rule.

    The first ``wrong`` views are taken for the next category.
    """
    n = len(categories)
    at = np.arange(n) * 0.3
    true = cam_from_object(at, 0.0, 0.0)
    found = {
        rule: cam_from_object(at + np.deg2rad(degrees.get(rule, 0.0)), 0.0, 0.0) for rule in RULES
    }
    likely = np.eye(n)
    likely[:wrong] = np.roll(likely[:wrong], 1, axis=1)
    return ObjectPredictions(
        categories,
        tuple(f"{name}.jpg" for name in categories),
        np.tile([0.0, 0.0, 8.0, 8.0], (n, 1)),
        np.arange(n),
        true,
        likely,
        found,
        "weighted",
        np.linspace(0, 1, n),
        np.zeros(n),
    )


def judged(
    predictions: ObjectPredictions, constant: ObjectPredictions | None = None, run: str = "net"
) -> dict:
    """Return one of the metrics' ``judged``."""
    return {
        "run": run,
        "set": "toys",
        "unknown": {"horse": 3},
        "left_out": {"truncated": 2},
        "notes": ["Azimuths only."],
        "scores": score_predictions(predictions),
        "constant": None if constant is None else {"of": "toys", **score_predictions(constant)},
    }


def test_columns_are_the_papers() -> None:
    header, *_ = score_rows({"judged": [judged(off(tuple(CATEGORIES), {}))]})
    assert header == ("metric", "data", "model", *PAPER, "mean", "all")
    shuffled = ("zebra", *reversed(CATEGORIES))
    header, *_ = score_rows({"judged": [judged(off(shuffled, {}))]})
    assert header == ("metric", "data", "model", *PAPER, "zebra", "mean", "all")


def test_categories_without_objects_have_no_column() -> None:
    p = off(("car", "bus"), {})
    p.category[:] = 0
    assert score_rows({"judged": [judged(p)]})[0] == (
        "metric",
        "data",
        "model",
        "car",
        "mean",
        "all",
    )


def test_cells_are_the_scores_of_the_rule_they_stand_for() -> None:
    degrees = {"weighted": 10.0, "top1": 40.0, "chordal": 20.0, "oracle": 5.0}
    names = ("bottle", "diningtable", "car", "bus")
    constant = off(names, {"top1": 90.0, "oracle": 60.0, "weighted": 90.0, "chordal": 90.0})
    _, *rows = score_rows({"judged": [judged(off(names, degrees, wrong=1), constant)]})
    found = {(row[0], row[2]): row[3:] for row in rows}
    assert found["pose-err", "weighted"] == ("10.0",) * 4 + ("10.00", "10.00")
    assert found["pose-err", "top1"][-1] == "40.00"
    assert found["pose-err", "chordal"][-1] == "20.00"
    assert found["pose-err", "category known"][-1] == "5.00"
    assert found["pose-err", "constant"][-1] == "90.00"
    assert found["pose-err", "constant, category known"][-1] == "60.00"
    # bottle, bus, car, table: in the paper's order
    granted = found["pose-err, symmetric", "constant"]
    assert granted == ("0.0", "90.0", "90.0", "90.0", "67.50", "90.00")
    assert found["cat-acc", "weighted"] == ("0.00", "1.00", "1.00", "1.00", "0.7500", "0.7500")
    assert found["acc pi/6", "weighted"][-1] == "1.0000"
    assert found["acc pi/6", "constant"][-1] == "0.0000"
    assert found["P%(<45)", "weighted"][-1] == "1.0000"
    assert found["AAAI", "weighted"][-1] == f"{1 - 10 / 180:.4f}"
    assert found["AAAI azimuth", "constant"][-1] == "0.5000"
    assert found["azimuth-err", "weighted"] == ("10.0",) * 4 + ("10.00", "10.00")
    assert found["azimuth-err, symmetric", "weighted"][:2] == ("0.0", "10.0")
    assert {row[1] for row in rows} == {"toys"}


def test_symmetry_has_rows_where_there_are_symmetric_objects() -> None:
    names = [{row[0] for row in score_rows({"judged": [judged(off(c, {}))]})} for c in SETS]
    assert names[0] - names[1] == {"pose-err, symmetric", "azimuth-err, symmetric"}


def test_rules_that_say_the_same_have_one_row() -> None:
    p = off(("car", "bus"), {})
    _, *rows = score_rows({"judged": [judged(p, p)]})
    assert [row[2] for row in rows if row[0] == "pose-err"] == ["weighted", "constant"]


def test_several_runs_are_named() -> None:
    p = off(("car", "bus"), {})
    _, *rows = score_rows({"judged": [judged(p, run="a"), judged(p, run="b")]})
    assert [row[2] for row in rows if row[0] == "cat-acc"] == ["a, weighted", "b, weighted"]


def test_unknown_scores_are_dashes() -> None:
    p = off(("car", "bus"), {})
    p.true[0] = np.nan
    _, *rows = score_rows({"judged": [judged(p)]})
    assert rows[0][3:] == ("0.0", "-", "0.00", "0.00")


def test_table_13_and_the_notes(tmp_path: Path) -> None:
    metrics = {
        "judged": [judged(off(("car", "bus", "sofa"), {"top1": 30, "top2": 8, "oracle": 20}))]
    }
    header, *rows = top_rows(metrics)
    assert header[2:] == ("categories", "cat-acc", "pose-err", "pose-err, symmetric")
    assert [row[2:5] for row in rows] == [
        ("top 1", "1.0000", "30.00"),
        ("top 2", "1.0000", "8.00"),
        ("top 3", "1.0000", "0.00"),
        ("the true one", "1", "20.00"),
    ]
    said = notes(metrics)
    assert "net on toys: 3 of horse are left out; the run does not know it" in said
    assert "toys: 2 left out when it was read: truncated" in said
    assert "toys: Azimuths only." in said
    assert any("no training objects" in note for note in said)
    path = write_table(tmp_path, metrics)
    assert path.read_text().startswith(markdown_table(score_rows(metrics)))


def test_error_curves_are_the_shares_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = []
    real = plots.save_figure
    monkeypatch.setattr(plots, "save_figure", lambda f, p: figures.append(f) or real(f, p))
    p = off(("bottle", "car"), {"weighted": 30.0})
    path = plots.draw_errors(tmp_path / "errors.png", p, p)
    left, right = figures[0].axes
    lines = {line.get_label(): line for line in left.get_lines()}
    assert set(lines) == {"weighted", "top1", "chordal", "category known", "constant"}
    assert np.interp([29.0, 31.0], *lines["weighted"].get_data()).tolist() == [0.0, 1.0]
    granted = right.get_lines()[0]
    assert np.interp([1.0, 31.0], *granted.get_data()).tolist() == [0.5, 1.0]
    with Image.open(path) as image:
        assert image.width > 800


def test_plots_take_what_has_no_truth(tmp_path: Path) -> None:
    p = off(("car", "bus"), {})
    p.true[:] = np.nan
    table = judged(p)
    assert plots.draw_errors(tmp_path / "a.png", p, None).is_file()
    assert plots.draw_azimuths(tmp_path / "b.png", p).is_file()
    assert plots.draw_categories(tmp_path / "c.png", table).is_file()
    assert plots.draw_confidence(tmp_path / "d.png", table["scores"]["confidence"]).is_file()


def test_the_azimuths_drawn_are_the_true_and_the_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = []
    real = plots.save_figure
    monkeypatch.setattr(plots, "save_figure", lambda f, p: figures.append(f) or real(f, p))
    plots.draw_azimuths(tmp_path / "a.png", off(("car", "bus"), {"weighted": 40.0}))
    points = np.concatenate([c.get_offsets() for c in figures[0].axes[0].collections])
    at = np.rad2deg([0.0, 0.3])
    np.testing.assert_allclose(points, np.column_stack([at, at + 40.0]), atol=1e-6)


def test_rotations_of_the_fixture_are_what_they_claim() -> None:
    p = off(("car", "bus"), {"top1": 25.0})
    a, b = (Rotation.from_quat(q, scalar_first=True) for q in (p.of("top1"), p.true))
    np.testing.assert_allclose(np.rad2deg((a * b.inv()).magnitude()), 25.0)
