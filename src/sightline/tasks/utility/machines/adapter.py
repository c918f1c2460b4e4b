"""What a network's file does not say of itself, in a ``.toml`` beside it; imports without torch.

All keys of ``MODEL.toml`` (for ``MODEL.onnx`` or ``MODEL.tflite``) are optional::

    size = 224                    # or [width, height]; where the graph leaves it open
    resize = "stretch"            # or "center" (the middle), "letterbox" (grey beside it)
    short_side = 256              # center: the shorter side before the middle is cut out
    resample = "bilinear"         # nearest, bilinear, bicubic, lanczos, box
    colour = "rgb"                # or "bgr"
    layout = "nchw"               # or "nhwc"; where the graph leaves it open
    scale = 0.00392156862745098   # pixels (0-255) are multiplied by it,
    mean = [0.485, 0.456, 0.406]  # this is subtracted,
    std = [0.229, 0.224, 0.225]   # and it is divided by this: in the order of `colour`
    labels = "labels.txt"         # one name a line, beside this file; or a list of names
    background = 0                # the class that is none; it is dropped, the others move up

    outputs = "logits"            # classifiers: or "probabilities"

    form = "boxes"                # detectors: "nanodet", "boxes" (tensors of boxes, scores and
                                  # labels), "yolo" (cx, cy, w, h, ...), "ssd" (TFLite's)
    boxes = "boxes"               # names of the tensors of "boxes" and "ssd"
    scores = "scores"
    classes = "labels"
    count = "num_detections"
    corners = "xyxy"              # "xyxy", "yxyx" or "cxcywh"
    units = "pixels"              # of the input, or "relative": 0 to 1
    objectness = false            # yolo: whether the fifth number is that an object is there
    least_score = 0.05            # what scores less is left out
    overlap = 0.6                 # yolo: of boxes that overlap by more, the best is kept
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from sightline.errors import InputError
from sightline.records.files import read_toml
from sightline.tasks.utility.machines.reading import Colour, Filter, Layout, Reading, Resize

Form = Literal["nanodet", "boxes", "yolo", "ssd"]
Corners = Literal["xyxy", "yxyx", "cxcywh"]
Units = Literal["pixels", "relative"]
Outputs = Literal["logits", "probabilities"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "resize": get_args(Resize),
    "resample": get_args(Filter),
    "colour": get_args(Colour),
    "layout": get_args(Layout),
    "outputs": get_args(Outputs),
    "form": get_args(Form),
    "corners": get_args(Corners),
    "units": get_args(Units),
}


@dataclass(frozen=True)
class Adapter:
    """What the user says of a network; None or empty: what the file says, or the default.

    Attributes are the keys of the ``.toml``, see the module; ``labels`` are the names themselves.
    """

    size: tuple[int, int] | None = None
    resize: Resize | None = None
    short_side: int | None = None
    resample: Filter | None = None
    colour: Colour | None = None
    layout: Layout | None = None
    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    labels: tuple[str, ...] = ()
    background: int | None = None
    outputs: Outputs | None = None
    form: Form | None = None
    boxes: str | None = None
    scores: str | None = None
    classes: str | None = None
    count: str | None = None
    corners: Corners | None = None
    units: Units | None = None
    objectness: bool | None = None
    least_score: float | None = None
    overlap: float | None = None

    def reading(self, own: Reading) -> Reading:
        """Return a reading with what the user says of it."""
        said: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(Reading)
            if getattr(self, field.name, None) is not None
        }
        if self.size is not None:
            said |= {"width": self.size[0], "height": self.size[1]}
        return dataclasses.replace(own, **said)


def find_adapter(model: Path, adapter: Path | None = None) -> Adapter:
    """Return what is said of a network's file: in a given file, else in the ``.toml`` beside it.

    Raises:
        InputError: The given file is missing, or a key or value is none of an adapter's.
    """
    if adapter is None:
        beside = model.with_suffix(".toml")
        return read_adapter(beside) if beside.is_file() else Adapter()
    return read_adapter(adapter)


def read_adapter(path: Path) -> Adapter:
    """Return the adapter of a file.

    Raises:
        InputError: The file is missing, or a key or value is none of an adapter's.
    """
    table = read_toml(path)
    known = [field.name for field in dataclasses.fields(Adapter)]
    for key in table:
        if key not in known:
            raise InputError(f"{path}: no key {key!r}; there are {', '.join(known)}")
    return Adapter(**{key: _value(path, key, value) for key, value in table.items()})


def _value(path: Path, key: str, value: Any) -> Any:
    readers = {
        "size": (_size, "a whole number of pixels, or [width, height]"),
        "mean": (_three, "three numbers"),
        "std": (_spread, "three numbers above 0"),
        "labels": (lambda v: _labels(path, v), "a file with a name a line, or a list of names"),
        "scale": (_number, "a number"),
        "short_side": (_whole, "a whole number of pixels"),
        "background": (_index, "a whole number from 0"),
        "objectness": (_truth, "true or false"),
        "least_score": (_share, "a number from 0 to 1"),
        "overlap": (_share, "a number from 0 to 1"),
    }
    read, wanted = readers.get(key, (_text, "a text"))
    if key in _CHOICES:
        read, wanted = (lambda v: _choice(key, v)), f"one of {', '.join(_CHOICES[key])}"
    try:
        return read(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {key}: {wanted} is wanted, {value!r} came") from error


def _size(value: Any) -> tuple[int, int]:
    width, height = value if isinstance(value, list) else (value, value)
    return _whole(width), _whole(height)


def _three(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError
    return tuple(_number(v) for v in value)


def _spread(value: Any) -> tuple[float, ...]:
    numbers = _three(value)
    if min(numbers) <= 0:
        raise ValueError
    return numbers


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise ValueError
    return float(value)


def _share(value: Any) -> float:
    if not 0 <= _number(value) <= 1:
        raise ValueError
    return _number(value)


def _index(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def _whole(value: Any) -> int:
    if _index(value) < 1:
        raise ValueError
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _choice(key: str, value: Any) -> str:
    if value not in _CHOICES[key]:
        raise ValueError
    return str(value)


def _labels(path: Path, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        file = path.parent / value
        try:
            value = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: labels: {file} cannot be read: {error}") from error
        while value and not value[-1].strip():
            value.pop()
    if not isinstance(value, list) or not value:
        raise ValueError
    return tuple(_text(v).strip() for v in value)
