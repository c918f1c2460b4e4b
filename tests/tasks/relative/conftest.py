"""Rendered pairs small enough to train on in seconds, and one torch thread."""

from collections.abc import Iterator

import pytest
import torch
from box_rooms import make_box_rooms

from sightline.records.pairs import PairSet


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: on a shared machine two wait for each other far longer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    """Three rooms to train on, one to validate; tests leave nothing but caches in it."""
    root = tmp_path_factory.mktemp("boxes")
    return make_box_rooms(root, {"train": 3, "validation": 1}, per_room=8)
