"""Posed frames and ``poses.csv``."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from sightline.errors import GeometryError, InputError
from sightline.geometry import Pose
from sightline.records.files import write_text

POSES_COLUMNS = ("image", "timestamp_s", "qw", "qx", "qy", "qz", "x", "y", "z", "split")
SPLITS = ("", "train", "validation", "test")


@dataclass(frozen=True, eq=False)
class PosedFrame:
    """One frame of a place.

    Attributes:
        image: File name relative to the place's ``images/``.
        timestamp_s: Time in the video, None for photos.
        world_from_cam: None where the frame was not registered.
        split: ``train``, ``validation``, ``test`` or empty.
    """

    image: str
    timestamp_s: float | None
    world_from_cam: Pose | None
    split: str = ""

    def with_split(self, split: str) -> PosedFrame:
        """Return the frame in another part."""
        return PosedFrame(self.image, self.timestamp_s, self.world_from_cam, split)

    def with_pose(self, world_from_cam: Pose | None) -> PosedFrame:
        """Return the frame with another pose."""
        return PosedFrame(self.image, self.timestamp_s, world_from_cam, self.split)


def stack_poses(frames: Sequence[PosedFrame]) -> Pose:
    """Return registered frames' poses as one batch.

    Raises:
        InputError: A frame has no pose.
    """
    missing = [f.image for f in frames if f.world_from_cam is None]
    if missing:
        raise InputError(f"frames with poses are wanted; {missing[0]} has none")
    return Pose.stack([f.world_from_cam for f in frames if f.world_from_cam is not None])


def write_poses_csv(path: Path, frames: Sequence[PosedFrame]) -> None:
    """Write ``image,timestamp_s,qw,qx,qy,qz,x,y,z,split`` (world_from_cam), atomically."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(POSES_COLUMNS)
    for frame in frames:
        numbers = [""] * 7
        if frame.world_from_cam is not None:
            pose = frame.world_from_cam
            numbers = [f"{v:.9f}" for v in (*pose.q_wxyz, *pose.translation)]
        stamp = "" if frame.timestamp_s is None else f"{frame.timestamp_s:.6f}"
        writer.writerow([frame.image, stamp, *numbers, frame.split])
    write_text(path, stream.getvalue())


def read_poses_csv(path: Path) -> list[PosedFrame]:
    """Return the frames of a ``poses.csv``.

    A file that went through a spreadsheet (byte-order mark, CRLF, empty rows) reads the same.

    Raises:
        InputError: The file is missing, is not text, has other columns, a duplicate image, a part
            that is no split, or a bad number; the message names the line.
    """
    frames: list[PosedFrame] = []
    first_line: dict[str, int] = {}
    for line, row in _rows(path):
        frame = _parse_row(path, line, row)
        if frame.image in first_line:
            raise InputError(
                f"{path}, line {line}: {frame.image} is there twice (first in line "
                f"{first_line[frame.image]}); remove one of the two"
            )
        first_line[frame.image] = line
        frames.append(frame)
    return frames


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    wanted = ",".join(POSES_COLUMNS)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = [cell.strip() for cell in next(reader, [])]
            if tuple(header) != POSES_COLUMNS:
                came = ",".join(header) if header else "an empty file"
                raise InputError(f"{path}: the columns {wanted} are wanted, {came} came")
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield reader.line_num, cells
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: a CSV file in UTF-8 is wanted ({error})") from error


def _parse_row(path: Path, line: int, row: list[str]) -> PosedFrame:
    if len(row) != len(POSES_COLUMNS):
        raise InputError(
            f"{path}, line {line}: {len(POSES_COLUMNS)} columns are wanted, {len(row)} came"
        )
    image, stamp, *numbers, split = row
    try:
        if not image or PurePosixPath(image).is_absolute() or ".." in PurePosixPath(image).parts:
            raise ValueError(f"an image name inside images/ is wanted, {image!r} came")
        if split not in SPLITS:
            raise ValueError(f"a split of {', '.join(SPLITS[1:])} or none is wanted, {split} came")
        timestamp = float(stamp) if stamp else None
        if timestamp is not None and not math.isfinite(timestamp):
            raise ValueError(f"a finite timestamp is wanted, {stamp} came")
        pose = None
        if any(numbers):
            if not all(numbers):
                raise ValueError("all seven numbers of a pose are wanted, or none; some are empty")
            values = np.array([float(n) for n in numbers])
            pose = Pose(values[:4], values[4:])
    except (ValueError, GeometryError) as error:
        raise InputError(f"{path}, line {line}: {error}") from error
    return PosedFrame(image, timestamp, pose, split)
