"""Tables 5 to 13: joint networks for category and pose, compared as the paper compares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sightline.app.papers.paper001 import conclusions
from sightline.app.papers.paper001.conclusions import Conclusion
from sightline.app.papers.paper001.drawing import draw_losses
from sightline.app.papers.paper001.published import (
    NOTES,
    POSE_ERR,
    TABLE_7,
    TABLE_8,
    TABLE_8_NAMES,
    TABLE_13,
    PublishedShare,
)
from sightline.app.papers.paper001.sheet import (
    FOLDER,
    Entry,
    Score,
    accuracies,
    bars,
    degrees,
    errors,
    number,
    said,
    share,
    sheet,
    values,
)
from sightline.app.papers.paper001.study import Study
from sightline.app.papers.results import Section

Scores = Mapping[str, Score]


@dataclass(frozen=True)
class _Comparison:
    """A table of pose-err and cat-acc of several trainings.

    Attributes:
        title: What is compared.
        names: What the table calls each training of :mod:`.runs`.
        conclude: The paper's conclusions from the scores by training.
        published: Key of the paper's row where it is not the training's own.
        notes: What a reader must know.
    """

    title: str
    names: Mapping[str, str]
    conclude: Callable[[Scores], list[Conclusion]]
    published: Mapping[str, str]
    notes: tuple[str, ...] = ()


#: Tables 6 to 9 print the rows of Table 5 that had rendered images.
_WITH_RENDERED = {"weighted": "rendered_weighted", "top1": "rendered_top1"}
_SAME_DATA = "here all of them are trained on the same real images, as the paper's text says"

_COMPARISONS = {
    "5": _Comparison(
        "joint networks with real and with rendered images",
        {
            "weighted": "only real, Weighted",
            "top1": "only real, Top1",
            "rendered_weighted": "real and rendered, Weighted",
            "rendered_top1": "real and rendered, Top1",
        },
        lambda of: conclusions.rendered_images(errors(of), accuracies(of)),
        {},
        ("rendered images are added in the steps that teach pose alone",),
    ),
    "6": _Comparison(
        "joint networks against [8]* (one pose network for all)",
        {"shared": "[8]*", "weighted": "Ours-Wgt", "top1": "Ours-Top1"},
        lambda of: conclusions.against_shared(errors(of), accuracies(of)),
        _WITH_RENDERED,
        (_SAME_DATA,),
    ),
    "10": _Comparison(
        "balanced and pose-first training, real images",
        {
            "balanced_weighted": "balanced, Weighted",
            "balanced_top1": "balanced, Top1",
            "weighted": "pose-first, Weighted",
            "top1": "pose-first, Top1",
        },
        lambda of: conclusions.protocols(errors(of), accuracies(of)),
        {},
        (
            "with a budget of minutes both have the same time for all their steps together; by "
            "epochs pose-first has one step more",
        ),
    ),
    "12": _Comparison(
        "weight of the category loss (lambda), pose-first",
        {
            "weighted": "lambda 0.1, Weighted",
            "top1": "lambda 0.1, Top1",
            "lambda1_weighted": "lambda 1, Weighted",
            "lambda1_top1": "lambda 1, Top1",
        },
        lambda of: conclusions.weights_of_category(errors(of), accuracies(of)),
        {},
    ),
}


def table5(study: Study, folder: Path) -> Section:
    """Return training with and without rendered images, by fusion."""
    return _compared(study, folder, "5")


def table6(study: Study, folder: Path) -> Section:
    """Return the integrated networks against [8]*."""
    return _compared(study, folder, "6")


def table7(study: Study, _folder: Path) -> Section:
    """Return the same networks by the measures of [8], of the rotation and of the azimuth."""
    scores = {key: study.score(key) for key in ("shared", "weighted", "top1")}
    names = {"shared": "[8]*", "weighted": "Ours-Weighted", "top1": "Ours-Top1"}
    measured = {
        error: {key: _shares(score, error) for key, score in scores.items()} for error in TABLE_7
    }
    rows = []
    for error, printed in TABLE_7.items():
        for key, row in printed.items():
            if key in scores:
                rows.append((error, names[key], *_share_cells(measured[error][key])))
            name = f"{names[key]}: paper" if key in names else "[8]: paper"
            rows.append((error, name, *_share_cells(row)))
    return Section(
        "table-7",
        "Table 7: joint networks against [8]* by its measures",
        ("error", "network", "cat-acc", "P%(<22.5)", "P%(<45)", "AAAI"),
        tuple(rows),
        (
            *said(conclusions.shares(measured)),
            "shares of all images alike; cat-acc is the mean over the categories",
            *NOTES["7"],
            _SAME_DATA,
            study.spread_note(*scores.values()),
            study.settings_note(),
        ),
        values={
            error: {key: vars(one) for key, one in of.items()} for error, of in measured.items()
        },
    )


def table8(study: Study, folder: Path) -> Section:
    """Return the joint networks beside those that are told the category."""
    known = study.score("known", "oracle")
    ours = {key: study.score(key) for key in ("weighted", "top1")}
    entries = [
        *(Entry(name, None, key) for key, name in TABLE_8_NAMES.items()),
        Entry("told the category (our step 3)", known),
        Entry("Ours-Weighted", ours["weighted"], "rendered_weighted"),
        Entry("Ours-Top1", ours["top1"], "rendered_top1"),
    ]
    header, rows = sheet(study.categories, entries, accuracy=False, errors=POSE_ERR | TABLE_8)
    scores = {"known": known, **ours}
    return Section(
        "table-8",
        "Table 8: against pose with a known category",
        header,
        rows,
        (
            *said(conclusions.known_category(errors(scores)), *scores.values()),
            "the four published methods are not trained here; the pose-first network before it "
            "learns categories stands in for them",
            _SAME_DATA,
            study.spread_note(*scores.values()),
            study.settings_note(),
        ),
        (bars(folder, "table-8", entries),),
        values(scores),
    )


def table9(study: Study, folder: Path) -> Section:
    """Return the four architectures."""
    names = {
        "sequential_everything": "sequential, Everything",
        "sequential_fc": "sequential, FC",
        "sequential_fc_stage5": "sequential, FC+Stage5",
        "weighted": "integrated, Ours-Wgt",
        "top1": "integrated, Ours-Top1",
        "shared": "shared, [8]*",
        "independent": "independent",
    }
    scores = {key: study.score(key) for key in names}
    entries = [
        Entry(name, scores[key], _WITH_RENDERED.get(key, key)) for key, name in names.items()
    ]
    header, rows = sheet(study.categories, entries)
    sizes = {key: float(study.parameters(key)) for key in names}
    found = conclusions.architectures(errors(scores), accuracies(scores), sizes)
    return Section(
        "table-9",
        "Table 9: sequential, shared and integrated networks",
        header,
        rows,
        (
            *said(found, *scores.values()),
            "parameters: " + ", ".join(f"{names[k]} {n:,.0f}" for k, n in sizes.items()),
            "the paper leaves independent networks out",
            *NOTES["9"],
            _SAME_DATA,
            study.spread_note(*scores.values()),
            study.settings_note(),
        ),
        (bars(folder, "table-9", entries),),
        values(scores) | {"parameters": sizes},
    )


def table10(study: Study, folder: Path) -> Section:
    """Return the two protocols, by fusion, and the losses of their steps."""
    section = _compared(study, folder, "10")
    names = ("weighted", "balanced_weighted")
    pictures = [f"{FOLDER}/losses-{name.replace('_', '-')}.png" for name in names]
    for name, picture in zip(names, pictures, strict=True):
        draw_losses(folder / picture, study.histories(name))
    return replace(section, pictures=(*section.pictures, *pictures))


def table11(study: Study, folder: Path) -> Section:
    """Return the balanced training before and after its joint step."""
    scores = {
        "before_weighted": study.score("before", "weighted"),
        "before_top1": study.score("before", "top1"),
        "balanced_weighted": study.score("balanced_weighted"),
        "balanced_top1": study.score("balanced_top1"),
    }
    names = ("before, Weighted", "before, Top1", "after, Weighted", "after, Top1")
    entries = [Entry(n, s, k) for n, (k, s) in zip(names, scores.items(), strict=True)]
    header, rows = sheet(study.categories, entries)
    both = [r for r in rows if r[0] == "pose-err" or not r[1].startswith("before")]
    before = sheet(study.categories, [Entry("before, both", scores["before_weighted"], "before")])
    both[8:8] = [row for row in before[1] if row[0] == "cat-acc"]
    acc = accuracies(scores) | {"before": scores["before_weighted"].accuracy}
    found = conclusions.joint_step(errors(scores), acc)
    return Section(
        "table-11",
        "Table 11: balanced training before and after the joint step",
        header,
        tuple(both),
        (
            *said(found, *scores.values()),
            *NOTES["11"],
            study.spread_note(*scores.values()),
            study.settings_note(),
        ),
        (bars(folder, "table-11", entries),),
        values(scores),
    )


def table12(study: Study, folder: Path) -> Section:
    """Return two weights of the category loss, by fusion."""
    return _compared(study, folder, "12")


def table13(study: Study, _folder: Path) -> Section:
    """Return the best pose of the 1, 2 and 3 likeliest categories, and of the true one."""
    score = study.score("top1")
    top = score.table["top_k"]
    columns = {"top1": "1", "top2": "2", "top3": "3", "oracle": "GT"}
    err = {key: number(top[k]["rotation"]["mean"]) for key, k in columns.items()}
    acc = {
        key: 1.0 if key == "oracle" else number(top[k]["accuracy"]["mean"])
        for key, k in columns.items()
    }
    rows = []
    for key, name in zip(columns, ("Top1", "Top-2", "Top-3", "GT"), strict=True):
        printed = TABLE_13[key]
        cells = share(acc[key]), share(printed[0]), degrees(err[key]), degrees(printed[1])
        rows.append((name, *cells))
    return Section(
        "table-13",
        "Table 13: several category labels",
        ("labels", "cat-acc", "paper", "pose-err", "paper"),
        tuple(rows),
        (
            *said(conclusions.more_labels(err), score),
            "the least error of several poses can only fall with more of them, whatever they are",
            *NOTES["13"],
            study.spread_note(score),
            study.settings_note(),
        ),
        values={"pose_err_deg": err, "cat_acc": acc},
    )


def _compared(study: Study, folder: Path, table: str) -> Section:
    """Return a section of one of the plain comparisons."""
    of = _COMPARISONS[table]
    scores = {key: study.score(key) for key in of.names}
    entries = [
        Entry(name, scores[key], of.published.get(key, key)) for key, name in of.names.items()
    ]
    header, rows = sheet(study.categories, entries)
    return Section(
        f"table-{table}",
        f"Table {table}: {of.title}",
        header,
        rows,
        (
            *said(of.conclude(scores), *scores.values()),
            *of.notes,
            *NOTES.get(table, ()),
            study.spread_note(*scores.values()),
            study.settings_note(),
        ),
        (bars(folder, f"table-{table}", entries),),
        values(scores),
    )


def _shares(score: Score, error: str) -> PublishedShare:
    table = score.of_rule[error]
    keys = ("within_22_5_deg", "within_45_deg", "aaai")
    return PublishedShare(score.accuracy, *(number(table[key]["all"]) for key in keys))


def _share_cells(one: PublishedShare) -> tuple[str, ...]:
    return tuple(share(v) for v in (one.cat_acc, one.within_22_5, one.within_45, one.aaai))
