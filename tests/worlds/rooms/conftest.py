"""One small pair set for all tests of the rooms."""

import pytest

from sightline.records.pairs import PairSet
from sightline.worlds.rooms import RoomsConfig
from sightline.worlds.rooms.write import write_rooms


@pytest.fixture(scope="session")
def rooms_config() -> RoomsConfig:
    return RoomsConfig(
        rooms=6, views_per_room=6, pairs_per_room=9, image_width=161, image_height=121,
        min_overlap=0.1, validation_share=0.34, test_share=0.33, seed=3,
    )  # fmt: skip


@pytest.fixture(scope="session")
def room_pairs(tmp_path_factory: pytest.TempPathFactory, rooms_config: RoomsConfig) -> PairSet:
    return write_rooms(tmp_path_factory.mktemp("rooms") / "set", rooms_config, processes=1)
