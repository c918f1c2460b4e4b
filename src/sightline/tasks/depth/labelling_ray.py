"""Labelling on a Ray cluster: the shards of one machine's labelling, made by many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sightline.errors import InputError, SightlineError
from sightline.learning.ray_work import ray_rows
from sightline.tasks.depth.label_shards import Entry, Shard, ShardJob, label_shards
from sightline.tasks.depth.maps import DepthModel


class _Worker:
    """One actor: it holds a teacher and labels a shard a call.

    What a user can act on comes back as a line of text: Ray would wrap it in pages.
    """

    def __init__(self, load: Callable[[], DepthModel], digest: str, job: ShardJob) -> None:
        import cv2

        cv2.setNumThreads(1)  # an actor has one core; of torch's threads Ray takes care itself
        self._job, self._error = job, ""
        try:
            self._model = load()
        except SightlineError as error:
            self._error = str(error)
            return
        if self._model.digest != digest:
            self._error = (
                f"the teacher {digest} is wanted on all machines; {self._model.digest} was loaded; "
                "put the same files at the same path on each"
            )

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return how many photos were done, and what went wrong."""
        shard = Shard(row["index"], [Entry(*entry) for entry in row["entries"]])
        if not self._error:
            try:
                # A thread reads and writes while the teacher predicts.
                label_shards(self._model, self._job, [shard], lambda _: None, threads=1)
            except SightlineError as error:
                self._error = str(error)
        return {"photos": len(shard.entries), "error": self._error}


def label_with_ray(
    model: DepthModel,
    load: Callable[[], DepthModel] | None,
    job: ShardJob,
    shards: Sequence[Shard],
    tick: Callable[[int], None],
) -> None:
    """Label shards on a Ray cluster: the running one, that of ``RAY_ADDRESS``, or a local one.

    Each worker has one core (and a GPU where there are any), loads the teacher once, and writes
    the files that ``label_shards`` writes.

    Raises:
        InputError: Ray is not installed, or what a worker says.
    """
    rows = [{"index": s.index, "entries": [list(e) for e in s.entries]} for s in shards]
    for row in ray_rows(_Worker, (load or (lambda: model), model.digest, job), rows):
        if row["error"]:
            raise InputError(row["error"])
        tick(int(row["photos"]))
