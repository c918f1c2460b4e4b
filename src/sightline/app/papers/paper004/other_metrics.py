"""Figure 1: what quality metrics and an out-of-distribution score say of utility."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper004 import answers
from sightline.app.papers.paper004.drawing import draw_histograms
from sightline.app.papers.paper004.measures import measures
from sightline.app.papers.paper004.overlap import overlap
from sightline.app.papers.paper004.published import NOTES
from sightline.app.papers.paper004.study import Study
from sightline.app.papers.results import Section
from sightline.tasks.utility.metrics import area_under_roc

NONE = "-"
#: Which notion each metric stands for, as the paper's figure has quality and anomaly detection.
_NOTIONS = {
    "JPEG quality": "setting",
    "file size": "setting",
    "PSNR": "quality",
    "SSIM": "quality",
    "sharpness": "quality, without the pristine image",
    "energy": "out of distribution",
    "predictor": "utility",
}
#: What the picture shows, as the paper's: one metric a notion, and the predictor beside.
_DRAWN = ("PSNR", "SSIM", "sharpness", "energy", "predictor")

Values = NDArray[np.float64]


def figure1(study: Study, folder: Path) -> Section:
    """Return Fig. 1: histograms of metrics for useful and useless pictures, and their overlap."""
    machine = study.labels("classification").machines[0]
    data = study.labels_of("classification", machine).part("test")
    chosen = np.array([item.utility is not None for item in data.items])
    useful = np.array([item.utility == 1 for item in data.items])
    found = dict(measures(data, study.folder / "judged", study.progress))
    model = study.predictor("classification", machine)
    found["predictor"] = answers.utilities(model, data, study.folder / "judged", study.progress)
    parts = {
        name: _parted(values, useful, chosen)
        for name, values in found.items()
        if np.isfinite(values[chosen]).any()
    }
    numbers = {name: _numbers(*both) for name, both in parts.items()}
    picture = "figures/figure-1.png"
    draw_histograms(
        folder / picture,
        {
            name: (*parts[name], numbers[name]["overlap"])
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
            f"labels of {machine}, {int((chosen & useful).sum())} useful and "
            f"{int((chosen & ~useful).sum())} useless test pictures; overlap: the shared part of "
            "two histograms of 30 bins, 0 apart, 1 the same; AUC in the better of two directions",
            "the paper's third picture, Fisher information for adversarial images, is not drawn: "
            "it needs the gradients of the network",
            _verdict(numbers),
            *NOTES["figure-1"],
        ),
        (picture,),
        numbers,
    )


def _parted(
    values: Values, useful: NDArray[np.bool_], chosen: NDArray[np.bool_]
) -> tuple[Values, Values]:
    there = chosen & np.isfinite(values)
    return values[there & useful], values[there & ~useful]


def _numbers(useful: Values, useless: Values) -> dict[str, Any]:
    both = np.concatenate([useful, useless])
    flags = np.arange(len(both)) < len(useful)
    area = area_under_roc(both, flags)
    return {
        "overlap": overlap(useful, useless),
        "auc": max(area, 1 - area),
        "useful": float(useful.mean()) if len(useful) else None,
        "useless": float(useless.mean()) if len(useless) else None,
    }


def _row(name: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    means = (NONE if one[key] is None else f"{one[key]:.4g}" for key in ("useful", "useless"))
    return (name, _NOTIONS[name], f"{one['overlap']:.2f}", f"{one['auc']:.3f}", *means)


def _verdict(numbers: Mapping[str, Mapping[str, Any]]) -> str:
    others = {name: one["overlap"] for name, one in numbers.items() if name != "predictor"}
    best = min(others, key=lambda name: others[name])
    ours = numbers["predictor"]["overlap"]
    holds = "holds here" if ours < others[best] else "does not hold here"
    return (
        "the paper: none of the existing notions captures utility; "
        f"{holds}: the least overlap is {others[best]:.2f} ({best}), the predictor's {ours:.2f}"
    )
