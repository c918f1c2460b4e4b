"""The tables and figures of paper 004 on the pictures at hand, the paper's values beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sightline.app.papers.paper004.accuracy import table1, table2
from sightline.app.papers.paper004.config import Paper004Config
from sightline.app.papers.paper004.other_metrics import figure1
from sightline.app.papers.paper004.published import TITLE
from sightline.app.papers.paper004.study import Study
from sightline.app.papers.paper004.unseen_networks import figure2, table3, table4
from sightline.app.papers.results import Reproduction, Section, write_results
from sightline.errors import InputError
from sightline.records.utility import PristineSet

Progress = Callable[[str, float], None]
Maker = Callable[[Study, Path], Sequence[Section]]


#: In the order they are made: what later ones share is labelled and trained first.
_MAKERS: dict[str, Maker] = {
    "figure 1": lambda study, folder: [figure1(study, folder)],
    "table 1": lambda study, folder: [table1(study, folder)],
    "table 2": lambda study, folder: [table2(study, folder)],
    "figure 2": figure2,
    "table 3": lambda study, folder: [table3(study, folder)],
    "table 4": lambda study, folder: [table4(study, folder)],
}
#: What needs pictures with boxes.
_OF_DETECTORS = ("table 2", "table 3", "table 4")

#: Where results go, and where objects are rendered, when no data are given.
DEFAULT_OUT = Path("runs") / "reproduce-004"


def reproduce(
    data: PristineSet | None,
    config: Paper004Config,
    out: Path | None = None,
    progress: Progress = lambda _stage, _fraction: None,
) -> Reproduction:
    """Return what was asked for, measured on pictures, with the paper's values beside.

    Pictures, labels, machines, predictors and their answers are kept: what is finished is not made
    again, a killed call goes on. Each section is written as soon as it is there.

    Args:
        data: Undistorted images with classes, boxes or both; None: objects are rendered into
            ``OUT/objects``.
        config: What to reproduce, on how many images, and how long to train.
        out: Where labels, runs, pictures and results go; ``runs/reproduce-004`` beside the images
            where None, or in the current folder where there are none.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: A part of the data is empty, or images for detectors have no boxes.
        RenderError: Objects cannot be rendered here.
        WeightsError: The weights of a machine cannot be had.
        TrainingError: A non-finite loss.
    """
    folder = out or (DEFAULT_OUT if data is None else data.runs_dir / "reproduce-004")
    study = Study(data, folder, config.effective, progress)
    asked = _asked(config)
    if len(asked) > 1 and not study.has_boxes:
        progress("no images with boxes, so no detectors; --detection-data FOLDER brings them", 0.0)
        asked = [name for name in asked if name not in _OF_DETECTORS]
    sections: list[Section] = []
    for name in asked:
        try:
            sections += _MAKERS[name](study, folder)
        except InputError as error:
            if len(asked) == 1:
                raise
            # such as labels that are all useful: the others are made all the same
            key = name.replace(" ", "-")
            sections.append(Section(key, name.capitalize(), notes=(f"not made: {error}",)))
        write_results(folder, TITLE, sections)
    return Reproduction(folder, tuple(sections))


def _asked(config: Paper004Config) -> list[str]:
    if config.table is None and config.figure is None:
        return list(_MAKERS)
    tables = [] if config.table is None else [f"table {config.table}"]
    figures = [] if config.figure is None else [f"figure {config.figure}"]
    return [*tables, *figures]
