"""The table of Fig. 5: the metrics of depth models on the sets at hand, published ones beside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sightline.app.papers.paper003.published import FIGURE_5, FIGURE_5_METRICS, NOTES
from sightline.app.papers.paper003.study import Study
from sightline.app.papers.results import Section
from sightline.datasets.depth import open_depth
from sightline.errors import SightlineError
from sightline.records.depth import DepthSet
from sightline.tasks.depth.maps import DepthModel

NONE = "-"
#: The model of the report's own run, and the command that repeats it.
_INDOOR = "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf"


def metrics_table(study: Study, folder: Path) -> Section:
    """Return the nine metrics of every model on every set, the report's under them."""
    models, missing = load_models(study.config.weights)
    extra = [open_depth(path) for path in study.config.extra]
    # nothing is rendered where other sets are there to be judged on
    sets = [study.data, *extra] if study.has_data or not extra else extra
    metrics: dict[str, Any] = {"judged": [], "notes": []}
    if models:
        from sightline.tasks.depth.evaluate import evaluate_sets
        from sightline.tasks.depth.scoring import DepthScoring

        metrics = evaluate_sets(
            models, sets, folder / "judged-metrics", DepthScoring(), study.progress
        )
    rows = [row for one in metrics["judged"] for row in _measured(one)]
    rows += [
        ("NYUv2 (report)", name, "none (own metres)" if name != "ZoeDepth" else NONE, NONE, *cells)
        for name, cells in FIGURE_5.items()
    ]
    return Section(
        "figure-5",
        "Fig. 5: depth metrics",
        ("data", "model", "alignment", "images", *FIGURE_5_METRICS),
        tuple(rows),
        (*metrics["notes"], *missing, *_commands(sets), *NOTES["figure-5"]),
        values={one["set"]: one["scores"] for one in metrics["judged"]},
    )


def load_models(weights: Sequence[str]) -> tuple[list[DepthModel], list[str]]:
    """Return the models that there are, and a note on each that cannot be had.

    Args:
        weights: Their names; none: the package's own.
    """
    from sightline.tasks.depth.models import load_model

    models: list[DepthModel] = []
    missing = []
    for source in weights or (None,):
        try:
            models.append(load_model(source))
        except SightlineError as error:
            missing.append(f"not measured: {source or 'the network of the package'}: {error}")
    return models, missing


def _measured(one: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            one["set"],
            score["model"],
            score["alignment_name"],
            str(score["images"]),
            *(
                NONE if score["mean"][key] is None else f"{score['mean'][key]:.3f}"
                for key in FIGURE_5_METRICS
            ),
        )
        for score in one["scores"]
    ]


def _commands(sets: Sequence[DepthSet]) -> list[str]:
    """Return what to call where the report's own data are not there."""
    if any(data.benchmark == "nyuv2" or "nyu" in data.name.lower() for data in sets):
        return []
    return [
        "the report's rows are of NYUv2's test images (Eigen crop, depth up to 10 m), which are "
        "not among the sets here; with nyu_depth_v2_labeled.mat and splits.mat in one folder: "
        "`sightline import nyuv2 nyu_depth_v2_labeled.mat nyuv2/`, then `sightline reproduce 003 "
        "nyuv2/ --table "
        f"metrics --weights {_INDOOR}`",
        "the report's checkpoint, depth_anything_metric_depth_indoor.pt, is Depth Anything inside "
        f"ZoeDepth, which transformers does not have; {_INDOOR} is the nearest that it has, in "
        "metres too, but trained on rendered rooms (Hypersim), not on NYUv2",
    ]
