"""The Lightning module behind :func:`sightline.learning.fit.fit`."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from sightline.errors import NonFiniteLossError, TrainingError
from sightline.learning.averaging import AveragedWeights
from sightline.learning.config import FitConfig
from sightline.learning.fit import (
    BEST,
    HISTORY,
    VALIDATION_SHARE,
    FitResult,
    Progress,
    Task,
    learning_rate_factor,
    write_history,
)
from sightline.learning.runs import LAST
from sightline.learning.torchvision_compat import import_torchvision
from sightline.records.files import atomic_path

# Lightning imports torchvision where it is installed: the hook must come first.
import_torchvision()

from lightning.pytorch import LightningModule  # noqa: E402

#: Of SGD; torchvision's own trainings have it too.
_MOMENTUM = 0.9


class FitModule(LightningModule):
    """One task's training: loss terms, schedule, averaging, validation, checkpoints."""

    def __init__(
        self,
        task: Task,
        config: FitConfig,
        folder: Path,
        progress: Progress,
        *,
        steps_per_epoch: int,
    ) -> None:
        super().__init__()
        self.model = task.model
        self.started = False
        self._task = task
        self._config = config
        self._folder = folder
        self._progress = progress
        self._steps_per_epoch = steps_per_epoch
        self._average: AveragedWeights | None = None
        self._history: list[dict[str, float]] = []
        self._best: dict[str, Tensor] | None = None
        self._best_row: dict[str, float] = {}
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._resumed: dict[str, Any] | None = None
        self._seconds_before = 0.0
        self._began = self._checkpointed = time.monotonic()
        self._validating_s = self._last_validation_s = 0.0

    # --- Lightning's hooks, in the order they run ---------------------------------------------

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser; only matrices decay, not biases, norms or the loss's weights."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in trained if p.ndim > 1]},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        rate, decay = self._config.learning_rate, self._config.weight_decay
        if self._config.optimizer == "sgd":
            return torch.optim.SGD(groups, rate, momentum=_MOMENTUM, weight_decay=decay, fused=True)
        return torch.optim.AdamW(groups, lr=rate, weight_decay=decay, fused=True)

    def on_fit_start(self) -> None:
        """Start the clock and the average."""
        self.model.train()
        self._average = AveragedWeights(self.model, self._config.ema)
        self._began = self._checkpointed = time.monotonic()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember our part of the checkpoint until Lightning has restored its own."""
        self._resumed = checkpoint["sightline"]

    def on_train_start(self) -> None:
        """Take up a checkpoint."""
        self.started = True
        if self._resumed is None:
            return
        state, self._resumed = self._resumed, None
        self._averaged.load(state["average"])
        self._history = state["history"]
        self._seconds_before = state["seconds"]
        torch.set_rng_state(state["rng"])
        self._read_best()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, _index: int) -> Any:
        """Move a batch by its own ``to``."""
        return batch.to(device)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss.

        Raises:
            NonFiniteLossError: A term is not finite.
        """
        rate = self._config.learning_rate * learning_rate_factor(
            self._fraction(batch_idx), self._config
        )
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate
        terms = self._task.terms(batch)
        values = {name: float(value.detach()) for name, value in terms.items()}
        self._refuse_non_finite(values, batch_idx)
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        return terms["loss"]

    def on_train_batch_end(self, *_: Any) -> None:
        """Average the weights; stop when the budget is spent."""
        self._averaged.update()
        if 0 < self._config.max_seconds <= self._seconds():
            self.trainer.should_stop = True

    def on_train_epoch_end(self) -> None:
        """Validate where it is due, write the row, checkpoint where it is due."""
        epoch = int(self.current_epoch) + 1
        row = {"epoch": float(epoch), "seconds": self._seconds()}
        row["learning_rate"] = float(self.trainer.optimizers[0].param_groups[0]["lr"])
        row |= {f"train_{k}": v / max(self._steps, 1) for k, v in self._sums.items()}
        self._sums, self._steps = {}, 0
        over = self.trainer.should_stop or epoch == self._config.epochs
        if over or self._validation_due(epoch):
            row |= self._validate(row)
        self._history.append(row)
        self._progress(self._status(row), 1.0 if over else self._fraction(self._steps_per_epoch))
        if over or time.monotonic() - self._checkpointed >= self._config.checkpoint_every_s:
            self._checkpoint()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add our part: plain tensors, numbers and lists, so that loading runs no code."""
        checkpoint["sightline"] = {
            "average": self._averaged.state(),
            "history": self._history,
            "seconds": self._seconds(),
            "rng": torch.get_rng_state(),
        }

    # --- what fit() calls -----------------------------------------------------------------------

    def keep_best(self) -> None:
        """Write the best weights and the history, whatever happened."""
        if self._best is not None:
            metadata = {name: repr(float(value)) for name, value in self._best_row.items()}
            with atomic_path(self._folder / BEST) as temporary:
                save_file(self._best, temporary, metadata)
        if self._history:
            write_history(self._folder / HISTORY, self._history)

    def finish(self) -> None:
        """Put the best weights in the model, and write them."""
        if self._best is None:
            raise TrainingError("training ended before its first validation; raise --max-seconds")
        self.keep_best()
        self.model.cpu()
        self._averaged.rebind(self.model)
        self._averaged.write(self._best)
        self.model.eval()

    def result(self) -> FitResult:
        """Return what came of the fit."""
        row = dict(self._best_row)
        return FitResult(
            epochs=int(self._history[-1]["epoch"]),
            best_epoch=int(row.pop("epoch")),
            best=row,
            seconds=self._history[-1]["seconds"],
            history=self._history,
        )

    # --- the rest -------------------------------------------------------------------------------

    @property
    def _averaged(self) -> AveragedWeights:
        if self._average is None:
            raise TrainingError("the averaged weights are made when fitting starts")
        return self._average

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._began

    def _fraction(self, batch: int) -> float:
        if self._config.max_seconds > 0:
            return self._seconds() / self._config.max_seconds
        return (int(self.current_epoch) + batch / self._steps_per_epoch) / self._config.epochs

    def _refuse_non_finite(self, values: dict[str, float], batch: int) -> None:
        bad = [n for n, v in values.items() if not math.isfinite(v)]
        if not bad:
            return
        term = next((name for name in bad if name != "loss"), "loss")
        kept = (
            f"the weights of epoch {int(self._best_row['epoch'])} are kept in {self._folder / BEST}"
            if self._best is not None
            else "no weights were good enough to keep yet"
        )
        raise NonFiniteLossError(
            f"a finite loss is wanted; at epoch {int(self.current_epoch) + 1}, step {batch + 1} "
            f"the term {term!r} is {values[term]}; lower --learning-rate, or choose another "
            f"--loss ({kept})"
        )

    def _validation_due(self, epoch: int) -> bool:
        if self._config.validate_every > 0:
            return epoch % self._config.validate_every == 0
        return self._validating_s + self._last_validation_s <= VALIDATION_SHARE * self._seconds()

    def _validate(self, row: dict[str, float]) -> dict[str, float]:
        began = time.monotonic()
        self.model.eval()
        with self._averaged.applied(), torch.no_grad():
            scores = self._task.validate(self.model)
        self.model.train()
        score = scores.pop("score", row["train_loss"])
        found = {f"validation_{name}": value for name, value in scores.items()}
        found["score"] = score
        if self._best is None or score < self._best_row["score"]:
            self._best = self._averaged.copy()
            self._best_row = {"epoch": row["epoch"], **found}
        self._last_validation_s = time.monotonic() - began
        self._validating_s += self._last_validation_s
        return found

    def _status(self, row: dict[str, float]) -> str:
        of = f"/{self._config.epochs}" if self._config.max_seconds <= 0 else ""
        best = f", best {self._best_row['score']:.3f}" if self._best is not None else ""
        return f"epoch {int(row['epoch'])}{of}, loss {row['train_loss']:.3f}{best}"

    def _checkpoint(self) -> None:
        self.keep_best()
        with atomic_path(self._folder / LAST) as temporary:
            self.trainer.save_checkpoint(temporary)
        self._checkpointed = time.monotonic()

    def _read_best(self) -> None:
        if not (self._folder / BEST).is_file():
            return
        with safe_open(self._folder / BEST, framework="pt") as stream:
            self._best = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
            self._best_row = {k: float(v) for k, v in stream.metadata().items()}
