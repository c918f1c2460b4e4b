"""Tables 2 to 4 and Figure 5: the data, and pose networks on frozen features."""

from __future__ import annotations

from pathlib import Path

from sightline.app.papers.paper001 import conclusions
from sightline.app.papers.paper001.drawing import draw_stages
from sightline.app.papers.paper001.published import NOTES, TABLE_2, TABLE_3, TABLE_4
from sightline.app.papers.paper001.sheet import (
    FOLDER,
    NONE,
    Entry,
    Score,
    bars,
    degrees,
    errors,
    said,
    sheet,
    short_names,
    values,
)
from sightline.app.papers.paper001.study import Study
from sightline.app.papers.results import Section
from sightline.records.objects import CATEGORIES, in_order


def table2(study: Study, _folder: Path) -> Section:
    """Return the counts of the data at hand, the paper's under them."""
    names = in_order(study.categories)
    rows = []
    counted = study.counts()
    for split, counts in counted.items():
        total = sum(counts.values())
        rows.append((split, *(str(counts[name]) for name in names), str(total)))
        row = TABLE_2[split]
        cells = dict(zip(CATEGORIES, row.cells, strict=True))
        rows.append((f"{split}: paper", *(cells.get(name, NONE) for name in names), row.mean))
    left_out = [f"left out: {count} {why}" for why, count in study.data.left_out]
    return Section(
        "table-2",
        "Table 2: images of each category",
        ("part", *short_names(names), "total"),
        tuple(rows),
        (f"here: {study.data.name}, {study.data.root}", *left_out, *NOTES["2"]),
        values=counted,
    )


def table3(study: Study, _folder: Path) -> Section:
    """Return pose-err by the stage of frozen features."""
    scores = _stage_scores(study)
    entries = [Entry(_stage(k), s, k) for k, s in scores.items()]
    header, rows = sheet(study.categories, entries, accuracy=False, errors=TABLE_3)
    return Section(
        "table-3",
        "Table 3: pose networks on frozen features of a stage",
        header,
        rows,
        (
            *said(conclusions.stages(errors(scores)), *scores.values()),
            "the pose of the true category's network; steps 1 and 2 only, with a quarter of the "
            "minutes of a whole training, or by epochs",
            study.spread_note(*scores.values()),
            study.settings_note(),
        ),
        values=values(scores),
    )


def figure5(study: Study, folder: Path) -> Section:
    """Return Fig. 5: Table 3 drawn."""
    scores = _stage_scores(study)
    picture = f"{FOLDER}/figure-5.png"
    names = in_order(study.categories)
    measured = {
        stage: [*(score.errors["by_category"][c] for c in names), score.errors["mean"]]
        for stage, score in scores.items()
    }
    draw_stages(folder / picture, measured, short_names(names))
    rows = [(_stage(k), degrees(s.error), TABLE_3[k].mean) for k, s in scores.items()]
    return Section(
        "figure-5",
        "Fig. 5: median viewpoint error by the stage of the features",
        ("features", "mean pose-err (deg)", "paper"),
        tuple(rows),
        (
            *said(conclusions.stages(errors(scores)), *scores.values()),
            study.settings_note(),
        ),
        (picture,),
        values(scores),
    )


def table4(study: Study, folder: Path) -> Section:
    """Return pose networks a category against one for all, of three sizes."""
    first, second = study.config.pose_sizes
    entries = [Entry("Cat-dep.", study.score("stage4", "oracle"), "dependent")]
    for times in (12, 5, 1):
        score = study.score(f"independent{times}", "oracle")
        entries.append(Entry(f"Cat-ind. ({times * first})", score, f"independent{times}"))
    header, rows = sheet(study.categories, entries, accuracy=False, errors=TABLE_4)
    scores = {entry.published: entry.score for entry in entries if entry.score}
    return Section(
        "table-4",
        "Table 4: category-dependent and category-independent pose networks",
        header,
        rows,
        (
            *said(conclusions.dependence(errors(scores)), *scores.values()),
            study.spread_note(*scores.values()),
            f"hidden layers here: {first} and {second} a category, 12, 5 and 1 times {first} (and "
            f"{second}) for all; the paper: 1000 and 500",
            study.settings_note(),
        ),
        (bars(folder, "table-4", entries, TABLE_4),),
        values(scores),
    )


def _stage_scores(study: Study) -> dict[str, Score]:
    return {f"stage{n}": study.score(f"stage{n}", "oracle") for n in (3, 4, 5)}


def _stage(key: str) -> str:
    return key.replace("stage", "stage ")
