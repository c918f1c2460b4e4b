"""The ablation's images, stages and networks: each made once and kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.objects_resnet import objects_resnet, start_in_words, start_of
from sightline.app.papers.paper003.config import Paper003Config
from sightline.errors import InputError, SightlineError
from sightline.learning.fit import HISTORY
from sightline.learning.runs import read_run_table
from sightline.records.depth import DepthImage, DepthSet
from sightline.records.files import digest
from sightline.tasks.depth.config import DepthConfig

Progress = Callable[[str, float], None]

#: Where the rendered set goes, in the folder of results.
WORLD = "depth"
#: More kinds of scenes than these are not told apart in tables.
_MOST_KINDS = 8


@dataclass(frozen=True)
class Row:
    """One training of the ablation.

    Attributes:
        name: As the table has it.
        terms: Which of L_l, L_u, S, L_feat it has.
        changes: What differs from the student's settings.
    """

    name: str
    terms: tuple[bool, bool, bool, bool]
    changes: Mapping[str, Any] = field(default_factory=dict)


#: Table 9's rows, and the teacher, in the order of the table.
ROWS: dict[str, Row] = {
    "labelled": Row("L_l", (True, False, False, False)),
    "unlabelled": Row("L_l + L_u", (True, True, False, False), {"strong": False}),
    "perturbed": Row("L_l + L_u + S", (True, True, True, False)),
    "aligned": Row("L_l + L_u + S + L_feat", (True, True, True, True)),
    "teacher": Row("teacher: L_l, longer", (True, False, False, False)),
}


@dataclass(frozen=True)
class Parts:
    """What the rows learn from and are judged on.

    Attributes:
        labelled: Training images whose depth is used, and the validation images.
        hidden: Training images whose depth is hidden.
        test: Test images, of scenes that no row has seen.
    """

    labelled: DepthSet
    hidden: DepthSet
    test: DepthSet


class Study:
    """One ablation: its data, its folder, and what was trained in it.

    A run's folder is named by its settings and its data, so that others never meet it; rows share
    the teacher and its labels.

    Attributes:
        config: What was asked for, as it is used.
        folder: Where everything goes.
        progress: Called with a text and the fraction done.
    """

    def __init__(
        self, data: DepthSet | None, folder: Path, config: Paper003Config, progress: Progress
    ) -> None:
        """Take the data; nothing is rendered or trained yet."""
        self.config = config
        self.folder = folder
        self._data = data
        self.progress = progress
        self._parts: Parts | None = None
        self._runs: dict[str, Path] = {}

    @property
    def has_data(self) -> bool:
        """Whether images were given, or are rendered already."""
        return self._data is not None or (self.folder / WORLD).is_dir()

    @property
    def data(self) -> DepthSet:
        """The images, rendered where none were given.

        Raises:
            RenderError: They cannot be rendered here.
        """
        if self._data is None:
            self._data = render_world(self.folder / WORLD, self.config, self.progress)
        return self._data

    @property
    def parts(self) -> Parts:
        """The parts of the data, labelled and hidden.

        Raises:
            InputError: The data have no parts ``train`` and ``test``, or too few scenes.
        """
        if self._parts is None:
            self._parts = divide(self.data, self.config)
        return self._parts

    def run(self, key: str) -> Path:
        """Return the folder of a finished row, trained where it is not there yet.

        Args:
            key: Of :data:`ROWS`.

        Raises:
            WeightsError: The frozen encoder cannot be had.
            TrainingError: A non-finite loss.
        """
        if key not in self._runs:
            self._runs[key] = self._train(key, self.parts.labelled, self.settings(key))
        return self._runs[key]

    def labels(self) -> Path:
        """Return the folder of the teacher's labels of the hidden images, made where not there."""
        if "labels" not in self._runs:
            teacher = self.run("teacher").resolve()
            settings = self.training(stage="label", teacher=str(teacher))
            self._runs["labels"] = self._train("labels", self.parts.hidden, settings)
        return self._runs["labels"]

    def settings(self, key: str) -> DepthConfig:
        """Return a row's settings: the same labelled images in the same number of steps for all.

        The teacher alone has more: as many images as a student has in all, all of them labelled.
        """
        config = self.config
        if key == "labelled":
            return self.training(batch=config.labelled_batch)
        if key == "teacher":
            steps = config.batch / config.labelled_batch
            return self.training(epochs=round(config.epochs * steps))
        changes = dict(ROWS[key].changes)
        if key == "aligned":
            changes["features"] = self.features()
        return self.training(stage="student", labels=str(self.labels().resolve()), **changes)

    def training(self, **changes: Any) -> DepthConfig:
        """Return one training's settings: the student's but for what is changed."""
        return self.config.training(weights=start_of(self.config.encoder_weights), **changes)

    def features(self) -> str:
        """Return the frozen encoder that features are aligned with, by its name for settings."""
        if self.config.features:
            return self.config.features
        spec, file = objects_resnet()
        return f"{spec}:{file}"

    def about(self, key: str) -> dict[str, Any]:
        """Return what a row's run says of its training."""
        return read_run_table(self.run(key))

    def histories(self) -> dict[str, Path]:
        """Return the files of losses of the rows."""
        files = {row.name: self.run(key) / HISTORY for key, row in ROWS.items()}
        return {name: file for name, file in files.items() if file.is_file()}

    def announce(self) -> None:
        """Say how much will be trained."""
        parts, config = self.parts, self.config
        count = len(parts.labelled.part("train"))
        if config.max_seconds:
            cost = f"{len(ROWS)} trainings of {config.max_seconds:g} s"
        else:
            steps = -(-count // config.labelled_batch) * config.epochs
            seen = steps * (config.labelled_batch + (len(ROWS) - 1) * config.batch)
            cost = f"{len(ROWS)} trainings that see {seen} images in all"
        self.progress(
            f"plan, {count} images with depth and {len(parts.hidden)} without, {cost}", 0.0
        )

    def settings_note(self) -> str:
        """Return the budget and what differs from the method's training, in words."""
        config, parts = self.config, self.parts
        count = len(parts.labelled.part("train"))
        if config.max_seconds:
            budget = f"{config.max_seconds:g} s each, whatever they cost"
        else:
            steps = -(-count // config.labelled_batch) * config.epochs
            budget = (
                f"{_passes(config.epochs)} over them in {steps} steps of "
                f"{config.labelled_batch} labelled images, in the same order; students see "
                f"{config.batch - config.labelled_batch} pseudo-labelled images beside in each "
                f"step; the teacher sees labelled images alone, {config.batch} a step in as many "
                "steps, so it costs what a student costs, and L_l "
                f"{config.labelled_batch}/{config.batch} of it"
            )
        return (
            f"{count} images with depth of {len(sources(parts.labelled.part('train')))} scenes, "
            f"{len(parts.hidden)} without of {len(sources(parts.hidden))}; every row: "
            f"{config.encoder} at {config.width:g} of its channels, "
            f"{start_in_words(config.encoder_weights)}, "
            f"{config.frame_width}x{config.frame_height}, "
            f"seed {config.seed}, {budget}; the "
            "method: ViT-L from DINOv2's weights, 518x518, 1.5M images with depth, 62M without"
        )

    def features_note(self) -> str:
        """Return which frozen encoder the last row is aligned with, in words."""
        name = self.about("aligned").get("features", self.features())
        if self.config.features:
            return f"L_feat aligns with {name}"
        return (
            f"L_feat aligns with {name}, the ResNet of the package's objects network (trained on "
            "rendered objects): it stands in for DINOv2, which --features facebook/dinov2-small "
            "takes where it can be had"
        )

    def _train(self, key: str, data: DepthSet, settings: DepthConfig) -> Path:
        from sightline.tasks.depth.task import train_depth

        run_dir = self.folder / "runs" / f"{key}-{digest(settings, list(data.items))[:8]}"

        def progress(stage: str, fraction: float) -> None:
            self.progress(f"{key}, {stage}", fraction)

        return Path(train_depth(data, settings, run_dir, progress).directory)


def divide(data: DepthSet, config: Paper003Config) -> Parts:
    """Return the labelled, hidden and test parts: scenes of each kind are divided alike.

    Raises:
        InputError: There are no parts ``train`` and ``test``, or too few scenes.
    """
    train, test = data.part("train"), data.part("test").labelled()
    if not len(train.labelled()) or not len(test):
        raise InputError(
            f"{data.root}: parts train and test with depth are wanted, there are "
            f"{', '.join(f'{n} of {s!r}' for s, n in data.splits().items())}; give it a split"
        )
    chosen: set[str] = set()
    by_kind: dict[str, list[str]] = {}
    for source in sources(train.labelled()):
        by_kind.setdefault(kind_of(source), []).append(source)
    for names in by_kind.values():
        order = sorted(names, key=lambda name: _draw(name, config.seed))
        chosen |= set(order[: max(1, round(config.labelled * len(order)))])
    used = [i for i in train.items if i.depth is not None and source_of(i) in chosen]
    kept = set(used)
    hidden = [replace(item, depth=None) for item in train.items if item not in kept]
    if not hidden:
        raise InputError(
            f"{data.root}: {len(sources(train))} training scenes are too few to hide the depth of "
            "some; lower --labelled, or take more scenes"
        )
    held_out = data.part("validation").items
    return Parts(
        replace(data, items=(*used, *held_out)),
        replace(data, items=tuple(hidden)),
        test,
    )


def source_of(item: DepthImage) -> str:
    """Return the scene of an image: its own name where none is said."""
    return item.source or item.image.as_posix()


def sources(data: DepthSet) -> list[str]:
    """Return the scenes of a set, each once."""
    return list(dict.fromkeys(source_of(item) for item in data.items))


def kinds_of(sources: Iterable[str]) -> dict[str, list[str]]:
    """Return scenes by their kind; none where there is one kind, or too many."""
    found: dict[str, list[str]] = {}
    for source in sources:
        found.setdefault(kind_of(source), []).append(source)
    return found if 1 < len(found) <= _MOST_KINDS else {}


def kind_of(source: str) -> str:
    """Return the kind of a scene by its name: ``room`` of ``room_0012``."""
    match = re.match(r"[A-Za-z]+", source)
    return match.group() if match else source


def readable(
    data: DepthSet, items: Sequence[DepthImage], count: int, *, depth: bool = False
) -> list[tuple[DepthImage, NDArray[np.uint8], NDArray[np.float32] | None]]:
    """Return the first images that read: item, photo, and its depth where it is wanted.

    Raises:
        SightlineError: None does.
    """
    found: list[tuple[DepthImage, NDArray[np.uint8], NDArray[np.float32] | None]] = []
    for item in items:
        try:
            truth = data.read_target(item) if depth else None
            found.append((item, data.read_image(item), truth))
        except SightlineError:
            if not found and item is items[-1]:
                raise
        if len(found) == count:
            break
    return found


def render_world(folder: Path, config: Paper003Config, progress: Progress) -> DepthSet:
    """Return the default data: rendered scenes with exact depth, made where they are not there."""
    from sightline.worlds.depth.config import DepthWorldConfig
    from sightline.worlds.depth.write import write_depth_world

    world = DepthWorldConfig(seed=config.seed)
    if config.scenes:
        world = replace(world, scenes=config.scenes)
    return write_depth_world(folder, world, progress)


def _passes(count: int) -> str:
    return "1 pass" if count == 1 else f"{count} passes"


def _draw(name: str, seed: int) -> str:
    """Return what scenes are sorted by: the same on every machine."""
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
