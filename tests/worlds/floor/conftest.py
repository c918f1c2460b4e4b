"""One floor and one renderer for all tests of the floor."""

from collections.abc import Iterator

import pytest

from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.geometry import FloorWorld, build_floor
from sightline.worlds.renderer import MeshRenderer


@pytest.fixture(scope="session")
def floor_config() -> FloorConfig:
    return FloorConfig()


@pytest.fixture(scope="session")
def floor_world(floor_config: FloorConfig) -> FloorWorld:
    return build_floor(floor_config)


@pytest.fixture(scope="session")
def floor_renderer(floor_world: FloorWorld) -> Iterator[MeshRenderer]:
    with MeshRenderer(floor_world) as renderer:
        yield renderer
