"""Confidence of two-view answers: fit on rendered pairs, reliability there and on real pairs.

    python benchmarks/relative_confidence.py PAIRS [--split train --pairs 600] [--check SET ...]

PAIRS and the sets to check are folders with pairs.csv. Every chain answers every pair; a logistic
function of what speaks for the answers is fitted to whether ROE and RTE are both below 10 degrees,
by maximum likelihood with a weak prior. Printed are the weights for
``reconstruction/two_view/confidence.py`` (nothing is written there), and how often answers of a
confidence are right. Pairs whose answer is a rotation only, or none, are left out of the fit.

Baseline: the weights that are in the code now, scored on the same answers.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.optimize import minimize

from _harness import Benchmark, run_main, say
from sightline.geometry import Pose
from sightline.reconstruction.two_view.confidence import WEIGHTS
from sightline.reconstruction.two_view.estimation import Estimator, Matches
from sightline.reconstruction.two_view.features import KeypointCache
from sightline.reconstruction.two_view.solve import image_sizes, in_order, match_views, solve
from sightline.records.pairs import ImagePair, PairSet, read_pair_set
from sightline.records.views import pair_views

#: Those whose matches are also taken together, as ``auto`` does.
TOGETHER = ("sift", "akaze", "asift")
RIGHT_DEG = 10.0

_caches: dict[str, KeypointCache] = {}


def worst_error_deg(pose: Pose, true: Pose) -> float:
    """Return the larger of ROE and RTE."""
    rotation = np.degrees((pose.rotation * true.rotation.inv()).magnitude())
    t, u = pose.translation, true.translation
    direction = np.degrees(np.arctan2(np.linalg.norm(np.cross(t, u)), t @ u))
    return float(max(rotation, direction))


def answers(
    pairs: PairSet, detectors: tuple[str, ...], pair: ImagePair
) -> list[tuple[str, list[float], bool]]:
    """Return (chain, evidence, right) of the chains that answer a pair with a pose."""
    cv2.setNumThreads(1)
    a, b, turned = in_order(*pair_views(pairs, pair))
    assert pair.b_from_a is not None
    true = pair.b_from_a.inverse() if turned else pair.b_from_a
    matches = {
        name: match_views(_caches.setdefault(name, KeypointCache(name)), a, b, 0.8)
        for name in detectors
    }
    together = [name for name in detectors if name in TOGETHER]
    matches["+".join(together)] = Matches.union([matches[name] for name in together]).distinct()
    found = []
    for name, matched in matches.items():
        solution = solve(matched, image_sizes(a, b), Estimator())
        if solution.status == "ok" and solution.evidence and solution.b_from_a is not None:
            right = worst_error_deg(solution.b_from_a, true) < RIGHT_DEG
            found.append((name, solution.evidence.vector.tolist(), right))
    return found


def gather(
    pairs: PairSet, detectors: tuple[str, ...], workers: int
) -> list[tuple[str, list[float], bool]]:
    """Return the answers to all pairs, scene by scene, so that features are taken once."""
    ordered = sorted(pairs.pairs, key=lambda pair: pair.scene)
    with ProcessPoolExecutor(workers) as pool:
        each = pool.map(partial(answers, pairs, detectors), ordered, chunksize=12)
        return [found for some in each for found in some]


def fit(vectors: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the weights of a constant and of (N, K) evidence, by maximum likelihood.

    The prior (standard deviation 10) only keeps weights finite where the data separates.
    """
    design = np.concatenate([np.ones((len(vectors), 1)), vectors], axis=1)
    sign = np.where(right, 1.0, -1.0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (design @ weights)
        slope = -sign / (1.0 + np.exp(np.clip(margin, -500, 500)))
        prior = weights / 100.0
        return (
            float(np.logaddexp(0, -margin).sum() + 0.5 * weights @ prior),
            design.T @ slope + prior,
        )

    return np.asarray(minimize(loss, np.zeros(design.shape[1]), jac=True, method="BFGS").x)


def probabilities(weights: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return (N,) confidences."""
    return 1.0 / (1.0 + np.exp(-(weights[0] + vectors @ weights[1:])))


def reliability(name: str, said: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    """Return a row for each range of confidence: how many answers, what they said, what held."""
    rows = []
    edges = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0 + 1e-9)
    for low, high in pairwise(edges):
        chosen = (said >= low) & (said < high)
        if chosen.any():
            rows.append(
                {
                    "set": name,
                    "range": f"{low:g} to {min(high, 1):g}",
                    "answers": int(chosen.sum()),
                    "said": float(said[chosen].mean()),
                    "right": float(right[chosen].mean()),
                }
            )
    brier = float(((said - right) ** 2).mean())
    off = sum(r["answers"] * abs(r["said"] - r["right"]) for r in rows) / len(said)
    rows.append(
        {"set": name, "range": "all", "answers": len(said), "said": float(said.mean()),
         "right": float(right.mean()), "brier": brier, "off": float(off)}
    )  # fmt: skip
    return rows


def table_of(found: list[tuple[str, list[float], bool]]) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, K) evidence and (N,) whether it was right."""
    return np.array([v for _, v, _ in found]), np.array([r for _, _, r in found])


def by_scene(pairs: PairSet, limit: int) -> PairSet:
    """Return about so many pairs, evenly from all scenes."""
    step = max(1, round(len(pairs) / limit)) if limit else 1
    return PairSet(pairs.name, pairs.root, pairs.pairs[::step], pairs.unit, pairs.source)


def main() -> None:
    """Fit, check, print, write bench-results/relative_confidence.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("pairs", type=Path)
    bench.parser.add_argument("--split", default="train")
    bench.parser.add_argument("--check-split", default="test")
    bench.parser.add_argument("--limit", type=int, default=600, help="pairs of a set; 0 for all")
    bench.parser.add_argument("--check", type=Path, nargs="*", default=[])
    bench.parser.add_argument(
        "--detectors", nargs="*", default=["sift", "orb", "akaze"], help="asift too takes an hour"
    )
    bench.parser.add_argument("--workers", type=int, default=2)
    options = bench.options()
    rendered, detectors = read_pair_set(options.pairs), tuple(options.detectors)
    say(f"fitting on {rendered.name}")
    train = gather(
        by_scene(rendered.part(options.split), options.limit), detectors, options.workers
    )
    vectors, right = table_of(train)
    weights = fit(vectors, right)
    rows = reliability(
        f"{rendered.name} {options.split} (fit)", probabilities(weights, vectors), right
    )
    checks = {f"{rendered.name} {options.check_split}": rendered.part(options.check_split)}
    checks |= {folder.name: read_pair_set(folder) for folder in options.check}
    for name, pairs in checks.items():
        say(f"checking on {name}")
        found = gather(by_scene(pairs, options.limit), detectors, options.workers)
        vectors, right = table_of(found)
        rows += reliability(name, probabilities(weights, vectors), right)
        for chain in sorted({each[0] for each in found}):
            vectors, right = table_of([each for each in found if each[0] == chain])
            rows += reliability(f"{name}, {chain}", probabilities(weights, vectors), right)[-1:]
    shown = ", ".join(f"{w:.3f}" for w in weights)
    columns = {"set": "set", "range": "confidence", "answers": "answers", "said": "said",
               "right": "right", "brier": "Brier", "off": "off"}  # fmt: skip
    bench.report("How often answers of a confidence are right", columns, rows,
                 weights=weights.tolist(), weights_in_the_code=list(WEIGHTS))  # fmt: skip
    print(f"WEIGHTS = ({shown})\nin the code: {WEIGHTS}")


if __name__ == "__main__":
    run_main(main)
