"""Depth labels that a network made, on disk: shards of 16-bit PNGs and where each came from.

::

    labels.toml              the network, the source of the photos, the settings, the counts
    skipped.csv              photos without a label, and why
    shard-00000/             whole or absent
        labels.csv           one row a label
        skipped.csv          of this shard
        shard.json           its counts, seconds, date and machine
        00000.png ...        the labels, numbered by their photo's place in the shard

A label is one PNG because every tool opens it, any part of a set can be copied or looked at, and a
reader that shuffles takes one file; with 1,000 photos a shard no folder grows large, and labels of
518 pixels (about 300 KB) fill a disk long before its files run out.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.records.depth import MILLIMETRE, DepthImage, DepthSet, Quantity
from sightline.records.files import read_toml

LABELS_TOML = "labels.toml"
LABELS_CSV = "labels.csv"
SKIPPED_CSV = "skipped.csv"
SHARD_JSON = "shard.json"

#: Why photos of a folder are left out of its set; ``read_skipped`` says more of each.
NO_LABEL = "photo without a label (skipped.csv)"

#: Layout of the folder; another version is not read.
VERSION = 1

_SHARD_NAME = "shard-{:05d}"
_SHARD_PATTERN = "shard-[0-9]*"
_SKIPPED_COLUMNS = ("image", "reason")

#: Largest value of a label; 65535 means in depth that a sensor had no more.
_LARGEST = 65534


@dataclass(frozen=True)
class LabelRow:
    """Where one label came from.

    Attributes:
        image: The photo, relative to the source or absolute.
        label: The PNG's name.
        quantity: ``depth`` or ``disparity``.
        unit: ``m`` or ``relative``.
        scale: What a stored value is multiplied by.
        width: Of the label, in pixels.
        height: Of the label.
        labelled_by: The network's name and digest.
        photo_sha256: Of the photo's file.
        photo_bytes: Size of the photo's file.
        split: The split of the photo.
        source: The scene or room it was taken in, where known.
    """

    image: str
    label: str
    quantity: str
    unit: str
    scale: float
    width: int
    height: int
    labelled_by: str
    photo_sha256: str
    photo_bytes: int
    split: str
    source: str


_COLUMNS = tuple(field.name for field in fields(LabelRow))


def stored_label(
    values: NDArray[np.float32], quantity: Quantity, metric: bool
) -> tuple[NDArray[np.uint16], float]:
    """Return a label as 16-bit integers, 0 where unknown, and what to multiply them by.

    Metric depth is kept in millimetres up to 65.534 m, beyond with a larger unit. Other values
    take the whole range. A disparity of 0 (the sky) is known and must not be stored as 0: all
    disparities move up by one 65533rd of the largest, which no loss that is free of shift sees.

    Args:
        values: (H, W), NaN where unknown; depth > 0, disparity >= 0.
        quantity: What they are.
        metric: Depth is in metres.

    Raises:
        ValueError: Nothing is known, or nothing above zero.
    """
    known = np.isfinite(values) & (values >= 0 if quantity == "disparity" else values > 0)
    whole = bool(known.all())
    largest = float(values.max() if whole else values[known].max(initial=0))
    if largest <= 0:
        raise ValueError("values above zero are wanted in a label")
    shift = 1 if quantity == "disparity" else 0
    scale = largest / (_LARGEST - shift)
    if quantity == "depth" and metric:
        scale = max(scale, MILLIMETRE)
    steps = (values if whole else np.where(known, values, np.float32(0))) * np.float32(1 / scale)
    # A depth too small for the unit is still known.
    stored = np.clip(np.rint(steps) + np.float32(shift), 1, _LARGEST).astype(np.uint16)
    if not whole:
        stored[~known] = 0
    return stored, scale


def is_label_folder(path: Path) -> bool:
    """Return whether a path is a folder of labels that a network made."""
    return (path / LABELS_TOML).is_file()


def read_label_folder(root: Path) -> DepthSet:
    """Return the labels of a folder as a depth set, those of the shards that are there.

    Photos are named by absolute paths: where they were when they were labelled or, if they are
    gone from there, at the same place relative to the folder.

    Raises:
        InputError: It is no such folder, is of another version, or a shard is damaged.
    """
    table = read_toml(root / LABELS_TOML)
    if table.get("version") != VERSION:
        raise InputError(
            f"{root / LABELS_TOML}: labels of version {VERSION} are wanted, "
            f"{table.get('version')} came; label again with this version"
        )
    try:
        photos = _photo_folder(root, table)
        wanted = math.ceil(table["source"]["images"] / table["settings"]["shard"])
        notes = [f"labelled by {table['model']['name']}"]
    except (KeyError, TypeError, ZeroDivisionError) as error:
        raise InputError(
            f"{root / LABELS_TOML} is damaged ({error!r}); label into a new folder"
        ) from error
    shards = shard_folders(root)
    items = tuple(
        DepthImage(
            image=photos / row.image,
            depth=Path(folder.name, row.label),
            quantity=cast("Quantity", row.quantity),
            scale=row.scale,
            split=row.split,
            source=row.source,
            labelled_by=row.labelled_by,
        )
        for folder in shards
        for row in read_shard(folder)
    )
    skipped = sum(shard_summary(folder)["skipped"] for folder in shards)
    if len(shards) < wanted:
        notes.append(f"{len(shards)} of {wanted} shards are there; label again to go on")
    return DepthSet(
        name=root.resolve().name,
        root=root,
        items=items,
        left_out=((NO_LABEL, skipped),) if skipped else (),
        notes=tuple(notes),
    )


def shard_folder(root: Path, index: int) -> Path:
    """Return where a shard lies, or will."""
    return root / _SHARD_NAME.format(index)


def shard_folders(root: Path) -> list[Path]:
    """Return the shards that are there, in order; a copy of another name is none."""
    numbers = {path: path.name.partition("-")[2] for path in root.glob(_SHARD_PATTERN)}
    found = [path for path, n in numbers.items() if n.isdecimal() and (path / SHARD_JSON).is_file()]
    return sorted(found, key=lambda path: int(numbers[path]))


def write_shard(
    folder: Path,
    rows: Sequence[LabelRow],
    skipped: Sequence[tuple[str, str]],
    summary: dict[str, Any],
) -> None:
    """Write the tables of a shard beside its labels, the one that makes it a shard last.

    Args:
        folder: Holds the PNGs.
        rows: One a label.
        skipped: Photo and reason.
        summary: What else is to be known of the shard.
    """
    _write_rows(folder / LABELS_CSV, _COLUMNS, (astuple(row) for row in rows))
    write_skipped(folder / SKIPPED_CSV, skipped)
    counts = {"labelled": len(rows), "skipped": len(skipped)}
    (folder / SHARD_JSON).write_text(json.dumps({**counts, **summary}, indent=2) + "\n", "utf-8")


def read_shard(folder: Path) -> Iterator[LabelRow]:
    """Yield the rows of a shard.

    Raises:
        InputError: The table is damaged.
    """
    path = folder / LABELS_CSV
    kinds = [{"str": str, "int": int, "float": float}[str(f.type)] for f in fields(LabelRow)]
    for cells in _read_rows(path, _COLUMNS):
        try:
            yield LabelRow(*(kind(cell) for kind, cell in zip(kinds, cells, strict=True)))
        except ValueError as error:
            raise InputError(f"{path}: a row is damaged ({error}); copy the shard again") from error


def shard_summary(folder: Path) -> dict[str, Any]:
    """Return what ``shard.json`` says: ``labelled``, ``skipped``, ``seconds`` and more.

    Raises:
        InputError: It is damaged.
    """
    path = folder / SHARD_JSON
    try:
        summary = json.loads(path.read_text("utf-8"))
        return {**summary, "labelled": int(summary["labelled"]), "skipped": int(summary["skipped"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); remove the shard, label again") from error


def write_skipped(path: Path, skipped: Iterable[tuple[str, str]]) -> None:
    """Write which photos got no label, and why."""
    _write_rows(path, _SKIPPED_COLUMNS, skipped)


def read_skipped(path: Path) -> list[tuple[str, str]]:
    """Return photos without a label, and why.

    Raises:
        InputError: The table is damaged.
    """
    return [(image, reason) for image, reason in _read_rows(path, _SKIPPED_COLUMNS)]


def _photo_folder(root: Path, table: dict[str, Any]) -> Path:
    """Return the folder that the photos' names are relative to."""
    named, beside = Path(table["source"]["root"]), str(table["source"]["from_here"])
    moved = (root.resolve() / beside).resolve()
    return moved if beside and not named.is_dir() and moved.is_dir() else named


def _write_rows(path: Path, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    # surrogateescape: names of files need not be UTF-8.
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _read_rows(path: Path, columns: Sequence[str]) -> Iterator[list[str]]:
    """Yield the rows of our own table; unlike ``csv_rows`` it keeps spaces and odd bytes."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            reader = csv.reader(stream)
            if next(reader, []) != list(columns):
                raise InputError(f"{path}: the columns {','.join(columns)} are wanted")
            for cells in reader:
                if len(cells) != len(columns):
                    raise InputError(f"{path}, line {reader.line_num}: {len(columns)} cells wanted")
                yield cells
    except (OSError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error}); copy the shard again") from error
