"""The public face of a place in Python."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.app.localize import Localization, Localizer, localize_source
from sightline.records import FloorPlan, Place, PosedFrame


class LoadedPlace:
    """A built place with its localiser; made by :func:`sightline.load_place`."""

    def __init__(self, localizer: Localizer) -> None:
        """Use :func:`sightline.load_place`."""
        self._localizer = localizer

    @classmethod
    def open(
        cls,
        root: str | Path,
        run: str | None = None,
        *,
        min_confidence: float | None = None,
        max_wrong: float | None = None,
    ) -> LoadedPlace:
        """Return the place at ``root``; see :func:`sightline.load_place`."""
        place = Place.open(root)
        localizer = Localizer.open(place, run, min_confidence=min_confidence, max_wrong=max_wrong)
        if localizer.confidence.note:
            # of whoever calls load_place
            warnings.warn(localizer.confidence.note, stacklevel=3)
        return cls(localizer)

    @property
    def place(self) -> Place:
        """The folder and its files."""
        return self._localizer.place

    @property
    def plan(self) -> FloorPlan | None:
        """The floor plan, where one is attached."""
        return self.place.plan

    @property
    def frames(self) -> list[PosedFrame]:
        """The mapped frames with their poses."""
        return self.place.registered()

    def localize(self, photo: str | Path | NDArray[np.uint8]) -> Localization:
        """Return where one photo was taken.

        Args:
            photo: A file, or an upright (H, W, 3) uint8 RGB array.

        Raises:
            MediaError: The file is not a readable photo.
        """
        if isinstance(photo, np.ndarray):
            return self._localizer.localize([photo], ["array"])[0]
        from sightline.media.photo import exif_focal_px, read_photo

        path = Path(photo)
        return self._localizer.localize(
            [read_photo(path)], [path.name], focals_px=[exif_focal_px(path)]
        )[0]

    def localize_all(self, source: str | Path, *, fps: float = 2.0) -> list[Localization]:
        """Return the answers for a folder of photos, or for a video (``fps`` frames a second)."""
        return list(localize_source(self._localizer, Path(source), fps=fps))
