"""Objects seen in pictures: where, of which category, and how turned.

An object set's own file is a CSV, ``objects.csv``, whose paths are relative to its folder. Of its
columns the first six must be there; cells of the others may be empty::

    image,x0,y0,x1,y1,category      the box in pixels, from edge to edge: all is 0,0,width,height
    azimuth_deg,elevation_deg,tilt_deg   how it is turned (sightline.geometry.viewpoint)
    split                           train, validation, test
    source                          the model or photo it was made of; splits never cut through one
    focal_px                        focal length in pixels, where known
    rendered                        1 for renderings of the kind that only teach pose
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sightline.errors import InputError
from sightline.geometry.rotation import Array

OBJECTS_CSV = "objects.csv"

#: PASCAL3D+'s categories, in the order of the paper's tables, and the names in their heads.
CATEGORIES = {
    "aeroplane": "aero",
    "bicycle": "bike",
    "boat": "boat",
    "bottle": "bottle",
    "bus": "bus",
    "car": "car",
    "chair": "chair",
    "diningtable": "dtable",
    "motorbike": "mbike",
    "sofa": "sofa",
    "train": "train",
    "tvmonitor": "tv",
}

#: How often an object looks the same in one turn about its upright axis; 0: from everywhere. Of
#: equal fronts the one nearest to the camera is the front, as PASCAL3D+'s annotators have it.
SYMMETRY = {"bottle": 0, "diningtable": 2}

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ObjectView:
    """One object in one picture.

    Attributes:
        image: Path, relative to the set's folder or absolute.
        box: ``x0, y0, x1, y1`` in pixels from edge to edge: the whole picture is 0, 0, w, h.
        category: Its name.
        cam_from_object: Unit ``wxyz`` rotation from the object's axes to the camera's; None where
            unknown.
        split: ``train``, ``validation``, ``test`` or empty.
        source: The model, photo or video it was made of.
        focal_px: Focal length in the picture's pixels; None where unknown.
        rendered: A rendering of the kind that only teaches pose (the paper's steps 2 and 3).
    """

    image: Path
    box: Box
    category: str
    cam_from_object: tuple[float, float, float, float] | None = None
    split: str = ""
    source: str = ""
    focal_px: float | None = None
    rendered: bool = False


@dataclass(frozen=True)
class ObjectSet:
    """Objects of one data set.

    Attributes:
        name: As tables show it.
        root: Folder that the views' paths are relative to; a training's runs go to its ``runs/``.
        views: In a fixed order.
        categories: All categories, in the order of tables and of a network's outputs.
        left_out: What was not taken, by reason, for logs: ``truncated``, ``missing image`` ...
    """

    name: str
    root: Path
    views: tuple[ObjectView, ...]
    categories: tuple[str, ...]
    left_out: tuple[tuple[str, int], ...] = ()

    def __len__(self) -> int:
        return len(self.views)

    @property
    def runs_dir(self) -> Path:
        """Where trainings on this set go."""
        return self.root / "runs"

    def part(self, split: str) -> ObjectSet:
        """Return the views of one split.

        Raises:
            InputError: There is none.
        """
        chosen = tuple(view for view in self.views if view.split == split)
        if not chosen:
            there = ", ".join(f"{n} of {s or 'no split'}" for s, n in self.splits().items())
            raise InputError(
                f"{self.root}: objects of the split {split!r} are wanted, there are {there}"
            )
        return replace(self, views=chosen)

    def splits(self) -> dict[str, int]:
        """Return the number of views in each split."""
        return dict(Counter(view.split for view in self.views))

    def counts(self, split: str) -> dict[str, int]:
        """Return the number of a split's views of each category (the paper's Table 2)."""
        found = Counter(view.category for view in self.views if view.split == split)
        return {category: found[category] for category in self.categories}

    def path(self, view: ObjectView) -> Path:
        """Return where a view's image lies."""
        return self.root / view.image


def rotations(views: tuple[ObjectView, ...]) -> Array:
    """Return (N, 4) ``cam_from_object``; rows of NaN where a view has none."""
    unknown = (np.nan,) * 4
    return np.array([v.cam_from_object or unknown for v in views], dtype=np.float64).reshape(-1, 4)
