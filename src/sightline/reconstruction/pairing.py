"""Which frames of a walk are matched with which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sightline.reconstruction.config import EXHAUSTIVE_LIMIT, ReconstructionConfig
from sightline.records import PosedFrame


def pairs_kind(
    frames: Sequence[PosedFrame], config: ReconstructionConfig
) -> Literal["sequential", "exhaustive"]:
    """Return how frames are paired: what the config asks for, or what suits the frames."""
    if config.pairs != "auto":
        return config.pairs
    video = all(frame.timestamp_s is not None for frame in frames)
    return "sequential" if video or len(frames) > EXHAUSTIVE_LIMIT else "exhaustive"


def frame_pairs(
    frames: Sequence[PosedFrame], config: ReconstructionConfig
) -> list[tuple[int, int]]:
    """Return the pairs of frames to match, as index pairs ``a < b``.

    Sequential pairs are the next ``overlap / 2`` frames and those 2, 4, 8 ... ``2^(overlap - 1)``
    ahead, so that slow and fast walks both find a baseline.
    """
    count = len(frames)
    if pairs_kind(frames, config) == "exhaustive":
        return [(a, b) for a in range(count) for b in range(a + 1, count)]
    overlap = config.overlap or config.preset.overlap
    steps = sorted({*range(1, overlap // 2 + 2), *(2**k for k in range(overlap))})
    return [(a, a + s) for a in range(count) for s in steps if a + s < count]
