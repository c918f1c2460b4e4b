"""Figure 1: what quality metrics and an out-of-distribution score say of utility."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper004.drawing import draw_histograms
from sightline.app.papers.paper004.overlap import overlap
from sightline.app.papers.paper004.published import NOTES
from sightline.app.papers.paper004.study import Study
from sightline.app.papers.results import Section
from sightline.tasks.utility.baselines import RULES
from sightline.tasks.utility.metrics import area_under_roc

NONE = "-"
PREDICTOR = "predictor"
#: Which notion each measure stands for, as the paper's figure has quality and anomaly detection.
_NOTIONS = {
    "quality": "setting",
    "bytes_per_pixel": "setting",
    "psnr": "quality",
    "ssim": "quality",
    "sharpness": "quality, without the pristine image",
    "energy": "out of distribution",
    PREDICTOR: "utility",
}
#: What the picture shows, as the paper's: measures of each notion, and the predictor beside.
_DRAWN = ("psnr", "ssim", "sharpness", "energy", PREDICTOR)

Values = NDArray[np.float64]


def figure1(study: Study, folder: Path) -> Section:
    """Return Fig. 1: histograms of metrics for useful and useless pictures, and their overlap."""
    from sightline.tasks.utility.evaluate import judge_runs

    machine = study.labels("classification").machines[0]
    data, run = study.labels_of("classification", machine), study.run("classification", machine)
    (one,) = judge_runs([run], [data], folder / "judged" / run.name, study.progress)
    found = one.answers.scored()
    values = {**found.measures, PREDICTOR: found.probability}
    parts = {
        name: _parted(of, found.useful) for name, of in values.items() if np.isfinite(of).any()
    }
    numbers = {name: _numbers(*both) for name, both in parts.items()}
    picture = "figures/figure-1.png"
    draw_histograms(
        folder / picture,
        {
            _title(name): (*parts[name], numbers[name]["overlap"])
            for name in _DRAWN
            if name in parts and min(map(len, parts[name]))
        },
    )
    return Section(
        "figure-1",
        "Fig. 1: other metrics by utility",
        ("metric", "notion", "overlap", "AUC", "mean of useful", "mean of no use"),
        tuple(_row(name, one) for name, one in numbers.items()),
        (
            f"labels of {machine}, {int(found.useful.sum())} useful and "
            f"{int((~found.useful).sum())} useless test pictures; overlap: the shared part of two "
            "histograms of 30 bins, 0 apart, 1 the same; AUC in the better of two directions",
            "the paper's third picture, Fisher information for adversarial images, is not drawn: "
            "it needs the gradients of the network",
            _verdict(numbers),
            *NOTES["figure-1"],
        ),
        (picture,),
        numbers,
    )


def _title(name: str) -> str:
    return RULES.get(name, name)


def _parted(values: Values, useful: NDArray[np.bool_]) -> tuple[Values, Values]:
    there = np.isfinite(values)
    return values[there & useful], values[there & ~useful]


def _numbers(useful: Values, useless: Values) -> dict[str, Any]:
    both = np.concatenate([useful, useless])
    area = area_under_roc(both, np.arange(len(both)) < len(useful))
    shared = overlap(useful, useless)
    return {
        "overlap": None if np.isnan(shared) else shared,
        "auc": None if np.isnan(area) else max(area, 1 - area),
        "useful": float(useful.mean()) if len(useful) else None,
        "useless": float(useless.mean()) if len(useless) else None,
    }


def _row(name: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    forms = {"overlap": ".2f", "auc": ".3f", "useful": ".4g", "useless": ".4g"}
    cells = (NONE if one[key] is None else format(one[key], form) for key, form in forms.items())
    return (_title(name), _NOTIONS[name], *cells)


def _verdict(numbers: Mapping[str, Mapping[str, Any]]) -> str:
    overlaps = {n: one["overlap"] for n, one in numbers.items() if one["overlap"] is not None}
    ours = overlaps.pop(PREDICTOR, None)
    if ours is None or not overlaps:
        return "all test pictures have one label: nothing can be said of overlaps"
    best = min(overlaps, key=lambda name: overlaps[name])
    holds = "holds here" if ours < overlaps[best] else "does not hold here"
    return (
        "the paper: none of the existing notions captures utility; "
        f"{holds}: their least overlap is {overlaps[best]:.2f} ({_title(best)}), the predictor's "
        f"{ours:.2f}"
    )
