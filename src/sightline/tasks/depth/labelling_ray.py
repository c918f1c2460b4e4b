"""Labelling on a Ray cluster: the shards of one machine's labelling, made by many."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from sightline.errors import InputError, SightlineError
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
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(
            "Ray is wanted for --ray, it is not installed; pip install sightline[distributed]"
        ) from error
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        rows = [{"index": s.index, "entries": [list(e) for e in s.entries]} for s in shards]
        # The progress that is told is ours; its own would be printed between.
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        gpus = int(there.get("GPU", 0))
        workers = min(len(shards), gpus or int(there.get("CPU", 1)))
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            _Worker,  # type: ignore[arg-type]  # a class whose objects take rows
            fn_constructor_args=(load or (lambda: model), model.digest, job),
            compute=ray.data.ActorPoolStrategy(size=max(1, workers)),
            num_cpus=1,
            num_gpus=1 if gpus else 0,
        )
        for row in done.iter_rows():
            if row["error"]:
                raise InputError(row["error"])
            tick(int(row["photos"]))
    finally:
        if started:
            ray.shutdown()
