"""Classifiers in files: which output, logits or probabilities, and the class that is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.records.files import digest, digest_files
from sightline.tasks.utility.machines.adapter import Adapter, Outputs
from sightline.tasks.utility.machines.answers import (
    are_probabilities,
    joined,
    of_logits,
    of_probabilities,
    without_class,
)
from sightline.tasks.utility.machines.graph import Defaults, Graph, reading_of, run_rows
from sightline.tasks.utility.machines.machine import Classified, Photo
from sightline.tasks.utility.machines.reading import Reading, batches

#: ImageNet's classes, and TensorFlow's way of counting them: the background first.
IMAGENET, IMAGENET_AND_BACKGROUND = 1000, 1001

BACKGROUND = "background"

#: Pixels of a side where neither graph nor adapter says them.
_SIZE = 224


@dataclass(frozen=True, eq=False)
class GraphClassifier:
    """A classifier in a file.

    Attributes:
        name: The file's, without its suffix.
        graph: The network.
        reading: How it reads images.
        output: Which of its outputs is read.
        outputs: Whether those are logits or probabilities.
        background: The output that is no class and is dropped; None: every one is a class.
        classes: How many there are, without it.
        categories: Their names; empty where nobody says them.
        digest: Of the file and of how it is read.
    """

    name: str
    graph: Graph
    reading: Reading
    output: str
    outputs: Outputs
    background: int | None
    classes: int
    categories: tuple[str, ...]
    digest: str
    kind: Literal["classification"] = "classification"

    def classify(self, images: Sequence[Photo]) -> Classified:
        """Return what it says of uint8 (H, W, 3) RGB images, each of any size."""
        parts = []
        for _, pixels in batches(images, self.reading, self.graph.input.batch):
            rows = rows_of(self.graph, self.output, self.reading.normalise(pixels))
            read = of_logits if self.outputs == "logits" else of_probabilities
            said = read(rows, self.name)
            parts.append(said if self.background is None else without_class(said, self.background))
        return joined(parts, self.classes)


def graph_classifier(graph: Graph, adapter: Adapter, default: Reading) -> GraphClassifier:
    """Return a classifier in a file.

    Where the adapter does not say so, outputs count as probabilities if on four pictures (black,
    grey, noise, a ramp) none is outside 0..1 and every row sums to 1, or if they are 8-bit shares
    of 1, which round too much to sum to it; as logits if one is outside 0..1.

    The class ``background`` is dropped, so that indices are the data's own: the adapter's
    ``background``, the label of that name, or the first of 1001 outputs (TensorFlow's ImageNet).

    Args:
        graph: The network.
        adapter: What the user says of it.
        default: How it reads pictures where nobody says so.

    Raises:
        InputError: Its outputs are no classifier's, do not fit the labels, or may be either kind.
    """
    reading = reading_of(graph, adapter, Defaults(_SIZE, default))
    output = _output(graph, adapter)
    rows = np.concatenate(
        [
            rows_of(graph, output, reading.normalise(pixels))
            for _, pixels in batches(_probes(), reading, graph.input.batch or 1)
        ]
    )
    outputs = adapter.outputs or _outputs(graph, output, rows)
    background = _background(graph, adapter, rows.shape[1])
    classes = rows.shape[1] - (background is not None)
    return GraphClassifier(
        graph.path.stem,
        graph,
        reading,
        output,
        outputs,
        background,
        classes,
        _categories(graph, adapter, rows.shape[1], background),
        digest("graph classifier", digest_files([graph.path], names=False), reading, output,
               outputs, background),
    )  # fmt: skip


def rows_of(graph: Graph, output: str, values: NDArray[np.float32]) -> NDArray[Any]:
    """Return the (N, C) numbers of an output.

    Raises:
        InputError: It has other axes.
    """
    if not graph.input.batched:
        raise InputError(
            f"{graph.path}: an input (N, 3, H, W) or (N, H, W, 3) is wanted of a classifier, one "
            "without N came; is it a detector (`--task detection`)?"
        )
    found = run_rows(graph, values)[output]
    rows = found.reshape(len(values), -1)
    if found.ndim < 2 or rows.shape[1] != max(found.shape[1:]) or rows.shape[1] < 2:
        raise InputError(
            f"{graph.path}: a classifier's output (N, classes) is wanted, {output} is "
            f"{found.shape}; is it a detector (`--task detection`)?"
        )
    return rows


def _output(graph: Graph, adapter: Adapter) -> str:
    names = [output.name for output in graph.outputs]
    if adapter.scores is not None:
        if adapter.scores not in names:
            raise InputError(
                f"{graph.path}: no output {adapter.scores!r}; there are {', '.join(names)}"
            )
        return adapter.scores
    if len(names) == 1:
        return names[0]
    flat = [output.name for output in graph.outputs if len(output.shape) == 2]
    if len(flat) == 1 and all(len(output.shape) >= 2 for output in graph.outputs):
        return flat[0]  # beside maps of features
    shown = ", ".join(f"{output.name} {output.shape}" for output in graph.outputs)
    raise InputError(
        f"{graph.path}: one output (N, classes) is wanted, {shown} came; is it a detector "
        "(`--task detection`)? else name the output by `scores` in its .toml"
    )


def _outputs(graph: Graph, output: str, rows: NDArray[Any]) -> Outputs:
    shares = next(o.shares for o in graph.outputs if o.name == output)
    if shares or are_probabilities(rows):
        return "probabilities"
    if rows.min() >= 0 and rows.max() <= 1:
        raise InputError(
            f"{graph.path}: its outputs are from 0 to 1 and do not sum to 1; say `outputs = "
            f'"logits"` or "probabilities" in {graph.path.with_suffix(".toml").name}'
        )
    return "logits"


def _background(graph: Graph, adapter: Adapter, outputs: int) -> int | None:
    index = adapter.background
    if index is None and BACKGROUND in adapter.labels and len(adapter.labels) == outputs:
        index = adapter.labels.index(BACKGROUND)
    if index is None and outputs == IMAGENET_AND_BACKGROUND:
        index = 0
    if index is not None and index >= outputs:
        raise InputError(f"{graph.path}: background = {index}, but it has {outputs} outputs")
    return index


def _categories(
    graph: Graph, adapter: Adapter, outputs: int, background: int | None
) -> tuple[str, ...]:
    labels, classes = adapter.labels, outputs - (background is not None)
    if not labels:
        return _imagenet() if classes == IMAGENET else ()
    if len(labels) == outputs:
        return tuple(name for i, name in enumerate(labels) if i != background)
    if len(labels) == classes:
        return labels
    raise InputError(f"{graph.path}: {outputs} labels are wanted, {len(labels)} came")


def _imagenet() -> tuple[str, ...]:
    """Return the names of ImageNet's classes, as torchvision has them."""
    from sightline.learning.backbones import imagenet_weights

    return tuple(imagenet_weights("alexnet").meta["categories"])


def _probes() -> list[Photo]:
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    return [
        np.zeros((64, 64, 3), dtype=np.uint8),
        np.full((64, 64, 3), 128, dtype=np.uint8),
        np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8),
        np.broadcast_to(ramp[None, :, None], (64, 64, 3)).copy(),
    ]
