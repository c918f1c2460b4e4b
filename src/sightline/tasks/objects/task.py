"""Train category and 3D pose on an object set, step by step: what the CLI and a notebook call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline.datasets.objects import open_objects
from sightline.errors import InputError, WeightsError
from sightline.geometry.viewpoint import symmetric_angle
from sightline.learning.calibration import fit_confidence
from sightline.learning.fit import FitResult, backbone_precision, seed_everything
from sightline.learning.runs import (
    CONFIG,
    WEIGHTS,
    is_finished,
    load_weights,
    read_run_table,
    save_weights,
)
from sightline.records.files import digest, digest_files
from sightline.records.objects import SYMMETRY, ObjectSet, ObjectView, rotations
from sightline.records.rendered_views import FOLDER
from sightline.tasks.objects.config import ObjectsConfig, read_config, write_config
from sightline.tasks.objects.model import ObjectsNet, create_model
from sightline.tasks.objects.predict import (
    EVIDENCE_SIGNS,
    RIGHT_DEG,
    ObjectsModel,
    evidence,
    load_run,
    ready,
)
from sightline.tasks.objects.samples import Samples, joined, margin_px, usable_views
from sightline.tasks.objects.stages import Training, make_steps
from sightline.tasks.objects.steps import protocol, steps_until
from sightline.tasks.objects.teaching import TrainingViews

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
class _Parts:
    """What is trained and judged on, not read yet.

    Attributes:
        training: The ``train`` part.
        held_out: The ``validation`` part; None where there is none.
        rendered: Views of ``config.rendered``; None where there are none.
    """

    training: ObjectSet
    held_out: ObjectSet | None
    rendered: ObjectSet | None

    @property
    def digest(self) -> str:
        """Digest of the training and validation views."""
        return digest(_rows(self.training), _rows(self.held_out), list(self.training.categories))

    @property
    def rendered_digest(self) -> str:
        """Digest of the rendered views."""
        return digest(_rows(self.rendered))

    def read(self, config: ObjectsConfig, about: dict[str, Any], progress: Progress) -> Training:
        """Return everything that the steps share; crops are cut where they are not there yet.

        Raises:
            InputError: No image can be read, or every view only teaches pose.
        """
        size, context, margin = config.crop_px, config.context, margin_px(config.crop_px)
        own = [part for part in (self.training, self.rendered) if part is not None]
        read = [usable_views(part, size, context, progress, margin=margin) for part in own]
        samples = joined(read)
        if samples.rendered.all():
            raise InputError(
                f"{self.training.root}: training views of the kind that is judged are wanted, all "
                f"{len(samples)} are marked as renderings that only teach pose"
            )
        held_out = None
        if self.held_out is not None:
            held_out = usable_views(self.held_out, size, context, progress)
        return Training(
            self.training.categories,
            self.digest,
            self.rendered_digest,
            TrainingViews(samples, config),
            held_out,
            about,
            progress,
        )


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
    parts = _parts(data, config)
    steps = steps_until(config, len(data.categories), until)
    # a run that stops early is another one
    kept = digest(parts.digest, parts.rendered_digest, until)
    before = read_config(run_dir / CONFIG) if (run_dir / CONFIG).is_file() else None
    if is_finished(run_dir, config, before, kept, "objects, rotations or splits"):
        return Run(run_dir, load_run(run_dir), None)
    seed_everything(config.seed)
    network, start = _network(config, data.categories)
    network.precision = backbone_precision(config.precision)
    about = _about(data, parts, network) | {"data": kept}
    write_config(run_dir / CONFIG, config, run=about)
    progress(f"{config.backbone} weights: {network.weights_from}", 0.0)
    for reason, count in data.left_out:
        # a log shows what stands before the first colon
        progress(f"{data.name} without {count} {reason.replace(': ', ' ')}", 0.0)
    shared = parts.read(config, about, progress)
    result, rows = make_steps(shared, network, steps, start, steps_dir or run_dir / STEPS)
    confidence, weights = _confidence(network, config, data.categories, shared.held_out)
    about |= {"unreadable": shared.views.samples.unreadable}
    about |= {"seconds": round(sum(row["seconds"] for row in rows), 1), "steps": rows}
    about |= {"confidence": confidence, "confidence_weights": list(weights)}
    about |= {k: v for k, v in rows[-1].items() if k.startswith("validation_") or k == "score"}
    # the weights come last: with them the run is finished, and must have said all of itself
    write_config(run_dir / CONFIG, config, run=about)
    save_weights(run_dir / WEIGHTS, network, task="objects", model=config.architecture)
    name = run_dir.resolve().name
    model = ready(network, config, data.categories, name, confidence, weights)
    return Run(run_dir, model, result)


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
    numbers = evidence(answers.probabilities, answers.concentration)
    return float(right.mean()), fit_confidence(numbers, right, EVIDENCE_SIGNS)


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


def _parts(data: ObjectSet, config: ObjectsConfig) -> _Parts:
    return _Parts(
        data.part("train"),
        data.part("validation") if "validation" in data.splits() else None,
        _rendered_views(data, config) if config.rendered else None,
    )


def _rendered_views(data: ObjectSet, config: ObjectsConfig) -> ObjectSet:
    """Return the views of the rendered folder that teach this set's categories.

    Its training views, or those of no split: what is kept for tests never teaches.

    Raises:
        InputError: None has a category of the set and a rotation, or no step would look at them.
    """
    if not any(step.rendered for step in protocol(config, len(data.categories))):
        what = "fine-tuning" if config.fine_tune else f"`--protocol {config.protocol}`"
        raise InputError(
            f"{what} has no step that teaches pose alone, to which rendered images are added; "
            "leave `--rendered` out, or pass `--protocol pose_first`"
        )
    folder = Path(config.rendered)
    # rendered objects have theirs beside pictures of the other kind
    found = open_objects(folder / FOLDER if (folder / FOLDER).is_dir() else folder)
    split = "train" if "train" in found.splits() else ""
    chosen = tuple(
        replace(view, rendered=True)
        for view in found.views
        if view.split == split
        and view.category in data.categories
        and view.cam_from_object is not None
    )
    if not chosen:
        raise InputError(
            f"{found.root}: rendered views of {', '.join(data.categories)} with rotations are "
            f"wanted to train on, none of {len(found)} is one; check `--rendered`"
        )
    return replace(found, views=chosen, categories=data.categories)


def _about(data: ObjectSet, parts: _Parts, network: ObjectsNet) -> dict[str, Any]:
    training, held_out, rendered = parts.training, parts.held_out, parts.rendered
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
