"""Real cars: trained on their own photos, on rendered cars, and on both, tested on their rest."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.app.papers.paper001.sheet import bar_chart, number, share
from sightline.app.papers.results import Section
from sightline.datasets.objects import open_objects
from sightline.errors import InputError
from sightline.records.objects import ObjectSet, ObjectView
from sightline.tasks.objects.config import ObjectsConfig, scratch_config
from sightline.tasks.objects.metrics import angle_scores, constant_predictions, errors_of
from sightline.tasks.objects.predictions import ObjectPredictions

if TYPE_CHECKING:
    from sightline.app.papers.paper001.study import Study

_CATEGORY = "car"


@dataclasses.dataclass(frozen=True, eq=False)
class CarSets:
    """The cars that are trained and tested on; images by whole paths.

    Attributes:
        real: Photos, with parts train and test.
        rendered: Cars of the data at hand.
        mixed: Both, each with its own parts.
    """

    real: ObjectSet
    rendered: ObjectSet
    mixed: ObjectSet


def car_sets(real: ObjectSet, data: ObjectSet, folder: Path) -> CarSets:
    """Return the sets of the comparison.

    Args:
        real: Real cars; other categories are left out.
        data: What rendered cars are taken from.
        folder: Root of the sets: where caches go.

    Raises:
        InputError: One of them has no cars to train on, or the real ones none to test.
    """
    photos = _cars(real, folder / "real", "real cars")
    drawn = _cars(data, folder / "rendered", f"cars of {data.name}")
    for part in ("train", "test"):
        photos.part(part)
    drawn.part("train")
    rest = tuple(view for view in drawn.views if view.split == "train")
    mixed = dataclasses.replace(
        photos, name="real and rendered cars", root=folder / "mixed", views=(*photos.views, *rest)
    )
    return CarSets(photos, drawn, mixed)


def table_cars(study: Study, folder: Path) -> Section:
    """Return azimuth and rotation errors on real cars, by what was trained on."""
    if study.config.cars is None:
        raise InputError("--table cars wants real cars: pass their folder with --cars FOLDER")
    sets = car_sets(open_objects(study.config.cars), study.data, study.folder / "cars")
    config = cars_config(study.config.training())
    plain = {
        "real": study.other_run("cars-real", sets.real, config),
        "rendered": study.other_run("cars-rendered", sets.rendered, config),
        "mixed": study.other_run("cars-mixed", sets.mixed, config),
    }
    tuned = dataclasses.replace(config, fine_tune=str(plain["rendered"]), weights="none")
    runs = {
        "real cars": plain["real"],
        "rendered cars": plain["rendered"],
        "rendered, then real cars": study.other_run("cars-tuned", sets.real, tuned),
        "rendered and real cars together": plain["mixed"],
    }
    found = {name: study.answers(run, sets.real) for name, run in runs.items()}
    train, test = sets.real.part("train"), sets.real.part("test")
    found["constant: the usual view of the real cars"] = constant_predictions(
        train.views, test.views, (_CATEGORY,)
    )
    scores = {name: car_scores(predictions) for name, predictions in found.items()}
    azimuth = {name: (one["median_azimuth_deg"], None) for name, one in scores.items()}
    return Section(
        "table-cars",
        f"Beyond the paper: {len(test)} real cars",
        ("trained on", "median azimuth error", "median rotation error", "within pi/6"),
        tuple(
            (
                name,
                f"{one['median_azimuth_deg']:.2f} deg",
                f"{one['median_rotation_deg']:.2f} deg",
                share(one["accuracy_pi_6"]),
            )
            for name, one in scores.items()
        ),
        (
            *_order(scores),
            f"{len(train)} real and {len(sets.rendered.part('train'))} rendered cars to train on; "
            "tested on photos that no training saw",
            f"each training {_budget(config)}, head {config.head}: axis-angle vectors jump at pi, "
            "where cars show their rear; rendered, then real ones have two trainings",
            f"{_origin(config)}, at the same size as the networks of the other tables",
        ),
        (bar_chart(folder, "table-cars", azimuth, "median azimuth error (deg)"),),
        scores,
    )


def cars_config(config: ObjectsConfig) -> ObjectsConfig:
    """Return the settings for one category: all at once, and a head without a jump."""
    return dataclasses.replace(config, head=scratch_config().head, protocol="joint")


def car_scores(predictions: ObjectPredictions) -> dict[str, float]:
    """Return median errors in degrees, and the share of rotations within pi/6."""
    rotation, azimuth = (
        angle_scores(
            errors_of(predictions, None, kind), predictions.category, predictions.categories
        )
        for kind in ("rotation", "azimuth")
    )
    return {
        "median_azimuth_deg": number(azimuth["median_deg"]["all"]),
        "median_rotation_deg": number(rotation["median_deg"]["all"]),
        "accuracy_pi_6": number(rotation["accuracy_pi_6"]["all"]),
    }


def _cars(data: ObjectSet, root: Path, name: str) -> ObjectSet:
    def whole(view: ObjectView) -> ObjectView:
        return dataclasses.replace(view, image=data.path(view).resolve())

    views = tuple(
        whole(view)
        for view in data.views
        if view.category == _CATEGORY and view.cam_from_object is not None
    )
    if not views:
        raise InputError(f"{data.root}: cars with a pose are wanted, there are none")
    return ObjectSet(name, root, views, (_CATEGORY,))


def _order(scores: dict[str, dict[str, float]]) -> list[str]:
    """Return which training was best, and whether rendered cars helped."""
    err = {name: one["median_azimuth_deg"] for name, one in scores.items()}
    best = min(err, key=lambda name: err[name])
    with_rendered = min(err["rendered, then real cars"], err["rendered and real cars together"])
    word = "help" if with_rendered < err["real cars"] else "do not help"
    return [
        f"least median azimuth error: {best} ({err[best]:.2f} deg)",
        f"rendered cars beside the real ones {word}: {with_rendered:.2f} against "
        f"{err['real cars']:.2f} deg with real ones alone",
    ]


def _origin(config: ObjectsConfig) -> str:
    return "from scratch" if config.weights == "none" else f"from {config.weights} weights"


def _budget(config: Any) -> str:
    if config.max_seconds:
        return f"takes {config.max_seconds / 60:g} minutes"
    return f"takes {config.epochs} epochs a step"
