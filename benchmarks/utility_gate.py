"""The localisation gate: do the photos it refuses fail, and do those that it lets pass succeed?

    python benchmarks/utility_gate.py PLACE [--walk FOLDER] [--min-utility 0.5]

PLACE is a built and aligned place; the walk is a folder with ``images/`` and true ``poses.csv``
(the demo's second walk, where none is given: ``sightline demo DEMO`` makes DEMO/place and
DEMO/floor/second). Every photo of the walk is asked as it is, blurred and compressed. One fails
where the map gives no pose, or one more than 0.25 m or 2 degrees off. The gate sees the photo
alone. Answers of the map are kept: a second call goes on where the first was stopped.

Baselines: rules on one number without a network, at the threshold that refuses as many of these
good photos as the gate does (which only hindsight can know): sharpness, blockiness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from _harness import WORK, Benchmark, Stages, run_main, timed
from sightline.media.distortions import Distortion, distort, parse_distortion
from sightline.media.photo import read_photo
from sightline.records import Place
from sightline.tasks.utility.gate import Gate, load_gate
from sightline.tasks.utility.gate.measures import NAMES, measure
from sightline.tasks.utility.localization import (
    PRISTINE,
    RADIUS_DEG,
    RADIUS_M,
    MapMachine,
    PosedPhotos,
    ask,
)

#: Mild to hopeless, and other levels than the gate was trained on where it was trained on any.
ADDED = "blur:2 blur:3 blur:5 blur:7 blur:10 jpeg:1 jpeg:3 jpeg:5 jpeg:8 jpeg:15 jpeg:30"


@dataclass(frozen=True, eq=False)
class Asked:
    """Photos asked of the map and of the gate.

    Attributes:
        kinds: (N,) what was done to each.
        good: (N,) whether it was localised.
        measures: (N, M) what the gate measures.
        gate_ms: Time of the gate for one photo.
    """

    kinds: np.ndarray
    good: np.ndarray
    measures: np.ndarray
    gate_ms: float


def ask_walk(
    place: Place, photos: PosedPhotos, distortions: Sequence[Distortion], kept: Path
) -> Asked:
    """Return what the map says of a walk's photos, and what the gate measures of them."""
    machine, progress = MapMachine(place), Stages()
    kinds, good, measures, seconds = [], [], [], []
    for index, frame in enumerate(photos.frames):
        progress("localising", index / len(photos.frames))
        said = ask(machine, photos.root, frame, distortions, kept)
        image = read_photo(photos.root / frame.image)
        for distortion, answer in {PRISTINE: said.pristine, **said.distorted}.items():
            pixels = distort(image, distortion, said.seed)
            taken, row = timed(partial(measure, pixels))
            kinds.append(str(distortion.kind))
            good.append(answer.within(RADIUS_M, RADIUS_DEG))
            measures.append(row)
            seconds.append(taken)
    gate_ms = float(np.median(seconds)) * 1e3
    return Asked(np.array(kinds), np.array(good), np.stack(measures), gate_ms)


def row_of(method: str, good: np.ndarray, refused: np.ndarray) -> dict[str, Any]:
    """Return how often refused and passed photos fail, and how many good ones are refused."""
    fails = {
        name: float((~good[which]).mean()) if which.any() else None
        for name, which in (("refused_fail", refused), ("passed_fail", ~refused))
    }
    times = None
    if fails["refused_fail"] is not None and fails["passed_fail"]:
        times = fails["refused_fail"] / fails["passed_fail"]
    return {
        "method": method,
        "photos": len(good),
        "good": int(good.sum()),
        "refused": int(refused.sum()),
        **fails,
        "times": times,
        "good_refused": float(refused[good].mean()) if good.any() else None,
    }


def rows_of(asked: Asked, gate: Gate, least: float) -> list[dict[str, Any]]:
    """Return the gate at its threshold and at the user's, by distortion, and the baselines."""
    scores = gate.of_measures(asked.measures)
    refused = scores < gate.threshold
    rows = [
        row_of(f"gate, its threshold {gate.threshold:.2f}", asked.good, refused),
        row_of(f"gate, --min-utility {least:g}", asked.good, scores < least),
    ]
    for kind in dict.fromkeys(asked.kinds.tolist()):
        of = asked.kinds == kind
        rows.append(row_of(f"gate, {kind} only", asked.good[of], refused[of]))
    share = float(refused[asked.good].mean())
    for name, measured, sign in (
        ("sharpness alone", "texture 0", 1),
        ("blockiness alone", "blockiness", -1),
    ):
        values = sign * asked.measures[:, NAMES.index(measured)]
        threshold = np.quantile(values[asked.good], share, method="higher")
        rows.append(row_of(name, asked.good, values < threshold))
    return rows


def main() -> None:
    """Measure, print a table, write bench-results/utility_gate.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("place", type=Path)
    bench.parser.add_argument("--walk", type=Path, help="default: PLACE/../floor/second")
    bench.parser.add_argument("--min-utility", type=float, default=0.5)
    bench.parser.add_argument("--add", default=ADDED, help="distortions, KIND:LEVEL")
    bench.parser.add_argument("--gate", type=Path, help="folder of another gate")
    bench.parser.add_argument("--work", type=Path, default=WORK / "utility-gate")
    options = bench.options()
    gate = load_gate(options.gate) if options.gate else load_gate()
    photos = PosedPhotos.of_walk(options.walk or options.place.parent / "floor" / "second")
    distortions = [parse_distortion(text) for text in options.add.split()]
    asked = ask_walk(Place.open(options.place), photos, distortions, options.work)
    rows = rows_of(asked, gate, options.min_utility)
    columns = {
        "method": "refused by", "photos": "photos", "good": "localised", "refused": "refused",
        "refused_fail": "refused: fail", "passed_fail": "passed: fail", "times": "times as often",
        "good_refused": "good refused",
    }  # fmt: skip
    title = (
        f"{len(photos.frames)} photos of {photos.name} in {options.place}, each also with "
        f"{options.add}; localised: within {RADIUS_M:g} m and {RADIUS_DEG:g} degrees; "
        f"the gate takes {asked.gate_ms:.0f} ms a photo"
    )
    bench.report(title, columns, rows, gate=gate.name, digest=gate.digest, gate_ms=asked.gate_ms)


if __name__ == "__main__":
    run_main(main)
