"""Nearest walkable cell: one distance transform against the loops it replaces.

    python benchmarks/walkable.py [--width 1000 --height 700 --queries 2000]

Baselines: the usual double loop over pixels in plain Python, for every prediction anew; the same
search as one vectorised NumPy expression over a list of walkable cells made once (the fair one);
and a k-d tree of those cells. All answers are checked to be equally near before times are printed.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from _harness import Benchmark, run_main, timed
from sightline.tasks.absolute.walkable import WalkableMap


def building(width: int, height: int) -> np.ndarray:
    """Return the walkable mask of a ring corridor with rooms off it."""
    mask = np.zeros((height, width), dtype=bool)
    mask[height // 8 : -height // 8, width // 10 : -width // 10] = True
    mask[height // 4 : -height // 4, width // 5 : -width // 5] = False
    for i in range(1, 8):
        left = width // 5 + i * width // 14
        mask[height // 4 : height // 2 - 10, left : left + width // 20] = True
    return mask


def double_loop(rows: list[list[bool]], u: int, v: int) -> tuple[int, int]:
    """Return the nearest walkable (u, v) by visiting every pixel."""
    best, found = float("inf"), (u, v)
    for y, row in enumerate(rows):
        for x, walkable in enumerate(row):
            if walkable:
                distance = (x - u) ** 2 + (y - v) ** 2
                if distance < best:
                    best, found = distance, (x, y)
    return found


def vectorised(cells: np.ndarray, u: int, v: int) -> tuple[int, int]:
    """Return the nearest of (C, 2) walkable cells (u, v)."""
    nearest = cells[((cells - [u, v]) ** 2).sum(axis=1).argmin()]
    return int(nearest[0]), int(nearest[1])


def walkable_cells(mask: np.ndarray) -> np.ndarray:
    """Return (C, 2) walkable cells (u, v)."""
    return np.argwhere(mask)[:, ::-1].copy()


def main() -> None:
    """Measure, print a table, write bench-results/walkable.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--width", type=int, default=1000)
    bench.parser.add_argument("--height", type=int, default=700)
    bench.parser.add_argument("--queries", type=int, default=2000)
    options = bench.options()
    mask = building(options.width, options.height)
    rng = np.random.default_rng(0)
    # A fifth of the predictions fall off the map, as real ones do.
    low, high = -0.1, 1.1
    size = np.array([options.width, options.height])
    px = np.rint(rng.uniform(low, high, (options.queries, 2)) * size)

    setup_s, walkable = timed(lambda: WalkableMap(mask))
    walkable.nearest_px([[-5.0, -5.0]])  # the tree for points off the map is made at the first one
    many_s, answers = timed(lambda: walkable.nearest_px(px))
    one_s, _ = timed(lambda: [walkable.nearest_px(p[None]) for p in px])
    cells_s, cells = timed(lambda: walkable_cells(mask))
    few = px[: min(100, len(px))]
    numpy_s, by_numpy = timed(lambda: [vectorised(cells, int(u), int(v)) for u, v in few])
    tree_setup_s, tree = timed(lambda: KDTree(cells))
    tree_s, by_tree = timed(lambda: cells[tree.query(px)[1]])
    fewer, pixels = px[:5], mask.tolist()
    loop_s, by_loop = timed(lambda: [double_loop(pixels, int(u), int(v)) for u, v in fewer])

    reach = np.linalg.norm(answers - px, axis=1)
    for name, others in (("vectorised", by_numpy), ("double loop", by_loop), ("tree", by_tree)):
        far = np.linalg.norm(np.asarray(others) - px[: len(others)], axis=1)
        assert np.allclose(far, reach[: len(others)]), f"{name} and the transform disagree"

    rows = [
        {"method": "double loop", "setup_ms": 0.0, "per_lookup_us": loop_s / len(fewer) * 1e6,
         "memory_mb": mask.nbytes / 1e6},
        {"method": "vectorised search", "setup_ms": cells_s * 1e3,
         "per_lookup_us": numpy_s / len(few) * 1e6, "memory_mb": cells.nbytes / 1e6},
        {"method": "k-d tree of cells, all at once", "setup_ms": (cells_s + tree_setup_s) * 1e3,
         "per_lookup_us": tree_s / len(px) * 1e6, "memory_mb": 3 * cells.nbytes / 1e6},
        {"method": "transform, one at a time", "setup_ms": setup_s * 1e3,
         "per_lookup_us": one_s / len(px) * 1e6, "memory_mb": walkable.nbytes / 1e6},
        {"method": "transform, all at once", "setup_ms": setup_s * 1e3,
         "per_lookup_us": many_s / len(px) * 1e6, "memory_mb": walkable.nbytes / 1e6},
    ]  # fmt: skip
    for row in rows:
        row["faster"] = rows[0]["per_lookup_us"] / row["per_lookup_us"]
    columns = {
        "method": "method", "setup_ms": "set-up ms", "per_lookup_us": "a lookup us",
        "faster": "times faster", "memory_mb": "memory MB",
    }  # fmt: skip
    title = (
        f"{options.width}x{options.height} plan, {mask.mean():.0%} walkable, same distances; "
        "baseline: double loop"
    )
    bench.report(title, columns, rows, plan=[options.width, options.height])


if __name__ == "__main__":
    run_main(main)
