"""The example files are what they say they are."""

from pathlib import Path

from sightline.records.config_file import config_from_toml
from sightline.tasks.absolute.config import AbsoluteConfig, scratch_config

EXAMPLES = Path(__file__).resolve().parents[2] / "configs"


def test_scratch_example_is_the_demo_setting() -> None:
    example = config_from_toml(AbsoluteConfig, EXAMPLES / "absolute-scratch.toml")
    assert example == scratch_config("mapnet", 90.0)
