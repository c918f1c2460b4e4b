"""The tasks, and what each offers; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
        exporter: ``(destination, options) -> something with a line()``: a network in another
            format; empty where the task has none.
        export_options: A frozen dataclass with defaults: what ``exporter`` can be told; without
            torch.
        labeller: ``(path, folder or None, options, progress) -> LabelReport``: labels to train on,
            made by other networks; empty where the task has none.
        label_options: A frozen dataclass with defaults: what ``labeller`` can be told; without
            torch.
        label_help: What that path is, for the help.
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
    exporter: str = ""
    export_options: str = ""
    labeller: str = ""
    label_options: str = ""
    label_help: str = ""

    def load(self, part: str) -> Any:
        """Return one part, imported now."""
        module, _, attribute = str(getattr(self, part)).partition(":")
        return reduce(getattr, attribute.split("."), import_module(module))


class LabelReport(Protocol):
    """What a task's labeller left behind."""

    @property
    def folder(self) -> Path:
        """The labels; what is trained on."""

    @property
    def skipped(self) -> Sequence[tuple[Path, str]]:
        """Images without labels, and why."""

    @property
    def notes(self) -> Sequence[str]:
        """What the user should know."""

    def tables(self) -> list[list[list[str]]]:
        """Return tables for people, each a header and rows."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One photo, or one frame of a video, that a task is asked about.

    Attributes:
        name: What messages and answers call it.
        image: uint8 (H, W, 3) RGB, upright.
        path: The photo's file, or the video's; None for pixels that come from no file.
        frame: Index of the frame in its video; None for a photo.
        timestamp_s: Time of the frame; None for a photo.
    """

    name: str
    image: NDArray[np.uint8]
    path: Path | None = None
    frame: int | None = None
    timestamp_s: float | None = None


class PhotoAnswers(Protocol):
    """What a task says of one picture."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the answers came about."""

    def rows(self) -> list[dict[str, Any]]:
        """Return the answers for ``--json``, a line each."""

    def lines(self) -> list[str]:
        """Return the answers for people, a line each."""

    def picture(self) -> NDArray[np.uint8]:
        """Return a uint8 (H, W, 3) RGB picture of what was found."""

    def write(self, folder: Path, stem: str) -> None:
        """Write the answers' files into a folder, each whole or absent.

        Args:
            folder: Made where it is not there.
            stem: What each file's name is made of: ``stem`` and one of the predictor's endings.
        """


class PhotoPredictor(Protocol):
    """Answers for picture after picture; the frames of a video come in order."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of all its answers, said once."""

    @property
    def default_out(self) -> Path | None:
        """Folder of the answers' files where the user names none; None: then none are written."""

    @property
    def endings(self) -> tuple[str, ...]:
        """What the names of an answer's files add to the picture's, such as ``_colour.png``."""

    def kept(self, photo: Path, folder: Path, stem: str) -> PhotoAnswers | None:
        """Return a photo's answers where an earlier call left them and they would be the same.

        Args:
            photo: The file.
            folder: Where answers are written.
            stem: As :meth:`PhotoAnswers.write` would get it.
        """

    def __call__(self, picture: Picture, /) -> PhotoAnswers:
        """Return what a picture shows."""


@runtime_checkable
class BatchPredictor(PhotoPredictor, Protocol):
    """A predictor that answers for many pictures in less time than for one after the other."""

    @property
    def batch(self) -> int:
        """How many it is asked about at a time, at most."""

    def answer(self, pictures: Sequence[Picture], /) -> Sequence[PhotoAnswers]:
        """Return what each picture shows, the same as when asked about it alone.

        Raises:
            SightlineError: One of them cannot be answered; each is then asked about alone.
        """


@dataclass(frozen=True)
class LastWord:
    """What a predictor says of all pictures together.

    Attributes:
        lines: For people.
        rows: The same for ``--json``.
        notes: What was written, and where.
    """

    lines: tuple[str, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


@runtime_checkable
class ClosingPredictor(PhotoPredictor, Protocol):
    """A predictor that says something of all pictures together: a table, a report, an order."""

    def collect(self, answers: PhotoAnswers, /) -> None:
        """Keep of one picture's answers what the last word needs; in the pictures' order."""

    def close(self, *, stopped: bool) -> LastWord:
        """Write what was asked for of all pictures that were collected; called once, at the end.

        Args:
            stopped: Whether pictures are missing because the user or an error stopped the work.
        """
