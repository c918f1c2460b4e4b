"""The pictures, labels, machines and predictors behind the tables: each made once and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sightline.app.papers.objects_resnet import start_of
from sightline.app.papers.paper004.config import Paper004Config, listed
from sightline.app.papers.paper004.published import COMMON
from sightline.datasets.utility import draw_images, draw_splits, open_pristine
from sightline.errors import InputError
from sightline.media.distortions import Distortion
from sightline.records.files import digest
from sightline.records.utility import LABELS_TOML, Operator, PristineSet, UtilitySet
from sightline.records.utility_files import read_header, read_labels, write_labels
from sightline.tasks.utility.definition import combined
from sightline.tasks.utility.label_options import LabelOptions

if TYPE_CHECKING:
    from sightline.tasks.utility.config import UtilityConfig
    from sightline.tasks.utility.predict import UtilityModel

Progress = Callable[[str, float], None]
Task = Literal["classification", "detection"]
#: jpeg: what the tables learn from; mixed: other distortions too; test: qualities of Figure 2.
Kind = Literal["jpeg", "mixed", "test"]

#: Where the rendered pictures go, in the folder of results.
WORLD = "objects"
#: Of the rendered pictures: not the one that the machines of the package learned from.
_WORLD_SEED = 4
#: Their width and height, as the package's machines see them: at 128 the worst JPEG leaves nearly
#: all of them recognised, since its blocks of 8 pixels are small beside an object.
_WORLD_PX = 64


class Study:
    """One reproduction: its pictures, its folder, and what was labelled and trained in it.

    Folders are named by settings and data, so that others never meet them.

    Attributes:
        config: What was asked for, as it is used.
        folder: Where everything goes.
        progress: Called with a text and the fraction done.
    """

    def __init__(
        self, data: PristineSet | None, folder: Path, config: Paper004Config, progress: Progress
    ) -> None:
        """Take the data; nothing is rendered, labelled or trained yet."""
        self.config = config
        self.folder = folder
        self.progress = progress
        self._given, self._rendered = data, data is None
        self._whole: dict[Task, PristineSet] = {}
        self._data: dict[Task, PristineSet] = {}
        self._labels: dict[tuple[Task, Kind], UtilitySet] = {}
        self._runs: dict[tuple[Task, Kind, str], Path] = {}
        self._unseen: dict[Task, tuple[str, ...]] = {}

    def whole(self, task: Task) -> PristineSet:
        """Return all pictures of a task, each in a part; rendered where none were given.

        Raises:
            InputError: The detectors' pictures have no boxes, or a source is in two parts.
            RenderError: They cannot be rendered here.
        """
        if task not in self._whole:
            if self._given is None:
                self._given = render_world(self.folder / WORLD, self.config, self.progress)
            other = self.config.detection_data if task == "detection" else None
            data = self._given if other is None else open_pristine(other)
            if task == "detection" and not data.has_boxes:
                raise InputError(
                    f"{data.root}: images with boxes are wanted for detection, there are none; "
                    "pass such a folder with --detection-data"
                )
            self._whole[task] = draw_splits(data, self.config.seed)
        return self._whole[task]

    @property
    def has_boxes(self) -> bool:
        """Whether there are pictures for detectors."""
        return (
            self.config.detection_data is not None or self._given is None or self._given.has_boxes
        )

    def data(self, task: Task) -> PristineSet:
        """Return the pictures of a task that are labelled: so many as were asked for.

        Raises:
            InputError: As :meth:`whole`, or a part is empty.
        """
        if task not in self._data:
            data = self.whole(task)
            count = self.config.images or (_RENDERED_IMAGES if self._rendered else len(data))
            self._data[task] = draw_images(data, count, self.config.seed)
            empty = {"train", "test"} - self._data[task].splits().keys()
            if empty:
                raise InputError(
                    f"{data.root}: pictures of the part {min(empty)!r} are wanted, there are none "
                    f"among {len(self._data[task])}; take more --images"
                )
        return self._data[task]

    def labels(self, task: Task, kind: Kind = "jpeg") -> UtilitySet:
        """Return the labels of a task's pictures by its machines, made where they are not there.

        Raises:
            WeightsError: The weights of a machine cannot be had.
        """
        key = task, kind
        if key not in self._labels:
            config = self.config
            if kind == "jpeg":
                made = self._label(
                    task, task, self.data(task), config.compressed(), self.specs(task)
                )
                self._labels[key] = without(made, config.compressed_for_test())
            elif kind == "mixed":
                self._labels[key] = self._with_others(task)
            else:
                # unseen machines answer beside the others; they have no say in the labels
                specs = (*self.specs(task), *self.unseen(task))
                data, done = self.data(task).part("test"), config.compressed_for_test()
                made = self._label(task, f"{task}-test", data, done, specs, "mean")
                self._labels[key] = joined(made, len(self.specs(task)))
        return self._labels[key]

    def labels_of(self, task: Task, machine: str, kind: Kind = "jpeg") -> UtilitySet:
        """Return the labels as one machine gives them, or joined for :data:`COMMON`."""
        data = self.labels(task, kind)
        if machine == COMMON:
            return data
        at = data.machines.index(machine)
        items = (
            replace(item, utility=item.machines[at].utility, machines=(item.machines[at],))
            for item in data.items
        )
        left_out = list(map(str, self.config.compressed_for_test()))
        root = data.root / "by-machine" / digest(machine, left_out)[:8]
        if not (root / LABELS_TOML).is_file():
            header = read_header(data.root)
            own = replace(header, name=f"{data.name}, {machine}", machines=(header.machines[at],))
            write_labels(root, own, items)
        return read_labels(root)

    def run(self, task: Task, machine: str = COMMON, kind: Kind = "jpeg") -> Path:
        """Return the folder of a finished predictor, trained where it is not there yet.

        Args:
            task: What it foresees.
            machine: Whose labels: a machine's name, or :data:`COMMON`.
            kind: ``jpeg`` or ``mixed``.

        Raises:
            InputError: No training image has one of the two labels.
            TrainingError: A non-finite loss.
        """
        key = task, kind, machine
        if key not in self._runs:
            from sightline.tasks.utility.task import train_utility

            data, settings = self.labels_of(task, machine, kind), self.training()
            name = "-".join((task, *([kind] if kind != "jpeg" else []), machine.replace("/", "_")))
            run_dir = self.folder / "runs" / f"{name}-{digest(settings, list(data.items))[:8]}"

            def progress(stage: str, fraction: float) -> None:
                self.progress(f"{name}, {stage}", fraction)

            self._runs[key] = Path(train_utility(data, settings, run_dir, progress).directory)
            # each predictor's frames are others: together they would be many gigabytes
            for file in (data.root / "cache").glob("utility-*"):
                file.unlink()
        return self._runs[key]

    def training(self) -> UtilityConfig:
        """Return every predictor's settings."""
        return self.config.training(weights=start_of(self.config.weights))

    def predictor(self, task: Task, machine: str = COMMON, kind: Kind = "jpeg") -> UtilityModel:
        """Return a finished predictor, ready to answer."""
        from sightline.tasks.utility.predict import load_predictor

        return load_predictor(self.run(task, machine, kind))

    def specs(self, task: Task) -> tuple[str, ...]:
        """Return the machines that say what is of use, as ``load_machine`` takes them."""
        config = self.config
        given = config.classifiers if task == "classification" else config.detectors
        if given:
            return listed(given)
        from sightline.tasks.utility.small import bundled_names

        return tuple(bundled_names(task))

    def unseen(self, task: Task) -> tuple[str, ...]:
        """Return the machines that no predictor has met: those named, or some trained here.

        Raises:
            TrainingError: A non-finite loss.
        """
        config = self.config
        given = config.unseen_classifiers if task == "classification" else config.unseen_detectors
        if given:
            return listed(given)
        if task not in self._unseen:
            from sightline.app.papers.paper004.unseen import train_unseen

            folder = self.folder / "machines"
            self._unseen[task] = train_unseen(task, self.whole(task), folder, config, self.progress)
        return self._unseen[task]

    def _label(
        self,
        task: Task,
        name: str,
        data: PristineSet,
        done: tuple[Distortion, ...],
        specs: tuple[str, ...],
        operator: Operator = "common",
    ) -> UtilitySet:
        from sightline.tasks.utility.labelling import write_utility_labels
        from sightline.tasks.utility.machines.load import load_machines

        options = LabelOptions(
            task=task,
            qualities="",
            distort=tuple(str(one) for one in done),
            operator=operator,
            balance=operator == "common",
            seed=self.config.seed,
        )
        machines = load_machines(specs, task)
        # names alone would take other photos of the same names for these
        photos = str(data.root.resolve()), list(data.images)
        asked = digest(options, [one.digest for one in machines], *photos)
        folder = self.folder / "labels" / f"{name}-{asked[:8]}"

        def progress(stage: str, fraction: float) -> None:
            self.progress(f"labels {name}, {stage}", fraction)

        if not (folder / LABELS_TOML).is_file():
            write_utility_labels(data, folder, options, progress, machines)
        return read_labels(folder)

    def _with_others(self, task: Task) -> UtilitySet:
        """Return the labels of compressed copies, and of copies that are distorted otherwise."""
        first, done = self.labels(task), self.config.others()
        others = self._label(task, f"{task}-others", self.data(task), done, self.specs(task))
        left_out = list(map(str, self.config.compressed_for_test()))
        both_of = digest(first.root.name, others.root.name, left_out)[:8]
        root = self.folder / "labels" / f"{task}-mixed-{both_of}"
        if not (root / LABELS_TOML).is_file():
            header = read_header(first.root)
            both = replace(
                header,
                name=f"{first.name}, mixed",
                distortions=(*header.distortions, *done),
            )
            write_labels(root, both, (*first.items, *others.items))
        return read_labels(root)


def without(data: UtilitySet, levels: Sequence[Distortion]) -> UtilitySet:
    """Return labels without the copies that balancing drew at some levels, between those asked for.

    Unseen networks are judged at these levels: no predictor may have learned from them.
    """
    items = tuple(i for i in data.items if not (i.augmented and i.distortion in levels))
    return replace(data, items=items)


def joined(data: UtilitySet, count: int) -> UtilitySet:
    """Return labels on which the first ``count`` machines agree; the others have no say."""
    items = tuple(
        replace(item, utility=combined(item.machines[:count], "common")) for item in data.items
    )
    return replace(data, items=items, operator="common")


#: Rendered pictures that are labelled: training, validation and test together.
_RENDERED_IMAGES = 4000


def render_world(folder: Path, config: Paper004Config, progress: Progress) -> PristineSet:
    """Return the rendered objects, none of them known to the package's machines.

    Raises:
        RenderError: They cannot be rendered here.
    """
    from sightline.worlds.objects.config import ObjectsWorldConfig
    from sightline.worlds.objects.write import write_objects

    few = config.images and config.images < _RENDERED_IMAGES
    world = ObjectsWorldConfig(
        instances=max(10, config.images // 24) if few else 100,
        views_per_instance=4 if few else 8,
        image_px=_WORLD_PX,
        validation_share=0.1,
        test_share=0.2,
        seed=config.seed + _WORLD_SEED,
    )
    write_objects(folder, world, progress)
    return open_pristine(folder)
