"""The figures and counts of paper 002 on the pairs at hand, the paper's values beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sightline.app.papers.paper002.config import Paper002Config
from sightline.app.papers.paper002.counts import table1
from sightline.app.papers.paper002.figures import figure5, figure6, figure7
from sightline.app.papers.paper002.published import TITLE
from sightline.app.papers.paper002.study import Study
from sightline.app.papers.results import Reproduction, Section, write_results
from sightline.records.pairs import PairSet

Progress = Callable[[str, float], None]
Maker = Callable[[Study, Path], Section]

_TABLES: dict[int, Maker] = {1: table1}
_FIGURES: dict[int, Maker] = {5: figure5, 6: figure6, 7: figure7}

#: Where results go, and where rooms are rendered, when no pairs are given.
DEFAULT_OUT = Path("runs") / "reproduce-002"


def reproduce(
    pairs: PairSet | None,
    config: Paper002Config,
    out: Path | None = None,
    progress: Progress = lambda _stage, _fraction: None,
) -> Reproduction:
    """Return what was asked for, measured on image pairs, with the paper's values beside.

    Trainings and answers are kept: what is finished is not made again, a killed call goes on. Each
    section is written as soon as it is there.

    Args:
        pairs: With poses, and parts train and test; None: rooms are rendered into ``OUT/rooms``.
        config: What to reproduce, and how long to train.
        out: Where runs, pictures and results go; ``runs/reproduce-002`` beside the pairs where
            None, or in the current folder where there are none.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: The pairs have no parts, or no asked-for method is on this machine.
        RenderError: Rooms cannot be rendered here.
        WeightsError: The weights to start from cannot be had.
        TrainingError: Too few usable pairs, or a non-finite loss.
    """
    folder = out or (DEFAULT_OUT if pairs is None else pairs.runs_dir / "reproduce-002")
    if pairs is None:
        pairs = rendered(folder / "rooms", config, progress)
    study = Study(pairs, folder, config, progress)
    sections: list[Section] = []
    for make in _asked(config):
        sections.append(make(study, folder))
        write_results(folder, TITLE, sections)
    return Reproduction(folder, tuple(sections))


def rendered(folder: Path, config: Paper002Config, progress: Progress) -> PairSet:
    """Return the default data: rendered rooms and objects, made where they are not there yet."""
    from sightline.worlds.rooms.config import RoomsConfig
    from sightline.worlds.rooms.write import write_rooms

    return write_rooms(folder, RoomsConfig(rooms=config.rooms, seed=config.seed), progress)


def _asked(config: Paper002Config) -> Sequence[Maker]:
    if config.table is None and config.figure is None:
        return [*_TABLES.values(), *_FIGURES.values()]
    tables = [] if config.table is None else [_TABLES[config.table]]
    figures = [] if config.figure is None else [_FIGURES[config.figure]]
    return [*tables, *figures]
