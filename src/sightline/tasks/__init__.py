"""The tasks, and what each offers; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Task:
    """One task, its parts named as ``module:attribute`` so that nothing loads before it is used.

    Attributes:
        name: As on the command line.
        summary: One line of help.
        config: A frozen dataclass; its module imports without torch.
        train: ``(place, config, run_dir, progress) -> Run``.
        evaluate: ``(run_dir, walk, progress) -> metrics``.
        table: ``(metrics) -> rows``, a header and then the scores.
    """

    name: str
    summary: str
    config: str
    train: str
    evaluate: str
    table: str

    def load(self, part: str) -> Any:
        """Return one part, imported now."""
        module, _, attribute = str(getattr(self, part)).partition(":")
        return getattr(import_module(module), attribute)
