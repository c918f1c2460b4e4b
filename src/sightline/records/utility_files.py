"""Labels of utility on disk: ``labels.toml`` and ``labels.csv``.

``labels.csv`` has one row a distorted image, in a fixed order. Its columns::

    image            the pristine image, relative to the images' root, or absolute
    distortion       KIND:LEVEL, or none (sightline.media.distortions)
    seed             of the distortion's random numbers and of the augmentation
    augmented        0: the image itself; k: its k-th augmented copy
    split            train, validation or test
    source           what the image was made of; a source is in one split only
    bytes            size of the distorted file; 0: unknown
    utility          the combined label: 1, 0, or empty where there is none
    NAME.utility     the same of the machine NAME: 1, 0, or empty: between the thresholds, or the
                     pristine image failed
    NAME.reference   confidence of the true outcome on the pristine image (phi')
    NAME.confidence  confidence of the same outcome on the distorted image (phi)
    NAME.value       f(phi, phi') of Eq. 2 (may be inf); empty where the pristine image failed
    NAME.energy      energy score of the distorted image; empty where there is none

``labels.toml`` says how they came about (:class:`LabelsHeader`), and counts them. It is written
last: a folder without it is no folder of labels.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sightline.errors import InputError
from sightline.media.distortions import Distortion, parse_distortion
from sightline.records.files import atomic_path, read_toml, write_toml
from sightline.records.frames import SPLITS
from sightline.records.utility import (
    LABELS_CSV,
    LABELS_TOML,
    OPERATORS,
    PAPERS,
    TASKS,
    LabelCounts,
    Operator,
    Thresholds,
    UtilityItem,
    UtilitySet,
    UtilityTask,
)
from sightline.records.utility_rows import Sources, cells_of, check_item, columns_of, read_items

#: What the folder holds, and its layout; labels of depth have a ``labels.toml`` too.
KIND, VERSION = "utility", 1


@dataclass(frozen=True)
class MachineRecord:
    """A machine that labelled.

    Attributes:
        name: As tables show it.
        kind: ``classification``, ``detection`` or ``localization``.
        digest: Of its weights and of how it reads images.
    """

    name: str
    kind: str
    digest: str


@dataclass(frozen=True)
class LabelsHeader:
    """How labels came about.

    Attributes:
        name: Of the set.
        images_root: Where the pristine images lie.
        task: What the machines do.
        operator: How their labels were joined.
        machines: In the order of the columns.
        thresholds: Of the definition.
        distortions: That were asked for; balancing may have added levels.
        categories: Names of the data's classes; may be empty.
        truth: ``data``, or ``pristine predictions`` where the data have none.
        images: How many pristine images there were.
        seed: Of splits, distortions and balancing.
        left_out: What was not taken, by reason.
        notes: What else is to be known, in sentences.
    """

    name: str
    images_root: Path
    task: UtilityTask
    operator: Operator
    machines: tuple[MachineRecord, ...]
    thresholds: Thresholds = PAPERS
    distortions: tuple[Distortion, ...] = ()
    categories: tuple[str, ...] = ()
    truth: str = "data"
    images: int = 0
    seed: int = 0
    left_out: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelsCounted:
    """How many labels there are.

    Attributes:
        combined: Of all machines together.
        machines: Of each, in their order.
        splits: Rows of each split.
    """

    combined: LabelCounts
    machines: tuple[LabelCounts, ...]
    splits: dict[str, int]


class _Tally:
    """Counts labels as they pass."""

    def __init__(self, machines: int) -> None:
        names = [field.name for field in fields(LabelCounts)]
        self._counts = [dict.fromkeys(names, 0) for _ in range(machines + 1)]
        self._splits = dict.fromkeys(SPLITS[1:], 0)

    def add(self, item: UtilityItem) -> None:
        self._splits[item.split] += 1
        self._counts[0][outcome(item)] += 1
        for counts, label in zip(self._counts[1:], item.machines, strict=True):
            undecided = "failed" if label.failed else "between"
            counts[_named(label.utility) or undecided] += 1

    def total(self) -> LabelsCounted:
        combined, *machines = (LabelCounts(**counts) for counts in self._counts)
        return LabelsCounted(combined, tuple(machines), dict(self._splits))


def count_labels(items: Iterable[UtilityItem], machines: int) -> LabelsCounted:
    """Return how many items have which label.

    Args:
        items: Labelled by the same machines.
        machines: How many those are.
    """
    tally = _Tally(machines)
    for item in items:
        tally.add(item)
    return tally.total()


def write_labels(root: Path, header: LabelsHeader, items: Iterable[UtilityItem]) -> LabelsCounted:
    """Write a folder of labels, row by row as they come, and return how many there are.

    Files that are there are replaced, each at once; what else is in the folder stays.

    Args:
        root: The folder; made where it is not there.
        header: Written to ``labels.toml``, with the counts.
        items: Of all splits, one row each.

    Raises:
        InputError: An item without a split, with labels of other machines, or of a source that was
            in another split before; nothing is written then.
    """
    _check_header(header)
    tally, sources = _Tally(len(header.machines)), Sources()
    with (
        atomic_path(root / LABELS_CSV) as temporary,
        # surrogateescape: names of files need not be UTF-8.
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns_of([machine.name for machine in header.machines]))
        for item in items:
            check_item(item, len(header.machines))
            sources.add(item)
            tally.add(item)
            writer.writerow(cells_of(item))
    counted = tally.total()
    write_toml(root / LABELS_TOML, _table(root, header, counted))
    return counted


def is_labels(path: Path) -> bool:
    """Return whether a path is a folder of labels of utility."""
    try:
        return read_toml(path / LABELS_TOML).get("kind") == KIND
    except InputError:
        return False


def read_header(path: str | Path) -> LabelsHeader:
    """Return how the labels of a folder came about.

    Raises:
        InputError: It is no such folder, of another version, or damaged.
    """
    return _header(Path(path), _read_table(Path(path)))


def read_counts(path: str | Path) -> LabelsCounted:
    """Return how many labels a folder has, as ``labels.toml`` says.

    Raises:
        InputError: It is no such folder, of another version, or damaged.
    """
    root = Path(path)
    table = _read_table(root)
    try:
        return LabelsCounted(
            LabelCounts(**table["counts"]),
            tuple(LabelCounts(**machine["counts"]) for machine in table["machines"]),
            {str(split): int(count) for split, count in table["splits"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(root, error) from error


def read_labels(path: str | Path) -> UtilitySet:
    """Return the labels of a folder that ``sightline label utility`` wrote.

    Whether the images are there shows when they are read.

    Args:
        path: The folder.

    Raises:
        InputError: It is no such folder, of another version, was cut off, a row does not read, or
            a source is in two splits; the message names the file and line.
    """
    root = Path(path)
    header, counts = read_header(root), read_counts(root)
    names = tuple(machine.name for machine in header.machines)
    items = tuple(read_items(root / LABELS_CSV, names))
    if len(items) != counts.combined.total:
        raise InputError(
            f"{root / LABELS_CSV}: {counts.combined.total} rows are wanted, as {LABELS_TOML} says, "
            f"{len(items)} came; label again (what the machines said is kept)"
        )
    return UtilitySet(
        name=header.name,
        root=root,
        images_root=header.images_root,
        task=header.task,
        machines=names,
        operator=header.operator,
        items=items,
        categories=header.categories,
        thresholds=header.thresholds,
    )


def outcome(item: UtilityItem) -> str:
    """Return the field of :class:`LabelCounts` that a combined label belongs to."""
    named = _named(item.utility)
    if named:
        return named
    if any(label.failed for label in item.machines):
        return "failed"
    return "between" if any(one.utility is None for one in item.machines) else "disagreeing"


def _named(utility: int | None) -> str:
    return {1: "useful", 0: "useless"}.get(-1 if utility is None else utility, "")


def _check_header(header: LabelsHeader) -> None:
    names = [machine.name for machine in header.machines]
    if not names or len(set(names)) < len(names) or not all(names):
        raise InputError(
            f"one machine or more, each of a name of its own, is wanted; {', '.join(names)} came"
        )


def _table(root: Path, header: LabelsHeader, counted: LabelsCounted) -> dict[str, Any]:
    images = header.images_root.resolve()
    try:
        from_here = os.path.relpath(images, root.resolve())
    except ValueError:  # another drive
        from_here = ""
    return {
        "kind": KIND,
        "version": VERSION,
        "name": header.name,
        "task": header.task,
        "operator": header.operator,
        "distortions": [str(distortion) for distortion in header.distortions],
        "truth": header.truth,
        "seed": header.seed,
        "categories": list(header.categories),
        "notes": list(header.notes),
        "images": {"root": str(images), "from_here": from_here, "count": header.images},
        "thresholds": asdict(header.thresholds),
        "counts": asdict(counted.combined),
        "splits": counted.splits,
        "left_out": [
            {"reason": _in_utf8(reason), "count": count} for reason, count in header.left_out
        ],
        "machines": [
            {**asdict(machine), "counts": asdict(counts)}
            for machine, counts in zip(header.machines, counted.machines, strict=True)
        ],
    }


def _in_utf8(text: str) -> str:
    """Return a text as TOML can hold it: names of files in it need not be UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _read_table(root: Path) -> dict[str, Any]:
    path = root / LABELS_TOML
    if not path.is_file():
        raise InputError(
            f"{root}: a folder of labels with {LABELS_TOML} is wanted; write one with "
            "`sightline label utility IMAGES`"
        )
    table = read_toml(path)
    if table.get("kind") != KIND:
        raise InputError(f"{path}: labels of utility are wanted, those of another kind came")
    if table.get("version") != VERSION:
        raise InputError(
            f"{path}: labels of version {VERSION} are wanted, {table.get('version')} came; label "
            "again with this version"
        )
    return table


def _header(root: Path, table: dict[str, Any]) -> LabelsHeader:
    try:
        task = {str(known): known for known in TASKS}[table["task"]]
        operator = {str(known): known for known in OPERATORS}[table["operator"]]
        header = LabelsHeader(
            name=str(table["name"]),
            images_root=_images_root(root, table["images"]),
            task=task,
            operator=operator,
            machines=tuple(
                MachineRecord(str(m["name"]), str(m["kind"]), str(m["digest"]))
                for m in table["machines"]
            ),
            thresholds=Thresholds(**table["thresholds"]),
            distortions=tuple(parse_distortion(text) for text in table["distortions"]),
            categories=tuple(map(str, table["categories"])),
            truth=str(table["truth"]),
            images=int(table["images"]["count"]),
            seed=int(table["seed"]),
            left_out=tuple((str(r["reason"]), int(r["count"])) for r in table["left_out"]),
            notes=tuple(map(str, table["notes"])),
        )
        _check_header(header)
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise _damaged(root, error) from error
    return header


def _images_root(root: Path, images: dict[str, Any]) -> Path:
    """Return where the images were or, if they are gone from there, where they lie from here."""
    named, beside = Path(str(images["root"])), str(images["from_here"])
    moved = (root.resolve() / beside).resolve()
    return moved if beside and not named.is_dir() and moved.is_dir() else named


def _damaged(root: Path, error: Exception) -> InputError:
    return InputError(f"{root / LABELS_TOML} is damaged ({error!r}); label again")
