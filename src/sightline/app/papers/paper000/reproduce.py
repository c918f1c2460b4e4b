"""Section V of paper 000 on a place: every table and figure, the paper's values beside."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path

from sightline.app.papers.paper000.config import Paper000Config
from sightline.app.papers.paper000.figures import (
    figure6,
    figure7,
    figure8,
    figure9,
    without_figure9,
)
from sightline.app.papers.paper000.published import TITLE
from sightline.app.papers.paper000.runs import Runs
from sightline.app.papers.paper000.tables import table1, table2, table3, table4
from sightline.app.papers.results import Reproduction, Section, write_results
from sightline.catalog import backbone_names
from sightline.errors import CatalogError
from sightline.records import Place

Progress = Callable[[str, float], None]
Maker = Callable[[Runs, Path], Section]

_TABLES: dict[int, Maker] = {1: table1, 2: table2, 3: table3, 4: table4}
_FIGURES: dict[int, Maker] = {6: figure6, 7: figure7, 8: figure8, 9: figure9}


def reproduce(
    place: Place,
    config: Paper000Config,
    out: Path | None = None,
    progress: Progress = lambda _stage, _fraction: None,
) -> Reproduction:
    """Return what was asked for, measured on a place, with the paper's values beside.

    Runs are kept: one that is finished is not trained again, a killed one goes on. Each section is
    written as soon as it is there.

    Args:
        place: With poses, and frames in the parts train and test.
        config: What to reproduce, and with which backbones.
        out: Where runs, pictures and results go; ``place/runs/reproduce-000`` where None.
        progress: Called with a text and the fraction done.

    Raises:
        CatalogError: An unknown backbone.
        PlaceError: The place has no training frames.
        InputError: It has no test frames, or Figure 9 alone is asked for without a walkable mask.
        WeightsError: A backbone's weights cannot be had.
        TrainingError: Too few frames.
    """
    _check_names(config.names)
    folder = out or place.runs_dir / "reproduce-000"
    runs = Runs(place, folder, config, progress)
    sections: list[Section] = []
    for make in _asked(config, place):
        sections.append(make(runs, folder))
        write_results(folder, TITLE, sections)
    return Reproduction(folder, tuple(sections))


def _asked(config: Paper000Config, place: Place) -> Sequence[Maker]:
    if config.table is None and config.figure is None:
        plan = place.plan
        has_mask = plan is not None and plan.walkable is not None
        figures = _FIGURES if has_mask else {**_FIGURES, 9: without_figure9}
        return [*_TABLES.values(), *figures.values()]
    tables = [] if config.table is None else [_TABLES[config.table]]
    figures_asked = [] if config.figure is None else [_FIGURES[config.figure]]
    return [*tables, *figures_asked]


def _check_names(names: Sequence[str]) -> None:
    """Refuse an unknown backbone now, not after hours of training the ones before it."""
    known = backbone_names()
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"such as {', '.join(known[:5])}"
            raise CatalogError(
                f"backbones that torchvision has, or compact, are wanted in --backbones; {name!r} "
                f"came, {hint}"
            )
