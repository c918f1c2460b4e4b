"""What the service allows."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from sightline.errors import InputError


@dataclass(frozen=True)
class ServerSettings:
    """Limits of the service, which bound memory and waiting; and whose photos it takes."""

    max_file_bytes: int = 25 * 2**20
    """Largest photo file, in bytes."""
    max_request_bytes: int = 64 * 2**20
    """Largest request body, in bytes."""
    max_files: int = 32
    """Most photos in one request."""
    max_pixels: int = 64_000_000
    """Most pixels in one photo."""
    batch_size: int = 8
    """Most photos given to the localiser at once; requests that wait together share a batch."""
    max_requests: int = 32
    """Most localisation requests in hand (arriving, waiting or running); further ones get 503."""
    upload_timeout_s: float = 120.0
    """Longest time a request body may take to arrive, in seconds."""
    retry_after_s: int = 2
    """When a refused client may come back, in seconds."""
    shutdown_grace_s: float = 10.0
    """How long requests in hand may take to end after Ctrl-C, in seconds."""
    min_utility: float = 0.0
    """Photos less likely than this to be localised, by how they look, are refused (too blurred,
    compressed, noisy or dark); 0 takes all, 0.3 is a good choice."""
    allow_origins: tuple[str, ...] = ()
    """Other web origins whose pages may call the API, such as https://map.example.org; none by
    default."""

    def __post_init__(self) -> None:
        for name in (
            "max_file_bytes",
            "max_request_bytes",
            "max_files",
            "max_pixels",
            "batch_size",
            "max_requests",
            "upload_timeout_s",
            "retry_after_s",
            "shutdown_grace_s",
        ):
            if getattr(self, name) <= 0:
                raise InputError(f"a positive {name} is wanted, {getattr(self, name)} came")
        if not 0 <= self.min_utility <= 1:
            raise InputError(
                f"a min_utility from 0 to 1 is wanted, {self.min_utility:g} came; try 0.3"
            )
        for origin in self.allow_origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise InputError(
                    f"an origin like https://map.example.org is wanted in allow_origins, {origin} "
                    "came; name each origin (no path, no wildcard)"
                )
