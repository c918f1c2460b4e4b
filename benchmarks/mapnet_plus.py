"""What unlabelled walks add to MapNet: MapNet and MapNet+ trained alike, judged on those walks.

    python benchmarks/mapnet_plus.py PLACE WALK [WALK ...] [--passes 300] [--seeds 0 1 2]
        [--skip 3] [--weight 1.0] [--exact] [--as-long] [--work FOLDER]

PLACE is a built place, WALK another walk in it: a folder with images and, for the judging alone,
poses.csv (``sightline demo DEMO`` makes DEMO/place and DEMO/floor/second). Each training has the
settings of ``scratch_config("mapnet")``, the same passes over the training frames, the same seed.
MapNet+ takes a walk's images beside them, and how they stand to one another from matching them.

Baselines: MapNet without the walk; an oracle that copies the nearest training frame's pose. A step
of MapNet+ sees twice the images, so ``--as-long`` adds MapNet with twice the passes. ``--exact``
adds MapNet+ whose motion comes from poses.csv, with lengths in the place's unit: what odometry
without errors would give. With several seeds a row has the medians over them, and how far the
errors lie apart. Trainings lie in ``--work`` and are not made again; a killed one goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _harness import WORK, Benchmark, Stages, median_of, run_main, say
from sightline.learning.runs import read_run_table
from sightline.records import Place
from sightline.records.files import digest
from sightline.tasks.absolute.config import AbsoluteConfig, scratch_config
from sightline.tasks.absolute.task import evaluate, train

#: Validations of a training, so that none spends more of its time on them.
VALIDATIONS = 20

#: Columns of the table, and what they are called.
COLUMNS = {
    "walk": "walk", "method": "method", "median_m": "median {unit}", "median_deg": "median deg",
    "within": "within 0.5, 5 deg", "spread_m": "seeds apart", "moving": "motion known of",
    "passes": "passes", "seconds": "s",
}  # fmt: skip


def trainings(options: argparse.Namespace, walk: Path) -> Iterator[tuple[str, AbsoluteConfig]]:
    """Yield what is trained for a walk: its name and its settings, the seed left open."""
    plain = dataclasses.replace(
        scratch_config("mapnet", 1.0),
        epochs=options.passes,
        max_seconds=0.0,
        validate_every=max(1, options.passes // VALIDATIONS),
    )
    yield "MapNet", plain
    if options.as_long:
        longer = {"epochs": 2 * options.passes, "validate_every": 2 * plain.validate_every}
        yield "MapNet, twice the passes", dataclasses.replace(plain, **longer)
    walked = dataclasses.replace(
        plain,
        unlabelled=walk,
        unlabelled_skip=options.skip,
        unlabelled_weight=options.weight,
    )
    yield "MapNet+", walked
    if options.exact:
        told = dataclasses.replace(walked, unlabelled_odometry=walk / "poses.csv")
        yield "MapNet+, exact motion", told


def measure(place: Place, walk: Path, config: AbsoluteConfig, runs: Path) -> dict[str, Any]:
    """Return how one training went, and its scores on the walk."""
    name = f"mapnet-{digest(dataclasses.asdict(config), str(place.root.resolve()))[:10]}"
    train(place, config, runs / name, Stages())
    about = read_run_table(runs / name)
    found = evaluate(runs / name, walk, Stages())["splits"]["walk"]
    return {
        "median_m": found["median_position"],
        "median_deg": found["median_rotation_deg"],
        "within": found["recall"]["0.5, 5 deg"],
        "passes": about["epochs"],
        "seconds": about["seconds"],
        "moving": about.get("unlabelled_moving"),
        "pieces": about.get("unlabelled_pieces"),
        "nearest": found["nearest_frame"],
    }


def rows_of(place: Place, walk: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the rows of one walk."""
    rows = []
    nearest: dict[str, Any] = {}
    for method, config in trainings(options, walk):
        measured = []
        for seed in options.seeds:
            say(f"{walk.name}: {method}, seed {seed}")
            seeded = dataclasses.replace(config, seed=seed)
            measured.append(measure(place, walk, seeded, options.work / "runs"))
        nearest = measured[0]["nearest"]
        keys = ("median_m", "median_deg", "within", "passes", "seconds")
        row: dict[str, Any] = {key: median_of([one[key] for one in measured]) for key in keys}
        errors = [one["median_m"] for one in measured]
        row |= {"spread_m": max(errors) - min(errors), "seeds": list(options.seeds)}
        row |= {"moving": measured[0]["moving"], "pieces": measured[0]["pieces"]}
        rows.append({"walk": walk.resolve().name, "method": method, **row})
        say(f"{walk.name}: {method}: {row['median_m']:.3f}, {row['median_deg']:.2f} deg")
    baseline = {
        "walk": walk.resolve().name,
        "method": "nearest training frame (oracle)",
        "median_m": nearest["median_position"],
        "median_deg": nearest["median_rotation_deg"],
        "within": nearest["recall"]["0.5, 5 deg"],
    }
    return [baseline, *rows]


def main() -> int:
    """Train, judge, print a table, write bench-results/mapnet_plus.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("place", type=Path)
    bench.parser.add_argument("walks", type=Path, nargs="+", metavar="WALK")
    bench.parser.add_argument("--passes", type=int, default=300, help="over the training frames")
    bench.parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    bench.parser.add_argument("--skip", type=int, default=AbsoluteConfig.unlabelled_skip)
    bench.parser.add_argument("--weight", type=float, default=AbsoluteConfig.unlabelled_weight)
    bench.parser.add_argument("--exact", action="store_true", help="also with the true motion")
    bench.parser.add_argument(
        "--as-long", action="store_true", help="also MapNet for twice as long"
    )
    bench.parser.add_argument("--work", type=Path, default=WORK / "mapnet_plus")
    options = bench.options()
    place = Place.open(options.place)
    rows = [row for walk in options.walks for row in rows_of(place, walk, options)]
    columns = {key: name.format(unit=place.unit) for key, name in COLUMNS.items()}
    bench.report(f"walks without labels, {options.passes} passes each", columns, rows)
    return 0


if __name__ == "__main__":
    run_main(main)
