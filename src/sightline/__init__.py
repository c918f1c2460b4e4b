"""Sightline: images into geometry and judgement.

The public face is small: :func:`load_place`, :func:`relate`, :func:`predict_object`,
:func:`predict_depth`, :func:`predict_utility`, and what they return. Everything else is importable
from its own module but not advertised. Importing this package is cheap: torch and pycolmap are
imported where they are first needed.
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
    from sightline.tasks.depth.outputs import DepthAnswer
    from sightline.tasks.objects.photos import ObjectAnswer
    from sightline.tasks.utility.photos import UtilityAnswer

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "load_place",
    "predict_depth",
    "predict_object",
    "predict_utility",
    "relate",
]


def load_place(
    root: str | Path,
    run: str | None = None,
    *,
    min_confidence: float | None = None,
    max_wrong: float | None = None,
) -> LoadedPlace:
    """Return a built place, ready to say where photos were taken.

    Args:
        root: The place's folder (``sightline build`` makes it).
        run: Name of the run whose network proposes; None takes the best by validation.
        min_confidence: Answers less likely than this to be within the place's radius are withheld:
            their status is ``unknown``.
        max_wrong: Instead of it, the share of photos that may get a wrong answer; for places that
            were calibrated (``sightline calibrate``).

    Warns:
        UserWarning: The place's calibration is of another map, network or scale, and not used.

    Raises:
        PlaceError: The folder is not a place, or has neither a map nor a trained network.
        InputError: A bound that is no probability, or a share that cannot be promised.
    """
    from sightline.app.loaded_place import LoadedPlace

    return LoadedPlace.open(root, run, min_confidence=min_confidence, max_wrong=max_wrong)


def predict_depth(
    image: str | Path | NDArray[np.uint8],
    weights: str | Path | None = None,
    *,
    metric: str | Path | None = None,
    known_distance: Sequence[float] | None = None,
    intrinsics: Sequence[float] | None = None,
    max_side: int = 0,
    device: str = "cpu",
) -> DepthAnswer:
    """Return how far every pixel of a picture is.

    The answer's ``values`` are z-depth in metres where its ``unit`` is ``m``, else disparity up to
    scale and shift (``quantity`` says which); ``points()`` gives them in space, ``picture()`` in
    colours, ``write(folder, stem)`` as files.

    Args:
        image: A photo, or an upright uint8 (H, W, 3) RGB picture.
        weights: A hub name or local folder of Depth Anything, a run folder or an ``.onnx`` file;
            the network that comes with the package where None.
        metric: A place: photos taken there get the scale of its sparse points.
        known_distance: ``x y metres``: the z-depth of one pixel.
        intrinsics: ``fx fy cx cy`` in pixels; the place's, EXIF's, else a guess where None.
        max_side: Longer side of the map; 0: that of the picture.
        device: Where the network computes, as torch names it.

    Raises:
        InputError: A file that is no photo, or numbers that do not fit it.
        GeometryError: The scale cannot be had; the message says why.
        WeightsError: There is no such network.
        PlaceError: There is no such place, or it has no map.
    """
    from sightline.media import read_photo
    from sightline.tasks import Picture
    from sightline.tasks.depth.photos import DepthOptions, make_predictor

    options = DepthOptions(
        weights=None if weights is None else str(weights),
        metric=None if metric is None else Path(metric),
        known_distance=None if known_distance is None else tuple(known_distance),  # type: ignore[arg-type]
        intrinsics=None if intrinsics is None else tuple(intrinsics),  # type: ignore[arg-type]
        max_side=max_side,
        device=device,
    )
    predictor = make_predictor(None, options)
    if isinstance(image, (str, Path)):
        return predictor(Picture(str(image), read_photo(Path(image)), Path(image)))
    return predictor(Picture("the picture", image))


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


def predict_utility(
    image: str | Path | NDArray[np.uint8],
    run: str | Path | None = None,
    *,
    threshold: float | None = None,
) -> UtilityAnswer:
    """Return whether a picture is of use to machines.

    The answer's ``utility`` is the probability that it is, ``useful`` whether that reaches the
    threshold.

    Args:
        image: A photo, or an upright uint8 (H, W, 3) RGB picture.
        run: Run folder of the network; the one that comes with the package where None.
        threshold: From which utility on a picture counts as useful; where it was best on
            validation if None.

    Raises:
        InputError: A file that is no photo, or a threshold that is no probability.
        WeightsError: There is no such network.
    """
    from sightline.media import read_photo
    from sightline.tasks import Picture
    from sightline.tasks.utility.photos import UtilityOptions, make_predictor

    options = UtilityOptions(threshold=threshold)
    predictor = make_predictor(None if run is None else Path(run), options)
    if isinstance(image, (str, Path)):
        return predictor(Picture(str(image), read_photo(Path(image)), Path(image))).answer
    return predictor(Picture("the picture", image)).answer


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
