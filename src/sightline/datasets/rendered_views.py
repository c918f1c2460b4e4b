"""The rendered images of Su et al. 2015 ("Render for CNN"): the angles are in the files' names.

``SYNSET/MODEL/SYNSET_MODEL_a035_e009_t-01_d004.png``: azimuth, elevation and tilt in degrees as
PASCAL3D+ means them. They only teach pose (paper 001, Sec. 4.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.geometry.viewpoint import cam_from_object
from sightline.media import photo_size
from sightline.records.objects import ObjectSet, ObjectView, in_order
from sightline.records.rendered_views import FOLDER, SYNSETS

__all__ = ["FOLDER", "is_rendered_views", "read_rendered_views"]

_ANGLES = re.compile(r"_a(-?\d+)_e(-?\d+)_t(-?\d+)_d-?\d+$")
_SUFFIXES = {".png", ".jpg", ".jpeg"}

#: A file, its category, its model and its angles.
_Named = tuple[Path, str, str, tuple[int, int, int]]


def is_rendered_views(root: Path) -> bool:
    """Whether the folder is Su et al.'s, or holds it."""
    return any((_images(root) / synset).is_dir() for synset in SYNSETS)


def read_rendered_views(
    root: Path,
    categories: Sequence[str] | None = None,
    *,
    max_views: int | None = None,
    seed: int = 0,
) -> ObjectSet:
    """Return the rendered images, all for training, their boxes the whole pictures.

    There are 2.4 million: draw some with ``max_views``, or reading all their sizes takes minutes.

    Args:
        root: The folder of the synsets, or the one above.
        categories: Only these; all that are there where not given.
        max_views: Draw this many at random.
        seed: Seed of the draw.

    Raises:
        InputError: Nothing is left, or more is damaged than left.
    """
    left_out = LeftOut()
    names = list(_names(_images(root), categories, left_out))
    there = {named[1] for named in names}
    if max_views is not None and len(names) > max_views:
        chosen = np.random.default_rng(seed).choice(len(names), max_views, replace=False)
        names = [names[i] for i in np.sort(chosen)]
    # a category that was not drawn is there all the same
    not_drawn = there - {named[1] for named in names}
    views = []
    angles = np.radians(np.array([a for *_, a in names], dtype=np.float64).reshape(-1, 3))
    for (path, category, model, _), q in zip(
        names, cam_from_object(*angles.T).tolist(), strict=True
    ):
        try:
            width, height = photo_size(path)
        except InputError:
            left_out.add("broken image", path)
            continue
        box = (0.0, 0.0, float(width), float(height))
        image = path.relative_to(root)
        views.append(ObjectView(image, box, category, tuple(q), "train", model, rendered=True))
    left_out.check(root, len(views))
    found = in_order(not_drawn | {view.category for view in views})
    return ObjectSet(root.resolve().name, root, tuple(views), found, left_out.counts())


def _images(root: Path) -> Path:
    return root / FOLDER if (root / FOLDER).is_dir() else root


def _names(images: Path, categories: Sequence[str] | None, left_out: LeftOut) -> Iterator[_Named]:
    for synset, category in SYNSETS.items():
        if not (images / synset).is_dir() or (categories and category not in categories):
            continue
        for model in sorted(p for p in (images / synset).iterdir() if p.is_dir()):
            for path in sorted(p for p in model.iterdir() if p.suffix.lower() in _SUFFIXES):
                angles = _ANGLES.search(path.stem)
                if angles is None:
                    left_out.add("no angles in the file's name", path)
                    continue
                a, e, t = (int(angle) for angle in angles.groups())
                yield path, category, f"{synset}_{model.name}", (a, e, t)
