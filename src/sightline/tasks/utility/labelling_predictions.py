"""What machines said, on disk: shards that are whole or absent, found by content and distortion.

A folder of predictions::

    images.csv                  each pristine image, and the digest of its content
    NAME-DIGEST/machine.toml    a machine: name, kind, digest, names of its classes
    NAME-DIGEST/00000-KEY.npz   its answers for some images; arrays, a row an answer

A row is known by what was asked: digest of the pristine file, distortion, seed, number of the
augmented copy and, of classifiers, whose probability is wanted. An image that changed has another
digest: its old rows are not found, and do no harm. Shards are never changed; later calls add some.
"""

from __future__ import annotations

import csv
import hashlib
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.media.distortions import Distortion
from sightline.records.files import atomic_path, digest, read_toml, write_toml
from sightline.records.utility_files import is_labels, read_header
from sightline.tasks.utility.machines.machine import Detected, Machine

PREDICTIONS = "predictions"
IMAGES_CSV = "images.csv"
MACHINE_TOML = "machine.toml"

#: Of the arrays' meaning; shards of another version are not read.
_VERSION = 1

#: ``asked`` where the class in question is the one that the machine itself sees in the pristine
#: image, because the data do not say it.
OWN_ANSWER = -1
#: ``asked`` of detectors, and where the data's class is none of the machine's.
NO_CLASS = -2

#: Of a detector's boxes the best are kept: mAP needs no more.
MOST_BOXES = 100

_IMAGE_COLUMNS = ("image", "digest")
_COMMON = {
    "key": np.uint64,
    "digest": "S32",
    "distortion": "S40",
    "seed": np.int64,
    "augmented": np.int32,
    "asked": np.int32,
    "bytes": np.int64,
    "width": np.int32,
    "height": np.int32,
}
_OF_KIND: dict[str, dict[str, Any]] = {
    "classification": {
        "reference": np.int32,
        "confidence": np.float32,
        "predicted": np.int32,
        "predicted_confidence": np.float32,
        "energy": np.float32,
    },
    "detection": {"count": np.int32},
}


class Question(NamedTuple):
    """What a machine was asked.

    Attributes:
        digest: Of the pristine file's content.
        distortion: ``KIND:LEVEL``; ``none`` for the pristine image.
        seed: Of the noise and of the crop.
        augmented: Number of the augmented copy; 0 for the image itself.
        asked: Index of the class whose probability is wanted; ``OWN_ANSWER`` or ``NO_CLASS``.
    """

    digest: str
    distortion: str
    seed: int
    augmented: int
    asked: int

    @property
    def key(self) -> int:
        """64 bits that stand for it."""
        text = "\0".join(map(str, self))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Made:
    """What was shown to the machine.

    Attributes:
        bytes: Size of the distorted file; of a pristine one its own; 0 of a pristine crop.
        width: Of the pristine image or crop, in pixels, whatever size the distorted one has.
        height: The same.
    """

    bytes: int
    width: int
    height: int


@dataclass(frozen=True)
class ClassAnswer:
    """What a classifier says of one image.

    Attributes:
        reference: Index of the class in question; ``NO_CLASS`` where it has no such class.
        confidence: Its probability; NaN without one.
        predicted: Index of the likeliest class.
        predicted_confidence: Its probability.
        energy: -logsumexp of the logits; NaN where there are none.
    """

    reference: int
    confidence: float
    predicted: int
    predicted_confidence: float
    energy: float


Answer = ClassAnswer | Detected


@dataclass(frozen=True, eq=False)
class Predictions:
    """All answers of one machine; rows are in the order of their keys.

    Attributes:
        name: The machine's.
        kind: What it does.
        digest: The machine's.
        categories: Names of its classes; may be empty.
        columns: The arrays of all shards, a row an answer; see the module. ``boxes``, ``labels``
            and ``scores`` of detectors hold the rows' boxes one after another.
        images: Content digest of each pristine image, by its path as ``labels.csv`` has it.
    """

    name: str
    kind: Literal["classification", "detection"]
    digest: str
    categories: tuple[str, ...]
    columns: dict[str, NDArray[Any]]
    images: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["key"])

    def row(self, question: Question) -> int | None:
        """Return which row answers a question; None where none does."""
        keys = self.columns["key"]
        place = int(np.searchsorted(keys, np.uint64(question.key)))
        return place if place < len(keys) and int(keys[place]) == question.key else None

    def knows(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which of some questions' keys have an answer."""
        own = self.columns["key"]
        if not len(own):
            return np.zeros(len(keys), bool)
        places = np.minimum(np.searchsorted(own, keys), len(own) - 1)
        return np.asarray(own[places] == keys, bool)

    def find(
        self, image: Path | str, distortion: Distortion, seed: int = 0, augmented: int = 0
    ) -> int | None:
        """Return the row of one image of ``labels.csv``, whatever class was in question.

        Of the pristine image the distortion is ``none`` and the seed 0; of a pristine augmented
        copy the seed is the copy's.
        """
        content = self.images.get(Path(image).as_posix(), "")
        what = (content.encode(), str(distortion).encode(), seed, augmented)
        return self._by_image.get(what)

    @cached_property
    def _by_image(self) -> dict[tuple[bytes, bytes, int, int], int]:
        names = ("digest", "distortion", "seed", "augmented")
        parts = (self.columns[name].tolist() for name in names)
        return {what: row for row, what in enumerate(zip(*parts, strict=True))}

    def made(self, row: int) -> Made:
        """Return what the machine was shown."""
        return Made(*(int(self.columns[name][row]) for name in ("bytes", "width", "height")))

    def classified(self, row: int) -> ClassAnswer:
        """Return one answer of a classifier."""
        cells = {name: self.columns[name][row].item() for name in _OF_KIND["classification"]}
        return ClassAnswer(**cells)

    def detected(self, row: int) -> Detected:
        """Return one answer of a detector: boxes in pixels of the pristine image or crop."""
        boxes = slice(
            self.columns["start"][row], self.columns["start"][row] + self.columns["count"][row]
        )
        return Detected(*(self.columns[name][boxes] for name in ("boxes", "labels", "scores")))


def machine_folder(folder: Path, machine: Machine) -> Path:
    """Return where a machine's answers lie in a folder of predictions."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", machine.name).strip("._")[:40] or "machine"
    return folder / f"{name}-{digest(machine.digest, _VERSION)}"


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed left of shards; none may be at work there."""
    for stale in folder.glob("*/.*.tmp.npz"):
        stale.unlink(missing_ok=True)


def begin_machine(folder: Path, machine: Machine) -> Path:
    """Make a machine's folder where it is not there yet, and return it."""
    made = machine_folder(folder, machine)
    about = {
        "version": _VERSION,
        "name": machine.name,
        "kind": machine.kind,
        "digest": machine.digest,
        "categories": list(machine.categories),
    }
    # Names of classes are no part of the digest: they may be others now.
    if not (made / MACHINE_TOML).is_file() or read_toml(made / MACHINE_TOML) != about:
        write_toml(made / MACHINE_TOML, about)
    return made


def write_answers(
    folder: Path,
    number: int,
    kind: str,
    rows: Sequence[tuple[Question, Made, Answer]],
) -> Path:
    """Write one shard of a machine's answers; the same rows make the same file, byte for byte.

    Args:
        folder: The machine's.
        number: What the file's name begins with.
        kind: What the machine does.
        rows: At least one.
    """
    columns: dict[str, list[Any]] = {name: [] for name in (*_COMMON, *_OF_KIND[kind])}
    for question, made, answer in rows:
        cells = {"key": question.key, **question._asdict(), **vars(made)}
        own = vars(answer) if isinstance(answer, ClassAnswer) else {"count": len(answer.scores)}
        for name, value in {**cells, **own}.items():
            columns[name].append(value)
    types = {**_COMMON, **_OF_KIND[kind]}
    arrays = {name: np.array(columns[name], types[name]) for name in columns}
    if kind == "detection":
        found = [answer for _, _, answer in rows if isinstance(answer, Detected)]
        arrays["boxes"] = np.concatenate([f.boxes.reshape(-1, 4) for f in found]).astype(np.float32)
        arrays["labels"] = np.concatenate([f.labels for f in found]).astype(np.int64)
        arrays["scores"] = np.concatenate([f.scores for f in found]).astype(np.float32)
    sha = hashlib.sha256(arrays["key"].tobytes()).hexdigest()[:16]
    path = folder / f"{number:05d}-{sha}.npz"
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
    return path


def read_machine(folder: Path, images: dict[str, str] | None = None) -> Predictions:
    """Return all answers in one machine's folder.

    Raises:
        InputError: It is no such folder, or a shard is damaged.
    """
    about = read_toml(folder / MACHINE_TOML)
    if about.get("version") != _VERSION:
        raise InputError(f"{folder}: answers of version {_VERSION} are wanted; label again")
    kind = about["kind"]
    parts = [_read_shard(path, kind) for path in sorted(folder.glob("[0-9]*.npz"))]
    return Predictions(
        about["name"],
        kind,
        about["digest"],
        tuple(about["categories"]),
        _joined(parts, kind),
        images or {},
    )


def read_predictions(labels: Path, machine: str) -> Predictions:
    """Return what one machine said of all images of a folder of labels; no machine runs.

    ``found.find(item.image, item.distortion, item.seed, item.augmented)`` is the row of a label's
    distorted image, ``found.find(item.image, Distortion("none"))`` of its pristine one;
    ``found.classified(row)`` and ``found.detected(row)`` are the answers. Detectors' boxes (all of
    a score from 0.05, the best 100) are in pixels of the pristine image, so truth needs no scaling.

    Args:
        labels: The folder of labels.
        machine: Its name, as ``labels.toml`` has it, or its digest.

    Raises:
        InputError: No such machine there, or a damaged file.
    """
    folder = labels / PREDICTIONS
    # A network that changed has answers under the same name and another digest: not those.
    labelled = read_header(labels).machines if is_labels(labels) else ()
    wanted = next((one.digest for one in labelled if one.name == machine), "")
    names: list[str] = []
    for path in sorted(folder.glob(f"*/{MACHINE_TOML}"), key=lambda p: -p.stat().st_mtime_ns):
        about = read_toml(path)
        names.append(str(about.get("name")))
        of_it = {about.get("digest")} if wanted else {about.get("name"), about.get("digest")}
        if (wanted or machine) in of_it:
            return read_machine(path.parent, read_images(folder))
    raise InputError(f"{labels}: answers of {machine} are wanted; there are those of {names}")


def write_images(folder: Path, images: Iterable[tuple[str, str]]) -> None:
    """Write ``images.csv``: name and digest of the content of each image."""
    with (
        atomic_path(folder / IMAGES_CSV) as path,
        # surrogateescape: names of files need not be UTF-8
        path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as f,
    ):
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(_IMAGE_COLUMNS)
        writer.writerows(images)


def read_images(folder: Path) -> dict[str, str]:
    """Return the content's digest by name of each image that ``images.csv`` lists."""
    path = folder / IMAGES_CSV
    try:
        # not csv_rows, which strips names and refuses odd bytes in them
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            header, *rows = csv.reader(stream)
            if tuple(header) != _IMAGE_COLUMNS:
                raise ValueError(f"the columns {', '.join(_IMAGE_COLUMNS)} are wanted")
            return dict(rows)
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} does not read ({error}); label again") from error


def _read_shard(path: Path, kind: str) -> dict[str, NDArray[Any]]:
    try:
        # opened here: NumPy leaves a damaged file open
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path} is damaged ({error}); remove it, it is computed again") from error
    if missing := {*_COMMON, *_OF_KIND[kind]} - set(found):
        raise InputError(f"{path}: no {min(missing)}; remove the file, it is computed again")
    return found


def _joined(parts: Sequence[dict[str, NDArray[Any]]], kind: str) -> dict[str, NDArray[Any]]:
    """Return the rows of all shards by key; of rows that answer the same the first is taken."""
    types = {**_COMMON, **_OF_KIND[kind]}
    columns = {
        name: np.concatenate([part[name] for part in parts] or [np.zeros(0, types[name])])
        for name in types
    }
    order = np.unique(columns["key"], return_index=True)[1]
    if kind == "detection":
        columns["start"] = np.cumsum(columns["count"], dtype=np.int64) - columns["count"]
    columns = {name: values[order] for name, values in columns.items()}
    if kind == "detection":
        empty: dict[str, NDArray[Any]] = {
            "boxes": np.zeros((0, 4), np.float32),
            "labels": np.zeros(0, np.int64),
            "scores": np.zeros(0, np.float32),
        }
        for name, none in empty.items():
            columns[name] = np.concatenate([none, *(part[name] for part in parts)])
    return columns
