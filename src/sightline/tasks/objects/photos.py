"""Photos in, objects out: boxes that are given or found, each with category and pose.

Imports without torch; ``sightline predict objects`` and :func:`sightline.predict_object` use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.geometry.viewpoint import viewpoint
from sightline.learning.runs import WEIGHTS
from sightline.media import write_photo
from sightline.records.files import atomic_path
from sightline.records.objects import Box
from sightline.tasks import Picture
from sightline.tasks.objects.config import Fusion

if TYPE_CHECKING:
    from sightline.tasks.objects.detection import Detection, Detector
    from sightline.tasks.objects.predict import ObjectsModel

Photo = NDArray[np.uint8]

#: A box must show this much of the picture, in pixels a side.
_LEAST_SIDE = 1.0


#: The package's own network learned from renderings alone; its card has the figures.
_BUNDLED_NOTE = (
    "the network of the package knows rendered objects; on photos it is often wrong: train on "
    "photos (docs/objects.md) and name the run folder first"
)


@dataclass(frozen=True)
class ObjectsOptions:
    """Where the objects are, and how their poses are taken."""

    box: tuple[float, ...] | None = None
    """x0 y0 x1 y1 of the object in pixels from edge to edge; the whole picture where not given."""
    detector: str | None = None
    """Find the boxes: an ONNX FILE of NanoDet, or the name of a detector of torchvision."""
    detector_weights: Path | None = None
    """Weights of torchvision's detector; its own, through the cache, where not given."""
    detector_score: float = 0.4
    """What the detector is less sure of is left out."""
    category_from: Literal["network", "detector"] = "network"
    """Who says what a box that was found shows; the pose is that category's."""
    category: str | None = None
    """What the box shows, where it is known: the pose is that category's."""
    rule: Fusion | None = None
    """How the categories' poses become one; as the run was configured where not given."""


@dataclass(frozen=True, eq=False)
class ObjectAnswer:
    """What one box shows, and how it is turned.

    Attributes:
        image: As it was given.
        box: ``x0, y0, x1, y1`` in pixels from edge to edge, inside the picture.
        category: The likeliest, or the one that was told.
        probabilities: By name; the network's own whoever said the category.
        cam_from_object: Unit ``wxyz`` rotation from the object's axes to the camera's.
        confidence: Probability that the category is right and the pose within 30 degrees; of the
            pose alone where the category was told.
        detection: What the detector said of the box, where one found it.
    """

    image: str
    box: Box
    category: str
    probabilities: dict[str, float]
    cam_from_object: tuple[float, float, float, float]
    confidence: float
    detection: Detection | None = None

    @property
    def viewpoint_deg(self) -> tuple[float, float, float]:
        """Azimuth in [0, 360), elevation and tilt in degrees (sightline.geometry.viewpoint)."""
        azimuth, elevation, tilt = (float(np.rad2deg(v)) for v in viewpoint(self.cam_from_object))
        return azimuth, elevation, tilt

    def to_json(self) -> dict[str, Any]:
        """Return what ``sightline predict objects --json`` prints."""
        azimuth, elevation, tilt = self.viewpoint_deg
        return {
            "image": self.image,
            "box": list(self.box),
            "category": self.category,
            "probabilities": self.probabilities,
            "azimuth_deg": azimuth,
            "elevation_deg": elevation,
            "tilt_deg": tilt,
            "q_wxyz": list(self.cam_from_object),
            "confidence": self.confidence,
        }

    def text(self) -> str:
        """Return the answer as one line for people."""
        azimuth, elevation, tilt = self.viewpoint_deg
        found = ""
        if self.detection is not None:
            found = f"; detector: {self.detection.category} {self.detection.score:.2f}"
        # an angle that rounds to 360 or to -0 reads badly
        return (
            f"{self.image}: {self.label()}, azimuth {round(azimuth) % 360} deg, elevation "
            f"{round(elevation)} deg, tilt {round(tilt)} deg (confidence {self.confidence:.2f}"
            f"{found})"
        )

    def label(self) -> str:
        """Return the category and how likely it is."""
        return f"{self.category} {self.probabilities[self.category]:.2f}"


@dataclass(frozen=True, eq=False)
class PhotoObjects:
    """The objects of one photo.

    Attributes:
        image: The picture, upright.
        answers: One a box.
        notes: What the user should know of how they came about.
    """

    image: Photo
    answers: tuple[ObjectAnswer, ...]
    notes: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """Return a JSON object a box."""
        return [answer.to_json() for answer in self.answers]

    def lines(self) -> list[str]:
        """Return a line a box."""
        return [answer.text() for answer in self.answers]

    def picture(self) -> Photo:
        """Return the photo with axes, boxes and labels; small photos are enlarged."""
        from sightline.tasks.objects.drawing import DrawnObject, draw_objects

        drawn = [
            DrawnObject(
                answer.box,
                answer.cam_from_object,
                f"{answer.label()}, azimuth {round(answer.viewpoint_deg[0]) % 360} deg",
                answer.category,
            )
            for answer in self.answers
        ]
        return draw_objects(self.image, drawn)

    def write(self, folder: Path, stem: str) -> None:
        """Write the drawn photo as ``stem.jpg``."""
        with atomic_path(folder / f"{stem}.jpg") as temporary:
            write_photo(temporary, self.picture())


@dataclass(frozen=True, eq=False)
class PhotoReader:
    """Answers for photo after photo.

    Attributes:
        model: The network.
        detector: Finds the boxes; None where they are given.
        options: What the user asked for.
        notes: What the user should know of all answers.
        default_out: Drawings are written where the user names a folder only.
        endings: Of a drawing's name.
    """

    model: ObjectsModel
    detector: Detector | None
    options: ObjectsOptions
    notes: tuple[str, ...] = ()
    default_out: Path | None = None
    endings: tuple[str, ...] = (".jpg",)

    def kept(self, photo: Path, folder: Path, stem: str) -> None:
        """Return nothing: a drawing does not hold the answers."""

    def __call__(self, picture: Picture) -> PhotoObjects:
        """Return the objects of a uint8 (H, W, 3) RGB picture.

        Raises:
            InputError: It is no such picture, or the box does not fit it; the message names it.
        """
        name, image = picture.name, picture.image
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise InputError(
                f"{name}: a uint8 RGB picture of shape (H, W, 3) is wanted, {image.dtype} "
                f"{image.shape} came"
            )
        notes: list[str] = []
        found: list[Detection | None] = [None]
        if self.detector is None:
            box, note = box_inside(self.options.box, image, name)
            boxes, notes = [box], [note] if note else []
        else:
            from sightline.tasks.objects.detection import of_categories

            known = of_categories(self.detector.detect(image), self.model.categories)
            found, boxes = list(known), [each.box for each in known]
            if not known:
                notes = [f"{name}: {self.detector.name} finds no object of a known category"]
        told = self._told(found)
        answers = self.model.predict_boxes(image, boxes, told, trust=True)
        category = np.where(told >= 0, told, answers.category)
        objects = []
        for i, box in enumerate(boxes):
            w, x, y, z = (float(v) for v in answers.cam_from_object[i])
            likely = map(float, answers.probabilities[i])
            objects.append(
                ObjectAnswer(
                    name,
                    box,
                    self.model.categories[category[i]],
                    dict(zip(self.model.categories, likely, strict=True)),
                    (w, x, y, z),
                    float(answers.confidence[i]),
                    found[i],
                )
            )
        return PhotoObjects(image, tuple(objects), tuple(notes))

    def _told(self, found: Sequence[Detection | None]) -> NDArray[np.int64]:
        """Return the index of each box's category where somebody else says it, else -1."""
        index = self.model.categories.index
        if self.options.category is not None:
            return np.full(len(found), index(self.options.category), dtype=np.int64)
        if self.options.category_from == "network":
            return np.full(len(found), -1, dtype=np.int64)
        return np.array([index(each.category) for each in found if each], dtype=np.int64)


def make_reader(run: Path | None, options: ObjectsOptions) -> PhotoReader:
    """Return what answers for photos.

    Args:
        run: Run folder of the network; the one that comes with the package where None.
        options: What the user asks for.

    Raises:
        InputError: Options that exclude each other, or a category that the network does not know.
        WeightsError: There is no such network.
    """
    if options.box is not None and options.detector is not None:
        raise InputError("--box or --detector is wanted, both came")
    plain = ObjectsOptions()
    for name in ("detector_weights", "detector_score", "category_from"):
        if options.detector is None and getattr(options, name) != getattr(plain, name):
            flag = name.replace("_", "-")
            raise InputError(f"--{flag} belongs to a detector: pass --detector too")
    if options.category is not None and options.category_from == "detector":
        raise InputError("--category or --category-from detector is wanted, both came")
    model = _model(run, options.rule)
    if options.category is not None and options.category not in model.categories:
        raise InputError(
            f"a category of {', '.join(model.categories)} is wanted, {options.category!r} came"
        )
    detector = None
    if options.detector is not None:
        from sightline.tasks.objects.detection import open_detector

        weights, least = options.detector_weights, options.detector_score
        detector = open_detector(options.detector, weights, least)
    return PhotoReader(model, detector, options, (_BUNDLED_NOTE,) if run is None else ())


def box_inside(box: Sequence[float] | None, image: Photo, name: str) -> tuple[Box, str]:
    """Return the part of a box that is inside a picture, and a note where that is not all of it.

    Args:
        box: ``x0 y0 x1 y1`` in pixels from edge to edge; the whole picture where None.
        image: The picture.
        name: Its name, for messages.

    Raises:
        InputError: Not four finite numbers, in another order, or not a pixel inside the picture.
    """
    height, width = image.shape[:2]
    if box is None:
        return (0.0, 0.0, float(width), float(height)), ""
    came = " ".join(f"{v:g}" for v in box)
    wanted = f"{name} is {width}x{height} pixels: a box x0 y0 x1 y1"
    if len(box) != 4:
        raise InputError(f"{wanted} is wanted, {len(box)} numbers came ({came})")
    if not np.isfinite(box).all():
        raise InputError(f"{wanted} of finite numbers is wanted, {came} came")
    x0, y0, x1, y1 = map(float, box)
    if x1 <= x0 or y1 <= y0:
        raise InputError(f"{wanted} with x0 < x1 and y0 < y1 is wanted, {came} came")
    inside = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    if min(inside[2] - inside[0], inside[3] - inside[1]) < _LEAST_SIDE:
        raise InputError(f"{wanted} with at least a pixel inside it is wanted, {came} came")
    if inside == (x0, y0, x1, y1):
        return inside, ""
    kept = " ".join(f"{v:g}" for v in inside)
    return inside, f"{name}: the box {came} is partly outside; {kept} is taken"


def _model(run: Path | None, rule: Fusion | None) -> ObjectsModel:
    from sightline.tasks.objects.predict import BUNDLED

    folder = BUNDLED if run is None else run.resolve()
    weights = folder / WEIGHTS
    return _read_model(run, weights.stat().st_mtime_ns if weights.is_file() else 0, rule)


@lru_cache(maxsize=2)
def _read_model(run: Path | None, _written_ns: int, rule: Fusion | None) -> ObjectsModel:
    """Return a network, read once for many calls unless its weights were written since."""
    from sightline.tasks.objects.predict import load_run, need_default_model

    return need_default_model(rule=rule) if run is None else load_run(run, rule)
