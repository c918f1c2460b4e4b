"""The tables and the figure of paper 001 on the objects at hand, the paper's values beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sightline.app.papers.paper001 import joint
from sightline.app.papers.paper001.beyond import table_fusion, table_heads
from sightline.app.papers.paper001.cars import table_cars
from sightline.app.papers.paper001.config import Paper001Config
from sightline.app.papers.paper001.published import TITLE
from sightline.app.papers.paper001.study import Study
from sightline.app.papers.paper001.tables import figure5, table2, table3, table4
from sightline.app.papers.results import Reproduction, Section, write_results
from sightline.records.objects import ObjectSet

Progress = Callable[[str, float], None]
Maker = Callable[[Study, Path], Section]

#: In the order they are made: what later ones share is trained first.
_MAKERS: dict[str, Maker] = {
    "2": table2,
    "3": table3,
    "figure 5": figure5,
    "4": table4,
    "5": joint.table5,
    "6": joint.table6,
    "7": joint.table7,
    "8": joint.table8,
    "9": joint.table9,
    "10": joint.table10,
    "11": joint.table11,
    "12": joint.table12,
    "13": joint.table13,
    "fusion": table_fusion,
    "heads": table_heads,
    "cars": table_cars,
}

#: Where results go, and where objects are rendered, when no data are given.
DEFAULT_OUT = Path("runs") / "reproduce-001"


def reproduce(
    data: ObjectSet | None,
    config: Paper001Config,
    out: Path | None = None,
    progress: Progress = lambda _stage, _fraction: None,
) -> Reproduction:
    """Return what was asked for, measured on objects, with the paper's values beside.

    Trainings and answers are kept, and steps that trainings share are made once: what is finished
    is not made again, a killed call goes on. Each section is written as soon as it is there.

    Args:
        data: Objects with parts train and test; None: they are rendered into ``OUT/objects``.
        config: What to reproduce, and how long to train.
        out: Where runs, pictures and results go; ``runs/reproduce-001`` beside the objects where
            None, or in the current folder where there are none.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: The objects have no parts, or the cars do not read.
        RenderError: Objects cannot be rendered here.
        WeightsError: The weights to start from cannot be had.
        TrainingError: Too few usable objects, or a non-finite loss.
    """
    folder = out or (DEFAULT_OUT if data is None else data.runs_dir / "reproduce-001")
    asked = _asked(config)
    study = Study(data, folder, config, progress)
    study.announce(asked)
    sections: list[Section] = []
    for name in asked:
        sections.append(_MAKERS[name](study, folder))
        write_results(folder, TITLE, sections)
    return Reproduction(folder, tuple(sections))


def _asked(config: Paper001Config) -> Sequence[str]:
    if config.table is None and config.figure is None:
        return [name for name in _MAKERS if name != "cars" or config.cars is not None]
    tables = [] if config.table is None else [config.table]
    figures = [] if config.figure is None else [f"figure {config.figure}"]
    return [*tables, *figures]
