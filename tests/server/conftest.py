"""Fixtures of the server's tests."""

from pathlib import Path

import pytest
from served_place import FakeLocalizer, make_place

from sightline.records import Place
from sightline.server.settings import ServerSettings


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place with a plan and a walkable mask."""
    return make_place(tmp_path / "place")


@pytest.fixture
def localizer(place: Place) -> FakeLocalizer:
    """The fake localiser of the place."""
    return FakeLocalizer(place)


@pytest.fixture
def settings() -> ServerSettings:
    """Small limits, so that tests reach them with small inputs."""
    return ServerSettings(
        max_file_bytes=40_000,
        max_request_bytes=150_000,
        max_files=5,
        max_pixels=200_000,
        batch_size=4,
        max_requests=6,
        upload_timeout_s=5,
        shutdown_grace_s=5,
    )
