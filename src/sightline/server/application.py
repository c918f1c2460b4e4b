"""The FastAPI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from sightline import __version__
from sightline.server.dashboard import STATIC_DIR, mount_dashboard
from sightline.server.inference import Decode, Judge
from sightline.server.localizer import LocalizerLike
from sightline.server.middleware import GuardMiddleware
from sightline.server.photos import photo_decoder
from sightline.server.problems import install_problem_handlers
from sightline.server.routes import router
from sightline.server.service import Service
from sightline.server.settings import ServerSettings

_TAGS = [
    {"name": "localize", "description": "Where was this photo taken?"},
    {"name": "place", "description": "The place and its floor plan."},
    {"name": "service", "description": "For whoever runs the service."},
]


def create_app(
    localizer: LocalizerLike,
    settings: ServerSettings | None = None,
    *,
    decode: Decode | None = None,
    judge: Judge | None = None,
    static_dir: Path = STATIC_DIR,
) -> FastAPI:
    """Return the service for one opened localiser.

    Args:
        localizer: Loaded once, by the caller; asked from one worker thread only.
        settings: Limits; the defaults where None.
        decode: Bytes to pixels; :func:`sightline.server.photos.photo_decoder` where None.
        judge: Says whether a photo is of use; the package's own gate where None, and only where
            the settings ask for a ``min_utility``.
        static_dir: Where the built dashboard is.
    """
    settings = settings or ServerSettings()
    if settings.min_utility > 0 and judge is None:
        from sightline.tasks.utility.gate import load_gate

        judge = load_gate().judge
    service = Service(localizer, decode or photo_decoder(settings), settings, judge)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="Sightline",
        summary="Where was this photo taken?",
        description="Photos in; camera poses, positions on the floor plan and headings out. "
        "Errors are problem details (RFC 9457).",
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=_TAGS,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        # FastAPI's own pages load their scripts from a CDN.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    install_problem_handlers(app)
    app.include_router(router)
    mount_dashboard(app, static_dir)
    if settings.allow_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.allow_origins),
            allow_methods=["GET", "POST"],
            expose_headers=["Retry-After"],
        )
    app.add_middleware(GuardMiddleware)
    return app
