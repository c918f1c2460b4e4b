"""Depth: pictures a second and peak memory of the small network, by engine and arithmetic.

    python benchmarks/depth_inference.py [--weights RUN --pictures 32 --width 640 --height 480]

The same pictures through torch in bfloat16 and onnxruntime, each in a process of its own:
resizing, the network, and enlarging to the picture's size, as `predict` does it. Baseline: torch
in float32. Beside it the training step of the default network in both arithmetics, and how far each
engine's answer is from the baseline's, as a share of its range. One thread a core.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from _harness import Benchmark, best_of, in_own_process, run_main, say, work_folder

ENGINES = ("torch float32", "torch bfloat16", "onnxruntime")
TRAINING = ("float32", "bfloat16")


def pictures(count: int, width: int, height: int) -> list[np.ndarray]:
    """Return smooth pictures that differ."""
    from sightline.tasks.depth.sizes import resized

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 6, 8, 3), dtype=np.uint8)
    return [resized(image, (width, height), "bicubic") for image in coarse]


def write_network(folder: Path, weights: str) -> tuple[str, Path]:
    """Return a run to read (an untrained one where none is named), and it as an ONNX file."""
    from sightline.learning.runs import CONFIG, WEIGHTS, save_weights
    from sightline.tasks.depth.config import DepthConfig, write_config
    from sightline.tasks.depth.model import create_model
    from sightline.tasks.depth.onnx_export import export_onnx
    from sightline.tasks.depth.predict import load_run

    if not weights:
        run = folder / "untrained"
        write_config(run / CONFIG, DepthConfig())
        save_weights(run / WEIGHTS, create_model(DepthConfig()))
        weights = str(run)
    file = folder / "network.onnx"
    export_onnx(load_run(weights), file, dynamic=True)
    return weights, file


def infer(
    engine: str, weights: str, file: Path, count: int, width: int, height: int, repeats: int
) -> tuple[float, np.ndarray]:
    """Return the seconds one picture took, and the first picture's map."""
    import torch

    from sightline.tasks.depth.models import load_model
    from sightline.tasks.depth.predict import load_run

    torch.set_num_threads(min(2, torch.get_num_threads()))
    if engine == "onnxruntime":
        model: Any = load_model(file)
    else:
        model = load_run(weights, precision="bfloat16" if "bfloat16" in engine else "float32")
    images = pictures(count, width, height)
    model.predict(images[: model.batch if hasattr(model, "batch") else 1])  # warm
    seconds, maps = best_of(lambda: model.predict(images), repeats)
    return seconds / count, maps[0].values


def train(precision: str, batch: int, steps: int) -> float:
    """Return the seconds an image of one training step of the default network took."""
    import torch

    from sightline.tasks.depth.config import DepthConfig
    from sightline.tasks.depth.model import create_model

    torch.set_num_threads(min(2, torch.get_num_threads()))
    torch.manual_seed(0)
    config = DepthConfig()
    net = create_model(config).train()
    net.precision = getattr(torch, precision)
    images = torch.randn(batch, 3, config.frame_height, config.frame_width)

    def step() -> None:
        out = net(images)
        (out.prediction.mean() + out.features.mean()).backward()
        net.zero_grad()

    step()
    return best_of(step, steps)[0] / batch


def main() -> int:
    """Measure, print a table, write bench-results/depth_inference.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--weights", default="", help="a run folder; untrained where empty")
    bench.parser.add_argument("--pictures", type=int, default=32)
    bench.parser.add_argument("--width", type=int, default=640)
    bench.parser.add_argument("--height", type=int, default=480)
    bench.parser.add_argument("--repeats", type=int, default=5)
    bench.parser.add_argument("--batch", type=int, default=16)
    o = bench.options()
    rows: list[dict[str, Any]] = []
    baseline = None
    with work_folder(None) as folder:
        say("network and ONNX file")
        written = in_own_process(write_network, folder, o.weights)
        for engine in ENGINES:
            say(engine)
            arguments = (*written.value, o.pictures, o.width, o.height, o.repeats)
            outcome = in_own_process(infer, engine, *arguments)
            seconds, first = outcome.value
            baseline = first if baseline is None else baseline
            rows.append(
                {
                    "what": f"answer, {engine}",
                    "images_s": 1 / seconds,
                    "ratio": rows[0]["images_s"] ** -1 / seconds if rows else 1.0,
                    "peak_mb": outcome.peak_mb,
                    "off": float(np.abs(first - baseline).max() / np.ptp(baseline)),
                }
            )
    for precision in TRAINING:
        say(f"training step, {precision}")
        outcome = in_own_process(train, precision, o.batch, o.repeats)
        rows.append(
            {
                "what": f"training step, {precision}",
                "images_s": 1 / outcome.value,
                "peak_mb": outcome.peak_mb,
            }
        )
    columns = {
        "what": "what", "images_s": "images/s", "ratio": "times as fast as the baseline",
        "peak_mb": "peak MB", "off": "largest difference, of the range",
    }  # fmt: skip
    bench.report(f"pictures of {o.width} x {o.height} pixels", columns, rows)
    return 0


if __name__ == "__main__":
    run_main(main)
