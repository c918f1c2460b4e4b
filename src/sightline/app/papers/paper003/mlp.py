"""The report's classifier of feature vectors (Sec. 8.3.3): three linear layers, two ReLU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import TrainingError

Features = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class MlpSettings:
    """How the classifier is trained; the report gives epochs and Adam, the rest is ours."""

    hidden: tuple[int, int] = (512, 256)
    dropout: float = 0.5
    epochs: int = 30
    learning_rate: float = 1e-3
    batch: int = 64


@dataclass(frozen=True, eq=False)
class MlpResult:
    """One training.

    Attributes:
        train_loss: (epochs,) mean cross-entropy as it is trained, dropout on.
        val_loss: (epochs,) of the validation images, dropout off.
        train_accuracy: (epochs,) share of 1, dropout on.
        val_accuracy: (epochs,) share of 1, dropout off.
        predicted: (N,) class of each validation image after the last epoch.
    """

    train_loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    val_accuracy: tuple[float, ...]
    predicted: Labels


def create_mlp(features: int, classes: int, settings: MlpSettings) -> nn.Sequential:
    """Return the network: (N, features) to (N, classes) logits."""
    first, second = settings.hidden
    return nn.Sequential(
        nn.Linear(features, first),
        nn.ReLU(),
        nn.Dropout(settings.dropout),
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Dropout(settings.dropout),
        nn.Linear(second, classes),
    )


def train_mlp(
    train: tuple[Features, Labels],
    validation: tuple[Features, Labels],
    classes: int,
    settings: MlpSettings,
    seed: int,
) -> MlpResult:
    """Return the curves and the last epoch's answers of one training.

    Features are standardised by those of the training images.

    Args:
        train: (N, D) features and (N,) classes.
        validation: The same of other images.
        classes: How many there are.
        settings: Of the training.
        seed: Of weights, order and dropout.

    Raises:
        TrainingError: A feature or a loss is not finite.
    """
    (x, y), (x_val, y_val) = _standardised(train, validation)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = create_mlp(x.shape[1], classes, settings)
        optimiser = torch.optim.Adam(net.parameters(), lr=settings.learning_rate)
        rows: list[tuple[float, float, float, float]] = []
        logits = torch.empty(0)
        for epoch in range(settings.epochs):
            loss, right = _epoch(net, optimiser, x, y, settings.batch)
            net.eval()
            with torch.no_grad():
                logits = net(x_val)
            val_loss = float(functional.cross_entropy(logits, y_val))
            if not np.isfinite([loss, val_loss]).all():
                raise TrainingError(
                    f"a finite loss is wanted, epoch {epoch} of the classifier has {loss:g} in "
                    f"training and {val_loss:g} in validation; lower --mlp-learning-rate"
                )
            val_right = float((logits.argmax(1) == y_val).float().mean())
            rows.append((loss, val_loss, right, val_right))
    columns = [tuple(column) for column in zip(*rows, strict=True)]
    return MlpResult(columns[0], columns[1], columns[2], columns[3], logits.argmax(1).numpy())


def _epoch(
    net: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor, batch: int
) -> tuple[float, float]:
    """Train over all rows once; return the mean loss and accuracy, dropout on."""
    net.train()
    order = torch.randperm(len(x))
    total, right = 0.0, 0
    for rows in torch.split(order, batch):
        logits = net(x[rows])
        loss = functional.cross_entropy(logits, y[rows])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += float(loss.detach()) * len(rows)
        right += int((logits.argmax(1) == y[rows]).sum())
    return total / len(x), right / len(x)


def _standardised(
    train: tuple[Features, Labels], validation: tuple[Features, Labels]
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    features = train[0].astype(np.float64)
    if not (np.isfinite(features).all() and np.isfinite(validation[0]).all()):
        raise TrainingError(
            "finite features are wanted, the classifier gives others; check --classifier-weights"
        )
    mean, std = features.mean(axis=0), features.std(axis=0)
    std[std == 0] = 1.0  # the same for all: of no use, but no division by zero either
    (x, y), (x_val, y_val) = (
        (torch.from_numpy(((f - mean) / std).astype(np.float32)), torch.from_numpy(labels))
        for f, labels in (train, validation)
    )
    return (x, y), (x_val, y_val)
