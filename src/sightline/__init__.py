"""Sightline: images into geometry and judgement.

The public face is small: :func:`load_place`, :func:`relate`, and what they return. Everything
else is importable from its own module but not advertised. Importing this package is cheap: torch
and pycolmap are imported where they are first needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.app.loaded_place import LoadedPlace
    from sightline.app.relate import Relation

__version__ = "0.1.0"
__all__ = ["__version__", "load_place", "relate"]


def load_place(root: str | Path, run: str | None = None) -> LoadedPlace:
    """Return a built place, ready to say where photos were taken.

    Args:
        root: The place's folder (``sightline build`` makes it).
        run: Name of the run whose network proposes; None takes the best by validation.

    Raises:
        PlaceError: The folder is not a place, or has neither a map nor a trained network.
    """
    from sightline.app.loaded_place import LoadedPlace

    return LoadedPlace.open(root, run)


def relate(
    image_a: str | Path,
    image_b: str | Path,
    method: str = "auto",
    *,
    intrinsics: Sequence[float] | None = None,
    baseline_m: float | None = None,
) -> Relation:
    """Return how the second photo's camera stands to the first's: ``x_b = R x_a + t``.

    Args:
        image_a: The first photo.
        image_b: The second.
        method: ``auto``, ``cnn``, ``sift``, ``orb``, ``akaze``, ``surf``, with ``+poselib`` or
            ``+opencv``.
        intrinsics: ``fx fy cx cy`` in pixels, of both photos or of a and then b; EXIF's focal
            length where None, else a guess.
        baseline_m: Distance between the cameras in metres, for a translation in metres.

    Raises:
        InputError: A file that is no photo, an unknown method, bad numbers.
    """
    from sightline.app.relate import Scale, pair_from_flags
    from sightline.app.relate import relate as relate_pair
    from sightline.tasks.relative.scoring import make_method

    pair = pair_from_flags(Path(image_a), Path(image_b), intrinsics)
    return relate_pair(pair, make_method(method), Scale(baseline_m))
