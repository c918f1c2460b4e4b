"""``sightline catalog``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sightline.catalog import DATASETS, TASKS, WORLDS
from sightline.cli.options import parse


@dataclass(frozen=True)
class CatalogOptions:
    """List the tasks, datasets and worlds there are, and where each comes from."""


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    parse(CatalogOptions, arguments, command="catalog")
    for title, catalog in (("tasks", TASKS), ("datasets", DATASETS), ("worlds", WORLDS)):
        print(f"{title}:")
        for name in catalog.names():
            print(f"  {name:<14} {catalog.target(name)}")
    return 0
