"""Sightline: images into geometry and judgement.

The public face is small: :func:`load_place`, :func:`relate`, :func:`predict_object`, and what they
return. Everything else is importable from its own module but not advertised. Importing this
package is cheap: torch and pycolmap are imported where they are first needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sightline.app.loaded_place import LoadedPlace
    from sightline.app.relate import Relation
    from sightline.tasks.objects.photos import ObjectAnswer

__version__ = "0.1.0"
__all__ = ["__version__", "load_place", "predict_object", "relate"]


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


def predict_object(
    image: str | Path | NDArray[np.uint8],
    box: Sequence[float] | None = None,
    *,
    run: str | Path | None = None,
    category: str | None = None,
) -> ObjectAnswer:
    """Return what a box of a picture shows, and how it is turned.

    Args:
        image: A photo, or an upright uint8 (H, W, 3) RGB picture.
        box: ``x0 y0 x1 y1`` in pixels from edge to edge; the whole picture where None. What is
            outside the picture is cut off.
        run: Run folder of the network; the one that comes with the package where None.
        category: What the box shows, where it is known: the pose is that category's.

    Raises:
        InputError: A file that is no photo, a box outside the picture, an unknown category.
        WeightsError: There is no such network.
    """
    from sightline.media import read_photo
    from sightline.tasks import Picture
    from sightline.tasks.objects.photos import ObjectsOptions, make_reader

    name = "the picture"
    if isinstance(image, (str, Path)):
        name, image = str(image), read_photo(Path(image))
    options = ObjectsOptions(box=None if box is None else tuple(box), category=category)
    reader = make_reader(None if run is None else Path(run), options)
    return reader(Picture(name, image)).answers[0]


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
