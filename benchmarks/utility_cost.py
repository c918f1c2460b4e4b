"""What a predictor of utility costs against the machines it stands for: time and memory an image.

    python benchmarks/utility_cost.py [--images 8 --repeats 3 --predictor RUN]

Two ensembles: the paper's three classifiers of torchvision (random weights: they cost the same), on
photos, and the small classifiers of the package, on its own pictures. Each is asked as labelling
asks it: resizing and network, all machines one after another. The predictor answers the same
images. The goal is a tenth of the time of networks that one would want to spare: the paper's. The
package's machines are as small as a predictor themselves, so that they train in minutes; their
ratio is printed, and no goal is set. The numbers stand in bench-results/utility_cost.json too. One
thread a core; every row in a process of its own, one image at a time and several together.

Baseline: the ensemble, on the same images in the same run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from _harness import Benchmark, best_of, in_own_process, run_main, say, work_folder

PAPER = ("inception_v3", "vgg19", "densenet121")
#: The most that the predictor may cost, as a share of the ensemble.
GOAL = 0.1


def pictures(count: int, width: int, height: int) -> list[np.ndarray]:
    """Return smooth pictures that differ."""
    import cv2

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 6, 8, 3), dtype=np.uint8)
    return [cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC) for image in coarse]


def ensemble_specs(name: str) -> list[str]:
    """Return the machines of an ensemble, as ``load_machine`` takes them."""
    if name == "paper":
        return [f"{network}:none" for network in PAPER]
    from sightline.tasks.utility.small import bundled_names

    return list(bundled_names("classification"))


def untrained(folder: Path) -> str:
    """Return the run folder of the default predictor, with random weights: it costs the same."""
    from sightline.learning.runs import CONFIG, WEIGHTS, save_weights
    from sightline.tasks.utility.config import UtilityConfig, write_config
    from sightline.tasks.utility.model import create_model

    run = folder / "untrained"
    write_config(run / CONFIG, UtilityConfig())
    save_weights(run / WEIGHTS, create_model(UtilityConfig()))
    return str(run)


def ask_machines(specs: list[str], images: list[np.ndarray], batch: int, repeats: int) -> float:
    """Return the seconds that all machines together take for one image."""
    import torch

    from sightline.tasks.utility.machines.load import load_machine

    torch.set_num_threads(min(2, torch.get_num_threads()))
    machines: list[Any] = [load_machine(spec, "classification") for spec in specs]
    seconds = 0.0
    for machine in machines:
        machine.classify(images[:batch])  # warm
        spent, _ = best_of(lambda m=machine: _in_batches(m.classify, images, batch), repeats)
        seconds += spent
    return seconds / len(images)


def ask_predictor(run: str, images: list[np.ndarray], batch: int, repeats: int) -> float:
    """Return the seconds that the predictor takes for one image."""
    import torch

    from sightline.tasks.utility.predict import load_predictor

    torch.set_num_threads(min(2, torch.get_num_threads()))
    model = load_predictor(run)
    model.utility(images[:batch])  # warm
    return best_of(lambda: _in_batches(model.utility, images, batch), repeats)[0] / len(images)


def main() -> int:
    """Measure, print a table, write bench-results/utility_cost.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--predictor", default="", help="a run folder; untrained where empty")
    bench.parser.add_argument("--images", type=int, default=16)
    bench.parser.add_argument("--repeats", type=int, default=3)
    bench.parser.add_argument("--width", type=int, default=500, help="of the paper's photos")
    bench.parser.add_argument("--height", type=int, default=375)
    o = bench.options()
    rows: list[dict[str, Any]] = []
    with work_folder(None) as folder:
        run = o.predictor or in_own_process(untrained, folder).value
        for name, size in (("paper", (o.width, o.height)), ("package", (128, 128))):
            images = pictures(o.images, *size)
            specs = ensemble_specs(name)
            if not specs:
                say(f"{name}: no machines are there")
                continue
            for batch in (1, o.images):
                say(f"{name}, {batch} together")
                machines = in_own_process(ask_machines, specs, images, batch, o.repeats)
                predictor = in_own_process(ask_predictor, run, images, batch, o.repeats)
                ratio = predictor.value / machines.value
                rows.append(
                    {
                        "what": f"{name}: {', '.join(specs)}",
                        "batch": batch,
                        "ensemble_ms": 1000 * machines.value,
                        "predictor_ms": 1000 * predictor.value,
                        "ratio": ratio,
                        "goal": ratio <= GOAL if name == "paper" else None,
                        "ensemble_mb": machines.peak_mb,
                        "predictor_mb": predictor.peak_mb,
                    }
                )
    columns = {
        "what": "ensemble", "batch": "images together", "ensemble_ms": "ensemble ms an image",
        "predictor_ms": "predictor ms", "ratio": "predictor / ensemble", "goal": "0.1 or less",
        "ensemble_mb": "ensemble peak MB", "predictor_mb": "predictor peak MB",
    }  # fmt: skip
    bench.report("utility: the predictor against the machines it stands for", columns, rows)
    return 0


def _in_batches(ask: Any, images: list[np.ndarray], batch: int) -> None:
    for start in range(0, len(images), batch):
        ask(images[start : start + batch])


if __name__ == "__main__":
    run_main(main)
