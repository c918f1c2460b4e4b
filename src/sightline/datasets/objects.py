"""Objects in pictures out of whatever is there: the one door for training and evaluation.

``open_objects`` looks at the files of a folder (or at a file) and reads the layout it finds;
docs/objects.md describes them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sightline.datasets import pascal3d, rendered_views, stanford_cars
from sightline.datasets.layouts import what_is_there
from sightline.datasets.leaks import refuse_leaks
from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.records.objects import (
    OBJECTS_CSV,
    ObjectSet,
    in_order,
    read_objects_csv,
)


@dataclass(frozen=True)
class _Choice:
    """What of a set is wanted."""

    categories: Sequence[str] | None
    max_views: int | None
    seed: int


@dataclass(frozen=True)
class _Layout:
    """A layout: what is read, how it is recognised, and what reads it."""

    name: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, _Choice], ObjectSet]


def open_objects(
    path: str | Path,
    *,
    categories: Sequence[str] | None = None,
    max_views: int | None = None,
    seed: int = 0,
) -> ObjectSet:
    """Return the objects of a folder or a file, in whichever layout it is.

    Recognised by its files: an object set (``objects.csv``), a CSV file of objects, PASCAL3D+
    (``Annotations`` and ``Images``), the rendered images of Su et al. (folders named by synset),
    and Stanford cars with poses (``poses.csv`` with ``azimuth_rad``). Missing pictures and broken
    annotations are left out and counted in ``left_out``.

    Args:
        path: The folder or file.
        categories: Only objects of these; all where not given. The set's categories are then
            these, in this order.
        max_views: Keep this many, drawn at random, in their order; all where not given.
        seed: Seed of the draw.

    Raises:
        InputError: Nothing is known by that layout, what it holds does not read, nothing is left,
            or more is damaged than left.
    """
    path = Path(path)
    if max_views is not None and max_views < 1:
        raise InputError(f"max_views of 1 or more is wanted, {max_views} came")
    if not path.exists():
        raise InputError(f"{path} is wanted: a folder or file of objects; there is none")
    layout = next((known for known in LAYOUTS if known.recognises(path)), None)
    if layout is None:
        raise InputError(
            f"{path}: a layout of objects is wanted: "
            f"{'; '.join(known.name for known in LAYOUTS)}. There is {what_is_there(path)}"
        )
    found = layout.read(path, _Choice(categories, max_views, seed))
    if categories is not None:
        found = _only(found, categories)
    return found if max_views is None else draw_views(found, max_views, seed)


def draw_views(data: ObjectSet, count: int, seed: int = 0) -> ObjectSet:
    """Return ``count`` views drawn at random, in their order; all where there are fewer."""
    if len(data) <= count:
        return data
    chosen = np.sort(np.random.default_rng(seed).choice(len(data), count, replace=False))
    return replace(data, views=tuple(data.views[i] for i in chosen))


def _only(data: ObjectSet, categories: Sequence[str]) -> ObjectSet:
    unknown = [c for c in categories if c not in data.categories]
    if unknown:
        raise InputError(
            f"{data.root}: objects of the category {unknown[0]!r} are wanted, there are "
            f"{', '.join(data.categories)}"
        )
    views = tuple(view for view in data.views if view.category in categories)
    return replace(data, views=views, categories=tuple(dict.fromkeys(categories)))


def _csv(path: Path, _choice: _Choice) -> ObjectSet:
    table = path / OBJECTS_CSV if path.is_dir() else path
    missing: list[Path] = []
    views = read_objects_csv(table, missing=missing)
    left_out = LeftOut()
    for image in missing:
        left_out.add("missing image", image)
    left_out.check(table, len(views))
    refuse_leaks(table, ((v.split, v.image.as_posix(), v.source) for v in views), "objects")
    name = table.parent.resolve().name if table.name == OBJECTS_CSV else table.stem
    categories = in_order(view.category for view in views)
    return ObjectSet(name, table.parent, tuple(views), categories, left_out.counts())


def _pascal3d(path: Path, choice: _Choice) -> ObjectSet:
    return pascal3d.read_pascal3d(path, choice.categories)


def _rendered(path: Path, choice: _Choice) -> ObjectSet:
    return rendered_views.read_rendered_views(
        path, choice.categories, max_views=choice.max_views, seed=choice.seed
    )


def _cars(path: Path, _choice: _Choice) -> ObjectSet:
    return stanford_cars.read_stanford_cars(path)


#: In the order in which they are looked for.
LAYOUTS = (
    _Layout(f"an object set ({OBJECTS_CSV})", lambda p: (p / OBJECTS_CSV).is_file(), _csv),
    _Layout("a list of objects (.csv)", lambda p: p.is_file() and p.suffix == ".csv", _csv),
    _Layout("PASCAL3D+ (Annotations, Images)", pascal3d.is_pascal3d, _pascal3d),
    _Layout(
        "rendered images of Su et al. (folders named by synset, such as 02958343)",
        rendered_views.is_rendered_views,
        _rendered,
    ),
    _Layout(
        "Stanford cars with poses (poses.csv with azimuth_rad)",
        stanford_cars.is_stanford_cars,
        _cars,
    ),
)
