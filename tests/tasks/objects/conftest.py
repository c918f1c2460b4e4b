"""Painted objects small enough to train on in seconds, and one torch thread."""

from collections.abc import Iterator

import pytest
import torch
from painted_objects import make_painted_objects

from sightline.records.objects import ObjectSet


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: on a shared machine two wait for each other far longer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> ObjectSet:
    """Three categories: 24 views each to train on, 8 to validate, 8 to test.

    Tests leave nothing but caches in it.
    """
    root = tmp_path_factory.mktemp("painted")
    return make_painted_objects(root, {"train": 24, "validation": 8, "test": 8})
