"""The tables and figures of report 003 on the data at hand, the report's values beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sightline.app.papers.paper003.ablation import figure1, table9
from sightline.app.papers.paper003.classification import classification_sections
from sightline.app.papers.paper003.config import Paper003Config
from sightline.app.papers.paper003.metrics_table import metrics_table
from sightline.app.papers.paper003.perturbations import figure3
from sightline.app.papers.paper003.published import TITLE
from sightline.app.papers.paper003.study import Study
from sightline.app.papers.results import Reproduction, Section, write_results
from sightline.records.depth import DepthSet
from sightline.tasks.depth.maps import DepthModel

Progress = Callable[[str, float], None]
Maker = Callable[[Study, Path], Sequence[Section]]
LEAD = "Measured here, the report's printed values beside."


def _ablation(study: Study, folder: Path) -> Sequence[Section]:
    study.announce()
    return [figure3(study, folder), table9(study, folder), figure1(study, folder)]


def _classification(study: Study, folder: Path) -> Sequence[Section]:
    def load() -> DepthModel:
        from sightline.tasks.depth.models import load_model

        weights = study.config.weights
        return load_model(weights[0] if weights else None)

    return classification_sections(study.config, folder, load, study.progress)


_MAKERS: dict[str, Maker] = {
    "figure 3": lambda study, folder: [figure3(study, folder)],
    "figure 1": lambda study, folder: [figure1(study, folder)],
    "ablation": _ablation,
    "metrics": lambda study, folder: [metrics_table(study, folder)],
    "classification": _classification,
}

#: Where results go, and where scenes are rendered, when no data are given.
DEFAULT_OUT = Path("runs") / "reproduce-003"


def reproduce(
    data: DepthSet | None,
    config: Paper003Config,
    out: Path | None = None,
    progress: Progress = lambda _stage, _fraction: None,
) -> Reproduction:
    """Return what was asked for, measured on images with depth, with the report's values beside.

    Trainings, labels, predictions and features are kept, and the ablation's rows share the teacher
    and its labels: what is finished is not made again, a killed call goes on. Each section is
    written as soon as it is there.

    Args:
        data: With parts train and test; None: scenes are rendered into ``OUT/depth`` where they
            are needed.
        config: What to reproduce, and how long to train.
        out: Where runs, pictures and results go; ``runs/reproduce-003`` beside the images where
            None, or in the current folder where there are none.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: The data have no parts, or the classification has no images.
        RenderError: Scenes cannot be rendered here.
        WeightsError: Weights cannot be had.
        TrainingError: A non-finite loss.
    """
    folder = out or (DEFAULT_OUT if data is None else data.runs_dir / "reproduce-003")
    study = Study(data, folder, config.effective, progress)
    sections: list[Section] = []
    for name in _asked(config):
        sections += _MAKERS[name](study, folder)
        write_results(folder, TITLE, sections, LEAD)
    return Reproduction(folder, tuple(sections))


def _asked(config: Paper003Config) -> Sequence[str]:
    if config.table is None and config.figure is None:
        return ["ablation", "metrics", *(["classification"] if config.images else [])]
    tables = [] if config.table is None else [config.table]
    figures = [] if config.figure is None else [f"figure {config.figure}"]
    return [*tables, *figures]
