"""The data, trainings and saved answers behind the tables: each made once and kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.app.papers.paper001.config import Paper001Config
from sightline.app.papers.paper001.runs import (
    TRAININGS,
    WANTED,
    first_resnet,
    planned_seconds,
    trains_first,
    wanted,
)
from sightline.app.papers.paper001.sheet import Score
from sightline.datasets import rendered_views
from sightline.datasets.objects import open_objects
from sightline.learning.fit import HISTORY
from sightline.learning.runs import WEIGHTS, read_run_table
from sightline.records.files import atomic_path, digest
from sightline.records.objects import OBJECTS_CSV, ObjectSet, write_objects_csv
from sightline.tasks.objects.config import ObjectsConfig
from sightline.tasks.objects.evaluate import judge_runs, objects_digest
from sightline.tasks.objects.predictions import ObjectPredictions

Progress = Callable[[str, float], None]

OBJECTS, RENDERED, STEPS = "objects", "rendered", "steps"
#: The ResNet that all trainings start from, beside the run it is of.
RESNET = "resnet.safetensors"


class Study:
    """One reproduction: its data, its folder, and what was trained in it.

    A run's folder is named by its settings and its data, so that others never meet it; the steps
    that runs share lie in ``steps/``.

    Attributes:
        data: What is trained and judged on, images that only teach pose left out.
        config: What was asked for.
        folder: Where everything goes.
    """

    def __init__(
        self, data: ObjectSet | None, folder: Path, config: Paper001Config, progress: Progress
    ) -> None:
        """Look at the data, or render them; nothing is trained yet.

        Raises:
            InputError: The objects have no parts ``train`` and ``test``.
            RenderError: Objects cannot be rendered here.
        """
        self.config = config
        self.folder = folder
        self._progress = progress
        found = render_objects(folder / OBJECTS, config, progress) if data is None else data
        real = tuple(view for view in found.views if not view.rendered)
        self._extra = tuple(view for view in found.views if view.rendered)
        self.data = replace(found, views=real)
        for part in ("train", "test"):
            self.data.part(part)
        self._runs: dict[str, Path] = {}
        self._scores: dict[tuple[str, str | None], Score] = {}

    @property
    def categories(self) -> tuple[str, ...]:
        """All categories of the data."""
        return self.data.categories

    def announce(self, tables: Sequence[str]) -> None:
        """Say what will be trained for tables, and about how long that takes."""
        if not self.config.minutes:
            self._progress(
                f"plan, {len(wanted(tables))} trainings by epochs, not by the clock", 0.0
            )
            return
        planned = [(name, self._minutes(tables[: i + 1])) for i, name in enumerate(tables)]
        before = [0.0, *(minutes for _, minutes in planned)]
        parts = [
            f"{name if name.startswith('figure') else f'table {name}'} {minutes - start:.1f}"
            for (name, minutes), start in zip(planned, before, strict=False)
            if name in WANTED
        ]
        if "cars" in tables:
            parts.append(f"table cars {4 * self.config.minutes:.1f}")
            before.append(before[-1] + 4 * self.config.minutes)
        self._progress(
            f"plan, about {before[-1]:.0f} minutes of training (minutes by table, less what "
            f"earlier ones made; {', '.join(parts)})",
            0.0,
        )

    def run(self, name: str) -> Path:
        """Return the folder of a finished training, made where it is not there yet.

        Args:
            name: Of :data:`.runs.TRAININGS`.

        Raises:
            WeightsError: The weights to start from cannot be had.
            TrainingError: Too few usable objects, or a non-finite loss.
        """
        if name not in self._runs:
            training = TRAININGS[name]
            start = self.start()
            config = training.settings(self.config, start)
            if training.rendered:
                config = replace(config, rendered=str(self.rendered_folder()))
            # "head_axis_angle" is "weighted" once more: the first of equals is trained
            first = next(
                key
                for key, other in TRAININGS.items()
                if (other.settings(self.config, start), other.until, other.rendered)
                == (training.settings(self.config, start), training.until, training.rendered)
            )
            self._runs[name] = self.other_run(first, self.data, config, training.until)
        return self._runs[name]

    def start(self) -> str:
        """Return the weights that all trainings start from, made where they are to be.

        Without published weights one ResNet is trained to tell the categories, and stands in for
        them: networks of all kinds then start from the same features, as in the paper.
        """
        if not trains_first(self.config, len(self.categories)):
            return self.config.weights
        run = self.other_run("resnet", self.data, first_resnet(self.config), "features")
        file = run / RESNET
        if not file.is_file():
            write_resnet(run / WEIGHTS, file)
        return str(file.resolve())

    def other_run(self, name: str, data: ObjectSet, config: ObjectsConfig, until: str = "") -> Path:
        """Return the folder of a finished training of any settings on any objects.

        Args:
            name: For its folder and the progress.
            data: With a part ``train``.
            config: What to train.
            until: Its last step; all where empty.
        """
        from sightline.tasks.objects.task import train_objects

        run_dir = self.folder / "runs" / f"{name}-{digest(config, until, objects_digest(data))[:8]}"

        def progress(stage: str, fraction: float) -> None:
            self._progress(f"{name}, {stage}", fraction)

        return train_objects(
            data, config, run_dir, progress, steps_dir=self.folder / STEPS, until=until
        ).directory

    def answers(self, run: Path, data: ObjectSet) -> ObjectPredictions:
        """Return a run's saved answers on the test part of a set, made where not there yet."""
        (judged,) = judge_runs([run], [data], self.folder / "judged", self._progress)
        return judged.predictions

    def score(self, name: str, rule: str | None = None) -> Score:
        """Return the scores of a training by a fusion rule, by its own where None."""
        key = name, rule
        if key not in self._scores:
            self._scores[key] = Score(self.answers(self.run(name), self.data), rule)
        return self._scores[key]

    def parameters(self, name: str) -> int:
        """Return how many parameters a training's network has."""
        return int(self.about(name)["parameters"])

    def about(self, name: str) -> dict[str, Any]:
        """Return what a training's run says of itself."""
        return read_run_table(self.run(name))

    def histories(self, name: str) -> dict[str, Path]:
        """Return the files of losses of a training's steps, by the step's name."""
        files = {
            str(step["name"]): self.folder / STEPS / str(step["folder"]) / HISTORY
            for step in self.about(name)["steps"]
        }
        return {step: file for step, file in files.items() if file.is_file()}

    def spread_note(self, *scores: Score) -> str:
        """Return how far the choice of the test objects alone moves a table's numbers."""
        err, acc = (max(s.spread[metric] for s in scores) for metric in ("pose-err", "cat-acc"))
        return (
            f"{len(self.data.part('test'))} test objects, one training each: other objects of the "
            f"same kind move a pose-err by up to {err:.2f} deg and a cat-acc by up to {acc:.4f} "
            "(half of the 95% interval of 200 resamples)"
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the objects of each category, by split, and the rendered ones that there are."""
        counts = {split: self.data.counts(split) for split in ("train", "validation", "test")}
        there = self._rendered_there()
        views = self._extra if there is None else open_objects(there).views
        of = {name: sum(view.category == name for view in views) for name in self.categories}
        return counts | {RENDERED: of}

    def rendered_folder(self) -> Path:
        """Return a folder of images that only teach pose: the given one, the data's own, or made.

        Raises:
            RenderError: Objects cannot be rendered here.
        """
        there = self._rendered_there()
        if there is not None:
            return there
        folder = self.folder / RENDERED
        if self._extra:
            views = [
                # the folder of results can be moved as a whole
                replace(view, image=Path(os.path.relpath(self.data.path(view), folder)))
                for view in self._extra
            ]
            folder.mkdir(parents=True, exist_ok=True)
            write_objects_csv(folder / OBJECTS_CSV, views)
            return folder.resolve()
        made = render_objects(self.folder / OBJECTS, self.config, self._progress)
        return (made.root / rendered_views.FOLDER).resolve()

    def _rendered_there(self) -> Path | None:
        """Return the folder of images that only teach pose; None where it is to be made."""
        beside = self.data.root / rendered_views.FOLDER
        if self.config.rendered is not None:
            return self.config.rendered.resolve()
        return beside.resolve() if not self._extra and beside.is_dir() else None

    def settings_note(self) -> str:
        """Return what differs from the paper's training, in words."""
        config = self.config
        start = f"from {config.weights} weights"
        if config.weights == "none":
            start = "from a ResNet trained here to tell the categories"
        budget = f"{config.minutes:g} minutes" if config.minutes else f"{config.epochs} epochs"
        first, second = config.pose_sizes
        return (
            f"here {config.backbone} at {config.width:g} of its channels {start}, pose networks of "
            f"{first} and {second}, crops of {config.crop_px} pixels, {budget} "
            f"{'a training' if config.minutes else 'a step'}, seed {config.seed}; the paper: "
            "ResNet-50 from ImageNet's weights, 1000 and 500, 224 pixels"
        )

    def _minutes(self, tables: Sequence[str]) -> float:
        return planned_seconds(self.config, wanted(tables), len(self.categories)) / 60.0


def write_resnet(weights: Path, file: Path) -> None:
    """Write the ResNet of a trained network under torchvision's names, its classifier left out.

    Args:
        weights: ``model.safetensors`` of a run.
        file: Where to.
    """
    from safetensors.torch import save_file

    from sightline.learning.backbones import read_state

    parts = ("features.", "category.")
    named = {
        key.split(".", 1)[1]: value
        for key, value in read_state(weights).items()
        if key.startswith(parts)
    }
    state = {key: value for key, value in named.items() if not key.startswith("fc.")}
    with atomic_path(file) as temporary:
        save_file(state, temporary)


def render_objects(folder: Path, config: Paper001Config, progress: Progress) -> ObjectSet:
    """Return the default data: rendered objects of the twelve categories, made where not there."""
    from sightline.worlds.objects.config import ObjectsWorldConfig
    from sightline.worlds.objects.write import write_objects

    world = ObjectsWorldConfig(
        instances=config.instances,
        views_per_instance=config.views,
        rendered_images=config.rendered_images,
        seed=config.seed,
    )
    return write_objects(folder, world, progress)
