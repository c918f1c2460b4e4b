"""What the two stages of localisation say of a photo, and what speaks for it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Literal

import numpy as np

from sightline.geometry import Pose

if TYPE_CHECKING:
    from sightline.reconstruction.evidence import PoseEvidence

Status = Literal["refined", "regressed", "smoothed", "unknown"]


def rounded_down(confidence: float, digits: int) -> float:
    """Return a confidence to so many decimals, never above it: what was wanted is not met so."""
    # by its decimals: 100 * 0.29 is below 29
    exact = Decimal(repr(float(confidence)))
    return float(exact.quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR))


@dataclass(frozen=True, eq=False)
class Judged:
    """What the stages say of one photo, and what speaks for it; lengths are in the place's unit.

    Attributes:
        status: ``refined`` (matched to the map), ``regressed`` (a network's answer) or ``unknown``.
        pose: The answer, None where unknown.
        inliers: Matches to map points that agree with it.
        confidence: Probability that it is within the radius.
        evidence: Of the map, None where it gives no pose.
        similarity: To the map's frames, None without a map.
        proposal: The network's pose, None without a network.
        spread: Deviation of its centre, None where the network cannot tell.
    """

    status: Status
    pose: Pose | None = None
    inliers: int = 0
    confidence: float = 0.0
    evidence: PoseEvidence | None = None
    similarity: float | None = None
    proposal: Pose | None = None
    spread: float | None = None

    @property
    def network_apart(self) -> float | None:
        """Distance of the answer to the network's, None where one of them is missing."""
        if self.pose is None or self.proposal is None:
            return None
        return float(np.linalg.norm(self.pose.translation - self.proposal.translation))
