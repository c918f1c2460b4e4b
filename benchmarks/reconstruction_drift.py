"""The rendered floor mapped without and with loop closing: drift, frames, seconds.

    python benchmarks/reconstruction_drift.py [--quality medium --fps 5]

Baseline: the same build without loop closing. Both share frames, features, matches and the first
map, which are made once: the build without closing is timed whole, and the one with closing goes on
from a copy of it, so its seconds are those plus what closing added. Errors are of camera centres
after Sim(3), against the exact rendered poses. Goals: 0.10 m without, 0.05 m with closing, every
frame registered.

The rendered video is kept in bench-results/work; the maps are made anew each time.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from _harness import WORK, Benchmark, Stages, in_own_process, run_main, say, timed, work_folder
from _places import map_floor, true_frames
from sightline.geometry.trajectory import absolute_trajectory_error
from sightline.reconstruction.config import QUALITY_PRESETS
from sightline.reconstruction.pipeline import read_report
from sightline.records import stack_poses
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.write import FloorFiles, write_floor

GOAL_ATE_M = {False: 0.10, True: 0.05}


def measure(
    floor: FloorFiles, root: Path, fps: float, quality: Any, loop_closing: bool
) -> dict[str, Any]:
    """Return one build's row."""
    build_s, place = timed(
        lambda: map_floor(
            floor, root, fps=fps, quality=quality, loop_closing=loop_closing, progress=Stages()
        )
    )
    report = read_report(place)
    error = absolute_trajectory_error(
        stack_poses(place.registered()), stack_poses(true_frames(place, floor))
    )
    return {
        "loops": "closed" if loop_closing else "not closed",
        "ate_m": error.rmse,
        "worst_m": float(error.translation.max()),
        "median_deg": error.median_deg,
        "registered": report.registered,
        "frames": report.frames,
        "build_s": build_s,
        "loop_report": report.loops,
        "goal_ate_m": GOAL_ATE_M[loop_closing],
        "goal": error.rmse <= GOAL_ATE_M[loop_closing] and report.registered == report.frames,
    }


def main() -> int:
    """Measure, print a table, write bench-results/reconstruction_drift.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--quality", choices=list(QUALITY_PRESETS), default="medium")
    bench.parser.add_argument("--fps", type=float, default=5.0)
    bench.parser.add_argument("--loops", type=float, default=FloorConfig().loops)
    bench.parser.add_argument("--seed", type=int, default=0)
    bench.parser.add_argument("--work", type=Path, default=WORK / "drift")
    options = bench.options()
    with work_folder(options.work) as work:
        rows = _both(work, options)
    rows[1]["build_s"] += rows[0]["build_s"]
    for row in rows:
        row["less_drift"] = rows[0]["ate_m"] / row["ate_m"]
        row["time_ratio"] = row["build_s"] / rows[0]["build_s"]
        row["of"] = f"{row['registered']} of {row['frames']}"
    columns = {
        "loops": "loops", "of": "registered", "ate_m": "ATE m", "less_drift": "times less",
        "worst_m": "worst m", "median_deg": "median deg", "build_s": "s",
        "time_ratio": "times longer", "peak_mb": "peak MB", "goal_ate_m": "goal m",
        "goal": "goals met",
    }  # fmt: skip
    title = (
        f"rendered floor, {options.loops:g} loops at {options.fps:g} frames/s, quality "
        f"{options.quality}; baseline: loops not closed; loop closing said: "
        f"{rows[1]['loop_report'].get('reason', rows[1]['loop_report'])} (peak MB without COLMAP's "
        "own process)"
    )
    bench.report(title, columns, rows)
    return 0


def _both(work: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    config = FloorConfig(seed=options.seed, loops=options.loops, second_frames=1)
    floor = write_floor(work / f"floor-{options.seed}-{options.loops:g}", config, Stages())
    before, after = work / "not-closed", work / "closed"
    rows = []
    for root, closing in ((before, False), (after, True)):
        shutil.rmtree(root, ignore_errors=True)
        if closing:
            shutil.copytree(before, root)
        say(f"mapping, loops {'closed' if closing else 'not closed'}")
        outcome = in_own_process(measure, floor, root, options.fps, options.quality, closing)
        rows.append({**outcome.value, "peak_mb": outcome.peak_mb})
    return rows


if __name__ == "__main__":
    run_main(main)
