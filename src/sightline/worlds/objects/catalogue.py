"""Which builder makes which category, and from where its objects are usually seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sightline.records.objects import CATEGORIES
from sightline.worlds.objects.aeroplanes import build_aeroplane
from sightline.worlds.objects.bicycles import build_bicycle
from sightline.worlds.objects.boats import build_boat
from sightline.worlds.objects.buses import build_bus
from sightline.worlds.objects.cars import build_car
from sightline.worlds.objects.furniture import build_chair, build_diningtable, build_sofa
from sightline.worlds.objects.model import ObjectModel, Workbench
from sightline.worlds.objects.motorbikes import build_motorbike
from sightline.worlds.objects.things import build_bottle, build_tvmonitor
from sightline.worlds.objects.trains import build_train


@dataclass(frozen=True)
class Kind:
    """How a category is made and seen.

    Attributes:
        build: Adds one object to a workbench.
        elevation_deg: Lowest and highest usual elevation.
    """

    build: Callable[[Workbench], None]
    elevation_deg: tuple[float, float]


KINDS = {
    "aeroplane": Kind(build_aeroplane, (-20.0, 40.0)),
    "bicycle": Kind(build_bicycle, (-5.0, 40.0)),
    "boat": Kind(build_boat, (-2.0, 40.0)),
    "bottle": Kind(build_bottle, (-5.0, 50.0)),
    "bus": Kind(build_bus, (-5.0, 40.0)),
    "car": Kind(build_car, (-3.0, 45.0)),
    "chair": Kind(build_chair, (-3.0, 50.0)),
    "diningtable": Kind(build_diningtable, (0.0, 55.0)),
    "motorbike": Kind(build_motorbike, (-5.0, 40.0)),
    "sofa": Kind(build_sofa, (-3.0, 50.0)),
    "train": Kind(build_train, (-5.0, 40.0)),
    "tvmonitor": Kind(build_tvmonitor, (-5.0, 40.0)),
}


def build_object(seed: int, category: str, instance: int) -> ObjectModel:
    """Return a shape of a category; it depends on the seed, the category and the number alone."""
    bench = Workbench(np.random.default_rng([seed, list(CATEGORIES).index(category), instance, 0]))
    KINDS[category].build(bench)
    return bench.finish()
