"""``auto``: the cheapest chain whose own matches say that it is right, else the best of all.

SIFT first. Where its confidence is not high, AKAZE and affine SIFT join, and the pose is estimated
on the matches of all three; where that is not convincing either, a network's rough pose guides
matching, and is itself the answer where nothing is more likely.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from sightline.reconstruction.two_view.estimation import Estimator, Matches
from sightline.reconstruction.two_view.features import KeypointCache, detector_missing
from sightline.reconstruction.two_view.guided import GuidedConfig, refine_pose
from sightline.reconstruction.two_view.solve import (
    Solution,
    image_sizes,
    in_order,
    match_views,
    solve,
)
from sightline.records.views import RelativeEstimate, RelativeMethod, View


@dataclass(frozen=True)
class AutoConfig:
    """When ``auto`` is content, and what it tries."""

    sure: float = 0.9
    """With this confidence a chain's answer is taken and no other is tried."""
    weak: float = 0.5
    """Below this confidence the network is asked."""
    more: tuple[str, ...] = ("akaze", "asift")
    """Detectors that join SIFT where it is not sure."""
    ratio: float = 0.8
    """Lowe's ratio."""
    estimator: Estimator = field(default_factory=Estimator)
    """How the essential matrix is found."""
    guided: GuidedConfig = field(default_factory=GuidedConfig)
    """How far the network's pose is trusted."""


class AutoMethod:
    """Chooses by measured confidence; safe to call from several threads."""

    name = "auto"

    def __init__(self, cnn: RelativeMethod | None = None, config: AutoConfig | None = None) -> None:
        """Take the network to ask where geometry is weak, if there is one."""
        self.cnn = cnn
        self.config = config or AutoConfig()
        self._sift = KeypointCache("sift")
        there = [name for name in self.config.more if detector_missing(name) is None]
        self._more = [KeypointCache(name) for name in there]

    def relate(self, a: View, b: View) -> RelativeEstimate:
        """Return the answer most likely to be right; ``method`` says whose it is.

        Classical answers to (a, b) and (b, a) are exactly inverse; a network's are as it gives
        them.
        """
        start = time.perf_counter()
        first, second, turned = in_order(a, b)
        chain, solution = self._classical(first, second)
        if turned:
            solution = solution.swapped()
        best = solution.estimate(f"auto: {chain}", 0.0)
        if best.confidence < self.config.weak and self.cnn is not None:
            best = self._with_network(a, b, best, self.cnn)
        return replace(best, seconds=time.perf_counter() - start)

    def _classical(self, a: View, b: View) -> tuple[str, Solution]:
        """Return the best classical chain's name and answer."""
        config, sizes = self.config, image_sizes(a, b)
        matches = match_views(self._sift, a, b, config.ratio)
        sift = solve(matches, sizes, config.estimator)
        if sift.confidence >= config.sure or not self._more:
            return "sift", sift
        parts = [match_views(cache, a, b, config.ratio) for cache in self._more]
        tried = [("sift", sift)]
        for cache, part in zip(self._more, parts, strict=True):
            tried.append((cache.detector, solve(part, sizes, config.estimator)))
        together = Matches.union([matches, *parts]).distinct()
        names = "+".join(["sift", *(cache.detector for cache in self._more)])
        tried.append((names, solve(together, sizes, config.estimator)))
        return max(tried, key=lambda each: each[1].confidence)

    def _with_network(
        self, a: View, b: View, best: RelativeEstimate, cnn: RelativeMethod
    ) -> RelativeEstimate:
        """Return the best of an answer, the network's, and what the network's leads to."""
        rough = cnn.relate(a, b)
        if rough.b_from_a is None:
            return best
        tried = [best, replace(rough, method=f"auto: {rough.method}")]
        first, second, turned = in_order(a, b)
        coarse = rough.b_from_a.inverse() if turned else rough.b_from_a
        refined = refine_pose(first, second, coarse, [self._sift], self.config.guided)
        refined = refined.swapped() if turned else refined
        tried.append(refined.estimate(f"auto: guided sift from {rough.method}", 0.0))
        return max(tried, key=lambda each: each.confidence)
