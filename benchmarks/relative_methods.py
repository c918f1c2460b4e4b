"""Time a pair of every relative-pose method, on the same photos at one size.

    python benchmarks/relative_methods.py [--width 640 --height 480 --pairs 5 --threads 2]

The photos are of two textured walls that meet in a corner, traced pixel by pixel, so that their
relative pose is known; each method answers pairs it has not seen (features are taken anew, as for
two new photos), after one that warms it up. Reported are the median and the slowest time, and the
errors, so that a fast method that is wrong shows. The network is in the table where one is bundled.

Baseline: SIFT with OpenCV's five-point RANSAC, of the kind the paper compares with; every row says
how many times longer than that it takes.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from _harness import Benchmark, median_of, run_main, say, timed
from sightline.geometry import Camera, Pose
from sightline.records.views import RelativeMethod, View
from sightline.tasks.relative.auto import AutoMethod
from sightline.tasks.relative.classical import CLASSICAL, available, classical_method
from sightline.tasks.relative.predict import default_model

BASELINE = "sift+opencv"


def wall(seed: int, side: int = 1400) -> np.ndarray:
    """Return a texture of blobs of many sizes."""
    rng = np.random.default_rng(seed)
    image = np.zeros((side, side, 3))
    for cells in (12, 30, 75, 200):
        image += cv2.resize(
            rng.uniform(0, 255, (cells, cells, 3)), (side, side), interpolation=cv2.INTER_CUBIC
        )
    return (image / 4).clip(0, 255).astype(np.uint8)


def photo(walls: list[np.ndarray], cam_from_world: Pose, camera: Camera, seed: int) -> View:
    """Return the walls, which meet 4 m before the world's origin, as a camera sees them."""
    rng = np.random.default_rng(seed)
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.unproject(np.stack([u, v], -1).astype(float)).reshape(-1, 3)
    world_from_cam = cam_from_world.inverse()
    directions, origin = world_from_cam.rotation.apply(rays), world_from_cam.translation
    image, nearest = np.zeros((len(rays), 3)), np.full(len(rays), np.inf)
    for picture, side in zip(walls, (1.0, -1.0), strict=True):
        normal = np.array([side, 0.0, 1.0]) / math.sqrt(2)
        along = np.array([1.0, 0.0, -side]) / math.sqrt(2)
        depth = normal @ (np.array([0, 0, 4.0]) - origin) / (directions @ normal)
        point = origin + directions * depth[:, None]
        seen = (depth > 0) & (depth < nearest) & (side * point[:, 0] >= 0)
        px = (np.stack([point @ along, point[:, 1]], 1) * 180 + 700).astype(np.float32)
        px = px.reshape(camera.height, camera.width, 2)
        colours = cv2.remap(picture, px[..., 0], px[..., 1], cv2.INTER_LINEAR).reshape(-1, 3)
        image[seen], nearest[seen] = colours[seen], depth[seen]
    noisy = image + rng.normal(0, 2, image.shape)
    shape = (camera.height, camera.width, 3)
    return View(noisy.clip(0, 255).astype(np.uint8).reshape(shape), camera)


def make_pairs(count: int, width: int, height: int) -> list[tuple[View, View, Pose]]:
    """Return pairs with their b_from_a: 10 degrees and 0.6 m apart, each of other walls."""
    camera = Camera(
        "PINHOLE", width, height, (0.9 * width, 0.9 * width, (width - 1) / 2, (height - 1) / 2)
    )
    pairs = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        turn, move = rng.normal(size=(2, 3))
        turn, move = turn / np.linalg.norm(turn), move / np.linalg.norm(move)
        pose = Pose.from_rotation(Rotation.from_rotvec(math.radians(10) * turn), 0.6 * move)
        walls = [wall(2 * seed), wall(2 * seed + 1)]
        first = photo(walls, Pose.identity(), camera, 2 * seed)
        pairs.append((first, photo(walls, pose, camera, 2 * seed + 1), pose))
    return pairs


def errors_deg(pose: Pose, true: Pose) -> tuple[float, float]:
    """Return ROE and RTE in degrees."""
    rotation = (pose.rotation * true.rotation.inv()).magnitude()
    t, u = pose.translation, true.translation
    direction = np.arctan2(np.linalg.norm(np.cross(t, u)), t @ u)
    return float(np.degrees(rotation)), float(np.degrees(direction))


def measure(
    name: str, method: RelativeMethod, pairs: list[tuple[View, View, Pose]]
) -> dict[str, Any]:
    """Return a method's row; the first pair only warms it up."""
    method.relate(*pairs[0][:2])
    seconds, errors, answered = [], [], 0
    for a, b, true in pairs[1:]:
        spent, estimate = timed(lambda a=a, b=b: method.relate(a, b))  # type: ignore[misc]
        seconds.append(spent)
        if estimate.status == "ok" and estimate.b_from_a is not None:
            answered += 1
            errors.append(errors_deg(estimate.b_from_a, true))
        else:
            errors.append((math.inf, math.inf))
    return {
        "name": name,
        "method": method.name,
        "median_s": median_of(seconds),
        "slowest_s": max(seconds),
        "roe_deg": median_of([e[0] for e in errors]),
        "rte_deg": median_of([e[1] for e in errors]),
        "answered": f"{answered}/{len(pairs) - 1}",
    }


def main() -> None:
    """Measure, print a table, write bench-results/relative_methods.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--width", type=int, default=640)
    bench.parser.add_argument("--height", type=int, default=480)
    bench.parser.add_argument("--pairs", type=int, default=5)
    bench.parser.add_argument("--threads", type=int, default=2)
    options = bench.options()
    cv2.setNumThreads(options.threads)
    pairs = make_pairs(options.pairs + 1, options.width, options.height)
    methods: dict[str, RelativeMethod] = {}
    missing = {}
    for name in CLASSICAL:
        reason = available(name)
        if reason is None:
            methods[name] = classical_method(name)
        else:
            missing[name] = reason
    cnn = default_model()
    methods["auto"] = AutoMethod(cnn)
    if cnn is None:
        missing["cnn"] = "no network is bundled"
    else:
        import torch

        torch.set_num_threads(options.threads)
        methods["cnn"] = cnn
    rows = []
    for name, method in methods.items():
        say(name)
        rows.append(measure(name, method, pairs))
    baseline = next(row["median_s"] for row in rows if row["name"] == BASELINE)
    for row in rows:
        row["times"] = row["median_s"] / baseline
    columns = {"name": "method", "median_s": "median s", "slowest_s": "slowest s",
               "times": f"x {BASELINE}",
               "roe_deg": "ROE deg", "rte_deg": "RTE deg", "answered": "answered"}  # fmt: skip
    title = f"A pair of {options.width}x{options.height} photos, {options.threads} threads"
    bench.report(title, columns, rows, missing=missing)
    for name, reason in missing.items():
        print(f"left out: {name} ({reason})")


if __name__ == "__main__":
    run_main(main)
