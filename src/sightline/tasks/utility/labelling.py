"""Labels of utility: distorted images through machines, their answers kept (paper 004, Sec. IV).

What a machine said is kept by content, so a call that was stopped goes on where it was, and one
with more distortions or another machine asks only what is new.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sightline.datasets.utility_splits import draw_images
from sightline.errors import InputError
from sightline.learning.cache import Progress
from sightline.learning.pace import Pace
from sightline.records.files import locked_folder
from sightline.records.utility import LABELS_CSV, LabelCounts, PristineSet, UtilityItem
from sightline.records.utility_files import (
    LabelsCounted,
    LabelsHeader,
    MachineRecord,
    is_labels,
    read_header,
    read_labels,
    write_labels,
)
from sightline.tasks import LabelReport
from sightline.tasks.utility.label_options import LabelOptions
from sightline.tasks.utility.labelling_balance import Balance, Balancer
from sightline.tasks.utility.labelling_join import Judgement
from sightline.tasks.utility.labelling_machines import Load, checked, loader
from sightline.tasks.utility.labelling_plan import by_index, entries_of
from sightline.tasks.utility.labelling_predictions import (
    PREDICTIONS,
    machine_folder,
    read_machine,
    remove_unfinished,
    write_images,
)
from sightline.tasks.utility.labelling_shards import Entry, Outcome, Shard, ShardJob, ShardWorker
from sightline.tasks.utility.machines.machine import Machine


@dataclass(frozen=True)
class UtilityReport:
    """What a labelling left behind.

    Attributes:
        folder: Opened by ``read_labels``.
        machines: Their names.
        counts: Labels of all machines together and of each, balancing's copies counted in.
        by_distortion: For each distortion that was asked for, of the images themselves: useful, of
            no use, without a label.
        images: Pristine images with answers.
        skipped: Images without, and why.
        computed: Answers that machines gave now; 0 of localization, which does not count them.
        kept: Answers that were there from earlier calls; the same.
        seconds: That this call took.
        notes: What else is to be known.
    """

    folder: Path
    machines: tuple[str, ...]
    counts: LabelsCounted
    by_distortion: tuple[tuple[str, int, int, int], ...]
    images: int
    skipped: tuple[tuple[Path, str], ...]
    computed: int
    kept: int
    seconds: float
    notes: tuple[str, ...] = ()

    def tables(self) -> list[list[list[str]]]:
        """Return tables for people, each a header and rows."""
        names = ["machine", "useful", "no use", "between", "disagree", "pristine failed", "images"]
        rows = [names]
        labelled = [*zip(self.machines, self.counts.machines, strict=True)]
        for name, count in [*labelled, ("combined", self.counts.combined)]:
            rows.append([name, *_cells(count)])
        shares = [["distortion", "useful", "no use", "no label", "useful share"]]
        for name, useful, useless, none in self.by_distortion:
            share = f"{useful / (useful + useless):.1%}" if useful + useless else "-"
            shares.append([name, str(useful), str(useless), str(none), share])
        return [rows, shares]


def _cells(count: LabelCounts) -> list[str]:
    numbers = (count.useful, count.useless, count.between, count.disagreeing, count.failed)
    return [*map(str, numbers), str(count.total)]


def label_images(
    images: Path, out: Path | None, options: LabelOptions, progress: Progress
) -> LabelReport:
    """Label the images of a folder or file; see :func:`write_utility_labels`.

    Args:
        images: What ``open_pristine`` reads; for localization a place.
        out: The folder of the labels; ``runs/labels-TASK`` beside the images where not given.
        options: What is done, by whom, and what counts.
        progress: Told what is done, how fast, and how long it will take.

    Raises:
        InputError: As there, or the images are none.
    """
    if options.task == "localization":
        return _label_place(images, out, options, progress)
    from sightline.datasets.utility import open_pristine

    data = open_pristine(images)
    return write_utility_labels(
        data, out or data.runs_dir / f"labels-{options.task}", options, progress
    )


def _label_place(
    path: Path, out: Path | None, options: LabelOptions, progress: Progress
) -> UtilityReport:
    """Label the frames of a place: of use where its map, without them, still finds their pose."""
    from sightline.records import Place
    from sightline.tasks.utility.localization import PosedPhotos, write_localization_labels

    start = time.perf_counter()
    place = Place.open(path)
    photos = PosedPhotos.of_place(place)
    if options.limit:
        photos = replace(photos, frames=photos.frames[: options.limit])
    folder = out or place.runs_dir / f"labels-{options.task}"
    _check_out(folder, photos.root)
    counts = write_localization_labels(place, photos, folder, options.distortions(), progress)
    header, items = read_header(folder), read_labels(folder).items
    return UtilityReport(
        folder,
        tuple(machine.name for machine in header.machines),
        counts,
        _by_distortion(items, options.distortions()),
        len({item.image for item in items}),
        skipped=(),
        computed=0,
        kept=0,
        seconds=time.perf_counter() - start,
        notes=header.notes,
    )


def write_utility_labels(
    data: PristineSet,
    out: Path,
    options: LabelOptions,
    progress: Progress | None = None,
    machines: Sequence[Machine] | None = None,
) -> UtilityReport:
    """Label the distorted copies of a set's images; the same call goes on where one stopped.

    While one call is at work in a folder, another waits for it. An image that cannot be read, or
    that a machine refuses, is skipped: named in the report, counted in ``labels.toml``.

    Args:
        data: The pristine images.
        out: The folder of the labels. Answers of earlier calls in it are used.
        options: What is done, by whom, and what counts.
        progress: Told what is done, how fast, and how long it will take.
        machines: Who answers, instead of those that ``options.models`` names.

    Raises:
        InputError: No image, no machine, machines that know none of the classes; ``out`` holds
            other things or labels of other images; or not one image got a label.
        WeightsError: A machine's weights cannot be had.
    """
    start = time.perf_counter()
    distortions = options.distortions()
    data = draw_images(data, options.limit, options.seed) if options.limit else data
    if not data.images:
        raise InputError(f"images are wanted, {data.name} has none")
    _check_out(out, data.root)
    load = loader(data, options) if machines is None else None
    asked = checked(load() if load else machines or (), options)
    judgement = Judgement.of(data, asked, options.thresholds(), options.operator, options.seed)
    entries = entries_of(data, asked, distortions, options.seed)
    out.mkdir(parents=True, exist_ok=True)
    with locked_folder(out):
        remove_unfinished(out / PREDICTIONS)
        work = _Labelling(data, out, options, asked, judgement, progress, load)
        items = work.labels(entries)
        write_images(out / PREDICTIONS, work.contents.items())
        work.check(items)
        notes = [*data.notes, *by_index(data, asked)]
        by_distortion = _by_distortion(items, distortions)
        if options.balance:
            balance = work.balanced(items, entries)
            items, notes = [*items, *balance.items], [*notes, *filter(None, [balance.note])]
        skipped = work.skipped()
        counts = write_labels(
            out, _header(data, options, asked, len(data.images), skipped, notes), items
        )
    report = UtilityReport(
        out,
        tuple(machine.name for machine in asked),
        counts,
        by_distortion,
        len(data) - len(skipped),
        tuple((data.root / image, reason) for image, reason in skipped),
        work.computed,
        work.kept,
        time.perf_counter() - start,
        tuple(notes),
    )
    if progress is not None:
        progress(f"{counts.combined.labelled} labels", 1.0)
    return report


def _check_out(out: Path, images: Path) -> None:
    """Refuse a folder that holds other things, or labels of other images."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"a folder is wanted for labels, {out} is a file; choose another")
    if is_labels(out):
        root = read_header(out).images_root
        if root.resolve() != images.resolve():
            raise InputError(
                f"{out} holds labels of other images ({root} there, {images} now); choose "
                "another folder (nothing was changed)"
            )
    elif any(
        # LABELS_CSV without its labels.toml: a call that was stopped between the two
        path.name not in (PREDICTIONS, LABELS_CSV) and not path.name.startswith(".")
        for path in out.iterdir()
    ):
        raise InputError(
            f"a new or empty folder is wanted for labels; {out} holds other things; choose another "
            "(nothing was changed)"
        )


class _Labelling:
    """One call: what was asked so far, and what came of it."""

    def __init__(
        self,
        data: PristineSet,
        out: Path,
        options: LabelOptions,
        machines: Sequence[Machine],
        judgement: Judgement,
        progress: Progress | None,
        load: Load | None,
    ) -> None:
        self._data, self._options, self._machines = data, options, machines
        self._judgement, self._progress, self._load = judgement, progress, load
        self._job = ShardJob(data.root, out / PREDICTIONS, options.batch)
        self._shards = 0
        self._reasons: dict[str, str] = {}
        self.contents: dict[str, str] = {}
        self.computed = self.kept = 0

    def labels(self, entries: Sequence[Entry]) -> list[UtilityItem]:
        """Ask what is not known yet, and return the labels of all images that have answers."""
        outcomes = self._without_leaks(self._asked(entries, "labels"))
        self.contents = {one.image: one.digest for one in outcomes if one.digest}
        self._reasons = {one.image: one.reason for one in outcomes if one.reason}
        return self._items(entries, outcomes)

    def _asked(self, entries: Sequence[Entry], doing: str) -> list[Outcome]:
        size = self._options.shard
        shards = [
            Shard(self._shards + number, entries[first : first + size])
            for number, first in enumerate(range(0, len(entries), size))
        ]
        self._shards += len(shards)
        total = sum(len(entry.variants) for entry in entries) * len(self._machines)
        pace = Pace(total, total, self._progress, "answers", "answers", doing)
        outcomes = self._answer(shards, pace)
        self.computed += sum(outcome.computed for outcome in outcomes)
        self.kept += sum(outcome.kept for outcome in outcomes)
        return outcomes

    def _without_leaks(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Return the outcomes; a photo whose very file is in another split before is left out."""
        first: dict[str, tuple[str, str]] = {}
        kept = []
        for one in outcomes:
            split = self._judgement.split_of(one.image)
            image, before = first.setdefault(one.digest, (one.image, split))
            if one.digest and not one.reason and before != split:
                reason = f"the same photo as {image}, which is in {before}, not in {split}"
                kept.append(one._replace(reason=reason))
            else:
                kept.append(one)
        return kept

    def _items(self, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> list[UtilityItem]:
        answers = [read_machine(machine_folder(self._job.folder, m)) for m in self._machines]
        good = {one.image: one.digest for one in outcomes if not one.reason}
        return self._judgement.items(entries, answers, good)

    def balanced(self, items: Sequence[UtilityItem], entries: Sequence[Entry]) -> Balance:
        """Return copies of the rarer class of the training part, labelled."""
        asked = {entry.image: entry.asked for entry in entries}
        options = self._options
        balancer = Balancer(items, options.distortions(), options.copies, options.seed)
        for proposed in balancer.rounds():
            copies = [replace(entry, asked=asked[entry.image]) for entry in proposed]
            balancer.add(self._items(copies, self._asked(copies, "balancing")))
        return balancer.result()

    def skipped(self) -> list[tuple[str, str]]:
        """Return the images without labels, and why."""
        return sorted(self._reasons.items())

    def check(self, items: Sequence[UtilityItem]) -> None:
        """Refuse to write labels that are none.

        Raises:
            InputError: No image has a label; it says why.
        """
        if any(item.utility is not None for item in items):
            return
        images = len({item.image for item in items})
        if not images:
            image, reason = self.skipped()[0]
            raise InputError(
                f"not one of {len(self._data.images)} images could be labelled; {image}: {reason}"
            )
        right = [
            len({i.image for i in items if not i.machines[m].failed})
            for m in range(len(self._machines))
        ]
        said = ", ".join(
            f"{machine.name} is right on {count}"
            for machine, count in zip(self._machines, right, strict=True)
        )
        raise InputError(f"no image has a label: of {images} pristine images {said}{_why(right)}")

    def _answer(self, shards: Sequence[Shard], pace: Pace) -> list[Outcome]:
        if not shards:
            return []
        if self._options.ray:
            from sightline.tasks.utility.labelling_ray import answer_with_ray

            return answer_with_ray(self._machines, self._load, self._job, shards, pace)
        worker = ShardWorker(self._machines, self._job)
        try:
            return [outcome for shard in shards for outcome in worker.answer(shard, pace)]
        finally:
            worker.close()


def _why(right: Sequence[int]) -> str:
    if not any(right):
        return "; choose machines that know what the images show"
    return (
        "; the distorted ones lie between the thresholds, or the machines disagree: try stronger "
        "and weaker distortions, or another `--operator`"
    )


def _by_distortion(
    items: Sequence[UtilityItem], distortions: Sequence[object]
) -> tuple[tuple[str, int, int, int], ...]:
    found: dict[str, Counter[int | None]] = {str(one): Counter() for one in distortions}
    for item in items:
        found[str(item.distortion)][item.utility] += 1
    return tuple((name, said[1], said[0], said[None]) for name, said in found.items())


def _header(
    data: PristineSet,
    options: LabelOptions,
    machines: Sequence[Machine],
    images: int,
    skipped: Sequence[tuple[str, str]],
    notes: Sequence[str],
) -> LabelsHeader:
    known = data.has_classes if options.task == "classification" else data.has_boxes
    left_out = [*data.left_out]
    left_out += [(f"{image}: {' '.join(reason.split())}", 1) for image, reason in skipped]
    return LabelsHeader(
        name=data.name,
        images_root=data.root,
        task=options.task,
        operator=options.operator,
        machines=tuple(MachineRecord(m.name, m.kind, m.digest) for m in machines),
        thresholds=options.thresholds(),
        distortions=options.distortions(),
        categories=data.categories,
        truth="data" if known else "pristine predictions",
        images=images,
        seed=options.seed,
        left_out=tuple(left_out),
        notes=tuple(notes),
    )
