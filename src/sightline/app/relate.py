"""How the second photo's camera stands to the first's: one pair, or a list of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import InputError, PlaceError, SightlineError
from sightline.geometry import Camera, Pose
from sightline.geometry.pose import relative_pose
from sightline.media import photo_size
from sightline.records.pairs import ImagePair, read_pairs_csv
from sightline.records.views import RelativeEstimate, RelativeMethod, read_view

if TYPE_CHECKING:
    from sightline.app.localize import Localizer

#: Views kept in memory while a list is worked through: neighbours in a list share images.
_VIEWS_KEPT = 8


@dataclass(frozen=True, eq=False)
class Relation:
    """An answer, and what it was made of.

    Attributes:
        image_a: As it was given.
        image_b: As it was given.
        estimate: What the method says.
        intrinsics: Where a's and b's come from: ``given``, ``exif`` or ``guess``; empty where the
            image could not be read.
    """

    image_a: str
    image_b: str
    estimate: RelativeEstimate
    intrinsics: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what ``sightline relate --json`` prints."""
        return {
            "image_a": self.image_a,
            "image_b": self.image_b,
            **self.estimate.to_json(),
            "intrinsics": list(self.intrinsics),
        }


def pair_from_flags(
    image_a: Path, image_b: Path, intrinsics: Sequence[float] | None = None
) -> ImagePair:
    """Return a pair of two files with intrinsics from the command line.

    Args:
        image_a: The first photo.
        image_b: The second.
        intrinsics: ``fx fy cx cy`` of both, or of a and then of b; in pixels of the upright image.

    Raises:
        InputError: Another count of numbers, or a file that is no photo.
    """
    if intrinsics is None:
        return ImagePair(image_a, image_b)
    numbers = tuple(float(v) for v in intrinsics)
    if len(numbers) not in (4, 8):
        raise InputError(
            "4 intrinsics (fx fy cx cy of both images) or 8 (of a, then of b) are wanted, "
            f"{len(numbers)} came"
        )
    try:
        camera_a = Camera("PINHOLE", *photo_size(image_a), numbers[:4])
        camera_b = Camera("PINHOLE", *photo_size(image_b), numbers[-4:])
    except InputError:
        raise
    except SightlineError as error:
        raise InputError(f"intrinsics {' '.join(f'{v:g}' for v in numbers)}: {error}") from error
    return ImagePair(image_a, image_b, camera_a=camera_a, camera_b=camera_b)


class Scale:
    """Gives a translation its length in metres: a known baseline, or a place that knows both."""

    def __init__(self, baseline_m: float | None = None, localizer: Localizer | None = None) -> None:
        """Keep the source of the scale; neither leaves translations as directions.

        Raises:
            InputError: Both came, or a length that is not positive.
            PlaceError: The place is not in metres.
        """
        if baseline_m is not None and localizer is not None:
            raise InputError("a baseline or a place is wanted for the scale, both came")
        if baseline_m is not None and not (np.isfinite(baseline_m) and baseline_m > 0):
            raise InputError(f"a baseline above 0 m is wanted, {baseline_m:g} came")
        if localizer is not None and localizer.place.unit != "m":
            raise PlaceError(
                f"{localizer.place.root} has no scale in metres; run `sightline align` first"
            )
        self._baseline_m = baseline_m
        self._localizer = localizer

    def apply(self, estimate: RelativeEstimate, pair: ImagePair) -> RelativeEstimate:
        """Return the estimate with its translation in metres where the length is known.

        With a place, the length is the distance between the two located centres (only answers
        matched to the map count); the direction stays the pair's own.
        """
        length = self._baseline_m
        if estimate.status != "ok" or estimate.b_from_a is None or estimate.t_unit == "m":
            return estimate
        if self._localizer is not None:
            located = _locate(self._localizer, [pair.image_a, pair.image_b])
            length = None if located is None else float(np.linalg.norm(located.translation))
        if length is None:
            return estimate
        pose = estimate.b_from_a
        return dataclasses.replace(
            estimate, b_from_a=Pose(pose.q_wxyz, pose.translation * length), t_unit="m"
        )


def relate(
    pair: ImagePair, method: RelativeMethod, scale: Scale | None = None, root: Path = Path()
) -> Relation:
    """Return how the pair's second camera stands to its first.

    Args:
        pair: Its images are relative to ``root``.
        method: From ``tasks.relative.scoring.make_method``.
        scale: For a translation in metres.
        root: Folder of the images.

    Raises:
        InputError: An image that cannot be read.
        GeometryError: Intrinsics that belong to another shape of image.
    """
    a, b = _view(root / pair.image_a, pair.camera_a), _view(root / pair.image_b, pair.camera_b)
    estimate = method.relate(a, b)
    if scale is not None:
        whole = dataclasses.replace(pair, image_a=root / pair.image_a, image_b=root / pair.image_b)
        estimate = scale.apply(estimate, whole)
    names = (str(pair.image_a), str(pair.image_b))
    return Relation(*names, estimate, (a.camera_source, b.camera_source))


def relate_list(
    path: Path, method: RelativeMethod, scale: Scale | None = None
) -> Iterator[Relation]:
    """Yield an answer a line of a ``pairs.csv``, in its order.

    The whole list is checked before the first pair. An image that turns out to be damaged makes
    its own pairs ``failed`` with the reason, and the others go on.

    Raises:
        InputError: The list is not one; the message names the line.
    """
    pairs = read_pairs_csv(path)
    for pair in pairs:
        try:
            yield relate(pair, method, scale, path.parent)
        except SightlineError as error:
            failed = RelativeEstimate("failed", method.name, None, reason=str(error))
            yield Relation(str(pair.image_a), str(pair.image_b), failed)


@lru_cache(maxsize=_VIEWS_KEPT)
def _view(path: Path, camera: Camera | None) -> Any:
    return read_view(path, camera)


def _locate(localizer: Localizer, paths: Sequence[Path]) -> Pose | None:
    """Return b_from_a of two photos by their poses in a place; None where one is not certain."""
    from sightline.media import exif_focal_px, read_photo

    images = [read_photo(path) for path in paths]
    focals = [exif_focal_px(path) for path in paths]
    answers = localizer.localize(images, [str(p) for p in paths], focals_px=focals)
    poses = [a.world_from_cam for a in answers if a.status == "refined"]
    if len(poses) != 2 or poses[0] is None or poses[1] is None:
        return None
    return relative_pose(poses[1], poses[0])
