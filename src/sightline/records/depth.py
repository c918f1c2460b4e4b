"""Images with the depth of their pixels: measured, rendered, or labelled by a network.

A depth set's own file is a CSV, ``depth.csv``, whose paths are relative to its folder. The first
two columns must be there; cells of the others may be empty::

    image,depth          the photo and its depth: a 16-bit PNG or a float32 .npy; depth may be empty
                         (an image without a label)
    quantity             depth (z-depth, the default) or disparity (affine-invariant inverse depth)
    scale                metres of one unit in a PNG (0.001 where empty: millimetres); 1 for .npy
    split                train, validation, test
    source               the scene, video or room it was taken in; splits never cut through one
    fx,fy,cx,cy          intrinsics in pixels of the photo, (0, 0) the middle of its first pixel
    labelled_by          what made the label, where a network did

Zero, negative and non-finite values mean unknown. A depth map may be smaller or larger than its
photo; it shows the same view.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

DEPTH_CSV = "depth.csv"

Quantity = Literal["depth", "disparity"]

#: Metres of one unit of a 16-bit PNG where nothing else is said.
MILLIMETRE = 0.001


@dataclass(frozen=True)
class DepthImage:
    """One photo and what is known of its depth.

    Attributes:
        image: Path of the photo, relative to the set's folder or absolute.
        depth: Path of the depth map, likewise; None where there is none.
        quantity: What its values are: ``depth`` is z-depth in metres after scaling; ``disparity``
            is inverse depth up to scale and shift (a label of a relative network).
        scale: What a stored value is multiplied by.
        split: ``train``, ``validation``, ``test`` or empty.
        source: The scene, room or video it was taken in; splits never cut through one.
        intrinsics: ``fx, fy, cx, cy`` in pixels of the photo; None where unknown.
        labelled_by: The network that made the label; empty for measured and rendered depth.
    """

    image: Path
    depth: Path | None
    quantity: Quantity = "depth"
    scale: float = MILLIMETRE
    split: str = ""
    source: str = ""
    intrinsics: tuple[float, float, float, float] | None = None
    labelled_by: str = ""


@dataclass(frozen=True)
class DepthSet:
    """Images of one data set, with depth or without.

    Attributes:
        name: As tables show it.
        root: Folder that paths are relative to; a training's runs go to its ``runs/``.
        items: In a fixed order.
        left_out: What was not taken, by reason, for logs.
        notes: What else is to be known of the set, in sentences, for logs.
    """

    name: str
    root: Path
    items: tuple[DepthImage, ...]
    left_out: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def runs_dir(self) -> Path:
        """Where trainings on this set go."""
        return self.root / "runs"

    def part(self, split: str) -> DepthSet:
        """Return the items of one split; it may be empty."""
        return replace(self, items=tuple(item for item in self.items if item.split == split))

    def splits(self) -> dict[str, int]:
        """Return how many items each split has; items of no split count under ``""``."""
        return dict(Counter(item.split for item in self.items))

    def path(self, file: Path) -> Path:
        """Return where an item's file lies."""
        return self.root / file
