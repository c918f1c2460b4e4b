"""What the training of every absolute pose model leaves in its run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from sightline.learning.fit import BEST, Batches, FitResult, Task, fit
from sightline.learning.runs import CONFIG, WEIGHTS, save_weights
from sightline.records import Place, PosedFrame
from sightline.tasks.absolute.config import AbsoluteConfig, write_config

Progress = Callable[[str, float], None]


def run_table(
    place: Place, data: str, frames: Sequence[PosedFrame], validation: Sequence[PosedFrame]
) -> dict[str, Any]:
    """Return what a run says of the place it is trained on.

    Args:
        place: It.
        data: Digest of what is learned from.
        frames: The training frames.
        validation: The validation frames.
    """
    return {
        "place": str(place.root.resolve()),
        "unit": place.unit,
        "alignment": {k: v for k, v in place.alignment.items() if k not in ("residuals", "notes")},
        "data": data,
        "training_frames": len(frames),
        "validation_frames": len(validation),
    }


def fit_run(
    task: Task,
    network: nn.Module,
    batches: Batches,
    config: AbsoluteConfig,
    run_dir: Path,
    about: dict[str, Any],
    progress: Progress,
) -> FitResult:
    """Fit a network and write the run's configuration and weights; return how it went.

    Args:
        task: The model with its loss and its validation.
        network: What of it is kept.
        batches: The training batches.
        config: Optimisation, among the rest.
        run_dir: The run folder.
        about: What the run says of itself so far.
        progress: Called with a text and the fraction done.

    Raises:
        TrainingError: No batches, or a non-finite loss.
    """
    write_config(run_dir / CONFIG, config, run=about)
    result = fit(task, batches, config, run_dir, progress)
    seconds = {"seconds": round(result.seconds, 1), "epochs": result.epochs}
    write_config(run_dir / CONFIG, config, run=about | seconds | {"best_epoch": result.best_epoch})
    # the weights come last: with them a run counts as finished
    save_weights(run_dir / WEIGHTS, network, task="absolute", model=config.model)
    (run_dir / BEST).unlink(missing_ok=True)  # model.safetensors now holds these
    return result
