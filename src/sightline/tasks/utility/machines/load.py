"""Machines by name: networks of torchvision, files, small machines, Python callables."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sightline.errors import CatalogError, InputError
from sightline.learning.runs import is_run
from sightline.tasks.utility.machines.machine import Machine
from sightline.tasks.utility.small.bundled import bundled_names

Kind = Literal["classification", "detection"]

_NOUNS = {"classification": "classifier", "detection": "detector"}

_FORMS = (
    "a network of torchvision (NAME, NAME:FILE, NAME:none), FILE.onnx, FILE.tflite, the run folder "
    "of a small machine, package.module:function"
)

#: ``MODEL.onnx``, or ``MODEL.onnx:ADAPTER.toml``.
_MODEL_FILE = re.compile(
    r"(?P<model>.+\.(?P<suffix>onnx|tflite))(:(?P<adapter>.+))?", re.IGNORECASE
)
_CALLABLE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def load_machine(spec: str, kind: Kind, *, adapter: Path | None = None) -> Machine:
    """Return a machine.

    Args:
        spec: ``NAME`` of a classifier or detector of torchvision, with its published weights
            (``imagenet``, ``coco``); ``NAME:FILE`` with those of a file, ``NAME:none`` with random
            ones; ``FILE.onnx`` or ``FILE.tflite``, which reads ``FILE.toml`` beside it or the one
            in ``FILE.onnx:ADAPTER.toml`` (see :mod:`.adapter`); the run folder or the name of a
            small machine; ``package.module:function`` (see :func:`.callables.callable_machine`).
        kind: What it is to do.
        adapter: The file that says how an ONNX or TFLite file is read, as after its colon.

    Raises:
        CatalogError: There is no such machine.
        InputError: It is of the other kind, or a file is not what it should be.
        WeightsError: Weights cannot be had, or do not fit.
    """
    spec = spec.strip()
    if not spec:  # which as a path is the working folder
        raise _unknown(spec, kind)
    machine = _load(spec, kind, adapter)
    if machine.kind != kind:
        raise InputError(
            f"a {_NOUNS[kind]} is wanted, {spec} is a {_NOUNS[machine.kind]}; pass "
            f"`--task {machine.kind}` (`--kind` of recommend)"
        )
    return machine


def load_machines(specs: Sequence[str], kind: Kind) -> tuple[Machine, ...]:
    """Return machines that label together, in the order given.

    Raises:
        InputError: None is given, or two are called the same.
        SightlineError: As :func:`load_machine`.
    """
    if not specs:
        raise InputError(f"at least one {_NOUNS[kind]} is wanted, none came; give {_FORMS}")
    twice = [spec for spec, times in Counter(s.strip() for s in specs).items() if times > 1]
    if twice:
        raise InputError(f"each machine once is wanted, {twice[0]} came twice")
    machines = tuple(load_machine(spec, kind) for spec in specs)
    names = Counter(machine.name for machine in machines)
    for machine, spec in zip(machines, specs, strict=True):
        if names[machine.name] > 1:
            raise InputError(
                f"machines of different names are wanted, two are called {machine.name!r}, one of "
                f"them {spec}; rename its file"
            )
    return machines


def _load(spec: str, kind: Kind, adapter: Path | None) -> Machine:
    found = _MODEL_FILE.fullmatch(spec)
    if found:
        said = Path(found["adapter"]) if found["adapter"] else adapter
        return _model_file(Path(found["model"]), found["suffix"].lower(), kind, said)
    if adapter is not None:
        raise InputError(f"an adapter belongs to an .onnx or .tflite file, {spec} is none")
    if is_run(Path(spec)) or spec in bundled_names():
        return _small(spec)
    architecture, _, weights = spec.partition(":")
    if architecture in _classifier_names():
        from sightline.tasks.utility.machines.classifiers import torchvision_classifier_machine

        _refuse_kind(spec, kind, "classification")
        return torchvision_classifier_machine(architecture, weights or "imagenet")
    if architecture in _detector_names():
        from sightline.tasks.utility.machines.detectors import torchvision_detector_machine

        _refuse_kind(spec, kind, "detection")
        return torchvision_detector_machine(architecture, weights or "coco")
    if Path(spec).is_dir():
        return _small(spec)  # which says what a folder of a small machine holds
    if _CALLABLE.fullmatch(spec):
        from sightline.tasks.utility.machines.callables import callable_machine

        return callable_machine(spec, kind)
    raise _unknown(spec, kind)


def _small(spec: str) -> Machine:
    from sightline.tasks.utility.small.machine import load_small

    return load_small(spec)


def _model_file(path: Path, suffix: str, kind: Kind, adapter: Path | None) -> Machine:
    if not path.is_file():
        raise InputError(f"a network's file is wanted, {path} does not exist")
    if suffix == "tflite":
        from sightline.tasks.utility.machines.tflite import tflite_machine

        return tflite_machine(path, kind, adapter)
    from sightline.tasks.utility.machines.onnx import onnx_machine

    return onnx_machine(path, kind, adapter)


def _refuse_kind(spec: str, wanted: Kind, came: Kind) -> None:
    """Raise before weights are read where a network is of the other kind."""
    if wanted != came:
        raise InputError(
            f"a {_NOUNS[wanted]} is wanted, {spec} is a {_NOUNS[came]}; pass `--task {came}` "
            "(`--kind` of recommend)"
        )


def _classifier_names() -> list[str]:
    from sightline.learning.torchvision_compat import import_torchvision

    models = import_torchvision().models
    names: list[str] = models.list_models(module=models)
    return names


def _detector_names() -> list[str]:
    from sightline.learning.detectors import detector_names

    return detector_names()


def _unknown(spec: str, kind: Kind) -> CatalogError:
    known = _classifier_names() if kind == "classification" else _detector_names()
    near = difflib.get_close_matches(spec.partition(":")[0], [*known, *bundled_names(kind)], 3)
    meant = f"; near: {', '.join(near)}" if near else ""
    return CatalogError(f"no {_NOUNS[kind]} {spec!r}{meant}; there are {_FORMS}")
