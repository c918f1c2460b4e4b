"""Metres from a place's sparse points: how far off depth is, against exact depth.

    python benchmarks/depth_metric_scale.py --place demo/place --depth demo/floor/second/depth.csv
                                            --weights RUN

Photos of a second walk through a place (``sightline render floor``, ``sightline build``) are
located in its map, and a relative network's depth is brought to the points in view. Baselines: the
points alone, interpolated linearly in disparity (nearest outside of them), and the network brought
to the points by scale and shift without the smooth correction. Beside them what nobody has in use:
the network's scale and shift fitted to the exact depth itself.

AbsRel is averaged over photos; photos that are not found in the map are counted apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _harness import Benchmark, run_main, say, timed
from sightline.errors import SightlineError
from sightline.media import read_photo
from sightline.records.depth import read_depth_set
from sightline.records.depth_files import resize_depth
from sightline.tasks import Picture
from sightline.tasks.depth import correction
from sightline.tasks.depth.align import align
from sightline.tasks.depth.models import load_model
from sightline.tasks.depth.place_scale import PlaceScale
from sightline.tasks.depth.scale import SparsePoints, by_points

METHODS = (
    "network and points, corrected (as shipped)",
    "network and points, scale and shift only",
    "points alone, interpolated",
    "network, scale and shift fitted to the exact depth",
)


def interpolated(points: SparsePoints, height: int, width: int) -> NDArray[np.float64]:
    """Return (H, W) depth of the points alone."""
    from scipy.interpolate import griddata

    x, y = np.meshgrid(np.arange(width), np.arange(height))
    linear, nearest = (
        griddata(points.xy, 1.0 / points.depth, (x, y), method) for method in ("linear", "nearest")
    )
    return 1.0 / np.where(np.isfinite(linear), linear, nearest)


def score(depth: NDArray[Any], truth: NDArray[np.float32]) -> tuple[float, float]:
    """Return AbsRel and the share of pixels within a factor of 1.25."""
    known = np.isfinite(truth)
    said, true = depth[known], truth[known]
    return float(np.mean(np.abs(said / true - 1))), float(
        np.mean(np.maximum(said / true, true / said) < 1.25)
    )


def main() -> int:
    """Measure, print a table, write bench-results/depth_metric_scale.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--place", type=Path, required=True, help="a built place in metres")
    bench.parser.add_argument("--depth", type=Path, required=True, help="depth set of its photos")
    bench.parser.add_argument("--weights", help="the network; the package's where not given")
    bench.parser.add_argument("--photos", type=int, default=40)
    options = bench.options()
    data, model = read_depth_set(options.depth), load_model(options.weights)
    place = PlaceScale.open(options.place)
    items = data.items[:: max(1, len(data) // options.photos)]
    scores: dict[str, list[tuple[float, float]]] = {method: [] for method in METHODS}
    seconds: list[float] = []
    counts: list[int] = []
    for item in items:
        path = data.path(item.image)
        image = read_photo(path)
        height, width = image.shape[:2]
        truth = resize_depth(data.read_target(item), width, height)
        said = model.predict([image])[0]
        try:
            spent, view = timed(lambda p=path, i=image: place.view(Picture(str(p), i, p)))
        except SightlineError as error:
            say(str(error))
            continue
        seconds.append(spent)
        counts.append(len(view.points))
        shipped = by_points(said, view.points).depth_map.values
        helps, correction._HELPS = correction._HELPS, -1.0
        plain = by_points(said, view.points).depth_map.values
        correction._HELPS = helps
        alone = interpolated(view.points, height, width)
        for method, depth in zip(
            METHODS, (shipped, plain, alone, align(said, truth, "disparity")), strict=True
        ):
            scores[method].append(score(depth, truth))
    rows = [
        {
            "method": method,
            "abs_rel": float(np.mean([a for a, _ in found])),
            "worst": float(np.max([a for a, _ in found])),
            "delta1": float(np.mean([d for _, d in found])),
        }
        for method, found in scores.items()
        if found
    ]
    columns = {"method": "method", "abs_rel": "AbsRel", "worst": "worst photo", "delta1": "delta1"}
    title = (
        f"{len(counts)} of {len(items)} photos found in {options.place}, "
        f"{np.mean(counts or [0]):.0f} points a photo, {1e3 * np.median(seconds or [0]):.0f} ms to "
        f"find them; network {model.name}"
    )
    bench.report(title, columns, rows, photos=len(items), found=len(counts))
    return 0


if __name__ == "__main__":
    run_main(main)
