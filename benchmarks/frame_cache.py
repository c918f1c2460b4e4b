"""Loading frames: the memory-mapped cache against decoding every JPEG in every epoch.

    python benchmarks/frame_cache.py [--frames 200 --epochs 4 --width 1200 --height 1600]

Baseline: every epoch opens, decodes and resizes each JPEG, with the same reader and as many
threads as the cache is filled with (and once more with one thread). Both give the same pixels, in
the same shuffled batches; the sums are compared before times are printed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from _harness import Benchmark, in_own_process, median_of, run_main, say, timed, work_folder
from _places import render_walk
from sightline.learning.cache import FrameSize, cache_frames, read_frame

THREADS = 2


def uncached(
    folder: Path, names: list[str], size: FrameSize, epochs: int, batch: int, threads: int
) -> dict[str, Any]:
    """Return times and the pixel sum of epochs that decode everything."""
    with ThreadPoolExecutor(threads) as pool:

        def load(rows: np.ndarray) -> np.ndarray:
            return np.stack(list(pool.map(lambda i: read_frame(folder / names[i], size), rows)))

        times, total = _epochs(load, len(names), epochs, batch)
    return {"method": f"decode every epoch, {threads} thread{'s' * (threads > 1)}",
            "first_s": times[0], "epoch_s": median_of(times[1:]), "disk_mb": 0.0,
            "pixels": total}  # fmt: skip


def cached(
    folder: Path, names: list[str], size: FrameSize, epochs: int, batch: int, cache_dir: Path
) -> dict[str, Any]:
    """Return times and the pixel sum of epochs that read the cache, made first."""
    made_s, cache = timed(lambda: cache_frames(folder, names, size, cache_dir, workers=THREADS))
    times, total = _epochs(lambda rows: cache.array[rows], len(names), epochs, batch)
    return {"method": "memory-mapped cache", "first_s": made_s + times[0],
            "epoch_s": median_of(times[1:]), "disk_mb": cache.path.stat().st_size / 2**20,
            "pixels": total}  # fmt: skip


def _epochs(
    load: Callable[[np.ndarray], np.ndarray], count: int, epochs: int, batch: int
) -> tuple[list[float], int]:
    """Return seconds of each epoch and the sum of all pixels (so that every page is read)."""
    times, total = [], 0
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(count)
        parts = [order[i : i + batch] for i in range(0, count, batch)]
        seconds, sums = timed(lambda parts=parts: [int(load(p).sum()) for p in parts])
        times.append(seconds)
        total += sum(sums)
    return times, total


def main() -> int:
    """Measure, print a table, write bench-results/frame_cache.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--frames", type=int, default=200)
    bench.parser.add_argument("--epochs", type=int, default=4, help="2 or more")
    bench.parser.add_argument("--batch", type=int, default=16)
    bench.parser.add_argument("--width", type=int, default=1200, help="of the JPEGs, in pixels")
    bench.parser.add_argument("--height", type=int, default=1600)
    bench.parser.add_argument("--side", type=int, default=224, help="of the network's frames")
    options = bench.options()
    epochs = max(2, options.epochs)
    size = FrameSize(options.side, options.side)
    with work_folder(None) as work:
        say(f"rendering {options.frames} JPEGs of {options.width}x{options.height}")
        frames = render_walk(work / "frames", options.frames, options.width, options.height)
        common = (work / "frames", [f.image for f in frames], size, epochs, options.batch)
        outcomes = [
            in_own_process(uncached, *common, THREADS),
            in_own_process(uncached, *common, 1),
            in_own_process(cached, *common, work / "cache"),
        ]
    rows = [{**outcome.value, "peak_mb": outcome.peak_mb} for outcome in outcomes]
    same = len({row.pop("pixels") for row in rows}) == 1
    for row in rows:
        row["epoch_ratio"] = rows[0]["epoch_s"] / row["epoch_s"]
        row["first_ratio"] = rows[0]["first_s"] / row["first_s"]
        row["frames_per_s"] = options.frames / row["epoch_s"]
    columns = {
        "method": "method", "first_s": "first epoch s", "first_ratio": "times faster",
        "epoch_s": "later epoch s", "epoch_ratio": "times faster", "frames_per_s": "frames/s",
        "peak_mb": "peak MB", "disk_mb": "on disk MB",
    }  # fmt: skip
    title = (
        f"{options.frames} JPEGs of {options.width}x{options.height} to {options.side}x"
        f"{options.side}, batches of {options.batch}; baseline: {rows[0]['method']}; same pixels: "
        f"{'yes' if same else 'NO'} (mapped pages count as memory, the system can take them back)"
    )
    bench.report(title, columns, rows, same_pixels=same)
    return 0 if same else 1


if __name__ == "__main__":
    run_main(main)
