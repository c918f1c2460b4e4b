"""Shared fixtures."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from floor_place import FloorPlace

# no test is a matter of time: on a busy machine each would fail now and then
settings.register_profile("sightline", deadline=None)
settings.load_profile("sightline")

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real inputs; tests that use it are marked ``shared``."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real inputs are not on this machine: {SHARED_DATA} is absent")
    return SHARED_DATA


@pytest.fixture(scope="session")
def floor(tmp_path_factory: pytest.TempPathFactory) -> FloorPlace:
    """A small place, built of a rendered video once; tests that change it take a copy."""
    from floor_place import make_floor_place

    return make_floor_place(tmp_path_factory.mktemp("floor"))


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Python's own answer to Ctrl-C, also where the suite was started with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
