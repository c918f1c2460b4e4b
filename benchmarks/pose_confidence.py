"""Confidence of localisation: fit the shipped weights, and see whether what it says comes true.

    python benchmarks/pose_confidence.py --fit PLACE[=WALK] ... [--elsewhere PLACE=PHOTOS ...]
        [--check PLACE=WALK ...]

PLACE is a built and aligned place; WALK a folder with ``images/`` and true ``poses.csv`` (the
second walk of a rendered floor), without which the place's own frames are asked in the map without
them and their neighbours. PHOTOS is a folder of photos of other places: any answer is wrong. Every
photo is asked as it is and in degraded copies. Prints weights for ``tasks/absolute/confidence.py``
(nothing is written there), fitted on all of ``--fit`` and ``--elsewhere`` together, and for each
check how they do beside the rule there was before (1 - exp(-inliers / 40), at most 0.5 for a
network) and, with ``--own``, beside a calibration on the checked place's own frames (``sightline
calibrate``). What was asked is kept in the places' ``cache/``: a second call goes on where the
first was stopped.

Baseline: that older rule.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from _harness import Benchmark, Stages, run_main, say
from sightline.app.calibration.asking import Asked, ask_all
from sightline.app.calibration.calibrate import fit, vectors_of
from sightline.app.calibration.config import DEGRADED, CalibrateConfig
from sightline.app.localize import Localizer
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.learning.calibration import confidences, fit_confidence
from sightline.learning.reliability import confidence_scores
from sightline.media.photo import list_photos
from sightline.records import Place, PosedFrame
from sightline.records.frames import write_poses_csv
from sightline.tasks.absolute.confidence import NAMES, RADIUS_M, SHIPPED, SIGNS, Kind

#: Photos of elsewhere seldom get an answer at all; degraded much, they never do.
MILD = "blur:1 jpeg:15 noise:15 downscale:2 lowlight:0.1 jpeg:8"

#: Farther from any place than an answer can be.
FAR = 1e6


def ask(text: str, options: Any, *, own: bool = False) -> list[Asked]:
    """Return what a place says of ``PLACE=WALK``, or of its own frames."""
    place, _, walk = text.partition("=")
    say(f"asking {place}" + (f" of {walk}" if walk and not own else ""))
    config = CalibrateConfig(
        walk=Path(walk) if walk and not own else None,
        photos=options.photos,
        copies=options.copies,
        degraded=options.degraded,
        run=options.run,
    )
    localizer = Localizer.open(Place.open(place), config.run, calibrated=False)
    asked, _ = ask_all(localizer, config, Stages())
    return asked


def ask_elsewhere(text: str, options: Any) -> list[Asked]:
    """Return what a place says of photos that were taken elsewhere."""
    place, _, photos = text.partition("=")
    far = Pose(np.array([1.0, 0, 0, 0]), np.full(3, FAR))
    with TemporaryDirectory() as folder:
        walk = Path(folder)
        (walk / "images").symlink_to(Path(photos).resolve(), target_is_directory=True)
        frames = [PosedFrame(path.name, None, far) for path in list_photos(Path(photos))]
        write_poses_csv(walk / "poses.csv", frames)
        mild = argparse.Namespace(**{**vars(options), "degraded": MILD})
        return ask(f"{place}={walk}", mild)


def fitted_weights(kind: Kind, sets: Sequence[Sequence[Asked]]) -> tuple[float, ...]:
    """Return weights fitted on all answers of a kind together; () of too few.

    They leave the network out of the map's answers: whether there is one tells the places apart.
    """
    tables = [vectors_of(kind, asked, RADIUS_M) for asked in sets]
    vectors = np.concatenate([t.vectors[t.usable] for t in tables])
    if kind == "refined":
        vectors[:, [NAMES[kind].index(name) for name in ("network", "no_network")]] = 0.0
    right = np.concatenate([t.errors[t.usable] <= RADIUS_M for t in tables])
    say(f"{kind}: {len(right)} answers, {int((~right).sum())} wrong")
    return fit_confidence(vectors, right, signs=SIGNS[kind])


def said_by(weights: dict[Kind, tuple[float, ...]], asked: Sequence[Asked]) -> np.ndarray:
    """Return (N,) confidences of the answers by some weights; 0 where there is no answer."""
    found = np.zeros(len(asked))
    for kind, values in weights.items():
        table = vectors_of(kind, asked, RADIUS_M)
        if len(table.rows):
            said = confidences(values, table.vectors)
            chosen = [asked[i].status == kind for i in table.rows]
            found[table.rows[chosen]] = said[chosen]
    return found


def said_before(asked: Sequence[Asked]) -> np.ndarray:
    """Return (N,) confidences by the rule there was before."""
    return np.array(
        [
            1.0 - np.exp(-a.evidence.inliers / 40.0)
            if a.status == "refined" and a.evidence is not None
            else (0.5 * min(1.0, a.similarity or 0.5) if a.status == "regressed" else 0.0)
            for a in asked
        ]
    )


def row_of(name: str, method: str, asked: Sequence[Asked], said: np.ndarray) -> dict[str, Any]:
    """Return the scores of confidences in the answers that were given."""
    given = np.array([a.status != "unknown" for a in asked])
    error = np.array([a.answer_error or 0.0 for a in asked])
    refined = np.array([a.status == "refined" for a in asked])
    scores = confidence_scores(said[given], error[given], RADIUS_M)
    return {"set": name, "by": method, "asked": len(asked), "by_map": int(refined.sum()), **scores}


def main() -> None:
    """Fit, check, print, write bench-results/pose_confidence.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--fit", nargs="*", default=[], metavar="PLACE[=WALK]")
    bench.parser.add_argument("--elsewhere", nargs="*", default=[], metavar="PLACE=PHOTOS")
    bench.parser.add_argument("--check", nargs="*", default=[], metavar="PLACE=WALK")
    bench.parser.add_argument("--photos", type=int, default=80)
    bench.parser.add_argument("--copies", type=int, default=3)
    bench.parser.add_argument("--degraded", default=DEGRADED)
    bench.parser.add_argument("--run", help="the run whose network proposes")
    bench.parser.add_argument("--own", action="store_true", help="calibrate checked places too")
    options = bench.options()
    if not options.fit and not options.check:
        raise InputError("places are wanted, --fit PLACE[=WALK] or --check PLACE=WALK; none came")
    sets = [ask(text, options) for text in options.fit]
    sets += [ask_elsewhere(text, options) for text in options.elsewhere]
    weights: dict[Kind, tuple[float, ...]] = {k: w.values for k, w in SHIPPED.items()}
    for kind in SHIPPED:
        found = fitted_weights(kind, sets) if sets else ()
        if found:
            weights[kind] = found
            named = zip(("constant", *NAMES[kind]), found, strict=True)
            print(f"{kind}: ({', '.join(f'{w:.3f}' for w in found)})")
            print("  " + ", ".join(f"{name} {w:.2f}" for name, w in named))
    rows = []
    for text in options.check:
        asked = ask(text, options)
        rows.append(row_of(text, "before", asked, said_before(asked)))
        rows.append(row_of(text, "these weights", asked, said_by(weights, asked)))
        if options.own:
            own = ask(text, options, own=True)
            mine = {kind: fit(kind, own, RADIUS_M).weights for kind in SHIPPED}
            said = said_by({kind: w.values for kind, w in mine.items()}, asked)
            origin = " and ".join(w.origin for w in mine.values())
            rows.append(row_of(text, f"own frames ({origin})", asked, said))
    columns = {
        "set": "set", "by": "confidence by", "asked": "asked", "answers": "answered",
        "by_map": "by the map", "wrong": f"over {RADIUS_M:g} m", "wrong_without_10": "without 10%",
        "calibration_error": "ECE", "brier": "Brier", "area_under_risk": "area",
        "best_area": "best area",
    }  # fmt: skip
    bench.report("Confidence of localisation", columns, rows, weights=weights)


if __name__ == "__main__":
    run_main(main)
