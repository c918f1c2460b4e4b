"""Scores of a network's answers for a walk after pose-graph optimisation (MapNet+PGO)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sightline.records import Place, PosedFrame, stack_poses
from sightline.records.cameras import common_camera
from sightline.tasks.absolute.metrics import (
    PosePredictions,
    Predictions,
    read_predictions,
    write_predictions,
)
from sightline.tasks.absolute.pose_graph import smooth_walk

#: The split name of a walk's frames, as in ``task``.
_SPLIT = "walk"
#: Seconds between frames that have no times.
_STEP_S = 0.5


def score_smoothed(
    saved: Path,
    place: Place,
    frames: Sequence[PosedFrame],
    images: Path,
    predicted: PosePredictions,
    progress: Callable[[str, float], None] = lambda _stage, _done: None,
) -> dict[str, Any]:
    """Return the scores of smoothed answers, computed from the saved ones.

    Args:
        saved: Where the smoothed predictions go.
        place: What the network was trained on.
        frames: Of the walk, in its order.
        images: Folder of their images.
        predicted: The network's answers for them.
        progress: Called with a text and the share done.
    """
    timed = all(frame.timestamp_s is not None for frame in frames)
    stamps = [frame.timestamp_s or 0.0 if timed else _STEP_S * i for i, frame in enumerate(frames)]
    answers = [predicted[i] for i in range(len(frames))]
    files = [images / frame.image for frame in frames]
    found = smooth_walk(answers, files, common_camera(place), stamps, progress)
    names, splits = [frame.image for frame in frames], [_SPLIT] * len(frames)
    write_predictions(saved, Predictions.of(names, splits, stack_poses(frames), found.poses))
    return read_predictions(saved).scores()
