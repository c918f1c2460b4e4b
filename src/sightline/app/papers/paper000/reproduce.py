"""The figures of the map and section V of paper 000: measured, the paper's values beside."""

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
    missing_mask,
    without_figure9,
)
from sightline.app.papers.paper000.map_figures import figure2, figure3
from sightline.app.papers.paper000.published import TITLE
from sightline.app.papers.paper000.runs import Runs
from sightline.app.papers.paper000.tables import table1, table2, table3, table4
from sightline.app.papers.paper000.trainings import wanted
from sightline.app.papers.paper000.weights import with_weights
from sightline.app.papers.paper000.world import World, open_world, read_walk, rendered_world
from sightline.app.papers.results import Reproduction, Section, write_results
from sightline.catalog import backbone_names
from sightline.errors import CatalogError, InputError
from sightline.records import Place

Progress = Callable[[str, float], None]
Maker = Callable[[Runs, Path], Section]

#: In the paper's order; Table II's trainings are Table III's and Figures 6, 7 and 9's too.
_MAKERS: dict[str, Maker] = {
    "figure 2": figure2,
    "figure 3": figure3,
    "table 1": lambda runs, _folder: table1(runs.config),
    "table 2": table2,
    "table 3": table3,
    "figure 6": figure6,
    "table 4": table4,
    "figure 7": figure7,
    "figure 8": figure8,
    "figure 9": figure9,
}

#: Where results go, and where a floor is rendered, when no place is given.
DEFAULT_OUT = Path("runs") / "reproduce-000"


def reproduce(
    place: Place | None,
    config: Paper000Config,
    out: Path | None = None,
    progress: Progress = lambda _stage, _fraction: None,
) -> Reproduction:
    """Return what was asked for, measured on a place, with the paper's values beside.

    Runs are kept: one that is finished is not trained again, a killed one goes on. Each section is
    written as soon as it is there.

    Args:
        place: With poses, and frames in the parts train and test; None: the demo's floor is
            rendered, mapped and aligned into ``OUT/floor`` and has a second walk.
        config: What to reproduce, and with which backbones.
        out: Where runs, pictures and results go; ``place/runs/reproduce-000`` where None, or
            ``runs/reproduce-000`` in the current folder where there is no place.
        progress: Called with a text and the fraction done.

    Raises:
        CatalogError: An unknown backbone.
        PlaceError: The place has no training frames.
        InputError: It has no test frames, the walk does not read, or Figure 9 alone is asked for
            without a walkable mask.
        RenderError: A floor cannot be rendered here.
        WeightsError: A backbone's weights cannot be had.
        TrainingError: Too few frames.
    """
    used = config.effective
    _check_names(used.given)
    asked = _asked(config)
    folder = out or (DEFAULT_OUT if place is None else place.runs_dir / "reproduce-000")
    if asked == ["table 1"]:
        return _table1(used, folder)
    if config.figure == 9 and place is not None and not _has_mask(place):
        raise InputError(missing_mask(place))
    world = _world(place, config, folder, progress)
    trainings_asked = wanted(used, asked)
    used, why = with_weights(used, progress) if trainings_asked else (used, "")
    small = "the size of --quick: a check that everything runs, not a measurement"
    runs = Runs(world, folder, used, progress, (why, small if config.quick else ""))
    runs.announce(wanted(used, asked))
    sections: list[Section] = []
    for name in asked:
        make = _MAKERS[name]
        if name == "figure 9" and not _has_mask(world.place):
            make = without_figure9
        sections.append(make(runs, folder))
        write_results(folder, TITLE, sections)
    return Reproduction(folder, tuple(sections))


def _table1(config: Paper000Config, folder: Path) -> Reproduction:
    """Return Table I alone, which wants no place."""
    section = table1(config)
    write_results(folder, TITLE, [section])
    return Reproduction(folder, (section,))


def _world(place: Place | None, config: Paper000Config, folder: Path, progress: Progress) -> World:
    if place is not None:
        return open_world(place, config.walk)
    if config.walk is not None:
        read_walk(config.walk)  # before minutes of rendering, not after
    return rendered_world(folder, quick=config.quick, walk=config.walk, progress=progress)


def _asked(config: Paper000Config) -> Sequence[str]:
    if config.table is None and config.figure is None:
        return list(_MAKERS)
    tables = [] if config.table is None else [f"table {config.table}"]
    figures = [] if config.figure is None else [f"figure {config.figure}"]
    return [*tables, *figures]


def _has_mask(place: Place) -> bool:
    plan = place.plan
    return plan is not None and plan.walkable is not None


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
