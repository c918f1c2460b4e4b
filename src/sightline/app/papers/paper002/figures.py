"""Figures 5 to 7 as sections: what is drawn, and the numbers that go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.app.papers.paper002.config import MODELS
from sightline.app.papers.paper002.examples import (
    RULES,
    Captions,
    choose_examples,
    match_picture,
)
from sightline.app.papers.paper002.published import EXAMPLES, KINDS
from sightline.app.papers.paper002.study import Shown, Study
from sightline.app.papers.paper002.texture import RULE, least_textured, pair_textures
from sightline.app.papers.results import Section
from sightline.errors import InputError
from sightline.records.pairs import PairSet
from sightline.tasks.relative.judged import JudgedSet
from sightline.tasks.relative.metrics import AUC_LIMITS_DEG, PairErrors
from sightline.tasks.relative.report import (
    MatchPicture,
    degrees,
    draw_histograms,
    draw_matches,
    set_notes,
)
from sightline.tasks.relative.sizes import at_size

if TYPE_CHECKING:
    from sightline.tasks.relative.predict import RelativeModel

_FOLDER = "figures"
_HEADER = (
    "method", "pairs", "answered", "median ROE (deg)", "median RTE (deg)",
    *(f"AUC@{limit:g}" for limit in AUC_LIMITS_DEG),
)  # fmt: skip
_NO_NUMBERS = "the paper prints no numbers with this figure, only curves"


def figure5(study: Study, folder: Path) -> Section:
    """Return Figure 5: the four networks, trained alike, on the scenes held out."""
    pairs = study.pairs
    models = {name: study.trained(name, pairs, "all") for name in MODELS}
    shown = [Shown(name, model) for name, model in models.items()]
    metrics, judged = study.judge("figure-5", pairs, shown, pairs)
    picture = f"{_FOLDER}/figure-5.png"
    draw_histograms(folder / picture, judged.errors)
    table = judged.metrics()
    return Section(
        "figure-5",
        "Fig. 5: the Siamese networks",
        _HEADER,
        score_cells(table),
        (
            _NO_NUMBERS,
            *_claims(table),
            *_budgets(study, list(models.values())),
            *set_notes(metrics),
            study.settings_note(),
        ),
        (picture,),
        table,
    )


def figure6(study: Study, folder: Path) -> Section:
    """Return Figure 6: example pairs, the classical method's matches, both methods' errors."""
    duel = _duel(study)
    judged, network, classical = duel.judged, duel.network, duel.classical
    errors = judged.errors[classical], judged.errors[network]
    chosen = choose_examples(*errors)
    rows: list[tuple[str, ...]] = []
    pictures = []
    for kind, indices in chosen.items():
        panels = []
        for number, published in enumerate(EXAMPLES[kind]):
            paper = "{} ({})".format(*published.roe), "{} ({})".format(*published.rte)
            if number >= len(indices):
                rows.append((kind, "no such pair", "-", paper[0], "-", paper[1]))
                continue
            caption = Captions.of(*errors, indices[number])
            panel, name = _panel(study, duel, indices[number], caption)
            panels.append(panel)
            rows.append((kind, name, caption.roe, paper[0], caption.rte, paper[1]))
        if panels:
            picture = f"{_FOLDER}/figure-6{kind}.png"
            title = f"({kind}) {KINDS[kind]}: {classical}, in brackets {network}"
            pictures.append(str(draw_matches(folder / picture, panels, title).relative_to(folder)))
    return Section(
        "figure-6",
        "Fig. 6: example pairs, and their matches",
        ("kind", "pair", "ROE (deg)", "paper", "RTE (deg)", "paper"),
        tuple(rows),
        (
            f"here: {classical}, and in brackets {network}; the paper: SURF, and in brackets "
            "cnn-spp on DTU; other pairs, so the numbers are not to be compared one by one",
            *(f"{kind}: {KINDS[kind]}; rule here: {rule}" for kind, rule in RULES.items()),
            study.domains.note,
            *duel.notes,
            study.settings_note(),
        ),
        tuple(pictures),
        {kind: [list(judged_key(judged, i)) for i in found] for kind, found in chosen.items()},
    )


def figure7(study: Study, folder: Path) -> Section:
    """Return Figure 7: the best network against local features, all pairs and the hard ones."""
    domains, target = study.domains, study.domains.target
    classical, notes = study.classical()
    networks = _networks(study)
    shown = _sized_methods(classical, networks, study.config.high_px)
    training = target if domains.can_fine_tune else domains.source
    metrics, judged = study.judge("figure-7", target, shown, training)
    pairs = [study.test_pair(target, *judged_key(judged, i)) for i in range(len(judged))]
    hard = least_textured(pair_textures(target, pairs), study.config.hard_share)
    difficult = judged.part(hard)
    drawn = _draw_figure7(folder, judged, difficult)
    shown_hard = [pair for pair, is_hard in zip(pairs, hard, strict=True) if is_hard]
    drawn.insert(1, f"{_FOLDER}/figure-7b.png")
    _draw_hard(folder / drawn[1], target, shown_hard)
    every, some = judged.metrics(), difficult.metrics()
    rows = [("all pairs", *row) for row in score_cells(every)]
    rows += [("hard pairs (7b, 7c)", *row) for row in score_cells(some)]
    return Section(
        "figure-7",
        "Fig. 7: cnn-spp against local features",
        ("pairs of", *_HEADER),
        tuple(rows),
        (
            *_notes_of_figure7(study),
            *notes,
            *_budgets(study, list(networks.values())),
            *set_notes(metrics),
            study.settings_note(),
        ),
        tuple(drawn),
        {"all": every, "hard": some},
    )


def _notes_of_figure7(study: Study) -> list[str]:
    domains, config = study.domains, study.config
    notes = [
        _NO_NUMBERS,
        domains.note,
        f"{RULE}; here the {100 * config.hard_share:g}% with the least",
        "227x227: every image resized to it, intrinsics transformed, for all methods (4.3); crop: "
        "a shorter side of 323 and its centre 227x227 for all; full: local features on the whole "
        f"photo, the network on the centre square of {config.high_px} pixels",
    ]
    if not domains.can_fine_tune:
        notes.append("not fine-tuned: the target has no training part of its own")
    return notes


def _draw_figure7(folder: Path, judged: JudgedSet, difficult: JudgedSet) -> list[str]:
    """Draw Figs. 7a and 7c, and the comparison of equal crops; return their names."""
    sizes = ("227x227", "full", "high")
    drawn = {
        "a": (_of_size(judged, *sizes), ""),
        "c": (_of_size(difficult, *sizes), "the least textured pairs"),
        "-crop": (_of_size(judged, "crop"), "the same crop for all"),
    }
    for part, (errors, title) in drawn.items():
        draw_histograms(folder / _FOLDER / f"figure-7{part}.png", errors, title)
    return [f"{_FOLDER}/figure-7{part}.png" for part in drawn]


def score_cells(table: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, ...], ...]:
    """Return a row of cells for each method."""
    return tuple(
        (
            method,
            str(one["pairs"]),
            f"{100 * one['share_answered']:.1f}%",
            degrees(one["median_roe_deg"]),
            degrees(one["median_rte_deg"]),
            *(f"{100 * area:.1f}%" for area in one["auc"].values()),
        )
        for method, one in table.items()
    )


def judged_key(judged: JudgedSet, index: int) -> tuple[str, str]:
    """Return the names of both images of a judged pair."""
    row = next(iter(judged.answers.values()))[index]
    return row.image_a, row.image_b


@dataclass(frozen=True, eq=False)
class _Duel:
    """One classical method and one network on the same pixels.

    Attributes:
        judged: What both said.
        classical: Name of the one.
        network: Name of the other.
        base: The classical method itself, for its matches.
        notes: What is missing here.
    """

    judged: JudgedSet
    classical: str
    network: str
    base: Any
    notes: tuple[str, ...]


def _duel(study: Study) -> _Duel:
    """Return the first local feature that there is and the network, both at 227x227."""
    methods, notes = study.classical()
    first, base = next(iter(methods.items()))
    network = study.trained("cnnBspp", study.domains.source, "source")
    names = f"{first} 227x227", "cnn-spp 227x227"
    shown = [
        Shown(names[0], at_size(base, "equal")),
        Shown(names[1], at_size(network, "equal")),
    ]
    _, judged = study.judge("figure-6", study.domains.target, shown, study.domains.source)
    return _Duel(judged, *names, base, tuple(notes))


def _panel(study: Study, duel: _Duel, index: int, caption: Captions) -> tuple[MatchPicture, str]:
    key = judged_key(duel.judged, index)
    target = study.domains.target
    panel = match_picture(target, study.test_pair(target, *key), duel.base, caption.to_text())
    return panel, " - ".join(key)


def _networks(study: Study) -> dict[str, RelativeModel]:
    """Return cnn-spp: trained on the source, and fine-tuned at low and at high resolution."""
    domains, high = study.domains, study.config.high_px
    source = study.trained("cnnBspp", domains.source, "source")
    if not domains.can_fine_tune:
        return {"source": source}
    tuned = {
        name: study.trained("cnnBspp", domains.target, f"tuned{size}", size=size, start=source)
        for name, size in (("fine-tuned low-res", 227), ("fine-tuned high-res", high))
    }
    return {"source": source, **tuned}


def _sized_methods(
    classical: Mapping[str, Any], networks: Mapping[str, Any], high_px: int
) -> list[Shown]:
    shown = []
    for size, mode in (("227x227", "equal"), ("crop", "crop")):
        shown += [Shown(f"{name}, {size}", at_size(m, mode)) for name, m in classical.items()]
        shown += [Shown(f"cnn-spp {n}, {size}", at_size(m, mode)) for n, m in networks.items()]
    shown += [Shown(f"{name}, full", method) for name, method in classical.items()]
    if "fine-tuned high-res" in networks:
        method = networks["fine-tuned high-res"]
        shown.append(Shown(f"cnn-spp fine-tuned high-res, high ({high_px})", method))
    return shown


def _of_size(judged: JudgedSet, *sizes: str) -> dict[str, PairErrors]:
    """Return the errors of the methods at these sizes, and of those without any: the baselines."""
    every = ("227x227", "crop", "full", "high")

    def size(name: str) -> str:
        return next((one for one in every if f", {one}" in name), "")

    return {name: one for name, one in judged.errors.items() if size(name) in ("", *sizes)}


def _draw_hard(path: Path, pairs: PairSet, hard: Sequence[Any]) -> Path:
    """Draw a few of the hard pairs, without matches (Fig. 7b)."""
    from sightline.media import read_photo

    if not hard:
        raise InputError("one hard pair or more is wanted, there is none")
    nothing = np.zeros((0, 2))
    shown = [
        MatchPicture(
            read_photo(pairs.path(pair.image_a)),
            read_photo(pairs.path(pair.image_b)),
            nothing,
            nothing,
            pair.scene,
        )
        for pair in hard[:: max(1, len(hard) // 4)][:4]
    ]
    return draw_matches(path, shown, "the least textured pairs")


def _claims(table: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what the paper says of Fig. 5, and whether it came out so here."""

    def better(first: str, second: str, score: str) -> str:
        a, b = (table[name][f"median_{score}_deg"] for name in (first, second))
        word = "yes" if a < b else "no"
        return f"{score.upper()} {word} ({degrees(a)} against {degrees(b)} deg)"

    claims = (
        ("a bigger feature map is better (cnnB over cnnA)", "cnnB", "cnnA"),
        ("the same with SPP (cnnBspp over cnnAspp)", "cnnBspp", "cnnAspp"),
        ("SPP improves (cnnAspp over cnnA)", "cnnAspp", "cnnA"),
        ("SPP improves (cnnBspp over cnnB)", "cnnBspp", "cnnB"),
    )
    return [
        f"the paper: {text}; here: {better(a, b, 'roe')}, {better(a, b, 'rte')}"
        for text, a, b in claims
    ]


def _budgets(study: Study, models: Sequence[RelativeModel]) -> list[str]:
    """Return how long each training ran."""
    said = []
    for model in models:
        about = study.about(model)
        said.append(
            f"{model.run}: {about.get('epochs', '?')} epochs of {about.get('training_pairs', '?')} "
            f"pairs in {about.get('seconds', '?')} s, {about.get('parameters', '?')} parameters"
        )
    return said
