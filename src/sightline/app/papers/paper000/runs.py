"""The trainings behind the tables: each made once, kept, and scored from its saved predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sightline.app.papers.paper000.config import Paper000Config
from sightline.app.papers.paper000.published import LABELS
from sightline.errors import InputError, NonFiniteLossError
from sightline.geometry import Pose
from sightline.learning.fit import HISTORY, read_history
from sightline.records import Place, stack_poses
from sightline.records.files import digest, digest_files
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.metrics import Predictions, nearest_frame, read_predictions, scores
from sightline.tasks.absolute.samples import in_video_order, training_frames
from sightline.tasks.absolute.task import evaluate, interleaved, train

Progress = Callable[[str, float], None]
Model = Literal["posenet", "mapnet"]
Loss = Literal["l1", "smooth_l1", "mse"]

_MODELS = {"posenet": "PoseNet", "mapnet": "MapNet"}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one training.

    Attributes:
        config: Its settings.
        directory: The run folder.
        test: Predictions of the test frames; None where the loss became NaN or infinite.
        reason: Why there are none.
    """

    config: AbsoluteConfig
    directory: Path
    test: Predictions | None
    reason: str = ""

    @property
    def name(self) -> str:
        """The model and its backbone, as a person writes them."""
        return f"{_MODELS[self.config.model]} ({label(self.config.backbone)})"

    def scores(self) -> dict[str, Any]:
        """Return the scores of the test frames, or the reason why there are none."""
        run = {"run": self.directory.name}
        if self.test is None:
            return {**run, "position_mae": None, "rotation_mae": None, "reason": self.reason}
        return {**run, **scores(self.test.predicted, self.test.true)}

    def history(self) -> list[dict[str, float]]:
        """Return one row an epoch; none where the first epoch did not end."""
        path = self.directory / HISTORY
        return read_history(path) if path.is_file() else []


class Runs:
    """A place's trainings for this paper.

    A run's folder is named by its settings and by the poses it saw, so that other settings or
    another split never meet an older run; a finished one is not trained again.
    """

    def __init__(
        self, place: Place, folder: Path, config: Paper000Config, progress: Progress
    ) -> None:
        """Look at the place; nothing is trained yet.

        Raises:
            PlaceError: The place has no training frames.
            InputError: It has no test frames.
        """
        self.place = place
        self.config = config
        self._folder = folder
        self._progress = progress
        self._poses = digest_files([place.poses_path])
        training, test = training_frames(place), place.registered("test")
        if not test:
            raise InputError(
                f"{place.root} has no registered frames in its split 'test'; make the paper's with "
                f"`sightline split {place.root} mod3`"
            )
        self._training: Pose = stack_poses(training)
        self._true: Pose = stack_poses(test)
        self.leaks = interleaved(in_video_order(place.registered()), "test")

    @property
    def counts(self) -> str:
        """How many frames there are of each part, in words."""
        return f"{len(self._training)} training and {len(self._true)} test frames"

    def baseline(self) -> dict[str, Any]:
        """Return the scores of copying the nearest training frame's pose."""
        return scores(nearest_frame(self._true, self._training), self._true)

    def run(self, model: Model, backbone: str, loss: Loss, alpha: float = 1.0) -> Outcome:
        """Return one training's outcome, trained and evaluated where it is not there yet.

        Raises:
            WeightsError: The backbone's weights cannot be had.
            TrainingError: Too few frames for MapNet's tuples.
        """
        config = self.config.run_config(model, backbone, loss, alpha)
        directory = self._folder / self._name(config)
        what = f"{_MODELS[model]} on {label(backbone)}, {loss}"
        what += f", alpha {alpha:g}" if alpha != 1 else ""

        def progress(stage: str, fraction: float) -> None:
            self._progress(f"{what}: {stage}", fraction)

        try:
            trained = train(self.place, config, directory, progress)
        except NonFiniteLossError as error:
            # The paper prints such runs as NaN; so do we, with the reason beside it.
            return Outcome(config, directory, None, str(error))
        saved = directory / "predictions.csv"
        if trained.fit is not None or not saved.is_file():
            evaluate(directory, None, progress)
        return Outcome(config, directory, read_predictions(saved).of_split("test"))

    def _name(self, config: AbsoluteConfig) -> str:
        parts = [config.model, config.backbone, config.loss]
        if config.alpha != 1:
            parts.append(f"alpha{config.alpha:g}")
        return "-".join([*parts, digest(config, self._poses)[:8]])


def label(backbone: str) -> str:
    """Return the paper's name of a backbone, or the backbone's own."""
    return LABELS.get(backbone, backbone)
