"""One small depth set for all tests of the depth world."""

import pytest

from sightline.records.depth import DepthSet
from sightline.worlds.depth import DepthWorldConfig
from sightline.worlds.depth.write import write_depth_world


@pytest.fixture(scope="session")
def depth_config() -> DepthWorldConfig:
    return DepthWorldConfig(
        scenes=5, views_per_scene=2, image_width=96, image_height=72, validation_share=0.34,
        test_share=0.0, seed=3,
    )  # fmt: skip


@pytest.fixture(scope="session")
def depth_world(
    tmp_path_factory: pytest.TempPathFactory, depth_config: DepthWorldConfig
) -> DepthSet:
    return write_depth_world(tmp_path_factory.mktemp("depth") / "set", depth_config, processes=1)
