"""The tasks, and what each offers; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from typing import Any


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

    def load(self, part: str) -> Any:
        """Return one part, imported now."""
        module, _, attribute = str(getattr(self, part)).partition(":")
        return reduce(getattr, attribute.split("."), import_module(module))
