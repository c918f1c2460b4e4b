"""Tables beyond the paper: what a pose network says, how poses are fused."""

from __future__ import annotations

from pathlib import Path

from sightline.app.papers.paper001.conclusions import least
from sightline.app.papers.paper001.runs import HEADS
from sightline.app.papers.paper001.sheet import (
    Entry,
    Score,
    bars,
    degrees,
    errors,
    share,
    sheet,
    values,
)
from sightline.app.papers.paper001.study import Study
from sightline.app.papers.results import Section

_RULES = ("weighted", "top1", "chordal", "oracle")


def table_heads(study: Study, folder: Path) -> Section:
    """Return every head, trained with and without symmetry in its loss."""
    scores: dict[str, Score] = {}
    for head in HEADS:
        scores[head] = study.score(f"head_{head}")
        scores[f"{head}, symmetric loss"] = study.score(f"head_{head}_symmetric")
    entries = [Entry(name, score) for name, score in scores.items()]
    header, rows = sheet(study.categories, entries)
    granted = {name: score.symmetric_error for name, score in scores.items()}
    return Section(
        "table-heads",
        "Beyond the paper: what a pose network says",
        header,
        rows,
        (
            least("heads by pose-err", errors(scores)),
            least("heads by pose-err, symmetry granted", granted),
            "axis_angle: the paper's; sixd: two axes; fisher: a distribution over rotations; bins: "
            "the nearest of some views and the rest of the turn",
            study.spread_note(*scores.values()),
            study.settings_note(),
        ),
        (bars(folder, "table-heads", entries),),
        values(scores),
    )


def table_fusion(study: Study, folder: Path) -> Section:
    """Return the networks trained with weighted and with top1 fusion, fused by every rule."""
    scores = {
        f"trained {name}, fused {rule}": study.score(name, rule)
        for name in ("weighted", "top1")
        for rule in _RULES
    }
    rows = []
    for name, score in scores.items():
        near = score.of_rule["rotation"]
        rows.append(
            (
                name,
                degrees(score.error),
                degrees(score.symmetric_error),
                share(near["accuracy_pi_6"]["mean"]),
                share(near["accuracy_pi_18"]["mean"]),
                share(score.of_rule["joint"]["mean"]),
            )
        )
    entries = [Entry(name, score) for name, score in scores.items()]
    return Section(
        "table-fusion",
        "Beyond the paper: how the categories' poses become one",
        ("network", "pose-err", "symmetry granted", "within pi/6", "within pi/18", "joint"),
        tuple(rows),
        (
            least("rules by pose-err", errors(scores)),
            "chordal: the mean rotation, right near pi, where weighted sums of axis-angle vectors "
            "fail; oracle: the true category's pose; joint: category right and pose within pi/6",
            study.spread_note(*scores.values()),
            study.settings_note(),
        ),
        (bars(folder, "table-fusion", entries),),
        values(scores),
    )
