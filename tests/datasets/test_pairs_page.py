"""docs/pairs.md says what the code does."""

import doctest
import re
from pathlib import Path

from sightline.datasets.landmarks import SPLITS
from sightline.datasets.pairing import PairingConfig
from sightline.datasets.pairs import LAYOUTS
from sightline.records.pairs import PAIRS_COLUMNS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pairs.md"


def test_examples_run():
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted >= 8
    assert result.failed == 0


def first_table(title):
    """The rows of a section's first table, as lists of cells."""
    text = PAGE.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    table = "|" + text.split("\n|", 1)[1].split("\n\n")[0]
    rows = table.splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_columns_are_all_named():
    cells = ",".join(row[0] for row in first_table("A pair set")).replace("` ... `", ",")
    named = set(re.findall(r"\w+", cells))
    of_b = {name for name in PAIRS_COLUMNS if name.endswith("_b")} - {"image_b"}
    assert named == (set(PAIRS_COLUMNS) - of_b) | {"fx_b", "p2_b"}


def test_every_layout_has_its_row_in_the_order_of_the_code():
    rows = first_table("What open_pairs recognises")
    assert len(rows) == len(LAYOUTS)
    signs = ["pairs.csv", ".csv", "pairs.json", "place.toml", "poses.json", "EGs.txt", "cal18"]
    signs += ["cameras", "name0"]
    for row, layout, sign in zip(rows, LAYOUTS, signs, strict=True):
        assert sign in row[1]
        assert sign in layout.name


def test_every_kind_of_pairing_has_its_row():
    kinds = [row[0].strip("`") for row in first_table("Which images make pairs")]
    for kind in kinds:
        assert PairingConfig(kind=kind).kind == kind
    assert len(kinds) == 5


def test_the_papers_landmarks_are_named():
    text = PAGE.read_text()
    assert all(name in text for name in SPLITS)
