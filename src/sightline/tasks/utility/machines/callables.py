"""Any Python callable as a machine: ``package.module:function``; imports without torch."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sightline.errors import CatalogError, InputError
from sightline.records.files import digest, digest_files
from sightline.tasks.utility.machines.answers import detected
from sightline.tasks.utility.machines.machine import Classified, Detected, Photo
from sightline.tasks.utility.machines.reading import check_image

#: Images that a callable gets at once.
BATCH = 32

#: How far from 1 a row of probabilities may sum.
_ROUNDING = 1e-3


@dataclass(frozen=True, eq=False)
class _Callable:
    """A function, asked in batches.

    Attributes:
        name: ``package.module.function``.
        function: Takes a list of uint8 (H, W, 3) RGB images.
        categories: The function's attribute ``categories``; else empty.
        digest: Of the function's attribute ``digest``; else of the module's file. Weights that
            the function reads are not seen: say them by ``digest``.
    """

    name: str
    function: Callable[[list[Photo]], Any]
    categories: tuple[str, ...]
    digest: str

    def _ask(self, images: Sequence[Photo]) -> Iterator[tuple[list[Photo], Any]]:
        for start in range(0, len(images), BATCH):
            some = list(images[start : start + BATCH])
            for i, image in enumerate(some, start):
                check_image(image, i)
            try:
                answer = self.function(some)
            except Exception as error:
                first = (str(error).strip().splitlines() or [""])[0]
                raise InputError(
                    f"{self.name} failed on {len(some)} images: {type(error).__name__}: {first}"
                ) from error
            yield some, answer


@dataclass(frozen=True, eq=False)
class CallableClassifier(_Callable):
    """A function of images that returns (N, C) probabilities."""

    kind: Literal["classification"] = "classification"

    def classify(self, images: Sequence[Photo]) -> Classified:
        """Return what it says of uint8 (H, W, 3) RGB images, each of any size.

        Raises:
            InputError: It fails, or what it returns is not (N, C) probabilities.
        """
        rows = [self._checked(answer, len(some)) for some, answer in self._ask(images)]
        if len({row.shape[1] for row in rows}) > 1:
            raise InputError(f"{self.name}: one number of classes is wanted, it changes by batch")
        found = np.concatenate(rows) if rows else np.zeros((0, len(self.categories)), np.float32)
        return Classified(found, np.full(len(found), np.nan, dtype=np.float32))

    def _checked(self, answer: Any, images: int) -> Any:
        rows = _numbers(answer)
        wanted = f"{self.name}: probabilities of shape ({images}, classes) are wanted"
        if rows is None:
            raise InputError(f"{wanted}, {type(answer).__name__} came")
        if rows.ndim != 2 or rows.shape[0] != images or not rows.shape[1]:
            raise InputError(f"{wanted}, shape {rows.shape} came")
        if self.categories and rows.shape[1] != len(self.categories):
            raise InputError(f"{wanted} of {len(self.categories)} categories, {rows.shape} came")
        if not np.isfinite(rows).all():
            raise InputError(f"{wanted}, NaN or infinity came")
        total = rows.sum(axis=1)
        worst = int(np.abs(total - 1).argmax())
        if rows.min() < 0 or abs(total[worst] - 1) > _ROUNDING:
            raise InputError(
                f"{wanted} whose rows sum to 1; row {worst} sums to {total[worst]:g}, the least "
                f"number is {rows.min():g} (of logits take the softmax)"
            )
        return (rows / total[:, None]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class CallableDetector(_Callable):
    """A function of images that returns a (boxes, labels, scores) each."""

    kind: Literal["detection"] = "detection"

    def detect(self, images: Sequence[Photo]) -> list[Detected]:
        """Return what it finds in uint8 (H, W, 3) RGB images, each of any size.

        Raises:
            InputError: It fails, or what it returns is not boxes, labels and scores for each.
        """
        found = []
        for some, answer in self._ask(images):
            wanted = f"{self.name}: a list of {len(some)} (boxes, labels, scores) is wanted"
            try:
                answers = list(answer)
            except TypeError as error:
                raise InputError(f"{wanted}, {type(answer).__name__} came") from error
            if len(answers) != len(some):
                raise InputError(f"{wanted}, {len(answers)} came")
            found += [self._checked(a, image) for a, image in zip(answers, some, strict=True)]
        return found

    def _checked(self, answer: Any, image: Photo) -> Detected:
        wanted = f"{self.name}: (boxes (n, 4), labels (n,), scores (n,)) is wanted for an image"
        try:
            boxes, labels, scores = (_numbers(part) for part in answer)
        except (TypeError, ValueError) as error:
            raise InputError(f"{wanted}, {type(answer).__name__} came") from error
        if boxes is None or labels is None or scores is None:
            raise InputError(f"{wanted}, something that is no numbers came")
        if boxes.size == labels.size == scores.size == 0:
            return detected(boxes, labels, scores, image.shape)
        n = len(scores) if scores.ndim == 1 else -1
        if boxes.shape != (n, 4) or labels.shape != (n,):
            raise InputError(f"{wanted}, shapes {boxes.shape}, {labels.shape}, {scores.shape} came")
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise InputError(f"{wanted}, NaN or infinity came")
        if (boxes[:, 2:] < boxes[:, :2]).any():
            raise InputError(
                f"{wanted} with boxes x0, y0, x1, y1; one with x1 < x0 or y1 < y0 came"
            )
        if scores.min() < 0 or scores.max() > 1:
            raise InputError(f"{wanted} with scores from 0 to 1, {scores.max():g} came")
        most = len(self.categories) or np.inf
        if (labels != np.round(labels)).any() or labels.min() < 0 or labels.max() >= most:
            raise InputError(
                f"{wanted} with labels that are indices from 0"
                + (f" to {len(self.categories) - 1}" if self.categories else "")
                + f"; {labels.min():g} to {labels.max():g} came"
            )
        return detected(boxes, labels, scores, image.shape)


def callable_machine(
    spec: str, kind: Literal["classification", "detection"]
) -> CallableClassifier | CallableDetector:
    """Return a Python callable as a machine.

    Args:
        spec: ``package.module:function``; modules of the working folder are found too. It takes a
            list of uint8 (H, W, 3) RGB images of any sizes and returns (N, C) probabilities, or N
            (boxes, labels, scores). Its attributes ``categories`` and ``digest`` are read where
            there are any; a dotted name after the colon reaches into a class or an object.
        kind: What it does.

    Raises:
        CatalogError: There is no such module or name.
        InputError: The module fails, or it is nothing to call.
    """
    module_name, _, path = spec.partition(":")
    try:
        with _working_folder():
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name + ".").startswith(error.name + "."):
            raise CatalogError(f"{spec}: there is no module {error.name!r}") from error
        raise InputError(f"{spec}: {module_name} cannot be imported: {error}") from error
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise InputError(
            f"{spec}: {module_name} cannot be imported: {type(error).__name__}: {first}"
        ) from error
    function: Any = module
    for part in path.split("."):
        if not hasattr(function, part):
            raise CatalogError(f"{spec}: {module_name} has no {path!r}")
        function = getattr(function, part)
    if not callable(function) or inspect.isclass(function):
        raise InputError(f"{spec}: something to call with images is wanted, {function!r} came")
    made = CallableClassifier if kind == "classification" else CallableDetector
    categories = tuple(str(c) for c in getattr(function, "categories", ()))
    return made(spec.replace(":", "."), function, categories, _digest(spec, kind, function, module))


def _digest(spec: str, kind: str, function: Any, module: Any) -> str:
    said, file = getattr(function, "digest", None), getattr(module, "__file__", None)
    if said is None and file is not None and Path(file).is_file():
        said = digest_files([Path(file)])
    return digest("callable", spec, kind, str(said))


def _numbers(value: Any) -> Any:
    """Return a float64 array of numbers, of a list or of a tensor; None where it is none."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind in "biuf" else None
    except (TypeError, ValueError):
        return None


@contextmanager
def _working_folder() -> Iterator[None]:
    """Find modules of the working folder too, as ``python`` does and a console script does not."""
    here = str(Path.cwd())
    if here in sys.path:
        yield
        return
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)
