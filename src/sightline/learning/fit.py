"""Fitting, shared by all tasks: seeds, schedule, averaging, the best weights, resuming (Lightning).

Batches are a function of the epoch number alone, so a resumed run sees exactly those that an
uninterrupted one would have seen.
"""

from __future__ import annotations

import csv
import io
import logging
import math
import random
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from sightline.errors import TrainingError
from sightline.learning.config import FitConfig
from sightline.learning.runs import LAST
from sightline.learning.torchvision_compat import import_torchvision
from sightline.records.files import write_text

BEST = "best.safetensors"
HISTORY = "history.csv"

#: Share of the time that validation may take where ``validate_every`` is 0.
VALIDATION_SHARE = 0.05

Progress = Callable[[str, float], None]


class Batches(Protocol):
    """Training batches, drawn anew for each epoch."""

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def epoch(self, number: int) -> Iterator[Any]:
        """Yield the batches of an epoch; the same for the same number."""


class Task(Protocol):
    """What a task tells :func:`fit`."""

    model: nn.Module
    """Everything that is learned, weights of the loss included."""

    def terms(self, batch: Any) -> dict[str, Tensor]:
        """Return scalar loss terms; ``loss`` is the one minimised."""

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return scores of a model in eval mode; ``score`` (lower is better) picks the best."""


@dataclass(frozen=True)
class FitResult:
    """What came of a fit.

    Attributes:
        epochs: Epochs run, those before an interruption included.
        best_epoch: The epoch whose weights were kept.
        best: Its validation scores.
        seconds: Time spent, over all sessions.
        history: One row an epoch.
    """

    epochs: int
    best_epoch: int
    best: dict[str, float]
    seconds: float
    history: list[dict[str, float]]


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's global and torch's generators."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - for third parties; our own code passes generators
    torch.manual_seed(seed)


def backbone_precision(choice: str) -> torch.dtype:
    """Return the arithmetic a trained backbone runs in: bfloat16 where it is fast, if asked."""
    if choice == "float32":
        return torch.float32
    if choice == "bfloat16":
        return torch.bfloat16
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        report: Callable[[], Any] = getattr(torch.cpu, "get_capabilities", dict)
        fast = bool(report().get("amx_bf16", False))
    return torch.bfloat16 if fast else torch.float32


def fit(
    task: Task,
    batches: Batches,
    config: FitConfig,
    folder: Path,
    progress: Progress = lambda _stage, _fraction: None,
) -> FitResult:
    """Fit a task's model and leave the best weights by validation in it.

    The folder gets ``history.csv``, ``best.safetensors`` and, until the fit is over, ``last.ckpt``
    to resume from.

    Args:
        task: The model, its loss terms and its validation.
        batches: The training batches.
        config: Optimisation.
        folder: Where the files go; a ``last.ckpt`` in it is resumed.
        progress: Called with a text and the fraction done.

    Raises:
        TrainingError: No batches, a non-finite loss, or a checkpoint that does not fit.
        KeyboardInterrupt: Interrupted; a checkpoint was written first.
    """
    if len(batches) == 0:
        raise TrainingError("training samples are wanted, there are none; check the split")
    import_torchvision()  # before Lightning, whose torchmetrics imports it

    from sightline.learning.lightning_module import FitModule

    folder.mkdir(parents=True, exist_ok=True)
    module = FitModule(task, config, folder, progress, steps_per_epoch=len(batches))
    last = folder / LAST
    with _quiet_lightning(), _threads(config.threads):
        from lightning.pytorch import Trainer

        trainer = Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=config.epochs if config.epochs else -1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            gradient_clip_val=config.clip_norm or None,
        )
        loader = EpochLoader(batches, lambda: int(trainer.current_epoch))
        try:
            _run(trainer, module, loader, last)
        except BaseException:
            module.keep_best()
            raise
    module.finish()
    last.unlink(missing_ok=True)
    return module.result()


class EpochLoader:
    """What Lightning iterates: the batches of the epoch it is in, each made one step ahead."""

    def __init__(self, batches: Batches, current_epoch: Callable[[], int]) -> None:
        self._batches = batches
        self._current_epoch = current_epoch

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        # the epoch is asked at the first batch: on resuming, Lightning makes the iterator before
        # it has counted the finished epoch
        batches = self._batches.epoch(self._current_epoch())
        # a thread of torch's own: a second team of them beside the training's fights for the cores,
        # and the training took two and a half times as long
        with ThreadPoolExecutor(1, "batches", torch.set_num_threads, (1,)) as pool:
            ahead = pool.submit(next, batches, None)
            while (batch := ahead.result()) is not None:
                ahead = pool.submit(next, batches, None)
                yield batch


def learning_rate_factor(fraction: float, config: FitConfig) -> float:
    """Return the learning rate over its highest value at a fraction of the training.

    A function of how much of the training is done, not of a count of calls, so it can neither be
    stepped too often (PITFALLS 9) nor lose its place on resuming.
    """
    fraction = min(max(fraction, 0.0), 1.0)
    if fraction < config.warmup:
        return max(fraction / config.warmup, 1e-3)
    if config.schedule == "constant":
        return 1.0
    falling = (fraction - config.warmup) / (1.0 - config.warmup)
    return max(0.5 * (1.0 + math.cos(math.pi * falling)), 1e-3)


def write_history(path: Path, history: Sequence[dict[str, float]]) -> None:
    """Write one row an epoch; cells of epochs without validation are empty."""
    columns = list(dict.fromkeys(key for row in history for key in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({k: int(v) if k == "epoch" else f"{v:.6g}" for k, v in row.items()})
    write_text(path, stream.getvalue())


def read_history(path: Path) -> list[dict[str, float]]:
    """Return the rows of a ``history.csv``; empty cells are left out."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(stream)]


def _run(trainer: Any, module: Any, loader: EpochLoader, last: Path) -> None:
    before = signal.getsignal(signal.SIGINT) if _in_main_thread() else None
    try:
        trainer.fit(module, loader, ckpt_path=last if last.is_file() else None, weights_only=True)
    except SystemExit as error:
        # Lightning turns Ctrl-C into sys.exit(1) and leaves SIGINT ignored
        if before is not None:
            signal.signal(signal.SIGINT, before)
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    except (KeyError, RuntimeError) as error:
        if last.is_file() and not module.started:
            first = str(error).strip().splitlines()[0]
            raise TrainingError(
                f"{last} does not fit this training ({first}); delete it to start again"
            ) from error
        raise


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch compute on ``count`` threads for the length of the block; 0 leaves its choice."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Silence what Lightning says about itself; its warnings about data stay."""
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for message in (
            r".*does not have many workers.*",  # batches come from memory
            r".*smaller than the logging interval.*",  # nothing is logged through Lightning
            r".*[Cc]heckpoint.*|.*`weights_only`.*",  # resuming is ours, see FitModule
            r".*isinstance\(treespec, LeafSpec\).*",  # Lightning beside a newer torch
            r".*GPU available but not used.*",
            r".*module\(s\) in eval mode at the start.*",  # frozen backbones, on purpose
        ):
            warnings.filterwarnings("ignore", message=message)
        try:
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)
