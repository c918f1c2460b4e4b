"""One small set of objects for all tests of them."""

import pytest

from sightline.records.objects import ObjectSet
from sightline.worlds.objects import ObjectsWorldConfig
from sightline.worlds.objects.write import write_objects


@pytest.fixture(scope="session")
def small_config() -> ObjectsWorldConfig:
    return ObjectsWorldConfig(
        instances=3, views_per_instance=2, image_px=64, validation_share=0.34, test_share=0.33,
        rendered_images=26, seed=3,
    )  # fmt: skip


@pytest.fixture(scope="session")
def small_set(
    tmp_path_factory: pytest.TempPathFactory, small_config: ObjectsWorldConfig
) -> ObjectSet:
    return write_objects(tmp_path_factory.mktemp("objects") / "set", small_config, processes=1)
