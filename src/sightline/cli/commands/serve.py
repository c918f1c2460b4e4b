"""``sightline serve``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from sightline.cli.options import parse
from sightline.server.settings import ServerSettings


@dataclass(frozen=True)
class ServeOptions:
    """Serve a place: JSON API at /api, dashboard at /."""

    place: tyro.conf.Positional[Path]
    """A built place."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines in."""
    port: int = 8000
    """Port to listen on; 0 takes a free one."""
    run: str | None = None
    """The run whose network proposes; the best by validation otherwise."""
    min_confidence: float | None = None
    """Say "don't know" instead of an answer less likely than this to be within the radius."""
    max_wrong: float | None = None
    """The same, from the confidence on that keeps wrong answers under this share of the photos;
    for places that were calibrated (`sightline calibrate`)."""
    limits: Annotated[ServerSettings, tyro.conf.arg(name="")] = field(
        default_factory=ServerSettings
    )
    """What the service allows."""


def run(arguments: Sequence[str]) -> int:
    """Run the command until Ctrl-C."""
    options = parse(ServeOptions, arguments, command="serve")
    from sightline.server.serve import serve

    serve(
        options.place,
        host=options.host,
        port=options.port,
        run=options.run,
        settings=options.limits,
        min_confidence=options.min_confidence,
        max_wrong=options.max_wrong,
        on_ready=lambda address: print(f"dashboard: {address}", flush=True),
        on_note=lambda note: print(f"note: {note}", file=sys.stderr, flush=True),
    )
    return 0
