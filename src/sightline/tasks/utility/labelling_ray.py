"""Labelling on a Ray cluster: the shards of one process's labelling, made by many."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sightline.errors import InputError, SightlineError
from sightline.learning.ray_work import ray_rows
from sightline.media.distortions import parse_distortion
from sightline.tasks.utility.labelling_machines import Load
from sightline.tasks.utility.labelling_shards import (
    Entry,
    Outcome,
    Shard,
    ShardJob,
    ShardWorker,
    Variant,
)
from sightline.tasks.utility.machines.machine import Machine


class _Worker:
    """One actor: it holds the machines and answers for a shard a call.

    What a user can act on comes back as a line of text: Ray would wrap it in pages.
    """

    def __init__(self, load: Load, digests: Sequence[str], job: ShardJob) -> None:
        import cv2

        cv2.setNumThreads(1)  # an actor has one core; of torch's threads Ray takes care itself
        self._error = ""
        try:
            machines = load()
            found = [machine.digest for machine in machines]
            if found != list(digests):
                raise InputError(
                    f"the machines {', '.join(digests)} are wanted on all computers; "
                    f"{', '.join(found)} were loaded; put the same files at the same paths"
                )
            # a thread reads and distorts while the machines compute
            self._worker = ShardWorker(machines, job, threads=1)
        except SightlineError as error:
            self._error = str(error)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return what became of a shard's images, and what went wrong."""
        outcomes: list[Outcome] = []
        if not self._error:
            try:
                outcomes = self._worker.answer(_shard(row["shard"]))
            except SightlineError as error:
                self._error = str(error)
        return {"outcomes": json.dumps(outcomes), "error": self._error}


def answer_with_ray(
    machines: Sequence[Machine],
    load: Load | None,
    job: ShardJob,
    shards: Sequence[Shard],
    tick: Callable[[int], None],
) -> list[Outcome]:
    """Return what became of the images of all shards, in their order; see ``ShardWorker``.

    Args:
        machines: Who is asked.
        load: How each worker gets them; they are sent there where not given.
        job: With a folder that all computers see at the same path.
        shards: A unit of work each.
        tick: Told how many more answers there are.

    Raises:
        InputError: Ray is not installed, or what a worker says.
    """
    kept = tuple(machines)
    digests = [machine.digest for machine in kept]
    rows = [{"shard": _text(shard)} for shard in shards]
    entries = [entry for shard in shards for entry in shard.entries]
    asked = {entry.image: len(entry.variants) * len(kept) for entry in entries}
    found: dict[str, Outcome] = {}
    for row in ray_rows(_Worker, (load or (lambda: kept), digests, job), rows):
        if row["error"]:
            raise InputError(row["error"])
        outcomes = [Outcome(*fields) for fields in json.loads(row["outcomes"])]
        found |= {outcome.image: outcome for outcome in outcomes}
        # those of images that were not read will never be
        tick(sum(asked[outcome.image] for outcome in outcomes))
    return [found[entry.image] for entry in entries]


def _text(shard: Shard) -> str:
    """Return a shard as JSON, which Ray's tables hold whatever is in it."""
    entries = [
        [e.image, e.asked, [(str(v.distortion), v.seed, v.augmented) for v in e.variants]]
        for e in shard.entries
    ]
    return json.dumps([shard.number, entries])


def _shard(text: str) -> Shard:
    number, entries = json.loads(text)
    return Shard(
        number,
        [
            Entry(
                image,
                tuple(asked),
                tuple(Variant(parse_distortion(d), seed, augmented) for d, seed, augmented in made),
            )
            for image, asked, made in entries
        ],
    )
