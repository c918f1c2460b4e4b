"""docs/public-data.md says what can be imported, and its published rows are those of the papers."""

import re
from pathlib import Path

import pytest

from sightline.catalog import DATASETS
from sightline.datasets.colmap_model import LIST_NAMES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "public-data.md").read_text()


def test_every_dataset_of_places_has_its_row():
    rows = PAGE.split("\n## What is read\n")[1].split("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", rows, flags=re.MULTILINE)
    assert sorted(named) == sorted(set(DATASETS.names()) - {"nyuv2"})


def test_lists_are_named():
    named = set(re.findall(r"`([\w.]+\.txt)`", PAGE))
    assert all(named & set(names) for names in LIST_NAMES.values())


@pytest.mark.parametrize(
    ("method", "mean_m", "mean_deg"),
    [
        # The means that the papers print under these columns.
        ("PoseNet [1]", 0.44, 10.4),
        ("MapNet [3]", 0.21, 7.77),
        ("MapNet+ [3]", 0.19, 7.29),
        ("MapNet+PGO [3]", 0.18, 6.55),
    ],
)
def test_published_rows_of_7_scenes_have_the_published_means(method, mean_m, mean_deg):
    (row,) = [
        line
        for line in PAGE.splitlines()
        if line.startswith(f"| {method} |") and line.count("|") == 9
    ]
    cells = [tuple(map(float, cell.split(","))) for cell in row.split("|")[2:-1]]
    metres, degrees = (sum(column) / len(cells) for column in zip(*cells, strict=True))
    assert metres == pytest.approx(mean_m, abs=0.006)
    assert degrees == pytest.approx(mean_deg, abs=0.05)
