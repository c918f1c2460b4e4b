"""Run the service."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from sightline.errors import InputError
from sightline.server.localizer import LocalizerLike
from sightline.server.settings import ServerSettings


def serve(
    place_root: str | Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    run: str | None = None,
    settings: ServerSettings | None = None,
    *,
    min_confidence: float | None = None,
    max_wrong: float | None = None,
    on_ready: Callable[[str], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> None:
    """Serve a place until Ctrl-C or SIGTERM.

    The localiser is loaded before the port is opened, so a place that cannot be served fails at
    once with its own message.

    Args:
        place_root: The place folder.
        host: Address to listen on; 127.0.0.1 is this machine alone, 0.0.0.0 every network.
        port: Port; 0 takes a free one.
        run: Name of the run whose network proposes; None takes the best.
        settings: Limits.
        min_confidence: Answers below it are withheld.
        max_wrong: Instead of it, the share of photos that may get a wrong answer; the place must be
            calibrated.
        on_ready: Called with the dashboard's address when it can be opened.
        on_note: Called with what the user should know of the place's calibration, if anything.

    Raises:
        PlaceError: The folder is no place, or has nothing to localise with.
        InputError: The address cannot be listened on, or a share cannot be promised.
    """
    from sightline.app.localize import Localizer
    from sightline.records import Place

    localizer = Localizer.open(
        Place.open(place_root), run, min_confidence=min_confidence, max_wrong=max_wrong
    )
    if localizer.confidence.note and on_note is not None:
        on_note(localizer.confidence.note)
    serve_localizer(localizer, host, port, settings, on_ready=on_ready)


def serve_localizer(
    localizer: LocalizerLike,
    host: str = "127.0.0.1",
    port: int = 8000,
    settings: ServerSettings | None = None,
    *,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve an opened localiser; see :func:`serve`."""
    import uvicorn

    from sightline.server.application import create_app

    settings = settings or ServerSettings()
    app = create_app(localizer, settings)
    with closing(listen(host, port)) as listener:
        config = uvicorn.Config(
            app,
            log_level="info",
            server_header=False,
            timeout_graceful_shutdown=max(1, round(settings.shutdown_grace_s)),
        )
        if on_ready is not None:
            shown = f"[{host}]" if ":" in host else host
            on_ready(f"http://{shown}:{listener.getsockname()[1]}/")
        # uvicorn raises the signal again after it has shut down; for Ctrl-C that is the end wanted.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    Raises:
        InputError: The address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it on, every
    # answer on a kept connection waits 40 ms for the client's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Connections made before the first request is read wait here instead of being refused.
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            f"{host}:{port} is wanted to listen on; {error}; choose another with --host, --port"
        ) from error
    return listener
