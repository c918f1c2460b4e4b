"""Names of tasks, datasets, worlds, backbones, and what stands behind them; loaded when used.

Another package adds its own through entry points::

    [project.entry-points."sightline.datasets"]
    my_dataset = "my_package.my_dataset:make_place"
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from sightline.errors import CatalogError


class Catalog:
    """One kind of thing, by name.

    Attributes:
        kind: What the names stand for, as messages say it.
    """

    def __init__(
        self, kind: str, entries: Iterable[tuple[str, str]], *, group: str | None = None
    ) -> None:
        """Keep the entries; nothing is imported.

        Args:
            kind: What the names stand for.
            entries: Pairs of a name and its target, ``module:attribute``.
            group: Entry-point group of other packages' entries, read at first use.
        """
        self.kind = kind
        self._own = tuple(entries)
        self._group = group

    @cached_property
    def _targets(self) -> dict[str, str]:
        found = [(name, target, "sightline") for name, target in self._own]
        if self._group:
            for point in entry_points(group=self._group):
                package = point.dist.name if point.dist else "a package without a name"
                found.append((point.name, point.value, package))
        targets: dict[str, str] = {}
        origin: dict[str, str] = {}
        for name, target, package in found:
            if name in targets:
                raise CatalogError(
                    f"one {self.kind} named {name!r} is wanted, {origin[name]} ({targets[name]}) "
                    f"and {package} ({target}) each bring one; rename or uninstall one. There are: "
                    f"{', '.join(sorted(targets))}"
                )
            targets[name], origin[name] = target, package
        return targets

    def names(self) -> list[str]:
        """Return all names, sorted.

        Raises:
            CatalogError: A name is there twice.
        """
        return sorted(self._targets)

    def target(self, name: str) -> str:
        """Return what a name stands for, as ``module:attribute``, without importing it.

        Raises:
            CatalogError: The name is unknown, or a name is there twice.
        """
        try:
            return self._targets[name]
        except KeyError:
            close = difflib.get_close_matches(name, self._targets, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise CatalogError(
                f"no {self.kind} is named {name!r}.{hint} There are: "
                f"{', '.join(self.names()) or 'none'}"
            ) from None

    def load(self, name: str) -> Any:
        """Return what stands behind a name; its module is imported now.

        Raises:
            CatalogError: The name is unknown or there twice, or its module or attribute is not
                there.
        """
        target = self.target(name)
        module, _, attribute = target.partition(":")
        try:
            found: Any = import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise CatalogError(
                f"{self.kind} {name!r} ({target}) does not load: {error}; install what it needs, "
                "or ask its package"
            ) from error
        return found


TASKS = Catalog(
    "task",
    [
        ("absolute", "sightline.tasks.absolute:TASK"),
        ("depth", "sightline.tasks.depth:TASK"),
        ("objects", "sightline.tasks.objects:TASK"),
        ("relative", "sightline.tasks.relative:TASK"),
        ("utility", "sightline.tasks.utility:TASK"),
    ],
    group="sightline.tasks",
)

DATASETS = Catalog(
    "dataset",
    [
        ("cambridge", "sightline.datasets.cambridge:make_place"),
        ("colmap", "sightline.datasets.colmap_model:make_place"),
        ("nerfstudio", "sightline.datasets.nerfstudio:make_place"),
        ("nyuv2", "sightline.datasets.nyuv2:make_depth_set"),
        ("poses_json", "sightline.datasets.posed_place:make_place"),
        ("robotcar", "sightline.datasets.robotcar:make_place"),
        ("seven_scenes", "sightline.datasets.seven_scenes:make_place"),
        ("tum_rgbd", "sightline.datasets.tum_rgbd:make_place"),
    ],
    group="sightline.datasets",
)

WORLDS = Catalog(
    "world",
    [
        ("depth", "sightline.worlds:DEPTH"),
        ("floor", "sightline.worlds:FLOOR"),
        ("objects", "sightline.worlds:OBJECTS"),
        ("rooms", "sightline.worlds:ROOMS"),
    ],
    group="sightline.worlds",
)


def backbone_names() -> list[str]:
    """Return the backbones' names: our own, and every classifier of torchvision, which is imported.

    ``learning.backbones.create_backbone`` makes one of them.
    """
    names: list[str] = import_module("sightline.learning.backbones").backbone_names()
    return names
