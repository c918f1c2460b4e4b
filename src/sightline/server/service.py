"""The state of one running service: the localiser, its worker, and what is in hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

from sightline import __version__
from sightline.server.batching import BatchWorker, WorkerClosedError
from sightline.server.inference import Decode, Judge, Outcome, PhotoPipeline
from sightline.server.localizer import LocalizerLike
from sightline.server.pictures import forbidden_picture, plan_picture
from sightline.server.problems import Problem, ProblemError, problem
from sightline.server.schemas import Confidence, Limits, Models, PlaceInfo, Plan, View
from sightline.server.settings import ServerSettings
from sightline.server.uploads import Upload

_DISCONNECT_POLL_S = 0.5


class Service:
    """One place's localiser, asked by many requests; lives in the event loop's thread."""

    def __init__(
        self,
        localizer: LocalizerLike,
        decode: Decode,
        settings: ServerSettings,
        judge: Judge | None = None,
    ) -> None:
        """Read the plan's pictures; the worker starts with :meth:`start`."""
        self.settings = settings
        place = localizer.place
        plan = place.plan
        self.plan_picture = plan_picture(plan) if plan else None
        self.forbidden_picture = forbidden_picture(plan) if plan else None
        self.models = Models(run=localizer.network_name, reconstruction=place.model_dir.is_dir())
        has_walkable = self.forbidden_picture is not None
        views: list[View] = ["numbers"]
        if plan:
            views += ["raw", "walkable"] if has_walkable else ["raw"]
        self.place_info = PlaceInfo(
            name=place.name,
            unit=place.unit,
            plan=None
            if plan is None
            else Plan(
                width=plan.width,
                height=plan.height,
                px_per_unit=plan.px_per_unit,
                has_walkable=has_walkable,
            ),
            views=views,
            confidence=Confidence(
                radius=localizer.confidence.model.radius,
                min_confidence=localizer.confidence.least,
            ),
            limits=Limits(
                max_files=settings.max_files,
                max_file_bytes=settings.max_file_bytes,
                max_request_bytes=settings.max_request_bytes,
                max_pixels=settings.max_pixels,
            ),
            version=__version__,
        )
        pipeline = PhotoPipeline(localizer, decode, settings, judge)
        self._worker: BatchWorker[Upload, Outcome] = BatchWorker(pipeline.run, settings.batch_size)
        self._requests = 0

    @property
    def requests(self) -> int:
        """Localisation requests in hand."""
        return self._requests

    @property
    def alive(self) -> bool:
        """Whether the worker runs."""
        return self._worker.alive

    def start(self) -> None:
        """Start the worker."""
        self._worker.start()

    async def stop(self) -> None:
        """Refuse what waits and let the running batch end, within the grace."""
        await asyncio.to_thread(self._worker.close, self.settings.shutdown_grace_s)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a request in hand.

        Raises:
            ProblemError: Too many are in hand (503 with Retry-After).
        """
        if self._requests >= self.settings.max_requests:
            raise ProblemError(
                problem(
                    503,
                    "busy",
                    "The server is busy",
                    f"{self._requests} requests are in hand; try again in "
                    f"{self.settings.retry_after_s} s.",
                ),
                {"Retry-After": str(self.settings.retry_after_s)},
                close=True,
            )
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    async def localize(
        self, uploads: Sequence[Upload], is_disconnected: Callable[[], Awaitable[bool]]
    ) -> list[Outcome]:
        """Return one answer or problem a photo, in order; nothing where the client has gone.

        Raises:
            ProblemError: The service is stopping.
        """
        try:
            futures = self._worker.submit(uploads)
            return await _results(futures, is_disconnected)
        except WorkerClosedError as error:
            raise ProblemError(
                _stopping(), {"Retry-After": str(self.settings.retry_after_s)}
            ) from error


async def _results(
    futures: Sequence[Future[Outcome]], is_disconnected: Callable[[], Awaitable[bool]]
) -> list[Outcome]:
    waiting = [asyncio.wrap_future(future) for future in futures]
    try:
        while True:
            _, pending = await asyncio.wait(waiting, timeout=_DISCONNECT_POLL_S)
            if not pending:
                # All are looked at: asyncio complains of an error nobody has seen.
                errors = [error for future in waiting if (error := future.exception())]
                if errors:
                    raise errors[0]
                return [future.result() for future in waiting]
            if await is_disconnected():
                return []
    finally:
        # Photos nobody waits for any more are skipped by the worker.
        for future in waiting:
            future.cancel()


def _stopping() -> Problem:
    return problem(503, "stopping", "The server is stopping", "Try again when it is back.")
