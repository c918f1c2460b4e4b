"""Figure 6: pairs of three kinds, chosen by rule, with their matches drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sightline.geometry.rotation import Array
from sightline.reconstruction.two_view.features import KeypointCache
from sightline.reconstruction.two_view.solve import image_sizes, match_views, solve
from sightline.records.pairs import ImagePair, PairSet
from sightline.records.views import View, pair_views
from sightline.tasks.relative.classical import ClassicalMethod
from sightline.tasks.relative.metrics import Mask, PairErrors
from sightline.tasks.relative.report import MatchPicture
from sightline.tasks.relative.sizes import sized_view

#: Pairs of each kind, as in the paper.
EACH = 2
#: Lines drawn in one picture at most.
_MOST_LINES = 60
#: A method's answer is called right below this, wrong above three times as much, in degrees.
RIGHT_DEG = 20.0

RULES = {
    "a": f"the classical method's worse error is above {3 * RIGHT_DEG:g} deg (or it has no answer) "
    "and the network's is smaller; the largest gap first",
    "b": "the smallest of the two methods' worse errors, taken together",
    "c": f"the classical method's RTE is below {RIGHT_DEG:g} deg and the network's is larger; "
    "the largest gap first",
}


def choose_examples(classical: PairErrors, network: PairErrors) -> Mapping[str, list[int]]:
    """Return the positions of Fig. 6's pairs: kinds a, b, c; none twice, fewer where none fit.

    Args:
        classical: Errors of the local features.
        network: Errors of the same pairs.
    """
    worst, other = (np.minimum(one.worst_deg, 180.0) for one in (classical, network))
    rte, other_rte = (np.minimum(one.rte_deg, 180.0) for one in (classical, network))
    kinds: dict[str, tuple[Mask, Array]] = {
        "a": ((worst > 3 * RIGHT_DEG) & (other < worst), worst - other),
        "c": ((rte < RIGHT_DEG) & (other_rte > rte), other_rte - rte),
        "b": (np.ones(len(worst), dtype=bool), -np.maximum(worst, other)),
    }
    taken: set[int] = set()
    found: dict[str, list[int]] = {}
    for kind, (fits, rank) in kinds.items():
        order = np.argsort(-np.where(fits, rank, -np.inf), kind="stable")
        chosen = [int(i) for i in order if fits[i] and int(i) not in taken][:EACH]
        taken |= set(chosen)
        found[kind] = chosen
    return {kind: found[kind] for kind in RULES}


@dataclass(frozen=True)
class Captions:
    """ROE and RTE of a pair as the paper writes them: classical, the network's in brackets."""

    roe: str
    rte: str

    @classmethod
    def of(cls, classical: PairErrors, network: PairErrors, index: int) -> Captions:
        """Return those of one pair."""
        roe = (_degrees(one.roe_deg[index]) for one in (classical, network))
        rte = (_degrees(one.rte_deg[index]) for one in (classical, network))
        return cls("{} ({})".format(*roe), "{} ({})".format(*rte))

    def to_text(self) -> str:
        """Return the line under a picture."""
        return f"ROE {self.roe}; RTE {self.rte} deg"


def match_picture(
    pairs: PairSet, pair: ImagePair, method: ClassicalMethod, caption: str
) -> MatchPicture:
    """Return a pair at the paper's 227x227 with the matches that agree, or all where none do."""
    a, b = (sized_view(view, "equal") for view in pair_views(pairs, pair))
    a_px, b_px = drawn_matches(a, b, method)
    return MatchPicture(a.image, b.image, a_px, b_px, caption)


def drawn_matches(a: View, b: View, method: ClassicalMethod) -> tuple[Array, Array]:
    """Return (N, 2) pixels in both views of a method's inliers; of all matches where it fails."""
    config = method.config
    cache = KeypointCache(config.detector, max_side=config.max_side)
    matches = match_views(cache, a, b, config.ratio, mutual=config.mutual)
    solution = solve(matches, image_sizes(a, b), config.estimator)
    rows = np.flatnonzero(solution.inliers) if solution.inliers.any() else np.arange(len(matches))
    few = rows[np.linspace(0, len(rows) - 1, min(_MOST_LINES, len(rows))).astype(np.int64)]
    return matches.a_px[few], matches.b_px[few]


def _degrees(value: float) -> str:
    if np.isnan(value):
        return "no translation"
    return f"{value:.2f}" if np.isfinite(value) else "no answer"
