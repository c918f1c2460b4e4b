"""Training on frozen features computed once, against recomputing them in every epoch.

    python benchmarks/frozen_features.py [--frames 90 --epochs 20 --side 160]

Baseline: the same training (same seed, batches, head, schedule), whose frozen backbone sees every
frame again in every epoch. Both read their frames from the same memory-mapped cache, so the
difference is the backbone's arithmetic alone. The features are the same numbers up to rounding, so
the validation medians must agree: the verdict says whether they do.

`--weights FILE` takes a `.pth` or `.safetensors` of the torchvision network, or an `.npz` of its
tensors with batch norms folded into the convolutions. `auto` takes the mobilenet_v2 of
`shared/data/weights` where that folder lies beside the repository, else a random resnet18: as
quick or slow as a trained one, but a head on it learns little. The table's last line says what
guessing the middle of the walk would give.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from _harness import Benchmark, Stages, in_own_process, run_main, say, timed, work_folder
from _places import posed_place
from sightline.records import Place, stack_poses
from sightline.tasks.absolute.config import AbsoluteConfig

SHARED_WEIGHTS = (
    Path(__file__).resolve().parents[1].parent
    / "shared/data/weights/mobilenet_v2_imagenet_dequant_fp16.npz"
)

#: Medians this near are the same accuracy: rounding differs, and training magnifies it a little.
SAME_WITHIN = 0.05


def measure(root: Path, config: AbsoluteConfig, run_dir: Path, reuse: bool) -> dict[str, Any]:
    """Return seconds and validation medians of one training, features reused or not."""
    import torch

    from sightline.geometry import Pose
    from sightline.learning.cache import cache_features, cache_frames
    from sightline.learning.fit import fit, seed_everything
    from sightline.learning.torchvision_compat import import_torchvision
    from sightline.tasks.absolute.model import create_model
    from sightline.tasks.absolute.samples import (
        PoseBatches,
        TranslationStatistics,
        in_video_order,
        network_size,
        training_frames,
    )
    from sightline.tasks.absolute.task import AbsoluteTask, ValidationFrames

    torch.set_num_threads(min(2, torch.get_num_threads()))
    import_torchvision()
    import_module("sightline.learning.lightning_module")  # seconds that belong to neither
    place = Place.open(root)
    train, held_out = training_frames(place), in_video_order(place.registered("validation"))
    names = [f.image for f in in_video_order(place.registered())]
    frames = cache_frames(place.images_dir, names, network_size(config), place.cache_dir)
    seed_everything(config.seed)
    network = create_model(config)
    poses: Pose = stack_poses(train)
    statistics = TranslationStatistics.of(poses)
    network.translation_mean.copy_(torch.from_numpy(statistics.mean))
    network.translation_scale.fill_(statistics.scale)
    features, features_s = None, 0.0
    if reuse:
        features_s, features = timed(lambda: cache_features(network.backbone, frames, run_dir))
    inputs = frames.array if features is None else features
    rows = frames.rows([f.image for f in held_out])
    validation = ValidationFrames(inputs[rows], stack_poses(held_out), config)
    batches = PoseBatches(
        train, frames, network.backbone.contract, config, statistics, features=features
    )
    task = AbsoluteTask(network, config, validation)
    fit_s, result = timed(lambda: fit(task, batches, config, run_dir, Stages()))
    return {
        "model": config.model,
        "features": "computed once" if reuse else "every epoch",
        "features_s": features_s,
        "epoch_s": fit_s / result.epochs,
        "total_s": features_s + fit_s,
        "median_m": result.best["validation_median_position"],
        "median_deg": result.best["validation_median_rotation_deg"],
    }


def prepared_weights(weights: str, backbone: str, work: Path) -> str:
    """Return what the configuration takes: ``none``, or a file of the network's own tensors.

    The shared mobilenet_v2 was trained on inputs scaled to [-1, 1]; here it sees torchvision's
    normalisation, as every backbone does, and gives slightly other features.
    """
    if Path(weights).suffix != ".npz":
        return weights
    import torch
    from safetensors.torch import save_file

    from sightline.learning.torchvision_compat import import_torchvision

    state = import_torchvision().models.get_model(backbone, weights=None).state_dict()
    with np.load(weights, allow_pickle=False) as arrays:
        for key in state:
            if key in arrays:
                state[key] = torch.from_numpy(arrays[key].astype(np.float32))
            elif key.endswith("running_var"):
                # folded batch norms: weight 1, mean 0, variance + epsilon 1, the bias as stored
                state[key] = torch.full_like(state[key], 1.0 - 1e-5)
    path = work / "weights.safetensors"
    save_file({k: v.contiguous() for k, v in state.items()}, path)
    return str(path)


def chosen(backbone: str, weights: str) -> tuple[str, str]:
    """Return the backbone and its weights, ``auto`` resolved."""
    if weights == "auto":
        fits = backbone in ("auto", "mobilenet_v2") and SHARED_WEIGHTS.is_file()
        weights = str(SHARED_WEIGHTS) if fits else "none"
    if backbone == "auto":
        backbone = "mobilenet_v2" if weights == str(SHARED_WEIGHTS) else "resnet18"
    return backbone, weights


def guess_m(place: Place) -> float:
    """Return the validation median of always answering the mean training position."""
    middle = stack_poses(place.registered("train")).translation.mean(axis=0)
    truth = stack_poses(place.registered("validation")).translation
    return float(np.median(np.linalg.norm(truth - middle, axis=1)))


def same_accuracy(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Return whether both medians of two trainings agree."""
    return all(
        abs(first[key] - second[key]) <= SAME_WITHIN * max(first[key], second[key])
        for key in ("median_m", "median_deg")
    )


def main() -> int:
    """Measure, print a table, write bench-results/frozen_features.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument(
        "--frames", type=int, default=90, help="a third of them is trained on"
    )
    bench.parser.add_argument("--epochs", type=int, default=20)
    bench.parser.add_argument("--backbone", default="auto")
    bench.parser.add_argument("--weights", default="auto")
    bench.parser.add_argument("--side", type=int, default=160)
    bench.parser.add_argument("--batch", type=int, default=4)
    bench.parser.add_argument("--learning-rate", type=float, default=3e-3)
    bench.parser.add_argument("--models", nargs="+", default=["posenet", "mapnet"])
    options = bench.options()
    backbone, weights_file = chosen(options.backbone, options.weights)
    rows: list[dict[str, Any]] = []
    verdicts = []
    with work_folder(None) as work:
        say(f"rendering {options.frames} frames")
        place = posed_place(work / "place", options.frames)
        guess = guess_m(place)
        weights = prepared_weights(weights_file, backbone, work)
        for model in options.models:
            config = AbsoluteConfig(
                model=model, backbone=backbone, weights=weights, freeze=True,
                width=options.side, height=options.side, epochs=options.epochs, batch=options.batch,
                learning_rate=options.learning_rate, crop="stretch",
                ema=0.9, validate_every=5, checkpoint_every_s=1e6, precision="float32",
            )  # fmt: skip
            pair = []
            for reuse in (False, True):
                say(f"{model}, features {'once' if reuse else 'every epoch'}")
                run_dir = work / f"{model}-{reuse}"
                outcome = in_own_process(measure, place.root, config, run_dir, reuse)
                pair.append({**outcome.value, "peak_mb": outcome.peak_mb})
            verdicts.append(same_accuracy(*pair))
            for row in pair:
                row["faster"] = pair[0]["total_s"] / row["total_s"]
                row["epoch_ratio"] = pair[0]["epoch_s"] / row["epoch_s"]
                row["same_accuracy"] = verdicts[-1]
            rows += pair
    columns = {
        "model": "model", "features": "features", "features_s": "features s",
        "epoch_s": "an epoch s", "epoch_ratio": "times faster", "total_s": "all s",
        "faster": "times faster", "median_m": "median m", "median_deg": "median deg",
        "same_accuracy": "same accuracy", "peak_mb": "peak MB",
    }  # fmt: skip
    title = (
        f"{backbone} frozen (weights: {Path(weights_file).name}), {options.frames} frames of "
        f"{options.side}x{options.side}, {options.epochs} epochs; baseline: features every epoch"
    )
    rows.append({"model": "guess", "features": "middle of the walk", "median_m": guess})
    bench.report(title, columns, rows, backbone=backbone, same_accuracy=all(verdicts))
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    run_main(main)
