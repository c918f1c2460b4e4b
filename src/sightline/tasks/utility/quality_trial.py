"""A user's images at one picture quality after the other, and what a machine says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, SightlineError
from sightline.media.distortions import Distortion, encoded
from sightline.media.image_sources import decode_image, read_content
from sightline.tasks.utility.answers_kept import Asked, Judge, Kept, ask_each, judge_of
from sightline.tasks.utility.intervals import wilson_interval
from sightline.tasks.utility.machines.machine import Machine

Photo = NDArray[np.uint8]
Format = Literal["jpeg", "webp"]
Progress = Callable[[str, float], None]

#: Images that a machine is asked about together, and their pixels, at most.
_BATCH, _PIXELS = 16, 24_000_000


@dataclass(frozen=True)
class QualityPoint:
    """What one quality does to all images.

    Attributes:
        quality: From 1 to 100.
        kept: Images whose answer is kept.
        judged: Images with an answer to keep.
        found: Things found again: a detector's boxes; as many as ``kept`` for a classifier.
        bytes: Of all images.
    """

    quality: int
    kept: int
    judged: int
    found: int
    bytes: int

    @property
    def agreement(self) -> float:
        """Share of images whose answer is kept."""
        return self.kept / self.judged

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95% interval (Wilson)."""
        return wilson_interval(self.kept, self.judged)


@dataclass(frozen=True)
class Changed:
    """An image whose answer is not kept.

    Attributes:
        image: The file.
        before: What the machine says of it as it is.
        after: What it says at the quality recommended.
    """

    image: Path
    before: str
    after: str


@dataclass(frozen=True)
class _Outcome:
    """One image at one quality: its bytes and what became of its answer (None: it had none)."""

    bytes: int
    kept: Kept | None


@dataclass(frozen=True, eq=False)
class _Reference:
    """One image as it is: the bytes of its file and what the machine says."""

    bytes: int
    answer: Any


_Made: TypeAlias = tuple[int, int, Photo]
"""Index of an image, bytes of its file, pixels."""


@dataclass(eq=False)
class Trial:
    """All images as they are and at the qualities tried; none is asked about twice at one.

    Attributes:
        machine: What is asked.
        images: Files, or photos in archives; read anew at each quality, so that any number fits.
        format: Of the compressed files.
        progress: Called with what is done and the share done.
        passes: How many times all images are expected to be asked about.
    """

    machine: Machine
    images: Sequence[Path]
    format: Format
    progress: Progress
    passes: int
    _references: dict[int, _Reference] = field(default_factory=dict)
    _failed: dict[int, SightlineError] = field(default_factory=dict)
    _outcomes: dict[int, dict[int, _Outcome]] = field(default_factory=dict)
    _done: int = 0

    def __post_init__(self) -> None:
        """Ask about the images as they are.

        Raises:
            InputError: As for :meth:`at`.
        """
        self._judge: Judge[Any] = judge_of(self.machine)
        everything = range(len(self.images))
        for (index, size, _), asked in self._asked(everything, None, "as they are"):
            if asked.error:
                self._failed[index] = InputError(f"{self.images[index]}: {asked.error}")
            else:
                self._references[index] = _Reference(size, asked.answer)
        self._check()

    def _check(self) -> None:
        """Refuse to go on without an answer to keep."""
        if len(self._failed) == len(self.images):
            first = next(iter(self._failed.values()))
            if len(self.images) == 1:
                raise first
            raise InputError(
                f"an image that can be read and judged is wanted, none of {len(self.images)} can; "
                f"the first: {first}"
            )
        if not self._judged():
            raise InputError(
                f"answers to keep are wanted, {self.machine.name} finds nothing with a score of "
                f"0.5 or more on any of {len(self._references)} images; give it others"
            )

    def at(self, quality: int) -> dict[int, _Outcome]:
        """Return what became of each image at a quality, asked about once.

        Raises:
            InputError: No image could be read, judged and compressed, or there is no answer to
                keep.
        """
        if quality not in self._outcomes:
            outcomes = {}
            alive = sorted(self._references)
            for (index, size, _), asked in self._asked(alive, quality, f"quality {quality}"):
                before = self._references[index].answer
                kept = None
                if self._judge.things(before):
                    # no answer at all is not the same answer
                    kept = Kept(False, f"no answer ({asked.error})", 0)
                    if not asked.error:
                        kept = self._judge.compare(before, asked.answer)
                outcomes[index] = _Outcome(size, kept)
            self._check()
            self._outcomes[quality] = outcomes
        return self._outcomes[quality]

    def point(self, quality: int) -> QualityPoint:
        """Return what a quality does to all images."""
        outcomes = [one for i, one in self.at(quality).items() if i in self._references]
        kept = [one.kept for one in outcomes if one.kept is not None]
        return QualityPoint(
            quality,
            sum(one.kept for one in kept),
            len(kept),
            sum(one.found for one in kept),
            sum(one.bytes for one in outcomes),
        )

    def points(self) -> tuple[QualityPoint, ...]:
        """Return what was tried, by quality."""
        return tuple(self.point(quality) for quality in sorted(self._outcomes))

    def sizes(self, quality: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (N,) bytes of the images as they are, and at a quality."""
        order = sorted(self._references)
        outcomes = self.at(quality)
        before = np.array([self._references[i].bytes for i in order], dtype=np.int64)
        return before, np.array([outcomes[i].bytes for i in order], dtype=np.int64)

    def changed(self, quality: int) -> tuple[Changed, ...]:
        """Return the images whose answers are not kept at a quality."""
        return tuple(
            Changed(
                self.images[index],
                self._judge.text(self._references[index].answer),
                outcome.kept.text,
            )
            for index, outcome in sorted(self.at(quality).items())
            if outcome.kept is not None and not outcome.kept.kept and index in self._references
        )

    def skipped(self) -> tuple[tuple[Path, str], ...]:
        """Return the images that were left out, and why."""
        return tuple((self.images[i], str(error)) for i, error in sorted(self._failed.items()))

    def without(self) -> int:
        """Return how many images have no answer to keep."""
        return len(self._references) - len(self._judged())

    def things(self) -> int:
        """Return how many things were found on the images as they are."""
        return sum(self._judge.things(self._references[i].answer) for i in self._judged())

    def one_answer(self) -> str | None:
        """Return what the machine says of all images, where it is one and the same."""
        said = {self._judge.text(self._references[i].answer) for i in self._judged()}
        return said.pop() if len(said) == 1 and len(self._judged()) > 1 else None

    def self_agreement(self) -> float:
        """Return the share of answers that are kept when the same pixels are asked about again."""
        judged = self._judged()
        kept = 0
        for (index, _, _), asked in self._asked(judged, None, "the same images again"):
            answer = self._references[index].answer
            kept += not asked.error and self._judge.compare(answer, asked.answer).kept
        return kept / len(judged)

    def _judged(self) -> list[int]:
        return [i for i, one in sorted(self._references.items()) if self._judge.things(one.answer)]

    def _asked(
        self, indices: Sequence[int], quality: int | None, text: str
    ) -> Iterator[tuple[_Made, Asked[Any]]]:
        """Yield each image that could be made, and what the machine says of it."""
        batch: list[_Made] = []
        for done, index in enumerate(indices):
            share = (self._done + done / len(indices)) / self.passes
            self.progress(f"looking for the quality: {text}", min(share, 0.99))
            try:
                batch.append(self._made(index, quality))
            except SightlineError as error:
                self._failed[index] = error
                self._references.pop(index, None)
            pixels = sum(image.shape[0] * image.shape[1] for _, _, image in batch)
            if len(batch) == _BATCH or pixels >= _PIXELS:
                yield from self._ask(batch)
                batch = []
        yield from self._ask(batch)
        self._done += 1

    def _ask(self, batch: Sequence[_Made]) -> Iterator[tuple[_Made, Asked[Any]]]:
        if batch:
            answers = ask_each(self._judge, [image for _, _, image in batch])
            yield from zip(batch, answers, strict=True)

    def _made(self, index: int, quality: int | None) -> _Made:
        path = self.images[index]
        content = read_content(path)
        image = decode_image(content, str(path))
        if quality is None:
            return index, len(content), image
        try:
            image, content = encoded(image, Distortion(self.format, quality))
        except SightlineError as error:
            raise type(error)(f"{path}: {error}") from error
        return index, len(content), image
