"""How far a share that was counted on a few images may be from that of all images like them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import InputError

#: Of the normal distribution: 95% lie within so many deviations.
_Z = 1.959963984540054

_RESAMPLES = 2000


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """Return the 95% interval of a share: ``hits`` of ``count``.

    Unlike the normal one it stays within 0 and 1, and has a width where all or none are hits.

    Raises:
        InputError: Nothing was counted, or more hits than that.

    Source: Wilson 1927; score interval.
    """
    if not 0 <= hits <= count or count == 0:
        raise InputError(f"hits of one count or more are wanted, {hits} of {count} came")
    share, z2 = hits / count, _Z * _Z
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z / (1 + z2 / count) * math.sqrt((share * (1 - share) + z2 / (4 * count)) / count)
    # exact at the ends, where rounding would leave 1e-17 or 1 - 1e-16
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    return low, 1.0 if hits == count else min(1.0, centre + half)


def images_to_show(share: float) -> int | None:
    """Return how many images, all of them hits, put the interval's lower end at ``share``.

    None where no number does: for a share of 1.
    """
    if share >= 1:
        return None
    # the lower end of n hits of n is n / (n + z^2)
    return max(1, math.ceil(share * _Z * _Z / (1 - share) - 1e-9))


def saved_share(before: ArrayLike, after: ArrayLike) -> tuple[float, tuple[float, float] | None]:
    """Return the share of bytes saved, and its 95% interval by bootstrap over images.

    The share is that of the sums, as a disk has it; negative where more bytes came out. One image
    says nothing of others: no interval then.

    Args:
        before: (N,) bytes of each image, above 0.
        after: (N,) bytes of the same images.

    Raises:
        InputError: No images, or another number after.

    Source: Efron 1979; percentiles of 2,000 resamples, the same at each call.
    """
    old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if old.ndim != 1 or old.shape != new.shape or len(old) == 0 or not old.sum() > 0:
        raise InputError(f"bytes before and after are wanted, {old.shape} and {new.shape} came")
    share = float(1 - new.sum() / old.sum())
    if len(old) == 1:
        return share, None
    generator = np.random.default_rng(0)
    shares = np.empty(_RESAMPLES)
    for k in range(_RESAMPLES):
        drawn = generator.integers(0, len(old), len(old))
        shares[k] = 1 - new[drawn].sum() / old[drawn].sum()
    low, high = np.percentile(shares, [2.5, 97.5])
    return share, (float(low), float(high))
