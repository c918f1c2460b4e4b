"""``predictions.csv``: what each method said of each pair, with the truth beside; one row each.

A row is keyed by set, pair (both images) and method, never by its position (PITFALLS 14).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from sightline.errors import GeometryError, InputError
from sightline.geometry import Pose
from sightline.records.files import write_text
from sightline.records.pairs import ImagePair
from sightline.records.views import RelativeEstimate, Status

_POSE = ("qw", "qx", "qy", "qz", "tx", "ty", "tz")
PREDICTIONS_COLUMNS = (
    "set",
    "image_a",
    "image_b",
    "method",
    "chain",
    "status",
    *_POSE,
    "t_unit",
    "inliers",
    "matches",
    "confidence",
    "seconds",
    *(f"true_{name}" for name in _POSE),
    "scene",
    "overlap",
    "reason",
)

#: Set, image a, image b, method.
Key = tuple[str, str, str, str]


@dataclass(frozen=True, eq=False)
class Prediction:
    """One method's answer for one pair.

    Attributes:
        set_name: Of the pair set.
        image_a: As the set names it.
        image_b: As the set names it.
        method: Its name; the estimate names what the method chose, where it chooses.
        true: b_from_a.
        estimate: The answer.
        scene: What the pair belongs to.
        overlap: Share of the view that both see; None where unknown.
    """

    set_name: str
    image_a: str
    image_b: str
    method: str
    true: Pose
    estimate: RelativeEstimate
    scene: str = ""
    overlap: float | None = None

    @property
    def key(self) -> Key:
        """What the row is found by."""
        return (self.set_name, self.image_a, self.image_b, self.method)

    @classmethod
    def of(
        cls, set_name: str, pair: ImagePair, method: str, estimate: RelativeEstimate
    ) -> Prediction:
        """Return the row of a pair with a pose.

        Raises:
            InputError: The pair has none.
        """
        if pair.b_from_a is None:
            raise InputError(f"a true pose of {pair.image_a}, {pair.image_b} is wanted, none came")
        return cls(
            set_name,
            pair.image_a.as_posix(),
            pair.image_b.as_posix(),
            method,
            pair.b_from_a,
            estimate,
            pair.scene,
            pair.overlap,
        )


def same_truth(saved: Prediction, pair: ImagePair) -> bool:
    """Return whether a saved row was made with this pair's pose."""
    now = pair.b_from_a
    if now is None:
        return False
    size = 1e-6 * (1.0 + float(np.abs(now.translation).max()))
    return bool(
        np.abs(saved.true.q_wxyz - now.q_wxyz).max() < 1e-6
        and np.abs(saved.true.translation - now.translation).max() < size
    )


def read_predictions(path: Path) -> list[Prediction]:
    """Return the rows of a ``predictions.csv``; a last line cut short by a kill is left out.

    Raises:
        InputError: The file is missing, has other columns, a bad value, or a row twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; run `sightline evaluate relative`") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: a CSV file in UTF-8 is wanted ({error})") from error
    reader = csv.reader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))
    if tuple(next(reader, ())) != PREDICTIONS_COLUMNS:
        raise InputError(
            f"{path}: the columns {','.join(PREDICTIONS_COLUMNS)} are wanted; choose another folder"
        )
    found: dict[Key, Prediction] = {}
    for cells in reader:
        try:
            row = _parse(dict(zip(PREDICTIONS_COLUMNS, cells, strict=True)))
        except (ValueError, GeometryError) as error:
            raise InputError(f"{path}, line {reader.line_num}: {error}") from error
        if row.key in found:
            raise InputError(f"{path}, line {reader.line_num}: {', '.join(row.key)} is there twice")
        found[row.key] = row
    return list(found.values())


def write_predictions(path: Path, rows: Iterable[Prediction]) -> None:
    """Write ``predictions.csv``, atomically."""
    write_text(path, _lines([PREDICTIONS_COLUMNS]) + _lines(_cells(row) for row in rows))


def append_predictions(path: Path, rows: Sequence[Prediction]) -> None:
    """Add rows at the end of a ``predictions.csv`` and hand them to the system at once."""
    with path.open("a", encoding="utf-8", newline="") as stream:
        stream.write(_lines(_cells(row) for row in rows))


def _lines(rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _cells(row: Prediction) -> list[str]:
    said = row.estimate
    pose = [""] * 7 if said.b_from_a is None else _numbers(said.b_from_a)
    return [
        row.set_name,
        row.image_a,
        row.image_b,
        row.method,
        said.method,
        said.status,
        *pose,
        said.t_unit,
        "" if said.inliers is None else str(said.inliers),
        "" if said.matches is None else str(said.matches),
        f"{said.confidence:.6f}",
        f"{said.seconds:.6f}",
        *_numbers(row.true),
        row.scene,
        "" if row.overlap is None else f"{row.overlap:.6f}",
        # one row a line, so that a file cut short is cut within its last row alone
        " ".join(said.reason.split()),
    ]


def _numbers(pose: Pose) -> list[str]:
    # fewer digits than a float has: a row that is read and written again stays the same text
    return [f"{v:.12g}" for v in (*pose.q_wxyz, *pose.translation)]


def _parse(row: dict[str, str]) -> Prediction:
    status: Any = row["status"]
    if status not in get_args(Status):
        raise ValueError(f"a status of {', '.join(get_args(Status))} is wanted, {status!r} came")
    unit: Any = row["t_unit"]
    if unit not in ("direction", "m"):
        raise ValueError(f"a t_unit of direction, m is wanted, {unit!r} came")
    estimate = RelativeEstimate(
        status=status,
        method=row["chain"],
        b_from_a=_pose([row[name] for name in _POSE]) if row["qw"] else None,
        t_unit=unit,
        inliers=int(row["inliers"]) if row["inliers"] else None,
        matches=int(row["matches"]) if row["matches"] else None,
        confidence=float(row["confidence"]),
        seconds=float(row["seconds"]),
        reason=row["reason"],
    )
    return Prediction(
        row["set"],
        row["image_a"],
        row["image_b"],
        row["method"],
        _pose([row[f"true_{name}"] for name in _POSE]),
        estimate,
        row["scene"],
        float(row["overlap"]) if row["overlap"] else None,
    )


def _pose(cells: Sequence[str]) -> Pose:
    numbers = np.array([float(cell) for cell in cells])
    return Pose(numbers[:4], numbers[4:])
