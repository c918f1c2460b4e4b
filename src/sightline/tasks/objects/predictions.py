"""``predictions.csv``: what a network said of each object, with the truth beside; one row a view.

The file begins with a line that names the run's own fusion rule, ``# rule = weighted``; its columns
are the image and the box, the true category and rotation (empty where unknown), a probability a
category (``p_car``), the rotation by every rule (``top1_qw`` ...; all are ``cam_from_object``) and
how sure the network is. Numbers have nine significant digits, which is all of a 32-bit number.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.geometry.rotation import Array
from sightline.records.files import write_text

#: By what rule a rotation came about: the fusions of Sec. 3.2, the rotation of the second and the
#: third likeliest category, and that of the true one.
RULES = ("weighted", "chordal", "top1", "top2", "top3", "oracle")
#: What a run can answer by; these always have a rotation.
OWN_RULES = ("weighted", "chordal", "top1")

_HEAD = "# rule = "
_KEY = ("image", "x0", "y0", "x1", "y1", "category")
_WXYZ = ("qw", "qx", "qy", "qz")
_SURE = ("confidence", "concentration")
_UNIT_TOLERANCE = 1e-5
_SUM_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class ObjectPredictions:
    """A network's answers for N objects.

    Attributes:
        categories: K names, in the order of the probabilities.
        images: N paths as the set names them.
        boxes: (N, 4) ``x0, y0, x1, y1`` in pixels.
        category: (N,) index of the true category; -1 where unknown.
        true: (N, 4) ``cam_from_object``, ``wxyz``; NaN where unknown.
        probabilities: (N, K), each row summing to 1.
        rotations: (N, 4) ``cam_from_object`` by each of :data:`RULES`; rows of NaN where a rule
            has none (a third category of two; the true category of an object without one).
        rule: The run's own of them.
        confidence: (N,) in [0, 1]: how likely category and pose are right.
        concentration: (N,) grows with the pose's certainty; the scale is the head's.
    """

    categories: tuple[str, ...]
    images: tuple[str, ...]
    boxes: Array
    category: NDArray[np.int64]
    true: Array
    probabilities: Array
    rotations: dict[str, Array]
    rule: str
    confidence: Array
    concentration: Array

    def __post_init__(self) -> None:
        n, k = len(self.images), len(self.categories)
        shapes = {
            "boxes": (self.boxes.shape, (n, 4)),
            "category": (self.category.shape, (n,)),
            "true": (self.true.shape, (n, 4)),
            "probabilities": (self.probabilities.shape, (n, k)),
            "confidence": (self.confidence.shape, (n,)),
            "concentration": (self.concentration.shape, (n,)),
        } | {rule: (found.shape, (n, 4)) for rule, found in self.rotations.items()}
        for name, (came, wanted) in shapes.items():
            if came != wanted:
                raise InputError(f"predictions: {name} of shape {wanted} are wanted, {came} came")
        if set(self.rotations) != set(RULES):
            raise InputError(
                f"predictions: rotations by {', '.join(RULES)} are wanted, "
                f"{', '.join(self.rotations) or 'none'} came"
            )
        if self.rule not in OWN_RULES:
            raise InputError(f"one of {', '.join(OWN_RULES)} is wanted, {self.rule!r} came")
        if n and not -1 <= self.category.min() <= self.category.max() < k:
            raise InputError(f"predictions: categories from -1 to {k - 1} are wanted")

    def __len__(self) -> int:
        return len(self.images)

    def names(self) -> list[str]:
        """Return the N true categories' names; empty where unknown."""
        return [self.categories[i] if i >= 0 else "" for i in self.category]

    def of(self, rule: str | None = None) -> Array:
        """Return the (N, 4) rotations by a rule; by the run's own where None."""
        return self.rotations[rule or self.rule]


def prediction_columns(categories: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a ``predictions.csv``."""
    by_rule = (f"{rule}_{part}" for rule in RULES for part in _WXYZ)
    return (*_KEY, *_WXYZ, *(f"p_{name}" for name in categories), *by_rule, *_SURE)


def write_predictions(path: Path, predictions: ObjectPredictions) -> None:
    """Write a ``predictions.csv``, atomically."""
    p = predictions
    numbers = np.column_stack(
        [p.true, p.probabilities, *(p.rotations[r] for r in RULES), p.confidence, p.concentration]
    )
    stream = io.StringIO()
    stream.write(f"{_HEAD}{p.rule}\n")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(prediction_columns(p.categories))
    for image, box, name, row in zip(p.images, p.boxes, p.names(), numbers, strict=True):
        writer.writerow([image, *map(_cell, box), name, *map(_cell, row)])
    write_text(path, stream.getvalue())


def read_predictions(path: Path) -> ObjectPredictions:
    """Return what a ``predictions.csv`` holds.

    Raises:
        InputError: The file is missing, has no rule or other columns, or a bad value in a line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; run `sightline evaluate objects`") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: a CSV file in UTF-8 is wanted ({error})") from error
    first, _, body = text.partition("\n")
    rule = first.removeprefix(_HEAD)
    if not first.startswith(_HEAD) or rule not in OWN_RULES:
        raise InputError(f"{path}, line 1: '{_HEAD}' and {', '.join(OWN_RULES)} are wanted")
    if not body.endswith("\n"):
        raise InputError(f"{path}: a whole file is wanted, its last line is cut short")
    reader = csv.reader(io.StringIO(body, newline=""), strict=True)
    try:
        columns = next(reader, [])
        categories = tuple(name.removeprefix("p_") for name in columns if name.startswith("p_"))
        wanted = prediction_columns(categories)
        if tuple(columns) != wanted or not categories:
            raise InputError(f"{path}, line 2: the columns {','.join(wanted)} are wanted")
        rows = [_Row.of(cells, categories) for cells in reader]
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path}, line {reader.line_num + 1}: {error}") from error
    return _stacked(rows, categories, rule)


@dataclass(frozen=True)
class _Row:
    image: str
    box: list[float]
    category: int
    numbers: list[float]

    @classmethod
    def of(cls, cells: Sequence[str], categories: tuple[str, ...]) -> _Row:
        """Return a row's values; a ValueError says which cell is wrong."""
        columns = prediction_columns(categories)
        if len(cells) != len(columns):
            raise ValueError(f"{len(columns)} cells are wanted, {len(cells)} came")
        named = dict(zip(columns, cells, strict=True))
        name = named["category"]
        if name and name not in categories:
            raise ValueError(f"a category of {', '.join(categories)} is wanted, {name!r} came")
        box = [_number(key, named[key]) for key in ("x0", "y0", "x1", "y1")]
        numbers = _rotation("", named, may_lack=True)
        likely = [_number(f"p_{c}", named[f"p_{c}"]) for c in categories]
        if min(likely) < 0 or abs(sum(likely) - 1) > _SUM_TOLERANCE:
            raise ValueError(f"probabilities that sum to 1 are wanted, {sum(likely):g} came")
        numbers += likely
        for rule in RULES:
            numbers += _rotation(f"{rule}_", named, may_lack=rule not in OWN_RULES)
        sure = [_number(key, named[key]) for key in _SURE]
        if not 0 <= sure[0] <= 1:
            raise ValueError(f"confidence: 0 to 1 is wanted, {sure[0]:g} came")
        return cls(named["image"], box, categories.index(name) if name else -1, numbers + sure)


def _rotation(prefix: str, named: dict[str, str], *, may_lack: bool) -> list[float]:
    cells = [named[f"{prefix}{part}"] for part in _WXYZ]
    if may_lack and not any(cells):
        return [np.nan] * 4
    q = [_number(f"{prefix}{part}", cell) for part, cell in zip(_WXYZ, cells, strict=True)]
    if abs(sum(v * v for v in q) - 1) > _UNIT_TOLERANCE:
        raise ValueError(f"{prefix}qw ... qz: a unit quaternion is wanted, {' '.join(cells)} came")
    return q


def _number(name: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise ValueError(f"{name}: a number is wanted, {cell!r} came")
    return value


def _stacked(rows: Sequence[_Row], categories: tuple[str, ...], rule: str) -> ObjectPredictions:
    k = len(categories)
    width = 4 + k + 4 * len(RULES) + len(_SURE)
    numbers = np.array([row.numbers for row in rows], dtype=np.float64).reshape(-1, width)
    edges = np.cumsum([4, k, *(4 for _ in RULES), 1])
    true, likely, *by_rule, confidence, concentration = np.split(numbers, edges, axis=1)
    return ObjectPredictions(
        categories,
        tuple(row.image for row in rows),
        np.array([row.box for row in rows], dtype=np.float64).reshape(-1, 4),
        np.array([row.category for row in rows], dtype=np.int64),
        true,
        likely,
        dict(zip(RULES, by_rule, strict=True)),
        rule,
        confidence[:, 0],
        concentration[:, 0],
    )


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.9g}"
