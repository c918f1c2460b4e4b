"""Rooms: seconds that the rendered pair set takes, by processes, and what a constant scores on it.

    python benchmarks/rooms_rendering.py [--rooms 16 --processes 1 2]

The goal is the default set (240 scenes) in 120 s on two cores; a part of it is rendered and the
time of the whole follows, by the clock and by CPU time (on a busy machine only the latter says
something). Baseline: one process. The set would be too easy if one answer suited many pairs: the
errors of the best constant (mean rotation and direction of the training pairs) and of "same pose"
on the test pairs are printed beside.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from _harness import Benchmark, run_main, say, work_folder
from sightline.records.pairs import PairSet
from sightline.worlds.rooms import RoomsConfig
from sightline.worlds.rooms.write import write_rooms

GOAL_S, GOAL_CORES = 120.0, 2


def render(root: Path, config: RoomsConfig, processes: int) -> tuple[PairSet, float, float]:
    """Return the pairs, the seconds it took and the CPU seconds of all processes."""
    before, start = os.times(), time.perf_counter()
    pairs = write_rooms(root, config, processes=processes)
    after = os.times()
    return pairs, time.perf_counter() - start, sum(after[:4]) - sum(before[:4])


def constant_errors(pairs: PairSet) -> dict[str, float]:
    """Return median ROE and RTE in degrees of the best constant, and ROE of "same pose"."""
    rotations, ways = _truth(pairs.part("train"))
    test_rotations, test_ways = _truth(pairs.part("test"))
    off = np.rad2deg((rotations.mean().inv() * test_rotations).magnitude())
    way = ways.mean(axis=0) / np.linalg.norm(ways.mean(axis=0))
    astray = np.rad2deg(np.arccos(np.clip(test_ways @ way, -1, 1)))
    return {
        "constant_roe_deg": float(np.median(off)),
        "constant_rte_deg": float(np.median(astray)),
        "same_pose_roe_deg": float(np.median(np.rad2deg(test_rotations.magnitude()))),
    }


def _truth(pairs: PairSet) -> tuple[Rotation, np.ndarray]:
    poses = [pair.b_from_a for pair in pairs.pairs if pair.b_from_a is not None]
    steps = np.stack([pose.translation for pose in poses])
    rotations = Rotation.concatenate([pose.rotation for pose in poses])
    return rotations, steps / np.linalg.norm(steps, axis=1, keepdims=True)


def main() -> int:
    """Measure, print a table, write bench-results/rooms_rendering.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--rooms", type=int, default=16)
    bench.parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    options = bench.options()
    config, rows, errors = replace(RoomsConfig(), rooms=options.rooms), [], {}
    whole = RoomsConfig().rooms / options.rooms
    for processes in options.processes:
        say(f"rendering {options.rooms} scenes by {processes} processes")
        with work_folder(None) as folder:
            pairs, seconds, cpu = render(folder / "set", config, processes)
            errors = constant_errors(pairs)
        rows.append(
            {
                "processes": processes,
                "seconds": seconds,
                "cpu": cpu,
                "scene_ms": 1e3 * cpu / options.rooms,
                "default_s": whole * seconds,
                "default_cpu_s": whole * cpu / GOAL_CORES,
                "goal": whole * cpu / GOAL_CORES <= GOAL_S,
            }
        )
    columns = {
        "processes": "processes", "seconds": "s", "cpu": "CPU s", "scene_ms": "CPU ms a scene",
        "default_s": "s for the default set",
        "default_cpu_s": f"CPU s a core of {GOAL_CORES}", "goal": f"<= {GOAL_S:.0f} s",
    }  # fmt: skip
    title = (
        f"{options.rooms} scenes of {config.views_per_room} photos, {len(pairs)} pairs; best "
        f"constant on the test pairs: ROE {errors['constant_roe_deg']:.1f}, RTE "
        f"{errors['constant_rte_deg']:.1f} degrees (medians); same pose: ROE "
        f"{errors['same_pose_roe_deg']:.1f} degrees"
    )
    bench.report(title, columns, rows, **errors)
    return 0


if __name__ == "__main__":
    run_main(main)
