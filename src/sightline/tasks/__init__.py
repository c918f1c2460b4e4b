"""The tasks, and what each offers; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Task:
    """One task, its parts named as ``module:attribute`` so that nothing loads before it is used.

    Attributes:
        name: As on the command line.
        summary: One line of help.
        config: A frozen dataclass: what training can be told; its module imports without torch.
        data: ``(path) -> data`` with a ``runs_dir``: what is trained on.
        data_help: What that path is, for the help.
        train: ``(data, config, run_dir, progress) -> Run``.
        scoring: A frozen dataclass with defaults: what evaluation can be told; without torch.
        subject_help: What is evaluated, for the help; a run folder always is.
        evaluate: ``(subjects, scoring, progress) -> metrics``, subjects being paths.
        table: ``(metrics) -> rows``, a header and then the scores.
        predictor: ``(run folder or None, options) -> PhotoPredictor``; empty where the task has no
            answer for single photos.
        options: A frozen dataclass with defaults: what ``predictor`` can be told; without torch.
    """

    name: str
    summary: str
    config: str
    data: str
    data_help: str
    train: str
    scoring: str
    subject_help: str
    evaluate: str
    table: str
    predictor: str = ""
    options: str = ""

    def load(self, part: str) -> Any:
        """Return one part, imported now."""
        module, _, attribute = str(getattr(self, part)).partition(":")
        return reduce(getattr, attribute.split("."), import_module(module))


class PhotoAnswers(Protocol):
    """What a task says of one photo."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the answers came about."""

    def rows(self) -> list[dict[str, Any]]:
        """Return the answers for ``--json``, a line each."""

    def lines(self) -> list[str]:
        """Return the answers for people, a line each."""

    def picture(self) -> NDArray[np.uint8]:
        """Return the photo with what was found drawn on it."""


class PhotoPredictor(Protocol):
    """Answers for photo after photo."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of all its answers, said once."""

    def __call__(self, name: str, image: NDArray[np.uint8], /) -> PhotoAnswers:
        """Return what a uint8 (H, W, 3) RGB picture shows; ``name`` is for messages."""
