"""A corridor that comes back, and one whose end merely looks like its start: what loops do to each.

    python benchmarks/loop_gap.py [--quality medium] [--small]

Baseline: the same map without loop closing. ``round`` is walked 1.15 times; its gap is the error
of the motion between frames within half a metre of each other that were taken 30 frames or more
apart (median, after Sim(3)); goal 0.05 m. ``alike`` comes back 1.7 m beside its start, behind a
wall, hung with the same pictures, after a walk long enough that the drift which loop closing allows
for would explain that shift; goal: not glued, the map as good as without. Errors are against the
exact rendered poses. With ``--small`` the way is so short that the shift alone refuses the loop.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from _harness import WORK, Benchmark, Stages, run_main, say, timed, work_folder
from sightline.geometry import Pose
from sightline.geometry.trajectory import absolute_trajectory_error, seam_gap
from sightline.reconstruction.config import LOOP_GAP, QUALITY_PRESETS, ReconstructionConfig
from sightline.reconstruction.pipeline import read_report, reconstruct
from sightline.records import Place, PosedFrame, stack_poses
from sightline.worlds.passage import (
    PassageConfig,
    alike_config,
    passage_walk,
    photograph_walk,
    round_config,
)

GOAL_GAP_M = 0.05
#: A map that was not glued is at most so many times worse than without closing.
GOAL_FACTOR = 1.1
FPS = 5.0


def measure(
    world: str, root: Path, config: PassageConfig, walk: Pose, quality: Any, closing: bool
) -> dict[str, Any]:
    """Return one map's row."""
    place = Place.create(root, source=world)
    if not place.images_dir.is_dir():
        photograph_walk(place.images_dir, config, walk)
        names = sorted(path.name for path in place.images_dir.iterdir())
        place.write_frames([PosedFrame(name, i / FPS, None) for i, name in enumerate(names)])
    settings = ReconstructionConfig(quality=quality, loop_closing=closing)
    seconds, report = timed(lambda: reconstruct(place, settings, Stages()))
    rows = [i for i, frame in enumerate(place.frames()) if frame.world_from_cam is not None]
    poses, true = stack_poses(place.registered()), walk[np.array(rows)]
    returns = config.closed
    gap = seam_gap(poses, true, reach=0.5, apart=LOOP_GAP).median if returns else None
    return {
        "world": world,
        "closing": closing,
        "closed": bool(report.loops.get("closed")),
        "said": read_report(place).loops.get("reason", ""),
        "of": f"{report.registered} of {report.frames}",
        "gap_m": gap,
        "ate_m": absolute_trajectory_error(poses, true).rmse,
        "s": seconds,
    }


def main() -> int:
    """Measure, print a table, write bench-results/loop_gap.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--quality", choices=list(QUALITY_PRESETS), default="medium")
    bench.parser.add_argument("--small", action="store_true", help="the tests' sizes, in minutes")
    bench.parser.add_argument("--seed", type=int, default=0)
    bench.parser.add_argument("--work", type=Path, default=WORK / "loop-gap")
    options = bench.options()
    sizes = ((5.0, 4.0), (8.0, 5.0)) if options.small else ((12.0, 8.0), (16.0, 10.0))
    around = round_config(*sizes[0], seed=options.seed)
    alike = alike_config(*sizes[1], apart=1.7, seed=options.seed)
    worlds = {
        "round": (around, passage_walk(around, rounds=1.15)),
        "alike": (alike, passage_walk(alike)),
    }
    rows = []
    with work_folder(options.work) as work:
        for world, (config, walk) in worlds.items():
            for closing in (False, True):
                root = work / f"{world}-{'closed' if closing else 'open'}"
                shutil.rmtree(root, ignore_errors=True)
                if closing:
                    shutil.copytree(work / f"{world}-open", root)
                say(f"mapping {world}, loops {'looked for' if closing else 'left alone'}")
                rows.append(measure(world, root, config, walk, options.quality, closing))
    for before, after in zip(rows[::2], rows[1::2], strict=True):
        before["goal"] = None
        if after["gap_m"] is not None:
            after["goal"] = after["gap_m"] <= GOAL_GAP_M
        else:
            worse = after["ate_m"] > GOAL_FACTOR * before["ate_m"]
            after["goal"] = not after["closed"] and not worse
    columns = {
        "world": "world", "closing": "loops looked for", "closed": "closed", "of": "registered",
        "gap_m": "gap m", "ate_m": "ATE m", "s": "s", "goal": "goal met", "said": "said",
    }  # fmt: skip
    bench.report(f"winding corridors, quality {options.quality}", columns, rows)
    return 0


if __name__ == "__main__":
    run_main(main)
