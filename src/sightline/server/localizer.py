"""What the service asks of a localiser; :class:`sightline.app.localize.Localizer` has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.app.place_confidence import PlaceConfidence
from sightline.records import Place


class LocalizationLike(Protocol):
    """One photo's answer."""

    def to_json(self) -> dict[str, Any]:
        """Return what ``sightline localize --json`` prints for it."""


class LocalizerLike(Protocol):
    """Answers "where was this photo taken?" for one place.

    Attributes:
        place: The place.
        network_name: The trained network in use, None where there is none.
        confidence: What its confidence means, and from which on it answers.
    """

    place: Place
    network_name: str | None
    confidence: PlaceConfidence

    def localize(
        self,
        images: Sequence[NDArray[np.uint8]],
        names: Sequence[str],
        *,
        focals_px: Sequence[float | None] | None = None,
    ) -> Sequence[LocalizationLike]:
        """Return one answer a photo, in order.

        Args:
            images: (H, W, 3) uint8 RGB, any sizes.
            names: A name a photo.
            focals_px: EXIF focal lengths in pixels, where known.
        """
