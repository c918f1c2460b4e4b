"""What one step of training minimises, what it leaves as it is, and how it is validated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.errors import TrainingError
from sightline.learning.fit import Batches
from sightline.records.objects import SYMMETRY
from sightline.tasks.objects.batches import (
    CropBatches,
    FeatureBatches,
    ObjectBatch,
    plain_batches,
)
from sightline.tasks.objects.config import ObjectsConfig
from sightline.tasks.objects.fusion import Rule, fused_rotation
from sightline.tasks.objects.loss import ObjectsLoss
from sightline.tasks.objects.model import ObjectsNet, ObjectsOut
from sightline.tasks.objects.rotations import geodesic, nearest_equivalent
from sightline.tasks.objects.samples import Samples
from sightline.tasks.objects.steps import EVERYTHING, Step

_BATCH = 64


class PartlyFrozen(nn.Module):
    """A network of which a step trains some parts; the others stay exactly as they are.

    Frozen parts get no gradients, and their batch norm stays in eval mode, whoever asks for
    training mode (PITFALLS 9).
    """

    def __init__(self, network: ObjectsNet, loss: ObjectsLoss, step: Step) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        parts = {name: network.part(name) for name in (*EVERYTHING, "category_features")}
        self._frozen = [m for name in parts if name not in step.trains for m in parts[name]]
        for name, modules in parts.items():
            for module in modules:
                module.requires_grad_(name in step.trains)

    def train(self, mode: bool = True) -> PartlyFrozen:
        """Set training mode; frozen parts stay in eval mode."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self


class StepTask:
    """What :func:`sightline.learning.fit.fit` needs of one step."""

    def __init__(
        self,
        network: ObjectsNet,
        step: Step,
        config: ObjectsConfig,
        categories: Sequence[str],
        held_out: Samples | None,
    ) -> None:
        """Freeze what the step does not train.

        Args:
            network: As the step before left it.
            step: The step.
            config: Its settings.
            categories: Their names.
            held_out: Validation views; None: the training loss tells the best weights.
        """
        loss = ObjectsLoss(config, categories)
        self.model: nn.Module = PartlyFrozen(network, loss, step)
        self._network = network
        self._loss = loss
        self._step = step
        self._rule: Rule = config.fusion if step.loss == "joint" else "oracle"
        self._folds = torch.tensor(
            [SYMMETRY.get(name, 1) if config.symmetric else 1 for name in categories]
        )
        self._held_out: list[ObjectBatch] | None = None
        if held_out is not None and step.fixed_inputs:
            self._held_out = list(fixed_features(network, held_out, _posed(held_out)))
        self._views = held_out

    def terms(self, batch: ObjectBatch) -> dict[str, Tensor]:
        """Return the loss terms of a batch."""
        out = self._answer(batch)
        found: dict[str, Tensor] = self._loss(
            out, batch.category, batch.turn, batch.has_pose, self._step.loss
        )
        return found

    def validate(self, _model: nn.Module) -> dict[str, float]:
        """Return validation scores.

        ``median_deg`` is the mean over categories of the median error (with symmetry granted where
        the loss grants it), ``accuracy`` the mean over categories. ``score`` adds what the step
        can change: the median in degrees, and one for each point of accuracy that is missing.
        """
        if self._views is None:
            return {}
        category, errors, right = self._judge()
        found: dict[str, float] = {}
        if self._step.loss != "category" and np.isfinite(errors).any():
            medians = [np.nanmedian(errors[category == k]) for k in _kinds(category, errors)]
            found["median_deg"] = float(np.mean(medians))
        if self._step.loss != "pose":
            shares = [right[category == k].mean() for k in np.unique(category)]
            found["accuracy"] = float(np.mean(shares))
        if found:
            missing = 1.0 - found.get("accuracy", 1.0)
            found["score"] = found.get("median_deg", 0.0) + 100.0 * missing
        return found

    def _answer(self, batch: ObjectBatch) -> ObjectsOut:
        """Return what the step looks at; zeros stand for what it does not."""
        network = self._network
        if self._step.loss == "category":
            logits = network.category_from(network.contract.normalise(batch.inputs))
            return ObjectsOut(logits, logits.new_zeros(len(logits), 1, network.head.size))
        if self._step.loss == "joint":
            out: ObjectsOut = network(network.contract.normalise(batch.inputs))
            return out
        pooled = batch.inputs
        if not self._step.fixed_inputs:
            pooled = network.features_of(network.contract.normalise(batch.inputs))
        vectors = network.pose_from(pooled)
        return ObjectsOut(vectors.new_zeros(len(vectors), len(network.categories)), vectors)

    def _judge(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """Return (N,) categories, errors in degrees (NaN without a pose), and who is right."""
        device = next(self._network.parameters()).device
        rows: list[tuple[Tensor, Tensor, Tensor]] = []
        with torch.no_grad():
            for batch in self._validation():
                moved = batch.to(device)
                out = self._answer(moved)
                error = self._errors(out, moved)
                right = out.logits.argmax(dim=1) == moved.category
                rows.append((moved.category.cpu(), error.cpu(), right.cpu()))
        if not rows:
            return np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool)
        category, errors, right = (torch.cat(column) for column in zip(*rows, strict=True))
        return category.numpy(), errors.double().numpy(), right.numpy()

    def _validation(self) -> Iterator[ObjectBatch]:
        if self._held_out is not None:
            yield from self._held_out
        elif self._views is not None:
            which = np.ones(len(self._views), dtype=bool)
            yield from plain_batches(self._views, which, _BATCH)

    def _errors(self, out: ObjectsOut, batch: ObjectBatch) -> Tensor:
        nothing = torch.full((len(batch.category),), torch.nan, device=batch.category.device)
        if self._step.loss == "category":
            return nothing
        head = self._network.head
        likely = out.logits.softmax(dim=1)
        if self._rule == "oracle":
            likely = nn.functional.one_hot(batch.category, likely.shape[1]).to(likely.dtype)
        found = fused_rotation(head, out.vectors.float(), likely, self._rule)
        folds = self._folds.to(batch.category.device)[batch.category]
        true = nearest_equivalent(batch.turn.to(found.dtype), found, folds)
        return torch.where(batch.has_pose, torch.rad2deg(geodesic(found, true)), nothing)


@dataclass(frozen=True, eq=False)
class TrainingViews:
    """The views that a training learns from.

    Attributes:
        samples: Those of the set and those that only teach pose.
        config: The run's.
    """

    samples: Samples
    config: ObjectsConfig

    def batches(self, step: Step, settings: ObjectsConfig, network: ObjectsNet) -> Batches:
        """Return a step's batches.

        Raises:
            TrainingError: The step teaches pose, and no view has one.
        """
        which = ~self.samples.rendered
        if step.loss == "pose":
            allowed = np.ones_like(which) if step.rendered else which
            which = allowed & self.samples.has_pose
            if not which.any():
                raise TrainingError(
                    f"training views with a known rotation are wanted in the step {step.name}, "
                    f"none of {len(which)} has one; "
                    "without them only `--protocol joint` trains, the category alone"
                )
        if not step.fixed_inputs:
            return CropBatches(self.samples, which, settings)
        parts = list(fixed_features(network, self.samples, which))
        if settings.flip:
            parts += fixed_features(network, self.samples, which, flipped=True)
        return FeatureBatches(_together(parts), settings)


def fixed_features(
    network: ObjectsNet, samples: Samples, which: NDArray[np.bool_], *, flipped: bool = False
) -> Iterator[ObjectBatch]:
    """Yield batches whose inputs are the (N, d) features of crops as they are (PITFALLS 10)."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    for batch in plain_batches(samples, which, _BATCH, flipped=flipped):
        with torch.no_grad():
            images = network.contract.normalise(batch.inputs.to(device))
            batch.inputs = network.features_of(images).cpu()
        yield batch
    network.cpu()


def _together(parts: Sequence[ObjectBatch]) -> ObjectBatch:
    return ObjectBatch(**{key: torch.cat([vars(p)[key] for p in parts]) for key in vars(parts[0])})


def _posed(samples: Samples) -> NDArray[np.bool_]:
    return samples.has_pose


def _kinds(category: NDArray[np.int64], errors: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the categories of which at least one error is known."""
    found: NDArray[np.int64] = np.unique(category[np.isfinite(errors)])
    return found
