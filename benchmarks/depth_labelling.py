"""Labelling photos with a depth teacher: the data engine against a plain loop.

    python benchmarks/depth_labelling.py [--photos 2000 --width 640 --height 480 --teacher-ms 0]

Baseline: a loop that reads a photo, asks the teacher and writes the label, one after the other,
with the same readers and the same scaling, and PNGs as OpenCV writes them. The teacher costs
nothing (it answers with the green channel) or waits as one on a GPU would, so what is measured is
the engine. Labels are compared before times are printed; a tenth of the photos shows whether
memory grows with their number.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from _harness import Benchmark, in_own_process, run_main, say, timed, work_folder
from sightline.media.image_sources import image_paths, read_image
from sightline.media.photo import write_photo
from sightline.records.depth import Quantity
from sightline.records.depth_labels import read_label_folder, stored_label
from sightline.tasks.depth.labelling import LABEL_SIDE, write_labels
from sightline.tasks.depth.maps import DepthMap, Unit

DRAWN = 20


@dataclass
class GreenTeacher:
    """A teacher whose disparity is the green channel, after a wait."""

    wait_s: float
    name: str = "green"
    digest: str = "green"
    quantity: Quantity = "disparity"
    unit: Unit = "relative"

    def predict(self, images: Sequence[np.ndarray]) -> list[DepthMap]:
        """Return the maps; the wait leaves the cores to others, as a GPU does."""
        time.sleep(self.wait_s * len(images))
        return [
            DepthMap(image[..., 1].astype(np.float32), self.quantity, self.unit) for image in images
        ]


def draw_photos(folder: Path, count: int, width: int, height: int) -> None:
    """Write smooth JPEGs with a little noise, as a camera's; after the first few, links to them."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(count):
        path = folder / f"{k:05d}.jpg"
        if k >= DRAWN:
            path.hardlink_to(folder / f"{k % DRAWN:05d}.jpg")
            continue
        coarse = rng.uniform(0, 255, (height // 40, width // 40, 3)).astype(np.float32)
        smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        noisy = smooth + rng.normal(0, 2, smooth.shape)
        write_photo(path, np.clip(noisy, 0, 255).astype(np.uint8), 90, "4:2:0")


def one_by_one(photos: Path, out: Path, wait_s: float) -> float:
    """Return the seconds of the plain loop."""
    teacher = GreenTeacher(wait_s)
    out.mkdir()

    def loop() -> None:
        for path in image_paths(photos):
            values = teacher.predict([read_image(path)])[0].values
            scale = min(1.0, LABEL_SIDE / max(values.shape))
            size = (round(values.shape[1] * scale), round(values.shape[0] * scale))
            small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
            stored, _ = stored_label(small, "disparity", metric=False)
            cv2.imwrite(str(out / f"{path.stem}.png"), stored)

    return timed(loop)[0]


def engine(photos: Path, out: Path, wait_s: float) -> float:
    """Return the seconds of the data engine."""
    return timed(lambda: write_labels(GreenTeacher(wait_s), photos, out))[0]


def same_labels(loop: Path, labels: Path) -> bool:
    """Return whether both wrote the same values, looked at in every fiftieth label."""
    for item in read_label_folder(labels).items[::50]:
        ours = cv2.imread(str(labels / item.depth), cv2.IMREAD_UNCHANGED)
        theirs = cv2.imread(str(loop / f"{item.image.stem}.png"), cv2.IMREAD_UNCHANGED)
        if not np.array_equal(ours, theirs):
            return False
    return True


def main() -> int:
    """Measure, print a table, write bench-results/depth_labelling.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--photos", type=int, default=2000)
    bench.parser.add_argument("--width", type=int, default=640)
    bench.parser.add_argument("--height", type=int, default=480)
    bench.parser.add_argument("--teacher-ms", type=float, default=0.0, help="a photo")
    options = bench.options()
    wait_s, tenth = options.teacher_ms / 1000, max(DRAWN, options.photos // 10)
    rows: list[dict[str, Any]] = []
    with work_folder(None) as work:
        say(f"drawing {options.photos} JPEGs of {options.width}x{options.height}")
        draw_photos(work / "all", options.photos, options.width, options.height)
        draw_photos(work / "tenth", tenth, options.width, options.height)
        for method, function, photos, count in (
            ("one by one", one_by_one, "all", options.photos),
            ("data engine", engine, "all", options.photos),
            ("data engine, a tenth of the photos", engine, "tenth", tenth),
        ):
            out = work / f"labels-{len(rows)}"
            outcome = in_own_process(function, work / photos, out, wait_s)
            size = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
            rows.append(
                {
                    "method": method,
                    "photos": count,
                    "images_per_s": count / outcome.value,
                    "peak_mb": outcome.peak_mb,
                    "label_kb": size / count / 1000,
                }
            )
        same = same_labels(work / "labels-0", work / "labels-1")
    for row in rows:
        row["ratio"] = row["images_per_s"] / rows[0]["images_per_s"]
    columns = {
        "method": "method", "photos": "photos", "images_per_s": "images/s", "ratio": "times faster",
        "peak_mb": "peak MB", "label_kb": "kB a label",
    }  # fmt: skip
    title = (
        f"{options.photos} JPEGs of {options.width}x{options.height}, a teacher of "
        f"{options.teacher_ms:g} ms a photo; same labels: {'yes' if same else 'NO'}"
    )
    bench.report(title, columns, rows, same_labels=same)
    return 0 if same else 1


if __name__ == "__main__":
    run_main(main)
