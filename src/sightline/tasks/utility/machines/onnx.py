"""ONNX files as machines, through onnxruntime (NanoDet's through OpenCV)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, WeightsError
from sightline.learning.onnx_runtime import open_session
from sightline.tasks.utility.machines.adapter import Adapter, find_adapter
from sightline.tasks.utility.machines.graph import GraphInput, GraphOutput, input_of
from sightline.tasks.utility.machines.graph_classifiers import graph_classifier
from sightline.tasks.utility.machines.graph_detectors import graph_detector
from sightline.tasks.utility.machines.machine import LEAST_SCORE, Machine
from sightline.tasks.utility.machines.reading import Layout, Reading

#: Types of inputs that pixels can become.
_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}

#: Pixels as they are: what a graph of uint8 takes.
_PIXELS = (1.0, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """A network in an ONNX file.

    Attributes:
        path: The file.
        session: Of onnxruntime.
        input: What goes in.
        outputs: What comes out.
    """

    path: Path
    session: Any
    input: GraphInput
    outputs: tuple[GraphOutput, ...]

    def run(self, values: NDArray[np.float32]) -> Mapping[str, NDArray[Any]]:
        """Return what comes out of a float32 batch in the graph's layout, by name.

        Raises:
            WeightsError: onnxruntime cannot run it.
        """
        (entry,) = self.session.get_inputs()
        wanted = _TYPES[entry.type]
        if wanted is np.uint8:
            values = np.rint(values).clip(0, 255)
        names = [output.name for output in self.outputs]
        try:
            given = self.session.run(names, {entry.name: values.astype(wanted)})
        except Exception as error:  # it raises classes of its own
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise WeightsError(f"{self.path} cannot be run: {first}") from error
        return {name: np.asarray(out) for name, out in zip(names, given, strict=True)}


def open_graph(path: Path, layout: Layout | None = None) -> OnnxGraph:
    """Return the network of an ONNX file.

    Args:
        path: The file.
        layout: Order of the input's axes, where the file leaves it open.

    Raises:
        InputError: onnxruntime is not installed, or it takes no pictures.
        WeightsError: The file cannot be read.
    """
    session = open_session(path)
    entries = session.get_inputs()
    if len(entries) != 1 or entries[0].type not in _TYPES:
        came = ", ".join(f"{e.name} {e.type}" for e in entries)
        raise InputError(f"{path}: one input of pictures is wanted ({', '.join(_TYPES)}), "
                         f"{came or 'none'} came")  # fmt: skip
    taken = input_of(entries[0].shape, path, layout)
    if _TYPES[entries[0].type] is np.uint8:
        taken = GraphInput(taken.width, taken.height, taken.layout, taken.batch, taken.batched,
                           _PIXELS)  # fmt: skip
    outputs = tuple(
        GraphOutput(
            o.name,
            tuple(n if isinstance(n, int) and n > 0 else -1 for n in o.shape),
            "int" in o.type,
        )
        for o in session.get_outputs()
    )
    return OnnxGraph(path, session, taken, outputs)


def onnx_machine(
    path: Path, kind: Literal["classification", "detection"], adapter: Path | None = None
) -> Machine:
    """Return an ONNX file as a machine.

    Pixels become numbers by ImageNet's mean and standard deviation for a classifier, by 1 / 255 for
    a detector, and stay what they are where the input is uint8; the adapter says otherwise.
    NanoDet is known by its outputs.

    Args:
        path: The file.
        kind: What it does.
        adapter: What says how it is read; ``path`` with the suffix ``.toml`` where None and there.

    Raises:
        InputError: onnxruntime is not installed, its input or outputs are of another kind, or the
            adapter is wrong.
        WeightsError: The file cannot be read.
    """
    said = find_adapter(path, adapter)
    if kind == "detection" and said.form in (None, "nanodet"):
        found = _nanodet(path, said)
        if found is not None:
            return found
    graph = open_graph(path, said.layout)
    if kind == "classification":
        return graph_classifier(graph, said, Reading(resize="center"))
    plain = Reading(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), resize="letterbox")
    return graph_detector(graph, said, plain)


def _nanodet(path: Path, adapter: Adapter) -> Machine | None:
    """Return NanoDet, or None where a file is not known to be its."""
    from sightline.tasks.utility.machines.detectors import nanodet_machine

    least = LEAST_SCORE if adapter.least_score is None else adapter.least_score
    if adapter.form is None and not _looks_like_nanodet(path):
        return None
    return nanodet_machine(path, least)


def _looks_like_nanodet(path: Path) -> bool:
    """Return whether a file's outputs are NanoDet's: 80 scores and 32 distances, 3 times each."""
    try:
        outputs = open_session(path).get_outputs()
    except InputError:  # onnxruntime is not there: OpenCV, which runs NanoDet, can say it too
        from sightline.learning.detectors import NanoDet

        try:
            NanoDet(path, 0.0)
        except InputError:
            return False
        return True
    return sorted(str(o.shape[-1:]) for o in outputs) == ["[32]"] * 3 + ["[80]"] * 3
