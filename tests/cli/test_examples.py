"""The example files are what they say they are."""

from pathlib import Path

import pytest

from sightline.records.config_file import config_from_toml
from sightline.tasks.absolute.config import AbsoluteConfig, scratch_config
from sightline.tasks.depth.config import DepthConfig

EXAMPLES = Path(__file__).resolve().parents[2] / "configs"


def test_scratch_example_is_the_demo_setting() -> None:
    example = config_from_toml(AbsoluteConfig, EXAMPLES / "absolute-scratch.toml")
    assert example == scratch_config("mapnet", 90.0)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("depth.toml", {"stage": "teacher", "architecture": "small"}),
        ("depth-student.toml", {"stage": "student", "architecture": "small", "strong": True}),
        ("depth-paper.toml", {"architecture": "dpt", "encoder": "vitl", "frame_width": 518}),
    ],
)
def test_depth_examples_are_of_their_stages(name: str, wanted: dict[str, object]) -> None:
    config = config_from_toml(DepthConfig, EXAMPLES / name)
    assert {key: getattr(config, key) for key in wanted} == wanted
