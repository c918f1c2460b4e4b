"""The pair counts of sections 3.4 and 4.1 beside those of the data at hand."""

from __future__ import annotations

from pathlib import Path

from sightline.app.papers.paper002.published import (
    DTU_SCENES,
    TRAINING_PAIRS,
    VALIDATION_PAIRS,
)
from sightline.app.papers.paper002.study import Study
from sightline.app.papers.results import Section
from sightline.records.pairs import PairSet


def table1(study: Study, _folder: Path) -> Section:
    """Return how many pairs there are to train on, to choose by, and to judge."""
    counted = {split: scene_counts(study.pairs, split) for split in ("train", "validation", "test")}
    words = {split: _words(scenes) for split, scenes in counted.items()}
    target = study.domains.target
    by_positions = dtu_counts(target)
    rows = [
        ("training pairs", f"{TRAINING_PAIRS} (5 landmarks)", words["train"]),
        ("validation pairs", f"{VALIDATION_PAIRS} (Yorkminster)", words["validation"]),
        ("test pairs", "DTU, 124 scenes; no sum is printed", words["test"]),
    ]
    for positions, (scenes, overlapping, every) in DTU_SCENES.items():
        found = by_positions.get(positions, [])
        here = ", ".join(str(n) for n in sorted(set(found))) or "no such scene"
        rows.append(
            (
                f"pairs of a scene of {positions} positions",
                f"{overlapping} of {every} ({scenes} scenes)",
                here,
            )
        )
    return Section(
        "table-1",
        "Sec. 3.4 and 4.1: image pairs",
        ("pairs", "paper", "here"),
        tuple(rows),
        (
            "the paper has no numbered table; these counts stand in its text",
            f"here: {study.pairs.name} ({study.pairs.source or 'source not said'}); "
            f"scenes of the target: {target.name}",
        ),
        values={
            **{split: sum(scenes.values()) for split, scenes in counted.items()},
            "pairs_of_scenes_by_positions": {str(k): v for k, v in by_positions.items()},
        },
    )


def scene_counts(pairs: PairSet, split: str) -> dict[str, int]:
    """Return the number of pairs in each scene of a part; empty where there is no such part."""
    counts: dict[str, int] = {}
    for pair in pairs.pairs:
        if pair.split == split:
            counts[pair.scene] = counts.get(pair.scene, 0) + 1
    return counts


def dtu_counts(pairs: PairSet) -> dict[int, list[int]]:
    """Return the pairs of each scene that has as many images as DTU's, by that number."""
    images: dict[str, set[Path]] = {}
    count: dict[str, int] = {}
    for pair in pairs.pairs:
        images.setdefault(pair.scene, set()).update((pair.image_a, pair.image_b))
        count[pair.scene] = count.get(pair.scene, 0) + 1
    found: dict[int, list[int]] = {}
    for scene, names in images.items():
        if len(names) in DTU_SCENES:
            found.setdefault(len(names), []).append(count[scene])
    return found


def _words(scenes: dict[str, int]) -> str:
    if not scenes:
        return "none"
    plural = "scene" if len(scenes) == 1 else "scenes"
    return f"{sum(scenes.values()):,} ({len(scenes)} {plural})"
