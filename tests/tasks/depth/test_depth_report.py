"""Tables name alignments and what was left out; the report holds its pictures."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from coded_depth import CodedModel, make_coded_set

from sightline.records.depth import DepthImage
from sightline.tasks.depth import plots
from sightline.tasks.depth.evaluate import evaluate_models
from sightline.tasks.depth.metrics import METRICS
from sightline.tasks.depth.report import (
    distance_rows,
    label_rows,
    notes,
    score_rows,
    source_rows,
)
from sightline.tasks.depth.scoring import DepthScoring


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Return the metrics of a good and a bad model on one set, with a report."""
    root = tmp_path_factory.mktemp("report")
    data = make_coded_set(root / "coded", {"test": 4})
    data = replace(data, items=(*data.items, DepthImage(Path("gone.png"), None, split="test")))
    models = [CodedModel(unit="m", factor=1.1), CodedModel(name="bad", noise=60.0)]
    return evaluate_models(models, data, root / "out", DepthScoring(pictures=1))


def test_rows_are_the_report_s_columns_with_the_alignment_named(made):
    header, *rows = score_rows(made)

    assert header == ("data", "model", "alignment", "images", *METRICS)
    assert [row[1:3] for row in rows[:3]] == [
        ("coded", "none (own metres)"),
        ("coded", "scale + shift per image, in disparity"),
        ("bad", "scale + shift per image, in disparity"),
    ]
    assert rows[0][header.index("abs_rel")] == "0.1000"
    assert rows[0][header.index("silog")] == "0.00"
    assert {row[1] for row in rows[3:]} == {"constant", "row_mean"}
    assert {len(row) for row in rows} == {len(header)}


def test_scenes_and_distances_have_a_column_a_model(made):
    (table,) = made["judged"]
    header, *rows = source_rows(table)
    assert [row[:2] for row in rows] == [("scene 0 of test", "2"), ("scene 1 of test", "2")]
    assert header[2] == "coded, none"
    assert rows[0][2] == "0.1000 / 1.000"
    assert [row[0] for row in distance_rows(table)[1:3]] == ["0 to 0.5", "0.5 to 1"]
    # one scene is no comparison
    alone = {"scores": [s | {"by_source": {"one": {"images": 1}}} for s in table["scores"]]}
    assert source_rows(alone) == []


def test_notes_tell_what_a_reader_must_know(made):
    said = "\n".join(notes(made))

    assert "coded: 4 images (split: test), each score the mean over images, rmse" in said
    assert "silog times 100; crop none, truth between" in said
    assert "coded: 1 left out: without depth" in said
    assert "gone.png left out" in said
    assert "row_mean (disparity): never looks at a picture; fitted on the judged images" in said
    assert re.search(r"bad \(disparity\): \d+ pixels behind the camera or beyond the cap", said)


def test_the_report_opens_offline_with_its_pictures(made):
    folder = Path(made["judged"][0]["folder"])
    page = (folder / "report.html").read_text()

    assert not re.search(r"(src|href)=['\"](?!data:)", page)
    assert page.count("data:image/png") == 4 + 3 * 2  # a worst and a best image each, three tallies
    assert "Images of bad, aligned: disparity" in page
    assert "scale + shift per image, in disparity" in page
    assert {path.name for path in (folder / "plots").iterdir()} >= {
        "distances.png",
        "ratios.png",
        "joint-1.png",
        "joint-2.png",
        "bad-disparity-worst-1.png",
    }


def test_where_only_labels_came_the_table_says_what_they_hold():
    labels = {
        "set": "labels",
        "labelled": 7,
        "skipped": 2,
        "images_per_second": 1.5,
        "quantity": "disparity",
        "labelled_by": ["teacher 12"],
        "skipped_reasons": {"not a photo": 2},
        "left_out": {},
        "notes": [],
    }
    metrics = {"judged": [], "labels": [labels]}

    assert score_rows(metrics) == label_rows(metrics)
    assert score_rows(metrics)[1] == ("labels", "7", "2", "1.50", "disparity", "teacher 12")
    assert "labels: 2 skipped: not a photo" in notes(metrics)


def test_an_image_that_went_away_is_not_drawn(tmp_path, monkeypatch):
    data = make_coded_set(tmp_path / "coded", {"test": 2})
    drawn = []

    def lose(path, table):
        data.path(data.items[0].image).unlink(missing_ok=True)
        return distances(path, table)

    distances = plots.draw_distances
    monkeypatch.setattr(plots, "draw_distances", lose)
    save = plots.save_figure
    monkeypatch.setattr(plots, "save_figure", lambda f, p: drawn.append(p.name) or save(f, p))

    evaluate_models([CodedModel(noise=9.0)], data, tmp_path / "out", DepthScoring(pictures=2))

    assert sum("coded-disparity" in name for name in drawn) == 1
