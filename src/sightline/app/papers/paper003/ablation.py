"""Table 9: what labels, pseudo-labels, perturbations and feature alignment each bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper003 import conclusions
from sightline.app.papers.paper003.drawing import Panel, draw_grid, draw_histories
from sightline.app.papers.paper003.published import NOTES, TABLE_9, TABLE_9_SETS
from sightline.app.papers.paper003.study import ROWS, Study, kinds_of, readable
from sightline.app.papers.results import Section
from sightline.datasets.depth import open_depth
from sightline.records.depth import DepthSet
from sightline.tasks.depth.maps import DepthMap

NONE = "-"
#: Half of the 95% interval is taken over so many draws of the test scenes.
_RESAMPLES = 1000
#: Pictures of Fig. 1.
_SHOWN = 6


@dataclass(frozen=True, eq=False)
class RowScore:
    """What one predictor scored.

    Attributes:
        scenes: AbsRel of each test scene, a mean over its images.
        images: How many images each has.
        extra: AbsRel on each other set.
        values: All scores of the test part, for ``results.json``.
    """

    scenes: Mapping[str, float]
    images: Mapping[str, int]
    extra: Mapping[str, float]
    values: Mapping[str, Any]

    def mean(self, scenes: Sequence[str] | None = None) -> float:
        """Return AbsRel over the images of some scenes, of all where None."""
        names = list(self.scenes) if scenes is None else scenes
        weights = [self.images[name] for name in names]
        return float(np.average([self.scenes[name] for name in names], weights=weights))


def table9(study: Study, folder: Path) -> Section:
    """Return the ablation: AbsRel of each row on unseen scenes, by kind, and on other sets."""
    scores, notes = judge(study)
    kinds = kinds_of(next(iter(scores.values())).scenes)
    extras = list(next(iter(scores.values())).extra)
    picture = "figures/table-9.png"
    draw_histories(folder / picture, study.histories())
    header = (
        "row", "L_l", "L_u", "S", "L_feat", *kinds, "all scenes", *extras,
        *(f"report: {name}" for name in TABLE_9_SETS),
    )  # fmt: skip
    rows = [_cells(key, score, kinds) for key, score in scores.items()]
    means = {key: score.mean() for key, score in scores.items()}
    return Section(
        "table-9",
        "Table 9: AbsRel, scale and shift aligned per image in disparity, with labels, "
        "pseudo-labels, perturbations and feature alignment",
        header,
        tuple(rows),
        (
            *conclusions.ablation(means, spreads(scores)),
            *_test_notes(study, scores),
            study.settings_note(),
            study.features_note(),
            *_costs(study),
            *notes,
            "report columns: " + ", ".join(f"{k} {v}" for k, v in TABLE_9_SETS.items())
            + "; the method's networks on real images, not to be compared with these numbers",
            *NOTES["table-9"],
        ),
        (picture,),
        {key: {"abs_rel": score.mean(), "by_kind": {k: score.mean(v) for k, v in kinds.items()},
               "extra": dict(score.extra), "test": score.values}
         for key, score in scores.items()},
    )  # fmt: skip


def judge(study: Study) -> tuple[dict[str, RowScore], list[str]]:
    """Return the scores of all rows and of the predictors that never look, and notes.

    Raises:
        InputError: Another set does not read, or has no depth.
    """
    from sightline.tasks.depth.evaluate import evaluate_sets
    from sightline.tasks.depth.models import load_model
    from sightline.tasks.depth.scoring import DepthScoring

    models = [load_model(study.run(key)) for key in ROWS]
    sets: list[DepthSet] = [study.parts.test, *map(open_depth, study.config.extra)]
    # Fig. 1 shows pictures; those of `sightline evaluate` take longer than the judging
    scoring = DepthScoring(alignment="disparity", pictures=0)
    metrics = evaluate_sets(models, sets, study.folder / "judged", scoring, study.progress)
    names = [*ROWS, "constant", "row_mean"]
    found: dict[str, RowScore] = {}
    test, *others = metrics["judged"]
    for number, name in enumerate(names):
        score = test["scores"][number]
        by_source = score["by_source"] or {
            test["set"]: {"images": score["images"], **score["mean"]}
        }
        found[name] = RowScore(
            {source: one["abs_rel"] for source, one in by_source.items()},
            {source: one["images"] for source, one in by_source.items()},
            {other["set"]: other["scores"][number]["mean"]["abs_rel"] for other in others},
            score["mean"],
        )
    blind = (
        "constant and row_mean never look at a picture; they are fitted on the judged images "
        "themselves and aligned as the networks are"
    )
    return found, [*metrics["notes"], blind]


def spreads(scores: Mapping[str, RowScore]) -> dict[tuple[str, str], float]:
    """Return how far the choice of the test scenes moves the difference of two rows' AbsRel.

    Half of the 95% interval over resampled scenes, the same scenes for both rows.
    """
    generator = np.random.default_rng(0)
    names = list(next(iter(scores.values())).scenes)
    draws = generator.integers(0, len(names), (_RESAMPLES, len(names)))
    weights = np.array([next(iter(scores.values())).images[name] for name in names], dtype=float)
    means: dict[str, NDArray[np.float64]] = {}
    for key, score in scores.items():
        values = np.array([score.scenes[name] for name in names])
        means[key] = (values * weights)[draws].sum(axis=1) / weights[draws].sum(axis=1)
    found = {}
    for (a, first), (b, second) in product(means.items(), means.items()):
        low, high = np.percentile(first - second, [2.5, 97.5])
        found[a, b] = float(high - low) / 2.0
    return found


def figure1(study: Study, folder: Path) -> Section:
    """Return Fig. 1: photos of unseen scenes and what the rows say of them."""
    from sightline.tasks.depth.align import align
    from sightline.tasks.depth.colour import colour_map, colour_range
    from sightline.tasks.depth.models import load_model
    from sightline.tasks.depth.predictions import resize_map

    test = study.parts.test
    kinds = kinds_of(item.source for item in test.items)
    items = [i for i in test.items if not kinds or i.source in {v[0] for v in kinds.values()}]
    read = readable(test, items[:: max(1, len(items) // _SHOWN)], _SHOWN, depth=True)
    shown, photos = [item for item, _, _ in read], [photo for _, photo, _ in read]
    truths = [DepthMap(depth, "depth", "m") for _, _, depth in read if depth is not None]
    spans = [colour_range(truth) for truth in truths]
    grid = [
        [Panel(photo, item.source) for photo, item in zip(photos, shown, strict=True)],
        [Panel(colour_map(t, s), "measured") for t, s in zip(truths, spans, strict=True)],
    ]
    for key, row in ROWS.items():
        maps = load_model(study.run(key)).predict(photos)
        aligned = []
        for found, truth in zip(maps, truths, strict=True):
            # depth may be kept coarser than its photo
            values = resize_map(found.values, truth.values.shape)
            sized = DepthMap(values, found.quantity, found.unit)
            aligned.append(DepthMap(align(sized, truth.values, "disparity"), "depth", "m"))
        pictures = [colour_map(m, s) for m, s in zip(aligned, spans, strict=True)]
        grid.append([Panel(one, "" if n else row.name) for n, one in enumerate(pictures)])
    picture = "figures/figure-1.png"
    draw_grid(folder / picture, grid, "near is bright; each aligned to the truth, in its colours")
    return Section(
        "figure-1",
        "Fig. 1: predictions on unseen scenes",
        notes=("the first images of unseen scenes of each kind, not chosen by how they came out",),
        pictures=(picture,),
    )


def _cells(key: str, score: RowScore, kinds: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    row = ROWS.get(key)
    terms = row.terms if row else (False,) * 4
    paper = TABLE_9.get(key, (NONE,) * len(TABLE_9_SETS))
    return (
        row.name if row else key,
        *("x" if one else "" for one in terms),
        *(f"{score.mean(scenes):.4f}" for scenes in kinds.values()),
        f"{score.mean():.4f}",
        *(f"{value:.4f}" for value in score.extra.values()),
        *paper,
    )


def _test_notes(study: Study, scores: Mapping[str, RowScore]) -> list[str]:
    test = study.parts.test
    first = next(iter(scores.values()))
    delta = ", ".join(
        f"{ROWS[key].name if key in ROWS else key} {score.values['a1']:.3f}"
        for key, score in scores.items()
    )
    return [
        f"tested on {sum(first.images.values())} images of {len(first.scenes)} scenes of "
        f"{test.name} that no row has seen; one training a row",
        f"delta1 there: {delta}",
    ]


def _costs(study: Study) -> list[str]:
    said = []
    for key, row in ROWS.items():
        about = study.about(key)
        said.append(
            f"{row.name}: best weights after pass {about.get('best_epoch', '?')} of "
            f"{about.get('epochs', '?')}, {about.get('seconds', '?')} s, "
            f"{about.get('parameters', 0):,} parameters"
        )
    return said
