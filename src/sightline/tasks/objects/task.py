"""Train category and 3D pose on an object set, step by step: what the CLI and a notebook call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline.datasets.objects import open_objects
from sightline.errors import InputError, WeightsError
from sightline.geometry.viewpoint import symmetric_angle
from sightline.learning.calibration import fit_confidence
from sightline.learning.fit import BEST, FitResult, backbone_precision, fit, seed_everything
from sightline.learning.runs import (
    CONFIG,
    WEIGHTS,
    is_finished,
    load_weights,
    read_run_table,
    save_weights,
)
from sightline.records.files import digest, digest_files, locked_folder
from sightline.records.objects import SYMMETRY, ObjectSet, ObjectView, rotations
from sightline.tasks.objects.config import ObjectsConfig, read_config, write_config
from sightline.tasks.objects.model import ObjectsNet, create_model
from sightline.tasks.objects.predict import RIGHT_DEG, ObjectsModel, evidence, load_run, ready
from sightline.tasks.objects.samples import Samples, joined, margin_px, usable_views
from sightline.tasks.objects.steps import Step, step_key, step_settings, steps_until
from sightline.tasks.objects.teaching import StepTask, TrainingViews

Progress = Callable[[str, float], None]

STEPS = "steps"


@dataclass(frozen=True, eq=False)
class Run:
    """A finished training.

    Attributes:
        directory: The run folder.
        model: The trained model.
        fit: How the last step's fitting went; None where it was already there.
    """

    directory: Path
    model: ObjectsModel
    fit: FitResult | None


@dataclass(frozen=True, eq=False)
class _Training:
    """What all steps of a training share.

    Attributes:
        data: The set.
        digest: Of its training and validation views.
        rendered_digest: Of the views of ``config.rendered``.
        views: The training views, as samples.
        held_out: The validation views, as samples; None where there are none.
        about: What ``config.toml`` says of the training.
        progress: Called with a text and the fraction done.
    """

    data: ObjectSet
    digest: str
    rendered_digest: str
    views: TrainingViews
    held_out: Samples | None
    about: dict[str, Any]
    progress: Progress


def train_objects(
    data: ObjectSet,
    config: ObjectsConfig,
    run_dir: Path,
    progress: Progress = lambda _stage, _fraction: None,
    *,
    steps_dir: Path | None = None,
    until: str = "",
) -> Run:
    """Train on a set's ``train`` views, step by step; ``validation`` views tell the best weights.

    A run that is already finished with the same configuration and data is returned as it is; a
    killed one goes on in the step it was in. Every step leaves a folder that can be read like a
    run's. The time to cut the crops and to compute fixed features comes on top of the budget.

    Args:
        data: With splits; views without a rotation teach the category alone, rendered ones (of the
            set, or of ``config.rendered``) pose alone.
        config: What to train and how.
        run_dir: Where the run goes, usually ``data.runs_dir / NAME``.
        progress: Called with a text and the fraction done.
        steps_dir: Where steps go and are looked for, shared by runs; ``run_dir / "steps"`` if None.
        until: Name of the last step that is made, see :mod:`.steps`; all where empty.

    Raises:
        InputError: No training views, no step ``until``, or the folder holds a run of another
            configuration or data.
        WeightsError: Pretrained weights cannot be had, or do not fit.
        TrainingError: No view to train a step on, or a non-finite loss.
    """
    training = data.part("train")
    held_out = data.part("validation") if "validation" in data.splits() else None
    rendered = _rendered_views(data, config) if config.rendered else None
    steps = steps_until(config, len(data.categories), until)
    kept = digest(_rows(training), _rows(held_out), list(data.categories), _rows(rendered))
    if until:  # a run that stops early is another one
        kept = digest(kept, until)
    before = read_config(run_dir / CONFIG) if (run_dir / CONFIG).is_file() else None
    if is_finished(run_dir, config, before, kept, "objects, rotations or splits"):
        return Run(run_dir, load_run(run_dir), None)
    seed_everything(config.seed)
    network, start = _network(config, data.categories)
    network.precision = backbone_precision(config.precision)
    about = _about(data, training, held_out, rendered, network) | {"data": kept}
    write_config(run_dir / CONFIG, config, run=about)
    progress(f"{config.backbone} weights: {network.weights_from}", 0.0)
    shared = _Training(
        data,
        digest(_rows(training), _rows(held_out), list(data.categories)),
        digest(_rows(rendered)),
        TrainingViews(_training_samples(training, rendered, config, progress), config),
        _held_out_samples(held_out, config, progress),
        about,
        progress,
    )
    about |= {"unreadable": shared.views.samples.unreadable}
    result, rows = _train_steps(shared, network, steps, start, steps_dir or run_dir / STEPS)
    confidence, weights = _confidence(network, config, data.categories, shared.held_out)
    about |= {"seconds": round(sum(row["seconds"] for row in rows), 1), "steps": rows}
    about |= {"confidence": confidence, "confidence_weights": list(weights)}
    about |= {k: v for k, v in rows[-1].items() if k.startswith("validation_") or k == "score"}
    save_weights(run_dir / WEIGHTS, network, task="objects", model=config.architecture)
    write_config(run_dir / CONFIG, config, run=about)
    name = run_dir.resolve().name
    model = ready(network, config, data.categories, name, confidence, weights)
    return Run(run_dir, model, result)


def _train_steps(
    shared: _Training, network: ObjectsNet, steps: Sequence[Step], start: str, steps_dir: Path
) -> tuple[FitResult | None, list[dict[str, Any]]]:
    """Take the network through the steps; return the last fit and a row of each step."""
    config = shared.views.config
    rows: list[dict[str, Any]] = []
    result: FitResult | None = None
    key = start
    done = 0.0
    for step in steps:
        settings = step_settings(step, config)
        key = step_key(step, settings, key, shared.digest, shared.rendered_digest)
        folder = steps_dir / f"{step.number}-{step.name}-{key[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        text = f"step {step.number} of {len(steps)}, {step.name}"
        first, part = done, step.share

        def progress(
            said: str, fraction: float, text: str = text, first: float = first, part: float = part
        ) -> None:
            shared.progress(f"{text}: {said}", min(first + part * fraction, 1.0))

        with locked_folder(folder):  # two runs that share a step: the second waits for the first
            if (folder / WEIGHTS).is_file():
                load_weights(folder, network)
                result = None
                progress("already there", 1.0)
            else:
                result = _train_step(
                    replace(shared, progress=progress), network, step, settings, folder
                )
        rows.append(read_run_table(folder)["step"] | {"folder": folder.name})
        done += step.share
    return result, rows


def _train_step(
    shared: _Training,
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
        task = StepTask(network, step, settings, shared.data.categories, shared.held_out)
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


def _confidence(
    network: ObjectsNet,
    config: ObjectsConfig,
    categories: tuple[str, ...],
    held_out: Samples | None,
) -> tuple[float, tuple[float, ...]]:
    """Return the share of validation views that are right, and what tells them from the others.

    Right is the category with a rotation error below 30 degrees, symmetry granted.
    """
    if held_out is None or not held_out.has_pose.any():
        return 0.0, ()
    rows = np.flatnonzero(held_out.has_pose)
    answers = ready(network, config, categories, "").predict(held_out.plain(rows))
    true = rotations(tuple(held_out.views[i] for i in rows))
    category = held_out.category[rows]
    right = answers.category == category
    for k, name in enumerate(categories):
        own = category == k
        fold = SYMMETRY.get(name, 1)
        error = symmetric_angle(answers.cam_from_object[own], true[own], fold)
        right[own] &= np.rad2deg(error) < RIGHT_DEG
    weights = fit_confidence(evidence(answers.probabilities, answers.concentration), right)
    return float(right.mean()), weights


def _network(config: ObjectsConfig, categories: tuple[str, ...]) -> tuple[ObjectsNet, str]:
    """Return the network to start from and a digest of its origin: fresh, or of another run.

    Raises:
        WeightsError: The run to fine-tune is of another network, or of other categories.
    """
    if not config.fine_tune:
        return create_model(config, categories), ""
    source = Path(config.fine_tune)
    there = tuple(read_run_table(source).get("categories", ()))
    if there != categories:
        raise WeightsError(
            f"{source} knows the categories {', '.join(there) or 'none'}; "
            f"{', '.join(categories)} are wanted to fine-tune it"
        )
    network = create_model(config, categories, weights="none")
    try:
        load_weights(source, network)
    except WeightsError as error:
        before = read_config(source / CONFIG)
        raise WeightsError(
            f"{source} is of {before.architecture}, {before.backbone} and {before.head}; the same "
            f"network is wanted to fine-tune it ({error})"
        ) from error
    network.weights_from = f"fine-tuned from {source}"
    return network, digest_files([source / WEIGHTS])


def _rendered_views(data: ObjectSet, config: ObjectsConfig) -> ObjectSet:
    """Return the views of the rendered folder that teach this set's categories.

    Raises:
        InputError: None has a category of the set and a rotation.
    """
    found = open_objects(Path(config.rendered))
    views = found.part("train").views if "train" in found.splits() else found.views
    chosen = tuple(
        replace(view, rendered=True)
        for view in views
        if view.category in data.categories and view.cam_from_object is not None
    )
    if not chosen:
        raise InputError(
            f"{found.root}: rendered views of {', '.join(data.categories)} with rotations are "
            f"wanted, none of {len(views)} is one; check `--rendered`"
        )
    return replace(found, views=chosen, categories=data.categories)


def _training_samples(
    training: ObjectSet, rendered: ObjectSet | None, config: ObjectsConfig, progress: Progress
) -> Samples:
    margin = margin_px(config.crop_px)
    parts = [
        usable_views(part, config.crop_px, config.context, progress, margin=margin)
        for part in (training, rendered)
        if part is not None
    ]
    found = joined(parts)
    if found.rendered.all():
        raise InputError(
            f"{training.root}: training views of the kind that is judged are wanted, all "
            f"{len(found)} are marked as renderings that only teach pose"
        )
    return found


def _held_out_samples(
    held_out: ObjectSet | None, config: ObjectsConfig, progress: Progress
) -> Samples | None:
    if held_out is None:
        return None
    return usable_views(held_out, config.crop_px, config.context, progress)


def _about(
    data: ObjectSet,
    training: ObjectSet,
    held_out: ObjectSet | None,
    rendered: ObjectSet | None,
    network: ObjectsNet,
) -> dict[str, Any]:
    return {
        "folder": str(data.root.resolve()),
        "set": data.name,
        "categories": list(data.categories),
        "training_views": len(training),
        "validation_views": 0 if held_out is None else len(held_out),
        "rendered_views": 0 if rendered is None else len(rendered),
        "training_counts": training.counts("train"),
        "without_rotation": sum(view.cam_from_object is None for view in training.views),
        "weights_from": network.weights_from,
        "parameters": network.parameter_count(),
    }


def _rows(part: ObjectSet | None) -> list[Any]:
    """Return what a digest of views is made of."""

    def row(view: ObjectView) -> list[Any]:
        numbers = [*view.box, *(view.cam_from_object or ()), view.focal_px or 0.0]
        rounded = [round(float(v), 6) for v in numbers]
        return [view.image.as_posix(), view.category, view.rendered, *rounded]

    return [] if part is None else [row(view) for view in part.views]
