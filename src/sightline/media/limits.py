"""How large an image or a video may be before it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sightline.errors import InputError, MediaError


@dataclass(frozen=True)
class MediaLimits:
    """Limits that are checked from sizes and headers, before anything is decoded."""

    max_bytes: int = 100 * 1024**2
    """Largest photo file, in bytes."""

    max_pixels: int = 80_000_000
    """Largest photo or video frame, in pixels (80 million take 240 MB once decoded)."""

    max_video_bytes: int = 32 * 1024**3
    """Largest video file, in bytes."""

    def __post_init__(self) -> None:
        """Refuse limits that nothing can pass."""
        for name in ("max_bytes", "max_pixels", "max_video_bytes"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} of at least 1 is wanted; {getattr(self, name)} came; raise it"
                )

    def check_pixels(self, name: str, width: int, height: int) -> None:
        """Refuse a picture with too many pixels.

        Raises:
            MediaError: ``width * height`` is over ``max_pixels``.
        """
        if width * height > self.max_pixels:
            raise MediaError(
                f"at most {self.max_pixels} pixels are wanted; {name} has {width}x{height}; "
                "scale it down or raise max_pixels"
            )


DEFAULT_LIMITS = MediaLimits()


def check_file(path: Path, wanted: str, max_bytes: int, limit_name: str) -> None:
    """Refuse a path that is no file, is empty or is too large.

    Raises:
        MediaError: With what was wanted, what came and what to do.
    """
    if not path.exists():
        raise MediaError(f"{wanted} is wanted; {path} does not exist; check the path")
    if not path.is_file():
        raise MediaError(f"{wanted} is wanted; {path} is not a file; name a file")
    check_bytes(str(path), path.stat().st_size, wanted, max_bytes, limit_name)


def check_bytes(name: str, size: int, wanted: str, max_bytes: int, limit_name: str) -> None:
    """Refuse content that is empty or too large.

    Raises:
        MediaError: With what was wanted, what came and what to do.
    """
    if size == 0:
        raise MediaError(f"{wanted} is wanted; {name} is empty (0 bytes); copy or record it again")
    if size > max_bytes:
        raise MediaError(
            f"{wanted} of at most {max_bytes} bytes is wanted; {name} has {size}; "
            f"make it smaller or raise {limit_name}"
        )
