"""The data, trainings and judged methods behind the figures: each made once and kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.app.papers.paper002.config import Paper002Config, PaperModel
from sightline.datasets.pairs import draw_pairs, open_pairs
from sightline.errors import InputError
from sightline.learning.runs import read_run_table
from sightline.records.files import digest
from sightline.records.pairs import ImagePair, PairSet
from sightline.records.views import RelativeEstimate, RelativeMethod, View
from sightline.tasks.relative.evaluate import evaluate_methods, judge_methods
from sightline.tasks.relative.judged import JudgedSet

if TYPE_CHECKING:
    from sightline.tasks.relative.predict import RelativeModel

Progress = Callable[[str, float], None]

#: Kinds of scenes of the rendered rooms: the paper's landmarks, and its objects on a table.
_ROOM, _OBJECT = "room_", "object_"


@dataclass(frozen=True, eq=False)
class Domains:
    """What is trained on first, and what is fine-tuned and judged on.

    Attributes:
        source: As the paper has landmarks.
        target: As the paper has DTU; has a part ``test``.
        note: Which they are, in words.
    """

    source: PairSet
    target: PairSet
    note: str

    @property
    def can_fine_tune(self) -> bool:
        """Whether the target has pairs to train on that are not the source's."""
        return self.target is not self.source and "train" in self.target.splits()


@dataclass(frozen=True, eq=False)
class Shown:
    """A method under the name that a figure has for it."""

    name: str
    method: RelativeMethod

    def relate(self, a: View, b: View) -> RelativeEstimate:
        """Return what the method says."""
        return dataclasses.replace(self.method.relate(a, b), method=self.name)


class Study:
    """One reproduction: its data, its folder, and what was trained in it.

    A run's folder is named by its settings and its data, so that others never meet it.
    """

    def __init__(
        self, pairs: PairSet, folder: Path, config: Paper002Config, progress: Progress
    ) -> None:
        """Look at the data; nothing is trained yet.

        Raises:
            InputError: The pairs have no parts ``train`` and ``test``, or the target does not read.
        """
        for split in ("train", "test"):
            pairs.part(split)
        self.pairs = pairs
        self.config = config
        self.folder = folder
        self.domains = domains_of(pairs, config.target)
        self._progress = progress

    def trained(
        self,
        model: PaperModel,
        pairs: PairSet,
        label: str,
        *,
        size: int = 0,
        start: RelativeModel | None = None,
    ) -> RelativeModel:
        """Return a trained network, its training made where it is not there yet.

        Args:
            model: One of the paper's four.
            pairs: With a part ``train``.
            label: Of the data, for the run's name.
            size: See :meth:`Paper002Config.run_config`.
            start: Network to fine-tune, one that this study trained.

        Raises:
            WeightsError: The weights to start from cannot be had.
            TrainingError: Too few usable pairs, or a non-finite loss.
        """
        from sightline.tasks.relative.task import train_relative

        before = None if start is None else self._run_folder(start.run)
        config = self.config.run_config(model, size=size, fine_tune=before)
        name = f"{model}-{label}-{digest(config, _labels(pairs))[:8]}"

        def progress(stage: str, fraction: float) -> None:
            self._progress(f"{name}: {stage}", fraction)

        return train_relative(pairs, config, self._run_folder(name), progress).model

    def about(self, model: RelativeModel) -> dict[str, Any]:
        """Return what a run says of its training: seconds, epochs, pairs."""
        return read_run_table(self._run_folder(model.run))

    def judge(
        self,
        key: str,
        pairs: PairSet,
        methods: Sequence[Shown],
        training: PairSet,
    ) -> tuple[dict[str, Any], JudgedSet]:
        """Return the scores and the answers of methods on the test pairs of a set.

        Predictions, metrics and plots lie in the folder ``judged/KEY``.
        """
        test = draw_pairs(pairs.part("test"), self.config.max_pairs, self.config.seed)

        def progress(stage: str, fraction: float) -> None:
            self._progress(f"{key}: {stage}", fraction)

        # other networks or pairs in the same folder of results would mix with these in its plots
        made_of = [[[m.name, m.method.name] for m in methods], _labels(test)]
        out = self.folder / "judged" / f"{key}-{digest(made_of)[:8]}"
        metrics = evaluate_methods([test], methods, out, progress, training)
        (judged,) = judge_methods([test], methods, out, progress, training)
        return metrics, judged

    def test_pair(self, pairs: PairSet, image_a: str, image_b: str) -> ImagePair:
        """Return the pair of two images."""
        return next(
            pair
            for pair in pairs.pairs
            if (pair.image_a.as_posix(), pair.image_b.as_posix()) == (image_a, image_b)
        )

    def classical(self) -> tuple[dict[str, RelativeMethod], list[str]]:
        """Return the local features that this machine has, by name, and notes on those it lacks.

        Raises:
            InputError: It has none of them, or a name is unknown.
        """
        from sightline.tasks.relative.classical import available, classical_method

        methods: dict[str, RelativeMethod] = {}
        notes = []
        for name in self.config.names:
            missing = available(name)
            if missing is None:
                methods[name] = classical_method(name)
            else:
                notes.append(f"{name} is left out: {missing}")
        if not methods:
            raise InputError(f"a method that this machine has is wanted: {'; '.join(notes)}")
        return methods, notes

    def settings_note(self) -> str:
        """Return what differs from the paper's training, in words."""
        config = self.config
        start = "from scratch" if config.weights == "none" else f"from {config.weights} weights"
        budget = f"{config.minutes:g} minutes" if config.minutes else f"{config.epochs} epochs"
        return (
            f"trained {start} at {config.width:g} of the paper's channels, {budget} each; the "
            "paper: Hybrid-CNN weights, 15 epochs of 581k pairs, about 60 hours"
        )

    def _run_folder(self, name: str) -> Path:
        return self.folder / "runs" / name


def domains_of(pairs: PairSet, target: Path | None) -> Domains:
    """Return source and target.

    Raises:
        InputError: The target cannot be read or is one scene and no split.
    """
    if target is not None:
        other = with_parts(open_pairs(target))
        return Domains(pairs, other, f"source: {pairs.name}; target: {other.name}")
    rooms, objects = _scenes(pairs, _ROOM), _scenes(pairs, _OBJECT)
    if rooms is not None and objects is not None:
        note = "source: furnished rooms; target: objects on tables (the paper: landmarks; DTU)"
        return Domains(rooms, objects, note)
    return Domains(pairs, pairs, f"source and target: {pairs.name}; nothing to fine-tune on")


def with_parts(pairs: PairSet) -> PairSet:
    """Return a set with a part ``test``; without a split, scenes take turns, one scene is a test.

    Source: Melekhov et al. 2017, section 4.3: "we divided the DTU scenes into two sets".
    """
    if "test" in pairs.splits():
        return pairs
    scenes = sorted({pair.scene for pair in pairs.pairs})
    part = {scene: "train" if i % 2 else "test" for i, scene in enumerate(scenes)}
    split = (dataclasses.replace(pair, split=part[pair.scene]) for pair in pairs.pairs)
    return dataclasses.replace(pairs, pairs=tuple(split))


def _scenes(pairs: PairSet, kind: str) -> PairSet | None:
    """Return the scenes of one kind, where they can be trained and judged on."""
    chosen = tuple(pair for pair in pairs.pairs if pair.scene.startswith(kind))
    part = dataclasses.replace(pairs, pairs=chosen, name=f"{pairs.name}: {kind.strip('_')}s")
    return part if {"train", "test"} <= set(part.splits()) else None


def _labels(pairs: PairSet) -> list[Any]:
    """Return what tells one set's pairs from another's, for a digest."""
    return [
        [pair.image_a.as_posix(), pair.image_b.as_posix(), pair.split]
        + ([] if pair.b_from_a is None else pair.b_from_a.translation.round(6).tolist())
        for pair in pairs.pairs
    ]
