"""Detectors in files: tensors of boxes, YOLO's cells, TFLite's detections."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.errors import GeometryError, InputError
from sightline.geometry.rotation import Array
from sightline.records.files import digest, digest_files
from sightline.tasks.utility.machines.adapter import Adapter, Corners, Form, Units
from sightline.tasks.utility.machines.answers import detected
from sightline.tasks.utility.machines.graph import (
    Defaults,
    Graph,
    GraphOutput,
    reading_of,
    run_one,
)
from sightline.tasks.utility.machines.machine import LEAST_SCORE, Detected, Photo
from sightline.tasks.utility.machines.reading import Reading, check_image

#: Of YOLO's boxes of one class that overlap by more than this, the best is kept.
OVERLAP = 0.6

#: Pixels of a side where neither graph nor adapter says them.
_SIZE = 640

#: Boxes that go into the search for doubles, the best.
_MOST_CELLS = 3000

#: Classes that a network without names may have.
_MOST_CLASSES = 10_000

_CORNERS = 4


@dataclass(frozen=True)
class BoxForm:
    """How a detector says what it finds.

    Attributes:
        form: Of boxes, scores and labels; of YOLO's cells; or of TFLite's detections.
        boxes: Name of the output of boxes; of the only one for YOLO.
        scores: Name of the output of scores.
        classes: Name of the output of labels.
        count: Name of the output that says how many of them count; empty: all.
        corners: What the four numbers are.
        units: Pixels of the input, or shares of it.
        objectness: YOLO: whether the fifth number multiplies the others.
        least_score: What scores less is left out.
        overlap: YOLO: of boxes of one class that overlap by more, the best is kept.
    """

    form: Form
    boxes: str
    scores: str = ""
    classes: str = ""
    count: str = ""
    corners: Corners = "xyxy"
    units: Units = "pixels"
    objectness: bool = False
    least_score: float = LEAST_SCORE
    overlap: float = OVERLAP


@dataclass(frozen=True, eq=False)
class GraphDetector:
    """A detector in a file.

    Attributes:
        name: The file's, without its suffix.
        graph: The network.
        reading: How it reads images.
        form: How it says what it finds.
        labels: What the network's classes are in ``categories``; -1: none of them. Empty: the same.
        categories: Their names; empty where nobody says them.
        digest: Of the file and of how it is read.
    """

    name: str
    graph: Graph
    reading: Reading
    form: BoxForm
    labels: tuple[int, ...]
    categories: tuple[str, ...]
    digest: str
    kind: Literal["detection"] = "detection"

    def detect(self, images: Sequence[Photo]) -> list[Detected]:
        """Return what it finds in uint8 (H, W, 3) RGB images, each of any size."""
        answers = []
        for i, image in enumerate(images):
            check_image(image, i)
            answers.append(self._one(image))
        return answers

    def _one(self, image: Photo) -> Detected:
        inputs = self.reading.normalise(self.reading.pixels(image)[None])
        outputs = run_one(self.graph, inputs)
        boxes, labels, scores = _found(outputs, self.form)
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise GeometryError(f"finite outputs are wanted of {self.name}, NaN or infinity came")
        boxes = _corners(boxes, self.form.corners)
        if self.form.units == "relative":
            side = [self.reading.width, self.reading.height] * 2
            boxes = boxes * np.array(side, dtype=np.float64)
        if self.labels:
            known = (labels >= 0) & (labels < len(self.labels))
            labels = np.where(known, np.array(self.labels)[np.where(known, labels, 0)], -1)
        kept = (scores >= self.form.least_score) & (labels >= 0)
        boxes, labels, scores = boxes[kept], labels[kept], scores[kept]
        if self.form.form == "yolo" and len(scores):
            boxes, labels, scores = _best(boxes, labels, scores, self.form.overlap)
        height, width = image.shape[:2]
        placed = self.reading.placement(width, height).back(boxes)
        return detected(placed, labels, scores.clip(0, 1), image.shape)


def graph_detector(graph: Graph, adapter: Adapter, default: Reading) -> GraphDetector:
    """Return a detector in a file.

    The form is the adapter's, else known by the outputs: one of (N, cells, 4 + classes), either way
    round, is YOLO's; four of which one has boxes and one a single number, TFLite's; else boxes
    (n, 4), scores (n,) and whole labels (n,), as torchvision exports them.

    Labels are the network's own, but for the class that is none: the adapter's ``background``, or
    the label of that name, is dropped, and those above it move down by one. Where the labels hold
    COCO's 80 names, they are COCO's 80 in their order, whatever else the network counts.

    Args:
        graph: The network.
        adapter: What the user says of it.
        default: How it reads pictures where nobody says so.

    Raises:
        InputError: Its outputs are of none of the forms.
    """
    form = _form(graph, adapter)
    reading = reading_of(graph, adapter, Defaults(_SIZE, default))
    labels, categories = _labels(adapter)
    return GraphDetector(
        graph.path.stem,
        graph,
        reading,
        form,
        labels,
        categories,
        digest("graph detector", digest_files([graph.path], names=False), reading, form, labels),
    )


def _form(graph: Graph, adapter: Adapter) -> BoxForm:
    outputs = graph.outputs
    shown = ", ".join(f"{output.name} {output.shape}" for output in outputs)
    kind = adapter.form or _known(outputs)
    if kind == "yolo":
        found = _yolo(outputs)
    elif kind == "ssd":
        found = _ssd(graph, adapter)
    else:
        found = _tensors(outputs, adapter)
    if found is None:
        raise InputError(
            f"{graph.path}: a detector's outputs are wanted (boxes, scores and labels, or YOLO's), "
            f"{shown} came; name them in {graph.path.with_suffix('.toml').name}, or is it a "
            "classifier (`--task classification`)?"
        )
    names = [output.name for output in outputs]
    said = {
        field.name: getattr(adapter, field.name)
        for field in dataclasses.fields(BoxForm)
        if field.name != "form" and getattr(adapter, field.name) is not None
    }
    for key in ("boxes", "scores", "classes", "count"):
        if key in said and said[key] not in names:
            raise InputError(f"{graph.path}: no output {said[key]!r}; there are {', '.join(names)}")
    return dataclasses.replace(found, **said)


def _known(outputs: Sequence[GraphOutput]) -> Form:
    if len(outputs) == 1:
        return "yolo"
    lengths = [int(np.prod(output.shape)) for output in outputs]
    if len(outputs) == 4 and 1 in lengths and not any(output.whole for output in outputs):
        return "ssd"
    return "boxes"


def _yolo(outputs: Sequence[GraphOutput]) -> BoxForm | None:
    if len(outputs) != 1 or len(outputs[0].shape) != 3:
        return None
    _, rows, columns = outputs[0].shape
    # (N, cells, 5 + classes) is of the older ones, which say too whether there is an object
    return BoxForm("yolo", outputs[0].name, corners="cxcywh", objectness=rows > columns > 0)


def _tensors(outputs: Sequence[GraphOutput], adapter: Adapter) -> BoxForm | None:
    of_boxes = [o.name for o in outputs if o.shape[-1:] == (_CORNERS,) and not o.whole]
    labels = [o.name for o in outputs if o.whole and len(o.shape) in (1, 2)]
    scores = [
        o.name for o in outputs if not o.whole and len(o.shape) in (1, 2) and o.name not in of_boxes
    ]
    said = (adapter.boxes, adapter.scores, adapter.classes)
    if all(len(found) == 1 or name for found, name in zip((of_boxes, scores, labels), said,
                                                          strict=True)):  # fmt: skip
        return BoxForm("boxes", (of_boxes or [""])[0], (scores or [""])[0], (labels or [""])[0])
    return None


def _ssd(graph: Graph, adapter: Adapter) -> BoxForm | None:
    """Return TFLite's form: boxes, a number that counts them, and two alike, labels and scores.

    Of the last two the names say which is which; else the one that is not all whole numbers is of
    scores; else labels come first, as in TFLite's own operation.
    """
    outputs = graph.outputs
    of_boxes = [o.name for o in outputs if o.shape[-1:] == (_CORNERS,) and len(o.shape) == 3]
    count = [o.name for o in outputs if np.prod(o.shape) == 1]
    rest = [o.name for o in outputs if o.name not in (*of_boxes, *count)]
    if adapter.boxes and adapter.scores and adapter.classes:
        of_boxes, rest = [adapter.boxes], [adapter.classes, adapter.scores]
    if len(of_boxes) != 1 or len(rest) != 2:
        return None
    classes, scores = rest
    if adapter.scores is None and _first_is_scores(graph, classes, scores, count):
        classes, scores = scores, classes
    return BoxForm("ssd", of_boxes[0], scores, classes, (count or [""])[0], "yxyx", "relative")


def _first_is_scores(graph: Graph, first: str, second: str, count: Sequence[str]) -> bool:
    for name, found in ((first, True), (second, False)):
        if "score" in name.lower():
            return found
        if "class" in name.lower():
            return not found
    own = graph.input
    size = (own.height or _SIZE, own.width or _SIZE)
    shape = (1, 3, *size) if own.layout == "nchw" else (1, *size, 3)
    values = run_one(graph, np.zeros(shape, dtype=np.float32))
    n = int(values[count[0]].reshape(-1)[0]) if count else None  # what lies behind means nothing
    one, two = (values[name].reshape(-1)[:n] for name in (first, second))
    return not np.array_equal(one, np.rint(one)) and np.array_equal(two, np.rint(two))


def _found(
    outputs: Mapping[str, NDArray[Any]], form: BoxForm
) -> tuple[Array, NDArray[np.int64], Array]:
    """Return boxes (n, 4), labels (n,) and scores (n,) as a network gives them."""
    if form.form == "yolo":
        return _cells(outputs[form.boxes], form)
    boxes = outputs[form.boxes].astype(np.float64).reshape(-1, _CORNERS)
    scores = outputs[form.scores].astype(np.float64).reshape(-1)
    labels = np.rint(outputs[form.classes]).astype(np.int64).reshape(-1)
    if not len(boxes) == len(scores) == len(labels):
        raise InputError(
            f"boxes, scores and labels of one length are wanted, {len(boxes)}, {len(scores)} and "
            f"{len(labels)} came"
        )
    if form.count:
        n = int(np.rint(outputs[form.count]).reshape(-1)[0])
        boxes, labels, scores = boxes[:n], labels[:n], scores[:n]
    return boxes, labels, scores


def _cells(output: NDArray[Any], form: BoxForm) -> tuple[Array, NDArray[np.int64], Array]:
    cells = output[0].astype(np.float64)
    if cells.shape[0] < cells.shape[1]:  # there are more cells than numbers to each
        cells = cells.T
    first = _CORNERS + form.objectness
    if cells.shape[1] <= first:
        raise InputError(
            f"YOLO's cells of {first} numbers and at least one class are wanted, {output.shape} "
            "came; is `objectness` right in its .toml?"
        )
    classes = cells[:, first:]
    labels = classes.argmax(axis=1)
    scores = classes[np.arange(len(labels)), labels]
    if form.objectness:
        scores = scores * cells[:, _CORNERS]
    return cells[:, :_CORNERS], labels.astype(np.int64), scores


def _corners(boxes: Array, corners: Corners) -> Array:
    if corners == "yxyx":
        return boxes[:, [1, 0, 3, 2]]
    if corners == "cxcywh":
        half = boxes[:, 2:] / 2
        return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
    return boxes


def _best(
    boxes: Array, labels: NDArray[np.int64], scores: Array, overlap: float
) -> tuple[Array, NDArray[np.int64], Array]:
    from sightline.learning.detectors import without_doubles

    order = np.argsort(-scores, kind="stable")[:_MOST_CELLS]
    found = without_doubles(boxes[order], labels[order], scores[order], overlap)
    return found.boxes, found.labels, found.scores


def _labels(adapter: Adapter) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return what the network's classes are in the categories, and the categories."""
    from sightline.learning.detectors import COCO

    names = adapter.labels
    if set(names) >= set(COCO):
        return tuple(COCO.index(n) if n in COCO else -1 for n in names), COCO
    background = adapter.background
    if background is None and "background" in names:
        background = names.index("background")
    if background is None:
        return (), names
    kept = tuple(name for i, name in enumerate(names) if i != background)
    most = len(names) or _MOST_CLASSES
    moved = (-1 if i == background else i - (i > background) for i in range(most))
    return tuple(moved), kept
