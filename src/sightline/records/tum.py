"""TUM trajectories: ``timestamp tx ty tz qx qy qz qw``, camera-to-world, one pose a line.

The format's quaternions are ``xyzw``; only this file knows that.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import GeometryError, InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.records.files import write_text


def read_tum(path: Path) -> tuple[Array, Pose]:
    """Return the timestamps and the poses of a TUM trajectory.

    Args:
        path: Text file; lines that start with ``#`` and empty lines are skipped.

    Returns:
        (N,) seconds, in the file's order, and (N,) ``world_from_cam``.

    Raises:
        InputError: The file is missing or holds no pose, or a line is not eight finite numbers
            with a unit quaternion; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: a text file in UTF-8 is wanted ({error})") from error
    rows = [
        _parse_line(path, number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not rows:
        raise InputError(f"{path}: a trajectory is wanted, the file holds no pose")
    table = np.array(rows)
    return table[:, 0], Pose(table[:, [7, 4, 5, 6]], table[:, 1:4])


def write_tum(path: Path, timestamps_s: ArrayLike, world_from_cam: Pose) -> None:
    """Write a TUM trajectory, atomically.

    Args:
        path: File to write.
        timestamps_s: (N,) seconds.
        world_from_cam: (N,) poses.

    Raises:
        GeometryError: The two differ in length.
    """
    stamps = np.asarray(timestamps_s, dtype=np.float64)
    if stamps.ndim != 1 or stamps.shape != world_from_cam.shape:
        raise GeometryError(
            f"one timestamp for each pose is wanted, {stamps.shape} timestamps and "
            f"{world_from_cam.shape} poses came"
        )
    lines = ["# timestamp tx ty tz qx qy qz qw"]
    for stamp, t, q in zip(stamps, world_from_cam.translation, world_from_cam.q_wxyz, strict=True):
        numbers = " ".join(f"{value:.9f}" for value in (*t, *np.roll(q, -1)))
        lines.append(f"{stamp:.6f} {numbers}")
    write_text(path, "\n".join(lines) + "\n")


def associate(a_s: ArrayLike, b_s: ArrayLike, max_gap_s: float = 0.02) -> NDArray[np.intp]:
    """Return which timestamps belong together, each used at most once.

    The closest pair is taken first, then the closest of what is left, and so on, like the TUM
    benchmark's own tool (Sturm et al. 2012).

    Args:
        a_s: (N,) seconds, in any order.
        b_s: (M,) seconds, in any order.
        max_gap_s: Largest difference of a pair, itself allowed.

    Returns:
        (K, 2) indices into ``a_s`` and ``b_s``, ordered by the time in ``a_s``.
    """
    a, b = np.asarray(a_s, dtype=np.float64).ravel(), np.asarray(b_s, dtype=np.float64).ravel()
    order = np.argsort(b, kind="stable")
    # A hair beyond the limit: 0.02 s apart is not exactly 0.02 between two epoch seconds.
    reach = max_gap_s + 4 * np.spacing(np.abs(np.r_[a, b, 0.0]).max())
    first = np.searchsorted(b[order], a - reach, side="left")
    last = np.searchsorted(b[order], a + reach, side="right")
    pairs = [(i, order[k]) for i in range(len(a)) for k in range(first[i], last[i])]
    candidates = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    gaps = np.abs(a[candidates[:, 0]] - b[candidates[:, 1]])
    used_a, used_b = np.zeros(len(a), dtype=bool), np.zeros(len(b), dtype=bool)
    chosen = []
    for i, j in candidates[np.argsort(gaps, kind="stable")]:
        if not (used_a[i] or used_b[j]):
            used_a[i] = used_b[j] = True
            chosen.append((i, j))
    matches = np.array(chosen, dtype=np.intp).reshape(-1, 2)
    return matches[np.argsort(a[matches[:, 0]], kind="stable")]


def _parse_line(path: Path, number: int, line: str) -> list[float]:
    wanted = "timestamp tx ty tz qx qy qz qw"
    try:
        values = [float(cell) for cell in line.split()]
    except ValueError as error:
        raise InputError(f"{path}, line {number}: {wanted} is wanted ({error})") from error
    if len(values) != 8 or not np.isfinite(values).all():
        raise InputError(
            f"{path}, line {number}: eight numbers ({wanted}) are wanted, {line.strip()} came"
        )
    norm = float(np.linalg.norm(values[4:]))
    if abs(norm - 1.0) > 0.01:
        raise InputError(
            f"{path}, line {number}: a unit quaternion qx qy qz qw is wanted, one of norm "
            f"{norm:.3g} came"
        )
    return values
