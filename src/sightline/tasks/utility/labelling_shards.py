"""Answers for shards of images: photos are read and distorted ahead while the machines compute."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, SightlineError
from sightline.media.distortions import Distortion, encoded
from sightline.media.image_sources import decode_image, read_content
from sightline.tasks.utility.copies import pristine_copy
from sightline.tasks.utility.labelling_predictions import (
    MOST_BOXES,
    NO_CLASS,
    OWN_ANSWER,
    Answer,
    ClassAnswer,
    Made,
    Question,
    begin_machine,
    read_machine,
    write_answers,
)
from sightline.tasks.utility.machines.machine import (
    LEAST_SCORE,
    Classifier,
    Detected,
    Detector,
    Machine,
)

Photo = NDArray[np.uint8]

#: Photos that are read before they are needed.
_READ_AHEAD = 3

#: Distorted images that wait for the machines, and images of one batch, take at most so much.
_WAITING_BYTES = 128 * 2**20

#: Most threads that read and distort.
_THREADS = 8


class Variant(NamedTuple):
    """What is made of a pristine image.

    Attributes:
        distortion: ``none``: the pristine image, or an augmented copy's pristine crop.
        seed: Of the noise and of the crop; 0 of the pristine image itself.
        augmented: Number of the augmented copy; 0: not cropped.
    """

    distortion: Distortion
    seed: int = 0
    augmented: int = 0

    def question(self, content: str, asked: int) -> Question:
        """Return what a machine is asked of it; ``content`` is the pristine file's digest."""
        return Question(content, str(self.distortion), self.seed, self.augmented, asked)


PRISTINE = Variant(Distortion("none"))


@dataclass(frozen=True)
class Entry:
    """One pristine image and what is asked of it.

    Attributes:
        image: Its path relative to the source.
        asked: Whose probability is wanted, for each machine; see ``labelling_predictions``.
        variants: What is made of it; each pristine one before those distorted from it.
    """

    image: str
    asked: tuple[int, ...]
    variants: tuple[Variant, ...]

    def questions(self, machine: int, content: str) -> list[Question]:
        """Return what one machine is asked, in the order of the variants."""
        return [variant.question(content, self.asked[machine]) for variant in self.variants]


@dataclass(frozen=True)
class ShardJob:
    """What is alike for all shards of a labelling.

    Attributes:
        root: What images' names are relative to.
        folder: Where predictions go.
        batch: Images a call of a machine.
    """

    root: Path
    folder: Path
    batch: int


class Shard(NamedTuple):
    """Images whose answers are written together."""

    number: int
    entries: Sequence[Entry]


class Outcome(NamedTuple):
    """What became of one image.

    Attributes:
        image: Its name.
        digest: Of its content; empty where it was not read.
        reason: Why it has no answers; empty where it has.
        computed: Answers that machines gave now.
        kept: Answers that were there.
    """

    image: str
    digest: str
    reason: str = ""
    computed: int = 0
    kept: int = 0


class ShardWorker:
    """Asks machines what is not known yet of the images of shards, and writes their answers.

    Args:
        machines: Who is asked.
        job: What is alike for all shards. What its folder holds is read once, here.
        threads: That read and distort; as many as there are cores where not given.
    """

    def __init__(
        self, machines: Sequence[Machine], job: ShardJob, threads: int | None = None
    ) -> None:
        self.machines, self.job = tuple(machines), job
        self.folders = [begin_machine(job.folder, machine) for machine in machines]
        self.before = [read_machine(folder) for folder in self.folders]
        count = threads or min(_THREADS, max(2, os.cpu_count() or 1))
        self.pool = ThreadPoolExecutor(count, "distort")

    def answer(self, shard: Shard, tick: Callable[[int], None] = lambda _: None) -> list[Outcome]:
        """Return what became of each image of a shard; its answers are written then.

        Args:
            shard: The images.
            tick: Told how many more answers are there, or will never be.
        """
        return _Work(self, tick).answer(shard)

    def close(self) -> None:
        """Stop what is read ahead."""
        self.pool.shutdown(cancel_futures=True)


class _Shown(NamedTuple):
    """An image that is ready for the machines."""

    place: int
    variant: Variant
    pixels: Photo
    made: Made
    questions: tuple[Question | None, ...]


class _Read(NamedTuple):
    digest: str
    size: int
    image: Photo | None
    reason: str
    wanted: NDArray[np.bool_]


class _Work:
    """One shard: what is missing is made, shown, and written."""

    def __init__(self, worker: ShardWorker, tick: Callable[[int], None]) -> None:
        self._machines, self._job, self._pool = worker.machines, worker.job, worker.pool
        self._folders, self._before, self._tick = worker.folders, worker.before, tick
        self._rows: list[list[tuple[Question, Made, Answer]]] = [[] for _ in worker.machines]
        self._own: dict[tuple[int, int, int], int] = {}
        self._outcomes: list[Outcome] = []

    def answer(self, shard: Shard) -> list[Outcome]:
        """Return what became of each image of a shard."""
        group: list[_Shown] = []
        size = 0
        for shown in self._shown(shard.entries):
            if group and (
                len(group) >= self._job.batch or size + shown.pixels.nbytes > _WAITING_BYTES
            ):
                self._ask_all(group)
                group, size = [], 0
            group.append(shown)
            size += shown.pixels.nbytes
        self._ask_all(group)
        for machine, folder, rows in zip(self._machines, self._folders, self._rows, strict=True):
            if rows:
                write_answers(folder, shard.number, machine.kind, rows)
        asked = sum(len(entry.variants) for entry in shard.entries) * len(self._machines)
        self._tick(asked - sum(outcome.computed + outcome.kept for outcome in self._outcomes))
        return self._outcomes

    def _shown(self, entries: Sequence[Entry]) -> Iterator[_Shown]:
        """Yield what is missing, in order, made ahead as far as memory allows."""
        making: deque[tuple[int, Variant, Future[tuple[Photo, Made]], tuple[Question | None, ...]]]
        making, waiting, most = deque(), 0, 3 * self._job.batch
        sizes: deque[int] = deque()

        def ready() -> Iterator[_Shown]:
            place, variant, future, questions = making.popleft()
            sizes.popleft()
            try:
                pixels, made = future.result()
            except SightlineError as error:
                self._fail(place, f"{variant.distortion}: {error}")
                return
            yield _Shown(place, variant, pixels, made, questions)

        for place, (entry, read) in enumerate(self._read_ahead(entries)):
            questions = [entry.questions(m, read.digest) for m in range(len(self._machines))]
            asked = int(read.wanted.sum())
            kept = read.wanted.size - asked
            self._outcomes.append(Outcome(entry.image, read.digest, read.reason, 0, kept))
            self._tick(kept)
            if read.image is None:
                continue
            for k, variant in enumerate(entry.variants):
                wanted = tuple(
                    q[k] if w else None for q, w in zip(questions, read.wanted[:, k], strict=True)
                )
                if not any(wanted):
                    continue
                while making and (
                    len(making) >= most or waiting + read.image.nbytes > _WAITING_BYTES
                ):
                    waiting -= sizes[0]
                    yield from ready()
                future = self._pool.submit(_make, read.image, variant, read.size)
                making.append((place, variant, future, wanted))
                sizes.append(read.image.nbytes)
                waiting += read.image.nbytes
        while making:
            yield from ready()

    def _read_ahead(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, _Read]]:
        reading: deque[tuple[Entry, Future[_Read]]] = deque()
        remaining = iter(entries)
        while True:
            for entry in itertools.islice(remaining, _READ_AHEAD - len(reading)):
                reading.append((entry, self._pool.submit(self._read, entry)))
            if not reading:
                return
            entry, future = reading.popleft()
            yield entry, future.result()

    def _read(self, entry: Entry) -> _Read:
        """Return an image and which answers are missing; its pixels only where some are."""
        path = self._job.root / entry.image
        wanted = np.ones((len(self._machines), len(entry.variants)), bool)
        try:
            content = read_content(path)
            sha = hashlib.sha256(content).hexdigest()[:32]
            for m, before in enumerate(self._before):
                keys = [question.key for question in entry.questions(m, sha)]
                wanted[m] = ~before.knows(np.array(keys, np.uint64))
            image = decode_image(content, str(path)) if wanted.any() else None
        except SightlineError as error:
            return _Read("", 0, None, str(error), wanted)
        return _Read(sha, len(content), image, "", wanted)

    def _ask_all(self, group: Sequence[_Shown]) -> None:
        for index in range(len(self._machines)):
            mine = [
                s
                for s in group
                if s.questions[index] is not None and not self._outcomes[s.place].reason
            ]
            if mine:
                self._ask(index, mine)

    def _ask(self, index: int, group: Sequence[_Shown]) -> None:
        """Let one machine answer; where it refuses a group, each image is shown to it alone."""
        machine = self._machines[index]
        try:
            answers = _asked(machine, group)
        except SightlineError as error:
            if len(group) > 1:
                for shown in group:
                    self._ask(index, [shown])
                return
            self._fail(group[0].place, f"{machine.name} refuses it: {error}")
            return
        for shown, answer in zip(group, answers, strict=True):
            question = cast("Question", shown.questions[index])
            if isinstance(answer, Detected):
                kept: Answer = _kept(answer, shown)
            else:
                kept = self._class_answer(index, shown, question, *answer)
            self._rows[index].append((question, shown.made, kept))
            outcome = self._outcomes[shown.place]
            self._outcomes[shown.place] = outcome._replace(computed=outcome.computed + 1)
        self._tick(len(group))

    def _class_answer(
        self,
        index: int,
        shown: _Shown,
        question: Question,
        probabilities: NDArray[np.float32],
        energy: float,
    ) -> ClassAnswer:
        predicted = int(probabilities.argmax())
        reference = question.asked
        if reference == OWN_ANSWER:
            of = (index, shown.place, shown.variant.augmented)
            if shown.variant.distortion.kind == "none":
                self._own[of] = predicted
            if of not in self._own:
                pristine = question._replace(
                    distortion="none", seed=question.seed if question.augmented else 0
                )
                before = self._before[index]
                row = before.row(pristine)
                if row is None:
                    raise InputError(f"{question}: the pristine image was not asked first")
                self._own[of] = before.classified(row).predicted
            reference = self._own[of]
        confidence = float("nan") if reference == NO_CLASS else float(probabilities[reference])
        return ClassAnswer(
            reference, confidence, predicted, float(probabilities[predicted]), energy
        )

    def _fail(self, place: int, reason: str) -> None:
        outcome = self._outcomes[place]
        if not outcome.reason:
            self._outcomes[place] = outcome._replace(reason=reason)


def _make(image: Photo, variant: Variant, size: int) -> tuple[Photo, Made]:
    pristine = pristine_copy(image, variant.seed, variant.augmented)
    height, width = pristine.shape[:2]
    if variant.distortion.kind == "none":
        return pristine, Made(0 if variant.augmented else size, width, height)
    pixels, content = encoded(pristine, variant.distortion, variant.seed)
    return pixels, Made(len(content), width, height)


def _asked(
    machine: Machine, group: Sequence[_Shown]
) -> Sequence[Detected | tuple[NDArray[np.float32], float]]:
    """Return what a machine says of some images, checked."""
    images = [shown.pixels for shown in group]
    if machine.kind == "detection":
        found = cast("Detector", machine).detect(images)
        if len(found) != len(images):
            raise InputError(f"{len(images)} answers are wanted, {len(found)} came")
        return found
    said = cast("Classifier", machine).classify(images)
    probabilities = np.asarray(said.probabilities, np.float32)
    if probabilities.ndim != 2 or len(probabilities) != len(images) or not probabilities.size:
        raise InputError(f"({len(images)}, C) probabilities are wanted, {probabilities.shape} came")
    if not np.isfinite(probabilities).all():
        raise InputError("finite probabilities are wanted, others came")
    energy = np.asarray(said.energy, np.float32)
    return [(row, float(e)) for row, e in zip(probabilities, energy, strict=True)]


def _kept(found: Detected, shown: _Shown) -> Detected:
    """Return the boxes that are worth keeping, in pixels of the pristine image."""
    height, width = shown.pixels.shape[:2]
    order = np.argsort(-np.asarray(found.scores), kind="stable")
    order = order[np.asarray(found.scores)[order] >= LEAST_SCORE][:MOST_BOXES]
    scale = np.array([shown.made.width / width, shown.made.height / height] * 2, np.float32)
    return Detected(
        (np.asarray(found.boxes, np.float32).reshape(-1, 4)[order] * scale).astype(np.float32),
        np.asarray(found.labels, np.int64)[order],
        np.asarray(found.scores, np.float32)[order],
    )
