"""Which mapper makes the straight map: one start, starts chosen by what matches say, or GLOMAP.

    python benchmarks/mapper_choice.py [--floors 0 21] [--starts 0 1 2] [--quality low] [--fps 5]
        [--mappers incremental auto global] [--work FOLDER]

Rendered floors are filmed, and their frames matched once each. Each mapper then maps the same
matches from several random starts. Errors are of camera centres after Sim(3), against the exact
rendered poses; loops are not closed. `explained` is what the choice is made by: the share of the
verified matches that the map explains, and `doubted` its frames below the bound.

Baseline: `incremental`, COLMAP's mapper from one random start, in the same run. Peak memory is of
COLMAP's own process. Floors and matches stay in the work folder; maps are made anew each time.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from _harness import WORK, Benchmark, Stages, in_own_process, median_of, run_main, say
from _places import map_floor
from sightline.geometry import Pose
from sightline.geometry.trajectory import absolute_trajectory_error
from sightline.reconstruction.agreement import measure_agreement
from sightline.reconstruction.config import QUALITY_PRESETS, max_error_px
from sightline.reconstruction.process import run_worker
from sightline.records import Place, read_poses_csv, stack_poses
from sightline.records.colmap import read_model
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.write import FloorFiles, write_floor

MAPPERS = ("incremental", "auto", "global")
#: A map farther off than this is bent: straight ones of these floors are 2 to 5 cm off.
BENT_M = 0.5


def measure(
    place_root: Path, floor: FloorFiles, output: Path, mapper: str, seed: int, quality: Any
) -> dict[str, Any]:
    """Return how one map went: seconds, frames, error, and what the matches say of it."""
    place, preset = Place.open(place_root), QUALITY_PRESETS[quality]
    frames = {frame.image: frame for frame in place.frames()}
    camera = place.content["camera"]
    largest_px = max_error_px(max(camera["width"], camera["height"]), preset.max_image_size_px)
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    begun = time.perf_counter()
    made = run_worker(
        "map",
        {
            "database": str(place.database_path), "images_dir": str(place.images_dir),
            "output": str(output), "starts_dir": str(output / "starts"), "mapper": mapper,
            "num_images": len(frames), "seed": seed,
            "refine_intrinsics": True, "bundle_growth": preset.bundle_growth,
            "bundle_iterations": preset.bundle_iterations, "bundle_rounds": preset.bundle_rounds,
            "max_error_px": largest_px, "threads": -1,
        },
        log_path=output / "log.txt",
        progress=Stages(),
    )  # fmt: skip
    seconds = time.perf_counter() - begun
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    row: dict[str, Any] = {"seconds": seconds, "peak_mb": peak_mb, "starts": len(made["attempts"])}
    if not made["models"]:
        return row | {"ate_m": np.nan, "of": 0, "explained": 0.0, "doubted": 0}
    model = read_model(output / "0")
    truth = read_poses_csv(floor.truth)
    stamps = np.array([f.timestamp_s for f in truth], dtype=np.float64)
    nearest = [int(np.abs(stamps - (frames[n].timestamp_s or 0.0)).argmin()) for n in model.frames]
    found = Pose.stack([frame.world_from_cam for frame in model.frames.values()])
    error = absolute_trajectory_error(found, stack_poses([truth[i] for i in nearest]))
    agreement = measure_agreement(place.database_path, model, largest_px)
    return row | {
        "ate_m": error.rmse,
        "of": len(model.frames),
        "explained": agreement.share,
        "doubted": len(agreement.doubted),
    }


def rows_of(seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a floor's rows, one for each mapper."""
    # as `sightline demo` films it
    config = FloorConfig(seed=seed, video_fps=10.0, second_frames=1)
    floor = write_floor(options.work / f"floor-{seed}", config, Stages())
    root = options.work / f"place-{seed}-{options.fps:g}-{options.quality}"
    map_floor(
        floor, root, fps=options.fps, quality=options.quality, loop_closing=False,
        progress=Stages(),
    )  # fmt: skip
    rows: list[dict[str, Any]] = []
    for mapper in options.mappers:
        made = []
        for start in options.starts:
            say(f"floor {seed}: {mapper}, start {start}")
            output = options.work / "map"
            arguments = (root, floor, output, mapper, start, options.quality)
            made.append(in_own_process(measure, *arguments).value)
            say(f"floor {seed}: {mapper}, start {start}: {made[-1]['ate_m']:.3f} m")
        row: dict[str, Any] = {"floor": seed, "mapper": mapper, "maps": made}
        row |= {key: median_of([one[key] for one in made]) for key in made[0]}
        row["worst_m"] = max(np.nan_to_num(one["ate_m"], nan=np.inf) for one in made)
        row["bent"] = f"{sum(not one['ate_m'] <= BENT_M for one in made)} of {len(made)}"
        rows.append(row)
    usual = [row["seconds"] for row in rows if row["mapper"] == "incremental"]
    for row in rows:
        row["time_ratio"] = row["seconds"] / usual[0] if usual else None
    return rows


def main() -> int:
    """Map, judge, print a table, write bench-results/mapper_choice.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--floors", nargs="+", type=int, default=[0, 21])
    bench.parser.add_argument("--starts", nargs="+", type=int, default=[0, 1, 2])
    bench.parser.add_argument("--mappers", nargs="+", choices=MAPPERS, default=list(MAPPERS))
    bench.parser.add_argument("--quality", choices=list(QUALITY_PRESETS), default="low")
    bench.parser.add_argument("--fps", type=float, default=5.0)
    bench.parser.add_argument("--work", type=Path, default=WORK / "mapper_choice")
    options = bench.options()
    rows = [row for seed in options.floors for row in rows_of(seed, options)]
    columns = {
        "floor": "floor", "mapper": "mapper", "bent": f"bent (> {BENT_M:g} m)",
        "ate_m": "ATE m", "worst_m": "worst m", "explained": "explained", "doubted": "doubted",
        "starts": "starts", "seconds": "s", "time_ratio": "times longer", "peak_mb": "peak MB",
    }  # fmt: skip
    title = f"rendered floors, {len(options.starts)} random starts each (medians)"
    bench.report(title, columns, rows)
    return 0


if __name__ == "__main__":
    run_main(main)
