"""The trainings behind the tables: each made once, kept, and scored from its saved predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.app.papers.paper000.config import Paper000Config
from sightline.app.papers.paper000.trainings import Training
from sightline.app.papers.paper000.world import World
from sightline.errors import InputError, NonFiniteLossError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array, rotation_angle_deg
from sightline.learning.fit import HISTORY, read_history
from sightline.learning.runs import CONFIG, WEIGHTS, read_run_table
from sightline.records import PosedFrame, stack_poses
from sightline.records.files import digest, digest_files
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.metrics import (
    Predictions,
    mean_pose,
    nearest_frame,
    read_predictions,
    scores,
)
from sightline.tasks.absolute.samples import in_video_order, training_frames
from sightline.tasks.absolute.task import WALK, evaluate, interleaved, train

Progress = Callable[[str, float], None]

#: The two parts that are judged, as values and headers call them.
TEST, SECOND = "test", "second walk"
NEAREST, CONSTANT = "nearest training frame", "constant"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one training.

    Attributes:
        training: It.
        directory: The run folder.
        parts: Predictions of :data:`TEST` and, where there is one, of :data:`SECOND`; empty where
            the loss became NaN or infinite.
        reason: Why there are none.
    """

    training: Training
    directory: Path
    parts: dict[str, Predictions]
    reason: str = ""

    @property
    def test(self) -> Predictions | None:
        """Predictions of the test frames; None where the training came to nothing."""
        return self.parts.get(TEST)

    def scores(self) -> dict[str, Any]:
        """Return the scores of both parts, or the reason why there are none."""
        about = {"run": self.directory.name, "epochs": self.epochs}
        if not self.parts:
            return {**about, "position_mae": None, "rotation_mae": None, "reason": self.reason}
        found = {name: scores(part.predicted, part.true) for name, part in self.parts.items()}
        second = {"second_walk": found[SECOND]} if SECOND in found else {}
        return {**about, **found[TEST], **second}

    def errors(self, part: str = TEST) -> Array | None:
        """Return (N,) the paper's position error frame by frame: the mean over coordinates."""
        if part not in self.parts:
            return None
        found = self.parts[part]
        off: Array = np.abs(found.predicted.translation - found.true.translation).mean(axis=1)
        return off

    def distances(self, part: str = TEST) -> Array | None:
        """Return (N,) the distances of predicted to true positions."""
        if part not in self.parts:
            return None
        found = self.parts[part]
        off: Array = np.linalg.norm(found.predicted.translation - found.true.translation, axis=1)
        return off

    def history(self) -> list[dict[str, float]]:
        """Return one row an epoch; none where the first epoch did not end."""
        path = self.directory / HISTORY
        return read_history(path) if path.is_file() else []

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        table = read_run_table(self.directory) if (self.directory / CONFIG).is_file() else {}
        return int(table.get("epochs", len(self.history())))


class Runs:
    """A place's trainings for this paper.

    A run's folder is named by its settings and by the poses it saw, so that other settings or
    another split never meet an older run; a finished one is not trained again.

    Attributes:
        world: The place, and the walk that nothing is trained on.
        config: What was asked for, as it is used.
        notes: What the reader must know of all trainings.
        leaks: Whether test frames lie between training frames.
    """

    def __init__(
        self,
        world: World,
        folder: Path,
        config: Paper000Config,
        progress: Progress,
        notes: Sequence[str] = (),
    ) -> None:
        """Look at the place; nothing is trained yet.

        Raises:
            PlaceError: The place has no training frames.
            InputError: It has no test frames.
        """
        self.world, self.place = world, world.place
        self.config = config
        self.notes = tuple(note for note in notes if note)
        self._folder = folder
        self._progress = progress
        self._poses = digest_files([self.place.poses_path])
        training, test = training_frames(self.place), self.place.registered("test")
        if not test:
            raise InputError(
                f"{self.place.root} has no registered frames in its split 'test'; make the paper's "
                f"with `sightline split {self.place.root} mod3`"
            )
        self._training: Pose = stack_poses(training)
        self._true = {TEST: stack_poses(test)}
        if world.walk_frames:
            self._true[SECOND] = stack_poses(list(world.walk_frames))
        self.leaks = interleaved(in_video_order(self.place.registered()), "test")
        self._outcomes: dict[Training, Outcome] = {}
        self._planned: list[Training] = []

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that are judged."""
        return tuple(self._true)

    @property
    def counts(self) -> str:
        """How many frames there are of each part, in words."""
        second = f", {len(self._true[SECOND])} of a second walk" if SECOND in self._true else ""
        return f"{len(self._training)} training and {len(self._true[TEST])} test frames{second}"

    def announce(self, trainings: Sequence[Training]) -> None:
        """Say how many trainings are to be made, and how long they take where that is known."""
        self._planned = list(trainings)
        left = [one for one in trainings if not (self._directory(one) / WEIGHTS).is_file()]
        seconds = [self._settings(one).max_seconds for one in left]
        most = f", {sum(seconds) / 60:.1f} minutes at most" if left and all(seconds) else ""
        self._progress(f"{len(left)} of {len(trainings)} trainings to make{most}", 0.0)

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Return the scores of copying the nearest training frame's pose, and of a constant."""
        guesses: dict[str, Callable[[Pose], Pose]] = {
            NEAREST: lambda true: nearest_frame(true, self._training),
            CONSTANT: lambda true: mean_pose(self._training, len(true)),
        }
        found = {}
        for name, guess in guesses.items():
            table = {part: scores(guess(true), true) for part, true in self._true.items()}
            second = {"second_walk": table[SECOND]} if SECOND in table else {}
            found[name] = {**table[TEST], **second}
        return found

    def run(self, training: Training) -> Outcome:
        """Return one training's outcome, trained and evaluated where it is not there yet.

        Raises:
            WeightsError: The backbone's weights cannot be had.
            TrainingError: Too few frames for MapNet's tuples.
        """
        if training not in self._outcomes:
            self._outcomes[training] = self._run(training)
        return self._outcomes[training]

    def made(self, training: Training) -> Outcome | None:
        """Return an outcome that this call has asked for already."""
        return self._outcomes.get(training)

    def _run(self, training: Training) -> Outcome:
        config, directory = self._settings(training), self._directory(training)
        at = self._planned.index(training) + 1 if training in self._planned else 0
        count = f"{at} of {len(self._planned)}, " if at else ""

        def progress(stage: str, fraction: float) -> None:
            self._progress(f"{count}{training.title}: {stage}", fraction)

        try:
            trained = train(self.place, config, directory, progress)
        except NonFiniteLossError as error:
            # The paper prints such runs as NaN; so do we, with the reason beside it.
            return Outcome(training, directory, {}, str(error))
        again = trained.fit is not None
        parts = {TEST: self._judged(directory, None, self.place.registered(), again, progress)}
        if self.world.walk is not None:
            parts[SECOND] = self._judged(
                directory, self.world.walk, self.world.walk_frames, again, progress
            )
        return Outcome(training, directory, parts)

    def _judged(
        self,
        directory: Path,
        walk: Path | None,
        frames: Sequence[PosedFrame],
        again: bool,
        progress: Progress,
    ) -> Predictions:
        """Return saved predictions of a part, made where not there, or of other frames."""
        suffix = "" if walk is None else f"-{walk.resolve().name}"
        saved = directory / f"predictions{suffix}.csv"
        if again or not (saved.is_file() and _is_of(read_predictions(saved), frames)):
            evaluate(directory, walk, progress)
        return read_predictions(saved).of_split("test" if walk is None else WALK)

    def _settings(self, training: Training) -> AbsoluteConfig:
        one = training
        return self.config.run_config(
            one.model, one.backbone, one.loss, one.alpha, frames=len(self._training)
        )

    def _directory(self, training: Training) -> Path:
        config = self._settings(training)
        parts = [config.model, config.backbone, config.loss]
        if config.alpha != 1:
            parts.append(f"alpha{config.alpha:g}")
        return self._folder / "-".join([*parts, digest(config, self._poses)[:8]])


def _is_of(saved: Predictions, frames: Sequence[PosedFrame]) -> bool:
    """Return whether predictions are of these very frames with these very poses."""
    true = {frame.image: frame.world_from_cam for frame in frames}
    if len(saved) != len(true) or set(saved.images) != set(true):
        return False
    known = Pose.stack([pose for image in saved.images if (pose := true[image]) is not None])
    turned = rotation_angle_deg(known.q_wxyz, saved.true.q_wxyz)
    moved = np.abs(known.translation - saved.true.translation)
    return bool(moved.max(initial=0.0) <= 1e-6 and turned.max(initial=0.0) <= 1e-3)
