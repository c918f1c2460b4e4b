"""Where depth jumps: outlines of things before what is behind them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.tasks.depth.align import as_depth
from sightline.tasks.depth.maps import DepthMap

#: A jump of this share of the depth is an edge.
JUMP = 0.1

#: Pixels across which a jump is looked for, as a share of the longer side: networks are coarser
#: than the pictures they answer for, and their edges are ramps.
_REACH = 1 / 256


def depth_edges(depth_map: DepthMap, jump: float = JUMP) -> NDArray[np.bool_]:
    """Return (H, W): where near and far meet within a few pixels.

    The disparity of a plane is linear in the picture, however slanted it is; its second difference
    over a step therefore vanishes there, and is a jump's height at a jump. It is compared with the
    disparity itself: ``|d(-k) - 2 d(0) + d(+k)| > jump * d``. The zero of a relative disparity is
    not known and is taken as it stands.

    Args:
        depth_map: The map.
        jump: Smallest relative jump.
    """
    disparity = 1.0 / as_depth(depth_map)
    step = max(1, round(max(disparity.shape) * _REACH))
    edges = np.zeros(disparity.shape, bool)
    for along, out in ((disparity, edges), (disparity.T, edges.T)):
        if along.shape[0] <= 2 * step:
            continue
        before, here, after = along[: -2 * step], along[step:-step], along[2 * step :]
        least = np.fmin(np.fmin(before, here), after)
        with np.errstate(invalid="ignore"):
            out[step:-step] |= np.abs(before - 2 * here + after) > jump * least
    return edges
