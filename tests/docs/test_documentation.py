"""The documents say what the code does: examples run, links resolve, columns agree."""

import doctest
import re
from pathlib import Path

import pytest

from sightline.app.localize import Localization
from sightline.reconstruction.align.control import CONTROL_COLUMNS
from sightline.records.cameras import CAMERAS_COLUMNS
from sightline.records.frames import POSES_COLUMNS
from sightline.records.paper_csv import PAPER_COLUMNS
from sightline.records.points import POINTS_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "src").glob("**/README.md")]
)


@pytest.mark.parametrize("name", ["conventions.md", "formats.md"])
def test_examples_run(name):
    result = doctest.testfile(str(ROOT / "docs" / name), module_relative=False)
    assert result.attempted >= 8
    assert result.failed == 0


def test_the_readmes_beside_the_code_are_looked_at():
    beside = {path.parent.name for path in DOCUMENTS if (ROOT / "src") in path.parents}
    assert beside >= {"absolute", "relative", "objects", "depth", "utility"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_to_files_resolve(document):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
    missing = [
        link
        for link in links
        if not link.startswith(("http://", "https://")) and not (document.parent / link).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("columns", [POSES_COLUMNS, PAPER_COLUMNS, POINTS_COLUMNS, CAMERAS_COLUMNS])
def test_tables_have_the_columns_the_formats_page_names(columns):
    assert f"`{','.join(columns)}`" in (ROOT / "docs" / "formats.md").read_text()


def section(title):
    text = (ROOT / "docs" / "formats.md").read_text()
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_control_columns_are_all_named():
    named = set(re.findall(r"`(\w+)`", section("control.csv")))
    assert named == set(CONTROL_COLUMNS)


def test_localize_prints_the_keys_the_formats_page_names():
    answer = Localization("a.jpg", "unknown", None, "m", None, None, None, None, 0.0, 0, 0.1, 2.0)
    rows = [r for r in section("sightline localize --json").splitlines() if r.startswith("| `")]
    named = [key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(answer.to_json())


def test_the_licence_is_apache_2_whole():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.splitlines()) > 195
