"""Objects: seconds that the rendered set takes, by processes, and what a constant scores on it.

    python benchmarks/objects_rendering.py [--instances 4 --processes 1 2]

The goal is the default set (20,000 pictures of 128x128) in 300 s on two cores; a part of it is
rendered and the time of the whole follows, by the clock and by CPU time (on a busy machine only
the latter says something). Baseline: one process. The set would be too easy if one answer suited
many pictures: the median error of the best constant pose of each category on the test pictures is
printed beside, symmetries granted.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from _harness import Benchmark, run_main, say, work_folder
from sightline.geometry.rotation import canonical_wxyz
from sightline.geometry.viewpoint import symmetric_angle
from sightline.records.objects import CATEGORIES, SYMMETRY, ObjectSet, rotations
from sightline.worlds.objects import ObjectsWorldConfig
from sightline.worlds.objects.write import write_objects

GOAL_S, GOAL_CORES = 300.0, 2


def render(
    root: Path, config: ObjectsWorldConfig, processes: int
) -> tuple[ObjectSet, float, float]:
    """Return the set, the seconds it took and the CPU seconds of all processes."""
    before, start = os.times(), time.perf_counter()
    data = write_objects(root, config, processes=processes)
    after = os.times()
    return data, time.perf_counter() - start, sum(after[:4]) - sum(before[:4])


def constant_error_deg(data: ObjectSet) -> float:
    """Return the mean over categories of the median error of the training poses' mean."""
    medians = []
    for category in CATEGORIES:
        known, asked = (
            rotations(tuple(v for v in data.part(split).views if v.category == category))
            for split in ("train", "test")
        )
        mean = Rotation.from_quat(known, scalar_first=True).mean().as_quat(scalar_first=True)
        constant = np.broadcast_to(canonical_wxyz(mean), asked.shape)
        off = symmetric_angle(constant, asked, SYMMETRY.get(category, 1))
        medians.append(np.median(np.rad2deg(off)))
    return float(np.mean(medians))


def main() -> int:
    """Measure, print a table, write bench-results/objects_rendering.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--instances", type=int, default=4)
    bench.parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    options = bench.options()
    whole = ObjectsWorldConfig()
    config = replace(whole, instances=options.instances, validation_share=0.0, test_share=0.25)
    rows, error, pictures = [], float("nan"), 0
    wanted = whole.instances * whole.views_per_instance * len(CATEGORIES)
    for processes in options.processes:
        say(f"rendering {options.instances} shapes of each category by {processes} processes")
        with work_folder(None) as folder:
            data, seconds, cpu = render(folder / "set", config, processes)
            error, pictures = constant_error_deg(data), len(data)
        rows.append(
            {
                "processes": processes,
                "seconds": seconds,
                "cpu": cpu,
                "picture_ms": 1e3 * cpu / pictures,
                "ratio": rows[0]["seconds"] / seconds if rows else 1.0,
                "default_s": wanted / pictures * seconds,
                "default_cpu_s": wanted / pictures * cpu / GOAL_CORES,
                "goal": wanted / pictures * cpu / GOAL_CORES <= GOAL_S,
            }
        )
    columns = {
        "processes": "processes", "seconds": "s", "cpu": "CPU s", "picture_ms": "CPU ms a picture",
        "ratio": "times as fast as the baseline", "default_s": f"s for {wanted} pictures",
        "default_cpu_s": f"CPU s a core of {GOAL_CORES}", "goal": f"<= {GOAL_S:.0f} s",
    }  # fmt: skip
    title = (
        f"{pictures} pictures of {config.image_px}x{config.image_px}; best constant of each "
        f"category on the test pictures: {error:.1f} degrees (mean of medians)"
    )
    bench.report(title, columns, rows, constant_error_deg=error)
    return 0


if __name__ == "__main__":
    run_main(main)
