"""What every machine is; imports without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Photo = NDArray[np.uint8]

#: What scores less counts nowhere: labels ask for 0.5, average precision for what ranks high.
LEAST_SCORE = 0.05


@dataclass(frozen=True, eq=False)
class Classified:
    """What a classifier says of N images.

    Attributes:
        probabilities: (N, C) float32, rows sum to 1.
        energy: (N,) float32, -logsumexp of the logits (Liu et al. 2020, T = 1); NaN where the
            machine gives no logits.
    """

    probabilities: NDArray[np.float32]
    energy: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Detected:
    """What a detector finds in one image, best first, after its own suppression of doubles.

    Attributes:
        boxes: (n, 4) float32 ``x0, y0, x1, y1`` in the image's pixels from edge to edge.
        labels: (n,) int64 indices of the machine's ``categories``.
        scores: (n,) float32 from 0 to 1.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]


@runtime_checkable
class Machine(Protocol):
    """A network, or anything that answers like one.

    Attributes:
        name: As tables show it; unique among machines that label together.
        kind: What it does; it is then a :class:`Classifier` or a :class:`Detector`.
        digest: Of its weights and of how it reads images: the same digest, the same answers.
        categories: Names of its classes, by index; ``background`` where one is no class. Empty
            where it has none: indices are then the data's.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def kind(self) -> Literal["classification", "detection"]: ...  # noqa: D102

    @property
    def digest(self) -> str: ...  # noqa: D102

    @property
    def categories(self) -> tuple[str, ...]: ...  # noqa: D102


class Classifier(Machine, Protocol):
    """A machine of the kind ``classification``."""

    def classify(self, images: Sequence[Photo]) -> Classified:
        """Return what it says of uint8 (H, W, 3) RGB images, each of any size."""
        ...


class Detector(Machine, Protocol):
    """A machine of the kind ``detection``."""

    def detect(self, images: Sequence[Photo]) -> list[Detected]:
        """Return what it finds in uint8 (H, W, 3) RGB images, each of any size."""
        ...
