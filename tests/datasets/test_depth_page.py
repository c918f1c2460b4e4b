"""docs/depth-data.md says what the code does."""

import doctest
import re
from pathlib import Path

from sightline.datasets.depth import LAYOUTS
from sightline.records.depth import DEPTH_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "depth-data.md"


def test_examples_run():
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted >= 15
    assert result.failed == 0


def first_table(title):
    """The rows of a section's first table, as lists of cells."""
    text = PAGE.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    table = "|" + text.split("\n|", 1)[1].split("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]


def test_columns_are_all_named():
    named = re.findall(r"\w+", ",".join(row[0] for row in first_table("A depth set")))
    assert sorted(named) == sorted(DEPTH_COLUMNS)
    formats = (ROOT / "docs" / "formats.md").read_text()
    assert f"`{','.join(DEPTH_COLUMNS)}`" in formats


def test_every_layout_has_its_row_in_the_order_of_the_code():
    rows = first_table("What open_depth recognises")
    signs = ["depth.csv", "labels.toml", "columns", "depth.json", ".mat", ".txt", "rgb.txt",
             "pairs.csv", "groundtruth_depth", "proj_depth", "depth_bfx", "a_depth.png",
             ".tar"]  # fmt: skip
    for row, layout, sign in zip(rows, LAYOUTS, signs, strict=True):
        assert sign in row[1]
        assert sign in layout.name
