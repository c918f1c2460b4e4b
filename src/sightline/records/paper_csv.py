"""Paper 000's own tables: ``train.csv``, ``validation.csv`` and ``test.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from sightline.records.colmap import cam_from_world_rows
from sightline.records.files import write_text
from sightline.records.frames import PosedFrame, stack_poses

PAPER_COLUMNS = ("x", "y", "z", "qx", "qy", "qz", "qw", "tx", "ty", "tz", "image")
SPLIT_TABLES = ("train", "validation", "test")


def paper_table(frames: Sequence[PosedFrame]) -> str:
    """Return the CSV text of frames in the paper's layout, sorted as given.

    ``x,y,z`` is the camera's centre in the world; ``q`` and ``t`` are COLMAP's cam_from_world, so
    ``(x, y, z) = -R(q)^T t``. Readers that pair the centre with ``q`` as an orientation in the
    world get the inverse rotation (PITFALLS 2); ``poses.csv`` is the table without that trap.

    Raises:
        InputError: A frame has no pose.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(PAPER_COLUMNS)
    poses = stack_poses(frames)
    q_wxyz, t = cam_from_world_rows(poses)
    for frame, centre, q, shift in zip(frames, poses.translation, q_wxyz, t, strict=True):
        numbers = (*centre, *q[1:], q[0], *shift)
        writer.writerow([*(f"{value:.9f}" for value in numbers), frame.image])
    return stream.getvalue()


def write_split_tables(root: Path, frames: Sequence[PosedFrame]) -> None:
    """Write the three tables into a folder; a part without frames gets a table without rows."""
    for split in SPLIT_TABLES:
        chosen = [f for f in frames if f.split == split and f.world_from_cam is not None]
        write_text(root / f"{split}.csv", paper_table(chosen))
