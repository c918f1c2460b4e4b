"""Steps made one after the other, each in a folder of its own: looked for, resumed, kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sightline.learning.fit import BEST, FitResult, Progress, fit, seed_everything
from sightline.learning.runs import CONFIG, WEIGHTS, load_weights, read_run_table, save_weights
from sightline.records.files import locked_folder
from sightline.tasks.objects.config import ObjectsConfig, write_config
from sightline.tasks.objects.model import ObjectsNet
from sightline.tasks.objects.samples import Samples
from sightline.tasks.objects.steps import Step, step_key, step_settings
from sightline.tasks.objects.teaching import StepTask, TrainingViews


@dataclass(frozen=True, eq=False)
class Training:
    """What all steps of a training share.

    Attributes:
        categories: Their names.
        digest: Of the training and validation views.
        rendered_digest: Of the views of ``config.rendered``.
        views: The training views, as samples.
        held_out: The validation views, as samples; None where there are none.
        about: What ``config.toml`` says of the training.
        progress: Called with a text and the fraction done.
    """

    categories: tuple[str, ...]
    digest: str
    rendered_digest: str
    views: TrainingViews
    held_out: Samples | None
    about: dict[str, Any]
    progress: Progress


def make_steps(
    shared: Training, network: ObjectsNet, steps: Sequence[Step], start: str, steps_dir: Path
) -> tuple[FitResult | None, list[dict[str, Any]]]:
    """Take a network through steps; return the last one's fit and a row of each.

    A step that is already there, of this run or another, is loaded; one that was killed goes on.

    Args:
        shared: What all steps share.
        network: What the first starts from; it becomes what the last makes of it.
        steps: In order.
        start: Digest of where the network comes from.
        steps_dir: Where the steps' folders go.
    """
    rows: list[dict[str, Any]] = []
    result: FitResult | None = None
    key, done = start, 0.0
    for step in steps:
        settings = step_settings(step, shared.views.config)
        key = step_key(step, settings, key, shared.digest, shared.rendered_digest)
        folder = steps_dir / f"{step.number}-{step.name}-{key[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"step {step.number} of {len(steps)}, {step.name}"
        own = replace(shared, progress=_part_of(shared.progress, name, done, step.share))
        with locked_folder(folder):  # two runs that share a step: the second waits for the first
            if (folder / WEIGHTS).is_file():
                load_weights(folder, network)
                result = None
                own.progress("already there", 1.0)
            else:
                result = _make_step(own, network, step, settings, folder)
        rows.append(read_run_table(folder)["step"] | {"folder": folder.name})
        done += step.share
    return result, rows


def _part_of(progress: Progress, name: str, done: float, share: float) -> Callable[..., None]:
    def part(text: str, fraction: float) -> None:
        progress(f"{name}: {text}", min(done + share * fraction, 1.0))

    return part


def _make_step(
    shared: Training,
    network: ObjectsNet,
    step: Step,
    settings: ObjectsConfig,
    folder: Path,
) -> FitResult | None:
    """Train one step and leave its folder: configuration, history, weights."""
    config = shared.views.config
    settings = replace(
        settings, threads=config.threads, checkpoint_every_s=config.checkpoint_every_s
    )
    began = time.monotonic()
    row: dict[str, Any] = {"name": step.name, "words": step.words, "trains": list(step.trains)}
    row |= {"loss": step.loss, "rendered": step.rendered, "share": round(step.share, 4)}
    write_config(folder / CONFIG, settings, run=shared.about | {"step": row})
    result: FitResult | None = None
    seed_everything(config.seed + step.number)
    if step.trains:
        shared.progress(step.words, 0.0)
        batches = shared.views.batches(step, settings, network)
        task = StepTask(network, step, settings, shared.categories, shared.held_out)
        result = fit(task, batches, settings, folder, shared.progress)
        row |= {"epochs": result.epochs, "best_epoch": result.best_epoch}
        row |= {k: round(v, 4) for k, v in result.best.items()}
        if step.name == "features":
            network.features_from_category()
    network.eval()
    seconds = time.monotonic() - began if result is None else result.seconds
    row["seconds"] = round(seconds, 1)
    write_config(folder / CONFIG, settings, run=shared.about | {"step": row})
    save_weights(folder / WEIGHTS, network, task="objects", step=step.name)
    (folder / BEST).unlink(missing_ok=True)  # model.safetensors now holds these
    return result
