"""Depth world: seconds that the rendered depth set takes, by processes, and what it holds.

    python benchmarks/depth_rendering.py [--scenes 120 --processes 1 2]

The goal is the default set (2,000 scenes, 12,000 photos) in 360 s on two cores. A quarter of the
scenes and all of them are rendered: what the others take beyond the first is the price of a scene,
without what each process paints once (textures, objects), and the time of the whole set follows.
It is CPU time, since on a busy machine the clock says nothing. Baseline: one process.

A set that one answer suits teaches nothing: AbsRel of the best constant and of the best row mean,
fitted on the training photos and scaled to each test photo by the median, is printed beside, by
kind of scene.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from _harness import Benchmark, run_main, say, work_folder
from sightline.records.depth import DepthSet
from sightline.worlds.depth import DepthWorldConfig
from sightline.worlds.depth.config import KINDS
from sightline.worlds.depth.write import write_depth_world

GOAL_S, GOAL_CORES = 360.0, 2


def render(root: Path, config: DepthWorldConfig, processes: int) -> tuple[DepthSet, float, float]:
    """Return the set, the seconds it took and the CPU seconds of all processes."""
    before, start = os.times(), time.perf_counter()
    data = write_depth_world(root, config, processes=processes)
    after = os.times()
    return data, time.perf_counter() - start, sum(after[:4]) - sum(before[:4])


def baseline_errors(data: DepthSet) -> dict[str, tuple[float, float]]:
    """Return AbsRel of the constant and of the row means on each kind's test photos."""
    errors = {}
    for kind in sorted(set(KINDS)):
        mine = [item for item in data.items if item.source.startswith(kind)]
        depths = {split: _depths(data, mine, split) for split in ("train", "test")}
        if not len(depths["train"]) or not len(depths["test"]):
            continue
        # Row means of log depth, each photo's median taken off.
        logs = np.log(depths["train"])
        logs = logs - np.nanmedian(logs, axis=(1, 2), keepdims=True)
        rows = np.exp(np.nanmean(logs, axis=(0, 2)))
        flat = np.ones_like(rows)
        errors[kind] = (_abs_rel(depths["test"], flat), _abs_rel(depths["test"], rows))
    return errors


def _depths(data: DepthSet, items: list, split: str) -> np.ndarray:
    maps = [data.read_target(item)[::4, ::4] for item in items if item.split == split]
    return np.array(maps)


def _abs_rel(depths: np.ndarray, rows: np.ndarray) -> float:
    shape = np.broadcast_to(rows[None, :, None], depths.shape)
    guess = np.where(np.isfinite(depths), shape, np.nan)
    scale = np.nanmedian(depths, axis=(1, 2)) / np.nanmedian(guess, axis=(1, 2))
    return float(np.nanmean(np.abs(guess * scale[:, None, None] - depths) / depths))


def main() -> int:
    """Measure, print a table, write bench-results/depth_rendering.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--scenes", type=int, default=120)
    bench.parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    options = bench.options()
    config = replace(DepthWorldConfig(), scenes=options.scenes, test_share=0.3)
    whole, rows, errors = DepthWorldConfig().scenes / options.scenes, [], {}
    photos = options.scenes * config.views_per_scene
    for processes in options.processes:
        say(f"rendering {options.scenes} scenes by {processes} processes")
        with work_folder(None) as folder:
            first = replace(config, scenes=max(4, options.scenes // 4))
            _, _, cpu_first = render(folder / "first", first, processes)
            data, seconds, cpu = render(folder / "set", config, processes)
            errors = baseline_errors(data)
            size = sum(p.stat().st_size for p in data.root.rglob("*") if p.is_file())
        scene_s = (cpu - cpu_first) / (options.scenes - first.scenes)
        default_s = cpu + scene_s * (DepthWorldConfig().scenes - options.scenes)
        rows.append(
            {
                "processes": processes,
                "seconds": seconds,
                "cpu": cpu,
                "photos_1000_s": 1000 * scene_s / config.views_per_scene,
                "default_cpu_s": default_s / GOAL_CORES,
                "default_mb": whole * size / 1e6,
                "goal": default_s / GOAL_CORES <= GOAL_S,
            }
        )
    columns = {
        "processes": "processes", "seconds": "s", "cpu": "CPU s",
        "photos_1000_s": "CPU s for 1,000 photos more",
        "default_cpu_s": f"default set: CPU s a core of {GOAL_CORES}",
        "default_mb": "default set: MB", "goal": f"<= {GOAL_S:.0f} s",
    }  # fmt: skip
    said = "; ".join(f"{kind} {a:.2f}, {b:.2f}" for kind, (a, b) in errors.items())
    title = f"{options.scenes} scenes, {photos} photos; AbsRel of constant, row means: {said}"
    bench.report(title, columns, rows, abs_rel={k: list(v) for k, v in errors.items()})
    return 0


if __name__ == "__main__":
    run_main(main)
