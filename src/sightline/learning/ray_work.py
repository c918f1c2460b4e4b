"""Work on a Ray cluster: rows to actors that are made once, answers as they come."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sightline.errors import InputError

Row = dict[str, Any]


def ray_rows(
    worker: Callable[..., Callable[[Row], Row]], arguments: tuple[Any, ...], rows: Sequence[Row]
) -> Iterator[Row]:
    """Yield what workers make of rows, on the running cluster, that of ``RAY_ADDRESS``, or a local.

    Each worker has one core (and a GPU where there are any), and is made once. What a user can act
    on it should give back as text: Ray would wrap an exception in pages.

    Args:
        worker: A class whose objects take a row and return one.
        arguments: For making it; sent to the machines.
        rows: Each a unit of work.

    Raises:
        InputError: Ray is not installed.
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
        # The progress that is told is ours; its own would be printed between.
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        gpus = int(there.get("GPU", 0))
        workers = min(len(rows), gpus or int(there.get("CPU", 1)))
        done = ray.data.from_items(list(rows), override_num_blocks=len(rows)).map(
            worker,  # type: ignore[arg-type]  # a class whose objects take rows
            fn_constructor_args=arguments,
            compute=ray.data.ActorPoolStrategy(size=max(1, workers)),
            num_cpus=1,
            num_gpus=1 if gpus else 0,
        )
        yield from done.iter_rows()
    finally:
        if started:
            ray.shutdown()
