"""What ``sightline calibrate`` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sightline.errors import InputError
from sightline.media.distortions import Distortion, parse_distortion

#: From photos that are hard to localise to hopeless ones.
DEGRADED = "blur:3 jpeg:8 noise:30 downscale:6 blur:5 jpeg:5 lowlight:0.02 blur:7 noise:50"

PRISTINE = Distortion("none")


@dataclass(frozen=True)
class CalibrateConfig:
    """What a place's answers are compared with."""

    walk: Path | None = None
    """Another walk with true poses (a folder with poses.csv and images); otherwise the place's own
    frames, each asked in the map without it and its neighbours."""
    run: str | None = None
    """The run whose network proposes; the best by validation otherwise."""
    radius: float = 0.0
    """Within it an answer is right, in the place's unit; 0 = 0.5 m, or without a scale a sixth of
    the distance from which the map's points are seen."""
    photos: int = 80
    """Photos asked at most, spread evenly over the walk."""
    copies: int = 3
    """Degraded copies asked of each photo."""
    degraded: str = DEGRADED
    """How they are degraded, in turn: KIND:LEVEL, with blanks between."""
    neighbours: int = 2
    """Own frames: how many before and after a frame are left out of the map with it."""

    def __post_init__(self) -> None:
        _ = self.distortions
        wanted = {
            "radius": self.radius >= 0,
            "photos": self.photos >= 1,
            "copies": 0 <= self.copies <= 50,
            "neighbours": 0 <= self.neighbours <= 100,
        }
        for name, good in wanted.items():
            if not good:
                came = getattr(self, name)
                raise InputError(f"{name} = {came!r} is out of range; see `--help`")

    @property
    def distortions(self) -> tuple[Distortion, ...]:
        """What degrades the copies."""
        return tuple(parse_distortion(text) for text in self.degraded.split())

    def of_photo(self, index: int) -> tuple[Distortion, ...]:
        """Return the pristine photo and the copies of the one with a number."""
        listed = self.distortions
        if not listed:
            return (PRISTINE,)
        chosen = [listed[(index * self.copies + k) % len(listed)] for k in range(self.copies)]
        return (PRISTINE, *dict.fromkeys(chosen))
