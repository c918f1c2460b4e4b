"""docs/reproducing.md against the settings that it tells of."""

from pathlib import Path

from sightline.app.papers.objects_resnet import start_in_words
from sightline.app.papers.paper004.config import Paper004Config
from sightline.learning.runs import read_run_table
from sightline.tasks.utility.small.bundled import BUNDLED, bundled_names

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reproducing.md"


def test_paper_004_says_what_its_predictors_start_from() -> None:
    section = " ".join(PAGE.read_text().split("## Paper 004", 1)[1].split())
    what = start_in_words(Paper004Config().weights).removeprefix("started from the ")
    assert f"The predictors start from the {what}" in section
    origins = {
        name: str(read_run_table(BUNDLED / name)["weights_from"]) for name in bundled_names()
    }
    kin = [name for name, origin in origins.items() if "objects network" in origin]
    kin += [name for name, origin in origins.items() if origin in kin]
    assert kin == ["objects-classifier-a", "objects-detector-a"]
    assert all(f"`{name}`" in section for name in kin)
