"""The second stage that paper 002 leaves to later work: a rough pose guides matching.

Melekhov et al. 2017, Sec. 5. The rough pose, such as a network's, says in which band of the other
image a keypoint's partner may lie; the ratio test compares candidates of the band alone, so that
repeated patterns elsewhere no longer forbid a match. A second, narrow round follows what the first
found. Where too few matches agree, more than chance would make, the answer is ``failed``: the rough
pose is then all there is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sightline.geometry import Pose
from sightline.reconstruction.two_view.features import KeypointCache
from sightline.reconstruction.two_view.guided import GuidedConfig, refine_pose
from sightline.reconstruction.two_view.solve import in_order
from sightline.records.views import RelativeEstimate, View

#: As tables show it.
REFINED = "guided RootSIFT"


def refine_relative(
    a: View,
    b: View,
    coarse: Pose,
    config: GuidedConfig | None = None,
    caches: Sequence[KeypointCache] | None = None,
) -> RelativeEstimate:
    """Return the pose that a rough one leads to; ``failed`` with the reason where nowhere.

    Args:
        a: First view.
        b: Second view.
        coarse: b_from_a, rough, with a translation of any length but zero.
        config: How far the rough pose is trusted.
        caches: Whose keypoints are matched; SIFT's, taken anew, where None.
    """
    start = time.perf_counter()
    config = config or GuidedConfig()
    first, second, turned = in_order(a, b)
    rough = coarse.inverse() if turned else coarse
    used = list(caches) if caches else [KeypointCache("sift")]
    solution = refine_pose(first, second, rough, used, config)
    if turned:
        solution = solution.swapped()
    return solution.estimate(f"{REFINED} + {config.estimator.title}", time.perf_counter() - start)
