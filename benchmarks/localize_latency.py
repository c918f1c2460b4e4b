"""How long one photo takes: first stage, second stage, both; and matching every map frame.

    python benchmarks/localize_latency.py [--place demo/place --queries demo/floor/second/images]

Baseline: the second stage as first written down. No network proposes, nothing retrieves: each photo
is matched against every frame of the map, then PnP with RANSAC. Photos are decoded beforehand;
latency is of one photo at a time, photos/s of batches of eight (as a folder or the service gives
them). Without a place, a piece of the rendered floor is mapped and a small network trained on it
(kept in bench-results/work).

Where `poses.csv` lies beside the photos' folder and the place is in metres, errors are shown too.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from _harness import (
    WORK,
    Benchmark,
    Stages,
    best_of,
    in_own_process,
    percentile,
    run_main,
    say,
    timed,
    work_folder,
)
from _places import given_or_made
from sightline.app.localize import Localization, Localizer
from sightline.geometry import Camera, Pose
from sightline.records import Place, read_poses_csv

BASELINE = "every map frame"
METHODS = (BASELINE, "first stage", "second stage", "both stages")
BATCH = 8


class MatchEverything:
    """Matches a photo to every frame of a map; offers what the localiser asks of a refiner."""

    def __init__(self, place: Place) -> None:
        from sightline.reconstruction.map_index import MapIndex
        from sightline.reconstruction.refine import RefineConfig

        self.index = MapIndex.open(place)
        self._extractor = _extractor(place)
        self._config = RefineConfig()

    def refine(self, image: np.ndarray, camera: Camera, proposal: Pose | None = None) -> Any:
        """Return a ``Refinement``; the proposal is not looked at."""
        from sightline.reconstruction.evidence import MatchedPose
        from sightline.reconstruction.refine import Refinement
        from sightline.reconstruction.two_view.matching import mutual_ratio_matches
        from sightline.records.colmap import estimate_absolute_pose

        features = self._extractor.extract(image)
        query = _unit(features.descriptors)
        pairs = []
        for frame in range(len(self.index.names)):
            descriptors, rows = self.index.observations(frame)
            if len(rows) >= 2 and len(query) >= 2:
                mine, other = mutual_ratio_matches(query, _unit(descriptors), self._config.ratio)
                pairs.append(np.stack([mine, rows[other]], axis=1))
        keypoints, points = np.unique(np.concatenate(pairs), axis=0).T
        if len(keypoints) < self._config.min_inliers:
            return Refinement(None, 0, len(keypoints), 0.0)
        px, max_error_px = (
            features.keypoints_px[keypoints],
            self._config.max_error * max(camera.width, camera.height),
        )
        answer = estimate_absolute_pose(
            px,
            self.index.points[points],
            camera,
            max_error_px=max_error_px,
            min_inliers=self._config.min_inliers,
            seed=self._config.seed,
        )
        if answer is None:
            return Refinement(None, 0, len(keypoints), 0.0)
        found = MatchedPose(
            answer.world_from_cam, camera, keypoints, px, self.index.points[points],
            answer.inliers, max_error_px,
        )  # fmt: skip
        inliers = len(np.unique(keypoints[answer.inliers]))
        return Refinement(
            answer.world_from_cam, inliers, len(keypoints), 1.0, camera, found=found, support=1.0
        )


def _unit(descriptors: np.ndarray) -> np.ndarray:
    values = descriptors.astype(np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)


def _extractor(place: Place) -> Any:
    from sightline.reconstruction.features import FeatureExtractor

    features = place.content.get("features", {})
    return FeatureExtractor(
        int(features.get("max_image_size", 1600)), int(features.get("max_num_features", 4000))
    )


def open_localizer(place: Place, method: str) -> Localizer:
    """Return the place's localiser as one method uses it."""
    if method == "both stages":
        return Localizer.open(place)
    if method == "first stage":
        return Localizer.open(place, refine=False)
    if method == BASELINE:
        everything = MatchEverything(place)
        return Localizer(place, None, everything, everything.index.camera)
    from sightline.reconstruction.map_index import MapIndex
    from sightline.reconstruction.refine import Refiner

    index = MapIndex.open(place)
    return Localizer(place, None, Refiner(index, _extractor(place)), index.camera)


def measure(root: Path, method: str, photos: list[Path], repeats: int) -> dict[str, Any]:
    """Return one method's row."""
    import torch

    from sightline.media.photo import read_photo

    torch.set_num_threads(min(2, torch.get_num_threads()))
    images, names = [read_photo(p) for p in photos], [p.name for p in photos]
    open_s, localizer = timed(lambda: open_localizer(Place.open(root), method))
    localizer.localize(images[:1], names[:1])  # imports and lazily made parts are not latency
    each = [
        best_of(lambda i=i: localizer.localize([images[i]], [names[i]]), repeats)
        for i in range(len(images))
    ]
    batches = [slice(i, i + BATCH) for i in range(0, len(images), BATCH)]
    batched_s, _ = best_of(
        lambda: [localizer.localize(images[b], names[b]) for b in batches], repeats
    )
    seconds = [s * 1e3 for s, _ in each]
    answers = [found[0] for _, found in each]
    return {
        "method": method,
        "p50_ms": percentile(seconds, 50),
        "p95_ms": percentile(seconds, 95),
        "photos_per_s": len(images) / batched_s,
        "answered": sum(a.status != "unknown" for a in answers) / len(answers),
        **_errors(answers, photos, localizer.place.unit),
        "open_s": open_s,
        "map_frames": len(localizer.place.registered()),
    }


def features_ms(root: Path, photos: list[Path]) -> float:
    """Return the median time of finding a photo's features, which all matching begins with."""
    from sightline.media.photo import read_photo

    extractor = _extractor(Place.open(root))
    images = [read_photo(p) for p in photos]
    extractor.extract(images[0])
    return percentile([timed(lambda i=i: extractor.extract(i))[0] * 1e3 for i in images], 50)


def evidence_ms(root: Path, photos: list[Path]) -> float:
    """Return the median time of weighing what speaks for a pose; 0 where none is found."""
    from sightline.media.photo import read_photo
    from sightline.reconstruction.evidence import evidence_of
    from sightline.reconstruction.refine import Refiner, camera_for_photo

    refiner = Refiner.open(Place.open(root))
    seconds = []
    for image in (read_photo(p) for p in photos):
        height, width = image.shape[:2]
        answer = refiner.refine(image, camera_for_photo(refiner.index.camera, width, height, None))
        if (found := answer.found) is not None:
            weigh = partial(evidence_of, found, answer.support, answer.similarity)
            seconds.append(best_of(weigh, 2)[0])
    return percentile([s * 1e3 for s in seconds], 50) if seconds else 0.0


def _errors(answers: list[Localization], photos: list[Path], unit: str) -> dict[str, float]:
    path = photos[0].parent.parent / "poses.csv"
    if unit != "m" or not path.is_file():
        return {}
    truth = {f.image: f.world_from_cam for f in read_poses_csv(path)}
    pairs = [(a.world_from_cam, truth.get(a.image)) for a in answers]
    off = [
        np.linalg.norm(found.translation - true.translation)
        for found, true in pairs
        if found is not None and true is not None
    ]
    return {"median_m": float(np.median(off))} if off else {}


def main() -> int:
    """Measure, print a table, write bench-results/localize_latency.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--place", type=Path, help="a built place with a trained network")
    bench.parser.add_argument("--queries", type=Path, help="a folder of photos taken in it")
    bench.parser.add_argument("--photos", type=int, default=24)
    bench.parser.add_argument("--repeats", type=int, default=2)
    bench.parser.add_argument("--work", type=Path, default=WORK / "place")
    options = bench.options()
    with work_folder(options.work) as work:
        asked = given_or_made(options.place, options.queries, work, options.photos, Stages())
    rows = []
    for method in METHODS:
        say(f"localising: {method}")
        outcome = in_own_process(measure, asked.place, method, list(asked.photos), options.repeats)
        rows.append({**outcome.value, "peak_mb": outcome.peak_mb})
    for row in rows:
        row["faster"] = rows[0]["p50_ms"] / row["p50_ms"]
    found_ms = in_own_process(features_ms, asked.place, list(asked.photos)).value
    weighed_ms = in_own_process(evidence_ms, asked.place, list(asked.photos)).value
    columns = {
        "method": "method", "p50_ms": "p50 ms", "p95_ms": "p95 ms", "faster": "times faster",
        "photos_per_s": "photos/s", "answered": "answered", "median_m": "median m",
        "open_s": "open s", "peak_mb": "peak MB",
    }  # fmt: skip
    title = (
        f"{len(asked.photos)} photos in a map of {rows[0]['map_frames']} frames "
        f"({asked.place}); baseline: {BASELINE} matched (no proposal, no retrieval); finding a "
        f"photo's features alone: {found_ms:.0f} ms; what speaks for its pose: {weighed_ms:.1f} ms"
    )
    bench.report(title, columns, rows, features_ms=found_ms, evidence_ms=weighed_ms)
    return 0


if __name__ == "__main__":
    run_main(main)
