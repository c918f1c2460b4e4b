"""Pictures and tables of relative poses."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.records.tables import markdown_table
from sightline.tasks.relative import report
from sightline.tasks.relative.metrics import PairErrors
from sightline.tasks.relative.report import (
    MatchPicture,
    degrees,
    draw_histograms,
    draw_matches,
    score_rows,
)


def table(roe: float | None, pairs: int = 4) -> dict:
    return {
        "pairs": pairs,
        "share_answered": 0.5,
        "median_roe_deg": roe,
        "median_rte_deg": 180.0,
        "auc": {"5": 0.125, "10": None, "20": 0.5},
        "near_views": {"median_roe_deg": None, "median_rte_deg": 1.0},
        "median_seconds": 0.0123,
    }


def test_every_row_has_the_headers_cells() -> None:
    methods = {"sift": table(1.234), "constant": table(None)}
    header, first, second = score_rows({"sets": {"toys": {"pairs": 4, "methods": methods}}})
    assert len(header) == len(first) == len(second) == 12
    assert first == (
        "toys", "sift", "4", "50.0%", "1.23", "180.00", "12.5%", "-", "50.0%", "-", "1.00", "0.012",
    )  # fmt: skip
    assert second[:5] == ("", "constant", "4", "50.0%", "-")
    assert degrees(None) == "-"


@pytest.mark.parametrize("unseen", [0, 4])
def test_unseen_labels_have_no_lines_where_they_would_say_nothing_new(unseen: int) -> None:
    methods = {"sift": table(1.0) | {"unseen_labels": table(2.0, unseen)}}
    assert len(score_rows({"sets": {"toys": {"pairs": 4, "methods": methods}}})) == 2


def test_histogram_curves_are_the_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    real = report.save_figure
    monkeypatch.setattr(report, "save_figure", lambda f, p: drawn.append(f) or real(f, p))
    errors = PairErrors(np.array([10.0, 20, np.inf, np.inf]), np.array([90.0, np.nan, 1, np.inf]))
    draw_histograms(tmp_path / "x.png", {"sift": errors}, "toys")
    left, right = (axis.get_lines()[0] for axis in drawn[0].axes)
    assert (left.get_label(), left.get_ydata()[-1]) == ("sift", 0.5)
    assert np.interp(10, *left.get_data()) == 0.25
    assert right.get_ydata()[-1] == pytest.approx(2 / 3)
    assert "orientation" in drawn[0].axes[0].get_xlabel()
    assert "translation" in drawn[0].axes[1].get_xlabel()


def test_matches_are_drawn_from_one_photo_into_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    real = report.save_figure
    monkeypatch.setattr(report, "save_figure", lambda f, p: drawn.append(f) or real(f, p))
    a, b = np.full((60, 80, 3), 50, np.uint8), np.full((40, 50, 3), 90, np.uint8)
    a_px, b_px = np.array([[5.0, 6.0], [70, 50]]), np.array([[7.0, 8.0], [40, 30]])
    one = MatchPicture(a, b, a_px, b_px, "ROE 1.0 (2.0)")
    path = draw_matches(tmp_path / "m.png", [one, one], "both fine")
    with Image.open(path) as picture:
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 5
    axis = drawn[0].axes[0]
    assert len(drawn[0].axes) == 2
    assert axis.get_title() == "ROE 1.0 (2.0)"
    np.testing.assert_allclose(axis.get_lines()[0].get_data(), [[5, 87], [6, 8]])
    assert axis.get_images()[0].get_array().shape == (60, 130, 3)


def test_markdown_tables_are_aligned() -> None:
    text = markdown_table([("a", "long name"), ("value", "1")])
    assert text.splitlines() == [
        "| a     | long name |",
        "| ----- | --------- |",
        "| value | 1         |",
    ]
