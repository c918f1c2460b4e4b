"""Training, validation and test parts, and what a part leaks.

``mod3`` is paper 000's: neighbouring frames of one walk land in different parts, so its test
measures interpolation. ``block`` keeps stretches of the walk apart; ``second-walk`` tests on
another walk altogether, and is the one that measures localisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from scipy.spatial import KDTree

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records.frames import PosedFrame

SplitMethod = Literal["mod3", "block", "second-walk"]
SPLIT_METHODS: tuple[str, ...] = get_args(SplitMethod)

_MOD3 = ("train", "validation", "test")
#: A test frame this near (in metres) to a training frame hardly asks for more than its pose.
LEAK_DISTANCE_M = 0.5


def assign_split(
    frames: Sequence[PosedFrame],
    method: str = "mod3",
    *,
    validation: float = 0.15,
    test: float = 0.2,
    guard: float = 0.02,
) -> list[PosedFrame]:
    """Return the frames with their parts; frames without a pose get none.

    Args:
        frames: All frames of one walk, in order.
        method: ``mod3``: frame index modulo 3 (paper 000); the index counts every frame, so that a
            frame that did not register moves no other. ``block``: train, validation and test are
            stretches of the walk, in this order. ``second-walk``: no test here; a last stretch is
            validation.
        validation: Share of the registered frames, for ``block`` and ``second-walk``.
        test: Share of the registered frames, for ``block``.
        guard: Share of the registered frames left out on either side of each cut, so that
            neighbours do not face each other across it.

    Raises:
        InputError: An unknown method, shares that leave no training frame, or too few frames.
    """
    registered = [i for i, frame in enumerate(frames) if frame.world_from_cam is not None]
    if method == "mod3":
        parts = {i: _MOD3[i % 3] for i in registered}
    elif method in ("block", "second-walk"):
        shares = [validation, test] if method == "block" else [validation]
        parts = _blocks(registered, shares, guard)
    else:
        raise InputError(f"a split of {', '.join(SPLIT_METHODS)} is wanted, {method!r} came")
    return [frame.with_split(parts.get(i, "")) for i, frame in enumerate(frames)]


def assign_walks(walks: Sequence[Sequence[PosedFrame]], method: str) -> list[PosedFrame]:
    """Return the frames of several walks with their parts, each walk divided by itself.

    With ``second-walk`` the first is trained on, and all others are for the test.

    Args:
        walks: The walk that the map was made of, then those added to it.
        method: See :func:`assign_split`.

    Raises:
        InputError: As :func:`assign_split`.
    """
    frames = assign_split(walks[0], method)
    for walk in walks[1:]:
        if method == "second-walk":
            frames += put_into(walk, "test")
        else:
            frames += assign_split(walk, method)
    return frames


def put_into(frames: Sequence[PosedFrame], split: str) -> list[PosedFrame]:
    """Return the frames, all that have a pose in one part."""
    return [f.with_split("" if f.world_from_cam is None else split) for f in frames]


def hold_out_validation(
    frames: Sequence[PosedFrame], share: float = 0.1, guard: float = 0.01
) -> list[PosedFrame]:
    """Return the frames with the last stretch of the training part as validation.

    The other parts stay as they are: validation never comes from the test part.

    Args:
        frames: All frames, each walk in order.
        share: Share of the registered training frames.
        guard: Share of them left out on either side of the cut, in no part.

    Raises:
        InputError: The shares leave no training frame.
    """
    training = [
        i for i, f in enumerate(frames) if f.split == "train" and f.world_from_cam is not None
    ]
    parts = dict.fromkeys(training, "") | _blocks(training, [share], guard)
    return [frame.with_split(parts.get(i, frame.split)) for i, frame in enumerate(frames)]


def _blocks(registered: list[int], shares: list[float], guard: float) -> dict[int, str]:
    if not all(0 < share < 1 for share in shares) or not 0 <= guard < 0.2:
        raise InputError(
            f"shares between 0 and 1 and a guard in [0, 0.2) are wanted, {shares} and {guard} came"
        )
    total = len(registered)
    sizes = [math.ceil(share * total) for share in shares]
    gap = math.ceil(guard * total)
    train = total - sum(sizes) - 2 * gap * len(sizes)
    if train < 1:
        raise InputError(
            f"frames enough for every part are wanted, {total} registered frames leave none to "
            "train on; use `mod3`, smaller shares, or more frames"
        )
    parts, start = dict.fromkeys(registered[:train], "train"), train
    for name, size in zip(("validation", "test"), sizes, strict=False):
        start += 2 * gap
        parts.update(dict.fromkeys(registered[start : start + size], name))
        start += size
    return parts


def nearest_train_distance(train: Pose, test: Pose) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return (T,) the distance of each test camera to the nearest training camera.

    Args:
        train: (N,) world_from_cam, N >= 1.
        test: (T,) world_from_cam.
    """
    if len(train) == 0:
        raise InputError("one or more training frames are wanted, 0 came")
    distances, _ = KDTree(train.translation).query(test.translation)
    return np.asarray(distances, dtype=np.float64)


def leak_warning(method: str, train: Pose, test: Pose, unit: str = "m") -> str | None:
    """Return one line that names a split's leak with its numbers, or None where there is none.

    Args:
        method: How the parts were made; see :func:`assign_split`.
        train: (N,) world_from_cam of the training frames.
        test: (T,) world_from_cam of the test frames.
        unit: The world's unit; with ``arbitrary`` the distance is judged against the walk itself.
    """
    if len(train) == 0 or len(test) == 0:
        return None
    distance = float(np.median(nearest_train_distance(train, test)))
    if method == "second-walk":
        return None
    length = "m" if unit == "m" else "map units"
    says = (
        f"test frames lie {distance:.2f} {length} (median) from a training frame of the same walk"
    )
    if method == "mod3":
        return f"{says}: a score on mod3 measures interpolation, not localisation"
    extent = float(np.linalg.norm(np.ptp(train.translation, axis=0)))
    near = LEAK_DISTANCE_M if unit == "m" else 0.02 * extent
    if distance < near:
        return f"{says}: the walk passes the same spots twice; score on a second walk"
    return None
