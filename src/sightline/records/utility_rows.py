"""Rows of ``labels.csv``; its columns are described in ``sightline.records.utility_files``."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from sightline.errors import InputError
from sightline.media.distortions import Distortion, parse_distortion
from sightline.records.frames import SPLITS
from sightline.records.utility import LABELS_TOML, MachineLabel, UtilityItem

_COLUMNS = ("image", "distortion", "seed", "augmented", "split", "source", "bytes", "utility")
_OF_A_MACHINE = ("utility", "reference", "confidence", "value", "energy")
_LABELS: dict[str, int | None] = {"1": 1, "0": 0, "": None}


class Sources:
    """Refuses a source in two splits as rows pass."""

    def __init__(self) -> None:
        self._splits: dict[str, str] = {}

    def add(self, item: UtilityItem) -> None:
        """Take one more row.

        Raises:
            InputError: Its source was in another split before.
        """
        split, source = item.split, item.source or item.image.as_posix()
        before = self._splits.setdefault(source, split)
        if before != split:
            raise InputError(
                f"the source {source} is in {before} and in {split}; put all copies of a source "
                "into one split"
            )


def check_item(item: UtilityItem, machines: int) -> None:
    """Refuse an item without a split, or with labels of another number of machines.

    Raises:
        InputError: It is one.
    """
    if item.split not in SPLITS[1:]:
        raise InputError(
            f"{item.image}: a split of {', '.join(SPLITS[1:])} is wanted, {item.split!r} came"
        )
    if len(item.machines) != machines:
        raise InputError(
            f"{item.image}: labels of {machines} machines are wanted, {len(item.machines)} came"
        )


def columns_of(machines: Sequence[str]) -> list[str]:
    """Return the columns of a table of these machines."""
    return [*_COLUMNS, *(f"{name}.{column}" for name in machines for column in _OF_A_MACHINE)]


def cells_of(item: UtilityItem) -> list[object]:
    """Return an item's row."""
    cells: list[object] = [
        item.image.as_posix(),
        item.distortion,
        item.seed,
        item.augmented,
        item.split,
        item.source,
        item.bytes,
        "" if item.utility is None else item.utility,
    ]
    for label in item.machines:
        cells.append("" if label.utility is None else label.utility)
        numbers = label.reference, label.confidence, label.value, label.energy
        # Nine digits give every float32 back exactly.
        cells.extend("" if math.isnan(number) else f"{number:.9g}" for number in numbers)
    return cells


def read_items(path: Path, machines: Sequence[str]) -> Iterator[UtilityItem]:
    """Yield the rows; unlike ``csv_rows`` it keeps spaces and odd bytes in names.

    Raises:
        InputError: The file or a row does not read, or a source is in two splits.
    """
    sources, parse = Sources(), _Parser()
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            reader = csv.reader(stream)
            columns = columns_of(machines)
            if next(reader, []) != columns:
                raise InputError(
                    f"{path}: the columns {','.join(columns)} are wanted, as {LABELS_TOML} has it"
                )
            for cells in reader:
                try:
                    item = parse.item(cells, len(columns))
                    sources.add(item)
                except (ValueError, InputError) as error:
                    raise InputError(f"{path}, line {reader.line_num}: {error}") from error
                yield item
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file; label again") from error
    except (OSError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error}); label again") from error


class _Parser:
    """Reads rows; what many rows share (images, distortions) is made once."""

    def __init__(self) -> None:
        self._images: dict[str, Path] = {}
        self._distortions: dict[str, Distortion] = {}

    def item(self, cells: Sequence[str], wanted: int) -> UtilityItem:
        """Return a row's item; raises ValueError or InputError."""
        if len(cells) != wanted:
            raise ValueError(f"{wanted} cells are wanted, {len(cells)} came")
        image, distortion, seed, augmented, split, source, size, utility = cells[:8]
        if not image:
            raise ValueError("a value is wanted in image, it is empty")
        if image not in self._images:
            self._images[image] = Path(image)
        if distortion not in self._distortions:
            self._distortions[distortion] = parse_distortion(distortion)
        if split not in SPLITS[1:]:
            raise ValueError(f"a split of {', '.join(SPLITS[1:])} is wanted, {split!r} came")
        return UtilityItem(
            image=self._images[image],
            distortion=self._distortions[distortion],
            seed=_count(seed, "seed"),
            augmented=_count(augmented, "augmented"),
            split=split,
            source=source,
            bytes=_count(size, "bytes"),
            utility=_label(utility),
            machines=tuple(
                _machine_label(cells[first : first + len(_OF_A_MACHINE)])
                for first in range(len(_COLUMNS), wanted, len(_OF_A_MACHINE))
            ),
        )


def _machine_label(cells: Sequence[str]) -> MachineLabel:
    utility, *numbers = cells
    reference, confidence, value, energy = (float(cell or "nan") for cell in numbers)
    for number in (reference, confidence):
        if number < 0 or number > 1:
            raise ValueError(f"a confidence from 0 to 1 is wanted, {number:g} came")
    label = MachineLabel(_label(utility), reference, confidence, value, energy)
    if label.failed and label.utility is not None:
        raise ValueError("a machine that failed on the pristine image has no label, one came")
    return label


def _count(cell: str, column: str) -> int:
    if not cell.isdecimal():
        raise ValueError(f"a number of 0 or more is wanted in {column}, {cell!r} came")
    return int(cell)


def _label(cell: str) -> int | None:
    if cell not in _LABELS:
        raise ValueError(f"1, 0 or nothing is wanted as utility, {cell!r} came")
    return _LABELS[cell]
