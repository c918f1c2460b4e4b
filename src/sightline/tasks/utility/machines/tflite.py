"""TFLite files as machines, through LiteRT (the extra ``tflite``)."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, WeightsError
from sightline.tasks.utility.machines.adapter import find_adapter
from sightline.tasks.utility.machines.graph import GraphInput, GraphOutput, input_of
from sightline.tasks.utility.machines.graph_classifiers import graph_classifier
from sightline.tasks.utility.machines.graph_detectors import graph_detector
from sightline.tasks.utility.machines.machine import Machine
from sightline.tasks.utility.machines.reading import Layout, Reading

#: Float networks of TensorFlow take pixels from -1 to 1 (x / 127.5 - 1).
_FLOAT = Reading(scale=1.0 / 127.5, mean=(1.0, 1.0, 1.0), std=(1.0, 1.0, 1.0))

#: Whole numbers that pixels can become.
_WHOLE = (np.uint8, np.int8)

#: What LiteRT says of operations that it does not have: custom ones, TensorFlow's, newer ones.
_UNKNOWN = re.compile(r"unresolved custom op|Select TensorFlow op|Didn't find op for builtin")

_STDERR = threading.Lock()


@dataclass(frozen=True, eq=False)
class TfliteGraph:
    """A network in a TFLite file.

    Attributes:
        path: The file.
        interpreter: Of LiteRT, with memory for its tensors; one call at a time.
        input: What goes in.
        outputs: What comes out.
    """

    path: Path
    interpreter: Any
    input: GraphInput
    outputs: tuple[GraphOutput, ...]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, values: NDArray[np.float32]) -> Mapping[str, NDArray[Any]]:
        """Return what comes out of a float32 batch in the graph's layout, by name.

        Raises:
            WeightsError: LiteRT cannot run it.
        """
        with self._lock:
            (entry,) = self.interpreter.get_input_details()
            try:
                if tuple(values.shape) != tuple(entry["shape"]):  # an open batch or size
                    with _quiet():
                        self.interpreter.resize_tensor_input(entry["index"], values.shape)
                        self.interpreter.allocate_tensors()
                self.interpreter.set_tensor(entry["index"], _quantised(values, entry))
                self.interpreter.invoke()
            except (RuntimeError, ValueError) as error:
                raise WeightsError(f"{self.path} cannot be run: {_first(error)}") from error
            return {
                out["name"]: _real(self.interpreter.get_tensor(out["index"]), out)
                for out in self.interpreter.get_output_details()
            }


def open_graph(path: Path, layout: Layout | None = None, threads: int = 0) -> TfliteGraph:
    """Return the network of a TFLite file.

    Args:
        path: The file.
        layout: Order of the input's axes, where the file leaves it open.
        threads: It computes with; 0: as many as this process may use.

    Raises:
        InputError: LiteRT is not installed, or the network takes no pictures.
        WeightsError: The file cannot be read, or has operations that LiteRT does not know.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise InputError(
            f"the package ai-edge-litert is wanted for {path}, it is not installed; "
            "`pip install sightline[tflite]` installs it"
        ) from error
    try:
        with _quiet():
            interpreter = Interpreter(model_path=str(path), num_threads=threads or _threads())
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        if _UNKNOWN.search(str(error)):
            raise WeightsError(
                f"{path}: operations that LiteRT knows are wanted; it says: {_first(error)} "
                "Convert the network with TFLite's built-in operations alone"
            ) from error
        raise WeightsError(f"{path} cannot be read as a TFLite file: {_first(error)}") from error
    entries = interpreter.get_input_details()
    if len(entries) != 1 or entries[0]["dtype"] not in (*_WHOLE, np.float32):
        came = ", ".join(f"{e['name']} {e['dtype'].__name__}" for e in entries)
        raise InputError(f"{path}: one input of pictures is wanted (float32, uint8 or int8), "
                         f"{came or 'none'} came")  # fmt: skip
    (entry,) = entries
    taken = input_of([int(n) for n in entry["shape_signature"]], path, layout)
    outputs = tuple(
        GraphOutput(o["name"], tuple(int(n) for n in o["shape_signature"]), shares=_shares(o))
        for o in interpreter.get_output_details()
    )
    made = GraphInput(taken.width, taken.height, taken.layout, taken.batch, taken.batched,
                      _normal(entry))  # fmt: skip
    return TfliteGraph(path, interpreter, made, outputs)


def tflite_machine(
    path: Path, kind: Literal["classification", "detection"], adapter: Path | None = None
) -> Machine:
    """Return a TFLite file as a machine.

    Pixels go as they are into an input of 8 bits, whose own scale and zero point say what they
    mean; into one of floats as x / 127.5 - 1; the adapter says otherwise.

    Args:
        path: The file.
        kind: What it does.
        adapter: What says how it is read; ``path`` with the suffix ``.toml`` where None and there.

    Raises:
        InputError: LiteRT is not installed, its input or outputs are of another kind, or the
            adapter is wrong.
        WeightsError: The file cannot be read, or has operations that LiteRT does not know.
    """
    said = find_adapter(path, adapter)
    graph = open_graph(path, said.layout)
    if kind == "classification":
        return graph_classifier(graph, said, dataclasses.replace(_FLOAT, resize="center"))
    return graph_detector(graph, said, _FLOAT)


def _normal(entry: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """Return scale, mean and deviation that make an 8-bit input of pixels the pixels themselves."""
    if entry["dtype"] not in _WHOLE:
        return None
    scale, zero = _scale(entry)
    first = 0 if entry["dtype"] is np.uint8 else -128  # what a black pixel is
    return scale, (zero - first) * scale, 1.0


def _shares(entry: Mapping[str, Any]) -> bool:
    """Return whether an output counts in 1/256 from 0, as TFLite's specification has softmax do."""
    first = {np.uint8: 0, np.int8: -128}.get(entry["dtype"])
    return first is not None and entry["quantization"] == (1.0 / 256.0, first)


def _scale(entry: Mapping[str, Any]) -> tuple[float, int]:
    scale, zero = entry["quantization"]
    return (float(scale), int(zero)) if scale else (1.0, 0)


def _quantised(values: NDArray[np.float32], entry: Mapping[str, Any]) -> NDArray[Any]:
    if entry["dtype"] not in _WHOLE:
        return values
    scale, zero = _scale(entry)
    limits = np.iinfo(entry["dtype"])
    whole: NDArray[Any] = np.rint(values / scale + zero).clip(limits.min, limits.max)
    return whole.astype(entry["dtype"])


def _real(values: NDArray[Any], entry: Mapping[str, Any]) -> NDArray[Any]:
    if values.dtype.kind not in "iu" or not entry["quantization"][0]:
        return values
    scale, zero = _scale(entry)
    real: NDArray[np.float32] = ((values.astype(np.float32) - zero) * scale).astype(np.float32)
    return real


def _threads() -> int:
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said):
        return int(said)
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what LiteRT's C++ writes to stderr out of the user's terminal, but for its errors."""
    sys.stderr.flush()
    with _STDERR, tempfile.TemporaryFile() as kept:
        before = os.dup(2)
        try:
            os.dup2(kept.fileno(), 2)
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
